package keyring

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/countersign/countersign/ports/seal"
	"github.com/countersign/countersign/ports/token"
)

// validate says in one sentence what is wrong with the content, without
// showing any of the secrets.
func (f *File) validate() error {
	switch {
	case f.Version != version:
		return fmt.Errorf("it has version %d, and this program knows version %d", f.Version, version)
	case f.Epoch == 0:
		return errors.New("its epoch is missing or 0, and the first epoch is 1")
	}
	if err := f.validateRoots(); err != nil {
		return err
	}
	return f.validateSigning()
}

func (f *File) validateRoots() error {
	var states states
	seen := make(map[seal.KeyID]bool)
	for i, r := range f.Roots {
		switch {
		case r.ID == 0:
			return errors.New("a root secret has no id, or the id 0")
		case seen[r.ID]:
			return fmt.Errorf("two root secrets have the id %d", r.ID)
		case len(r.Secret) < secretLen:
			return fmt.Errorf("root secret %d has %d bytes, and needs at least %d", r.ID, len(r.Secret), secretLen)
		case bytes.Count(r.Secret, r.Secret[:1]) == len(r.Secret):
			return fmt.Errorf("root secret %d repeats one byte, and is not a secret", r.ID)
		}
		for _, o := range f.Roots[:i] {
			if bytes.Equal(o.Secret, r.Secret) {
				return fmt.Errorf("root secrets %d and %d are equal", o.ID, r.ID)
			}
		}
		seen[r.ID] = true
		if err := states.count(r.State); err != nil {
			return fmt.Errorf("root secret %d %w", r.ID, err)
		}
	}
	return states.judge("root secret")
}

func (f *File) validateSigning() error {
	var states states
	seen := make(map[string]bool)
	for _, k := range f.Signing {
		if seen[k.ID] {
			return fmt.Errorf("two signing keys have the kid %q", k.ID)
		}
		seen[k.ID] = true
		if _, err := k.private(); err != nil {
			return fmt.Errorf("signing key %q %w", k.ID, err)
		}
		if k.State == Retired && k.Until.IsZero() {
			return fmt.Errorf(`signing key %q is retired without an "until"`, k.ID)
		}
		if err := states.count(k.State); err != nil {
			return fmt.Errorf("signing key %q %w", k.ID, err)
		}
	}
	return states.judge("signing key")
}

// private reads the key and checks that name and algorithm are its own.
func (k SigningKey) private() (crypto.Signer, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(k.Private)
	if err != nil {
		return nil, errors.New("is not readable as PKCS #8")
	}
	private, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("is %w", token.ErrUnsupportedKey)
	}
	public, alg, err := token.NewPublicJWK(private.Public())
	switch {
	case err != nil:
		return nil, fmt.Errorf("is %w", err)
	case alg != k.Algorithm:
		return nil, fmt.Errorf("has the algorithm %q, but its key is for %s", k.Algorithm, alg)
	case public.Thumbprint() != k.ID:
		return nil, errors.New("has a kid that is not its key's thumbprint")
	}
	return private, nil
}

// states counts the keys of one sort by state.
type states struct{ next, active int }

func (s *states) count(state State) error {
	switch state {
	case Next:
		s.next++
	case Active:
		s.active++
	case Retired:
	default:
		return fmt.Errorf("has the state %q, which is none of next, active, retired", state)
	}
	return nil
}

func (s *states) judge(what string) error {
	switch {
	case s.active == 0:
		return fmt.Errorf("it has no active %s", what)
	case s.active > 1:
		return fmt.Errorf("it has %d active %ss, and one at a time may be", s.active, what)
	case s.next > 1:
		return fmt.Errorf("it has %d next %ss, and one at a time may be", s.next, what)
	}
	return nil
}
