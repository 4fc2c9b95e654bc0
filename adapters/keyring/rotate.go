package keyring

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/countersign/countersign/ports/seal"
	"github.com/countersign/countersign/ports/token"
)

var (
	errIDsUsedUp = errors.New("all 255 ids of root secrets are used: make a new key file")
	errInUse     = errors.New("only a retired root secret can be forgotten")
)

// Rotation is what Rotate needs.
type Rotation struct {
	Random    io.Reader
	Now       time.Time
	Keep      time.Duration   // how long the retired signing key still verifies: a token's life, plus the time until every replica has read the file
	Algorithm token.Algorithm // of the signing key that becomes next; empty: as the active one's
}

// Rotate moves every key on: next becomes active, active becomes retired, and
// a new next is made. Retired roots stay, as their values do; retired signing
// keys that have run out go. A key that has leaked calls for two rotations,
// because its neighbour stood in the same file. After an error f is as before.
func (f *File) Rotate(r Rotation) error {
	if err := f.validate(); err != nil {
		return err
	}
	roots, err := f.rotatedRoots(r)
	if err != nil {
		return err
	}
	signing, err := f.rotatedSigning(r)
	if err != nil {
		return err
	}
	f.Roots, f.Signing = roots, signing
	return nil
}

func (f *File) rotatedRoots(r Rotation) ([]Root, error) {
	g := File{Roots: slices.Clone(f.Roots)}
	if !slices.ContainsFunc(g.Roots, func(k Root) bool { return k.State == Next }) {
		k, err := g.newRoot(r.Random, r.Now, Next)
		if err != nil {
			return nil, err
		}
		g.Roots = append(g.Roots, k)
	}
	for i := range g.Roots {
		g.Roots[i].State = g.Roots[i].State.after()
	}
	k, err := g.newRoot(r.Random, r.Now, Next)
	if err != nil {
		return nil, err
	}
	return append(g.Roots, k), nil
}

func (f *File) rotatedSigning(r Rotation) ([]SigningKey, error) {
	keys := slices.DeleteFunc(slices.Clone(f.Signing), func(k SigningKey) bool {
		return k.State == Retired && !r.Now.Before(k.Until)
	})
	alg := r.Algorithm
	if i := slices.IndexFunc(keys, func(k SigningKey) bool { return k.State == Active }); alg == "" {
		alg = keys[i].Algorithm
	}
	missing := 1
	if !slices.ContainsFunc(keys, func(k SigningKey) bool { return k.State == Next }) {
		missing = 2
	}
	made := make([]SigningKey, missing)
	for i := range made {
		k, err := newSigningKey(r.Random, r.Now, alg)
		if err != nil {
			return nil, err
		}
		made[i] = k
	}
	keys = append(keys, made[:missing-1]...)
	for i := range keys {
		if keys[i].State == Active {
			keys[i].RetiredAt = stamp(r.Now)
			keys[i].Until = stamp(r.Now.Add(r.Keep))
		}
		keys[i].State = keys[i].State.after()
	}
	return append(keys, made[missing-1]), nil
}

func (s State) after() State {
	if s == Next {
		return Active
	}
	return Retired
}

// RaiseEpoch makes every code, link, pending and refresh token worthless that
// was made before. It is for restored back-ups, which know again what has been
// used since.
func (f *File) RaiseEpoch() { f.Epoch++ }

// Forget removes a retired root secret. What was sealed under it is lost.
func (f *File) Forget(id seal.KeyID) error {
	i := slices.IndexFunc(f.Roots, func(r Root) bool { return r.ID == id })
	if i < 0 {
		return fmt.Errorf("forget root secret %d: %w", id, seal.ErrNoKey)
	}
	if f.Roots[i].State != Retired {
		return fmt.Errorf("forget root secret %d: %w", id, errInUse)
	}
	f.Roots = slices.Delete(slices.Clone(f.Roots), i, i+1)
	return nil
}
