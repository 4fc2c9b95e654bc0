// Package keyring keeps all keys of an installation in one JSON file: the root
// secrets, from which everything sealed or derived gets its key, and the keys
// that sign tokens.
//
// Keys of both sorts go through next, active and retired. The next one is in
// the file a whole rotation early, so that replicas which read the file at
// different moments always understand each other.
package keyring

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/countersign/countersign/ports/seal"
	"github.com/countersign/countersign/ports/token"
)

const (
	version   = 1
	secretLen = 32 // bytes of a root secret, at least; HKDF keeps their 256 bits
	hidden    = "••••"
)

// Secret is key material. It is written as base64 in JSON, and as dots anywhere else.
type Secret []byte

// Format writes dots, whatever the verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// LogValue gives dots.
func (Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// State is where a key stands between its making and its end.
type State string

// The states, in the order a key goes through them.
const (
	Next    State = "next"    // known to all, used by nobody yet; at most one
	Active  State = "active"  // seals, derives, signs; exactly one
	Retired State = "retired" // only opens and verifies what is there
)

// File is the content of the key file.
type File struct {
	Version int          `json:"version"` // 1
	Epoch   uint64       `json:"epoch"`   // from 1; see RaiseEpoch
	Roots   []Root       `json:"roots"`
	Signing []SigningKey `json:"signing"`
}

// Root is a secret from which keys for sealing and deriving are made.
type Root struct {
	ID      seal.KeyID `json:"id"`
	Secret  Secret     `json:"secret"` // 32 random bytes or more
	State   State      `json:"state"`
	Created time.Time  `json:"created"`
}

// SigningKey is a key that signs tokens.
type SigningKey struct {
	ID        string          `json:"kid"` // RFC 7638 thumbprint
	Algorithm token.Algorithm `json:"algorithm"`
	State     State           `json:"state"`
	Private   Secret          `json:"private"` // PKCS #8 DER
	Created   time.Time       `json:"created"`
	RetiredAt time.Time       `json:"retired_at,omitzero"`
	Until     time.Time       `json:"until,omitzero"` // retired: when the last token has run out
}

// Generate makes the content of a new key file: an active and a next key of
// each sort. An empty algorithm is EdDSA.
func Generate(random io.Reader, now time.Time, algorithm token.Algorithm) (*File, error) {
	f := &File{Version: version, Epoch: 1}
	for _, s := range []State{Active, Next} {
		root, err := f.newRoot(random, now, s)
		if err != nil {
			return nil, err
		}
		f.Roots = append(f.Roots, root)
		key, err := newSigningKey(random, now, algorithm)
		if err != nil {
			return nil, err
		}
		key.State = s
		f.Signing = append(f.Signing, key)
	}
	return f, nil
}

func (f *File) newRoot(random io.Reader, now time.Time, s State) (Root, error) {
	last := seal.KeyID(0)
	for _, r := range f.Roots {
		last = max(last, r.ID)
	}
	if last == 255 {
		return Root{}, errIDsUsedUp
	}
	secret := make([]byte, secretLen)
	if _, err := io.ReadFull(random, secret); err != nil {
		return Root{}, fmt.Errorf("make root secret: %w", err)
	}
	return Root{ID: last + 1, Secret: secret, State: s, Created: stamp(now)}, nil
}

func newSigningKey(random io.Reader, now time.Time, alg token.Algorithm) (SigningKey, error) {
	if alg == "" {
		alg = token.EdDSA
	}
	private, err := newPrivate(random, alg)
	if err != nil {
		return SigningKey{}, fmt.Errorf("make signing key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return SigningKey{}, fmt.Errorf("write signing key: %w", err)
	}
	public, _, err := token.NewPublicJWK(private.Public())
	if err != nil {
		return SigningKey{}, fmt.Errorf("name signing key: %w", err)
	}
	return SigningKey{
		ID: public.Thumbprint(), Algorithm: alg, State: Next, Private: der, Created: stamp(now),
	}, nil
}

func newPrivate(random io.Reader, alg token.Algorithm) (crypto.Signer, error) {
	switch alg {
	case token.EdDSA:
		seed := make([]byte, ed25519.SeedSize)
		if _, err := io.ReadFull(random, seed); err != nil {
			return nil, err
		}
		return ed25519.NewKeyFromSeed(seed), nil
	case token.ES256:
		return ecdsa.GenerateKey(elliptic.P256(), random)
	default:
		return nil, fmt.Errorf("algorithm %q is neither EdDSA nor ES256", alg)
	}
}

// stamp cuts fractions, which nobody needs in the file.
func stamp(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }
