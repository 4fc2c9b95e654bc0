package channeltest

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"sync"
	"time"

	"github.com/countersign/countersign/ports/channel"
)

// Clock is a clock that tests move. It is safe for concurrent use.
type Clock struct {
	mu  sync.Mutex // guards now
	now time.Time
}

// NewClock is a clock that stands at the given time.
func NewClock(at time.Time) *Clock { return &Clock{now: at} }

// Now is the time it shows.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Set moves the clock to a time, however far away.
func (c *Clock) Set(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = at
}

// Codes is a channel.Codes whose codes the test can see. As in the core, a code
// is a function of the challenge and does not change with the round.
type Codes struct{ Form channel.Shape }

// Shape is always the configured one.
func (k Codes) Shape(channel.Challenge) channel.Shape { return k.Form }

// Code is the challenge's code.
func (k Codes) Code(c channel.Challenge) string {
	sum := sha256.Sum256([]byte(c.Handle + "\x00" + string(c.Purpose) + "\x00" + c.Address))
	chars := k.Form.Alphabet.Characters()
	code := make([]byte, k.Form.Length)
	for i := range code {
		code[i] = chars[int(sum[i%len(sum)])%len(chars)]
	}
	return string(code)
}

// Match ignores case, spaces and hyphens, like the core.
func (k Codes) Match(c channel.Challenge, code string) bool {
	return strings.ToUpper(strings.NewReplacer(" ", "", "-", "").Replace(code)) == k.Code(c)
}

// journal keeps what was logged. It is safe for concurrent use.
type journal struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// handle is the n-th challenge's: it looks unguessable and is the same in every run.
func handle(n int64) string {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("handle"), uint64(n)))
	return hex.EncodeToString(sum[:16])
}
