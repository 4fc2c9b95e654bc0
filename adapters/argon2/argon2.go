// Package argon2 hashes passwords with Argon2id (RFC 9106), with the parameters
// that OWASP recommends, and keeps hashes in PHC string form.
package argon2

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"runtime"

	"golang.org/x/crypto/argon2"

	domain "github.com/countersign/countersign/domain/password"
	"github.com/countersign/countersign/ports/password"
	"github.com/countersign/countersign/ports/seal"
)

var _ password.Hasher = (*Hasher)(nil)

const (
	saltLen      = 16 // bytes (RFC 9106 section 3.1)
	tagLen       = 32 // bytes
	defaultQueue = 64
)

// Cost says what one hash takes.
type Cost struct {
	Memory uint32 // KiB, from 8 per lane to 65536
	Passes uint32 // over the memory, from 1 to 8
	Lanes  uint8  // that are filled at the same time, from 1 to 4
}

// Default is what OWASP's cheat sheet on password storage asks for at least:
// 19 MiB and two passes. That is 20 to 40 ms of one core.
func Default() Cost { return Cost{Memory: 19 << 10, Passes: 2, Lanes: 1} }

// The bounds of a cost. Whoever can write to the database must not be able to
// spend more than this of our machine with one sign-in.
const (
	mostMemory = 64 << 10
	mostPasses = 8
	mostLanes  = 4
)

func (c Cost) bounded() bool {
	return c.Lanes >= 1 && c.Lanes <= mostLanes && c.Passes >= 1 && c.Passes <= mostPasses &&
		c.Memory >= 8*uint32(c.Lanes) && c.Memory <= mostMemory
}

// weaker reports whether guessing is cheaper than under the other cost. Lanes
// change who has to wait, not what has to be done.
func (c Cost) weaker(o Cost) bool { return c.Memory < o.Memory || c.Passes < o.Passes }

// Config says how to hash.
type Config struct {
	Random io.Reader // for salts; must be safe for concurrent use

	// Normalize makes one text of all spellings of a password. NFKC takes for one
	// all that SP 800-63B-4 (3.1.1.2) and RFC 8265 (4.2) want to be one, and
	// full-width letters besides. Changing it later locks people out. Nil keeps
	// the bytes as they are.
	Normalize func(string) string

	// Pepper makes the hashes worthless to whoever steals the database without the
	// keys. Hashes then name the root key, so that they outlive a rotation. A hash
	// without one is refused where there is a pepper: otherwise whoever can write
	// to the database could plant a password. Nil is no pepper.
	Pepper seal.Deriver

	Slots int  // how many hashes are made at once; 0 is one for each thread that Go runs
	Queue int  // how many may wait for that; 0 is 64
	Cost  Cost // the zero value is Default
}

// Hasher implements password.Hasher. It is safe for concurrent use.
//
// A hash takes Cost.Memory while it is made, and leaves it to the garbage
// collector: the library has no way to use memory again.
type Hasher struct {
	random    io.Reader
	normalize func(string) string
	pepper    seal.Deriver
	cost      Cost
	gate      gate
	kdf       func(secret, salt []byte, passes, memory uint32, lanes uint8, length uint32) []byte
}

// New makes a hasher. It refuses a cost beyond its bounds.
func New(c Config) (*Hasher, error) {
	if c.Cost == (Cost{}) {
		c.Cost = Default()
	}
	if !c.Cost.bounded() {
		return nil, fmt.Errorf("make password hasher: cost %+v is out of bounds", c.Cost)
	}
	if c.Random == nil || c.Slots < 0 || c.Queue < 0 {
		return nil, errors.New("make password hasher: no randomness, or a number below 0")
	}
	if c.Normalize == nil {
		c.Normalize = func(text string) string { return text }
	}
	if c.Slots == 0 {
		c.Slots = runtime.GOMAXPROCS(0)
	}
	if c.Queue == 0 {
		c.Queue = defaultQueue
	}
	return &Hasher{
		random: c.Random, normalize: c.Normalize, pepper: c.Pepper, cost: c.Cost,
		gate: newGate(c.Slots, c.Queue), kdf: argon2.IDKey,
	}, nil
}

// String says what it is, and nothing of what is in it.
func (h *Hasher) String() string { return "argon2id hasher" }

// GoString is String, so that %#v hides as much.
func (h *Hasher) GoString() string { return h.String() }

// Hash implements password.Hasher.
func (h *Hasher) Hash(ctx context.Context, text string) (domain.Hash, error) {
	if len(text) > domain.MaxLength {
		return "", errors.New("hash password: it is too long")
	}
	if err := h.gate.enter(ctx); err != nil {
		return "", err
	}
	defer h.gate.leave()
	p := phc{cost: h.cost, salt: make([]byte, saltLen)}
	if _, err := io.ReadFull(h.random, p.salt); err != nil {
		return "", fmt.Errorf("hash password: make salt: %w", err)
	}
	secret := []byte(h.normalize(text))
	if h.pepper != nil {
		var sum seal.Sum
		sum, p.key = h.pepper.Derive(seal.Pepper, secret)
		secret = sum[:]
	}
	p.tag = h.derive(p, secret, tagLen)
	return domain.Hash(p.String()), nil
}

// Compare implements password.Hasher. It takes the time that its hash took to
// make; without a hash, that of one made today.
func (h *Hasher) Compare(ctx context.Context, hash domain.Hash, text string) (same, stale bool, err error) {
	if err := h.gate.enter(ctx); err != nil {
		return false, false, err
	}
	defer h.gate.leave()
	if len(text) > domain.MaxLength {
		hash, text = "", ""
	}
	p, known := parse(string(hash))
	secret, active, ok := h.secret(p.key, text)
	if !known || !ok {
		p, known = phc{cost: h.cost, salt: make([]byte, saltLen), tag: make([]byte, tagLen)}, false
	}
	tag := h.derive(p, secret, uint32(len(p.tag))) //nolint:gosec // a tag has 16 to 64 bytes: see parse
	same = subtle.ConstantTimeCompare(tag, p.tag) == 1 && known
	return same, same && (p.cost.weaker(h.cost) || len(p.tag) < tagLen || len(p.salt) < saltLen || p.key != active), nil
}

// secret is what was hashed in place of the text under a key, and the key that
// is active. It is not ok if there was a pepper and it is gone, or there was none
// and should have been (no root key is number 0); then it took as long.
func (h *Hasher) secret(key seal.KeyID, text string) (secret []byte, active seal.KeyID, ok bool) {
	secret = []byte(h.normalize(text))
	if h.pepper == nil {
		return secret, 0, key == 0
	}
	now, active := h.pepper.Derive(seal.Pepper, secret)
	then, err := h.pepper.DeriveWith(key, seal.Pepper, secret)
	if err != nil {
		return now[:], active, false
	}
	return then[:], active, true
}

func (h *Hasher) derive(p phc, secret []byte, length uint32) []byte {
	return h.kdf(secret, p.salt, p.cost.Passes, p.cost.Memory, p.cost.Lanes, length)
}
