package keyring

import (
	"crypto"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/countersign/countersign/ports/seal"
	"github.com/countersign/countersign/ports/token"
)

var (
	_ seal.Sealer  = (*Ring)(nil)
	_ seal.Deriver = (*Ring)(nil)
	_ token.Keys   = (*Ring)(nil)
)

var errEpochBack = errors.New("the epoch must not go back: what it made worthless would count again")

// Ring is the keys at work. It is safe for concurrent use, also while its keys
// are replaced.
type Ring struct {
	random  io.Reader
	content atomic.Pointer[content]
}

// content is one state of the ring. It does not change.
type content struct {
	epoch   uint64
	active  *root
	roots   map[seal.KeyID]*root
	signing *token.KeySet
}

// New makes a ring. The reader gives nonces and must be safe for concurrent use.
func New(f *File, random io.Reader) (*Ring, error) {
	c, err := expand(f)
	if err != nil {
		return nil, fmt.Errorf("make key ring: %w", err)
	}
	r := &Ring{random: random}
	r.content.Store(c)
	return r, nil
}

// Ephemeral makes a ring that lives in memory only, for development: nothing
// that it sealed or signed outlives the process.
func Ephemeral(random io.Reader, now time.Time) (*Ring, error) {
	f, err := Generate(random, now, token.EdDSA)
	if err != nil {
		return nil, err
	}
	return New(f, random)
}

// Use replaces all keys at once, after a rotation. It refuses a file that does
// not hold together and one whose epoch is lower; then the old keys stay.
func (r *Ring) Use(f *File) error {
	c, err := expand(f)
	if err != nil {
		return fmt.Errorf("replace keys: %w", err)
	}
	for {
		old := r.content.Load()
		if c.epoch < old.epoch {
			return fmt.Errorf("replace keys: %w", errEpochBack)
		}
		if r.content.CompareAndSwap(old, c) {
			return nil
		}
	}
}

// Keys gives the keys that sign tokens.
func (r *Ring) Keys() *token.KeySet { return r.content.Load().signing }

// Epoch gives the number that is mixed into codes and tokens.
func (r *Ring) Epoch() uint64 { return r.content.Load().epoch }

// Format writes dots, whatever the verb.
func (*Ring) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// LogValue gives dots.
func (*Ring) LogValue() slog.Value { return slog.StringValue(hidden) }

func expand(f *File) (*content, error) {
	if err := f.validate(); err != nil {
		return nil, err
	}
	c := &content{epoch: f.Epoch, roots: make(map[seal.KeyID]*root), signing: new(token.KeySet)}
	for _, r := range f.Roots {
		k, err := newRootKeys(r)
		if err != nil {
			return nil, fmt.Errorf("root secret %d: %w", r.ID, err)
		}
		c.roots[r.ID] = k
		if r.State == Active {
			c.active = k
		}
	}
	for _, s := range f.Signing {
		private, err := s.private()
		if err != nil {
			return nil, fmt.Errorf("signing key %q: %w", s.ID, err)
		}
		c.add(s, private)
	}
	return c, nil
}

func (c *content) add(s SigningKey, private crypto.Signer) {
	k := token.Key{ID: s.ID, Algorithm: s.Algorithm, Private: private}
	switch s.State {
	case Active:
		c.signing.Active = k
	case Next:
		c.signing.Others = append(c.signing.Others, k)
	case Retired:
		k.Until = s.Until
		c.signing.Others = append(c.signing.Others, k)
	}
}
