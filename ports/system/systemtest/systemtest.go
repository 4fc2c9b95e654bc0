// Package systemtest holds a clock that is moved by hand, ids that count, and
// randomness that repeats, so that a test gives the same result every time.
package systemtest

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Clock stands still until it is moved. Make one with NewClock. It is safe for
// concurrent use.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock makes a clock that stands at start, or at noon UTC on the first of
// January 2026 if start is zero.
func NewClock(start time.Time) *Clock {
	if start.IsZero() {
		start = time.Date(2026, time.January, 1, 12, 0, 0, 0, time.UTC)
	}
	c := &Clock{}
	c.Set(start)
	return c
}

// Now returns where the clock stands.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock by d, backwards if d is negative, and returns where
// it stands then. Parts of a microsecond are cut off.
func (c *Clock) Advance(d time.Duration) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = whole(c.now.Add(d))
	return c.now
}

// Set moves the clock to t, whatever its zone. Parts of a microsecond are cut off.
func (c *Clock) Set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = whole(t)
}

func whole(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// IDs counts from 1: 00000000-0000-7000-8000-000000000001 and so on, which are
// UUIDs of version 7. The zero value is ready and safe for concurrent use.
type IDs struct {
	last atomic.Uint64
}

// New returns the next id.
func (i *IDs) New() string { return ID(i.last.Add(1)) }

// ID returns the nth id that IDs gives out, for tests that expect it. Only the
// lower 48 bits of n count.
func ID(n uint64) string {
	return fmt.Sprintf("00000000-0000-7000-8000-%012x", n&(1<<48-1))
}

// Random is an endless stream of bytes that depend on the seed alone: SHA-256
// of the seed's hash and a counter. Make one with NewRandom. It is safe for
// concurrent use, but goroutines that share it get parts of the stream in any
// order. It is for tests only.
type Random struct {
	mu    sync.Mutex
	seed  [sha256.Size]byte
	count uint64
	left  []byte
}

// NewRandom makes a stream. Different seeds give unrelated streams.
func NewRandom(seed string) *Random { return &Random{seed: sha256.Sum256([]byte(seed))} }

// Read fills p with the next bytes of the stream. It never fails.
func (r *Random) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for n := 0; n < len(p); {
		if len(r.left) == 0 {
			r.left = r.block()
		}
		took := copy(p[n:], r.left)
		n, r.left = n+took, r.left[took:]
	}
	return len(p), nil
}

func (r *Random) block() []byte {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(r.seed[:], r.count))
	r.count++
	return sum[:]
}
