package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// ErrUnsupportedKey means that a key is of no kind we sign with.
var ErrUnsupportedKey = errors.New("neither an Ed25519 nor a P-256 key")

// Algorithm is how tokens are signed, by its JOSE name.
type Algorithm string

// The algorithms. One key serves one algorithm only (RFC 8725 section 3.1).
const (
	EdDSA Algorithm = "EdDSA" // Ed25519, RFC 8037; the default
	ES256 Algorithm = "ES256" // ECDSA on P-256 with SHA-256, RFC 7518
)

// Key is one key for signing.
type Key struct {
	ID        string    // kid: the RFC 7638 thumbprint
	Algorithm Algorithm // the only one it is used with
	Private   crypto.Signer
	Until     time.Time // retired keys: verifies before, not at, this instant; zero: no end
}

// Live reports whether tokens of this key may still be verified at now.
func (k Key) Live(now time.Time) bool { return k.Until.IsZero() || now.Before(k.Until) }

// Format writes only what is public about the key, whatever the verb.
func (k Key) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "{%s %s}", k.ID, k.Algorithm) }

// LogValue gives only the key's name.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.ID) }

// KeySet is all keys for signing at one moment. It does not change.
type KeySet struct {
	Active Key   // signs
	Others []Key // verify only: the next one, which is published early, and retired ones
}

// All lists the active key first, then the others.
func (s *KeySet) All() []Key { return append([]Key{s.Active}, s.Others...) }

// Keys gives the keys for signing. It must be safe for concurrent use.
type Keys interface {
	// Keys returns the same pointer until the keys have changed, so that users
	// may keep what they computed from it.
	Keys() *KeySet
}

// PublicJWK is the public part of a key with the members that RFC 7638 asks
// for, in its order: as JSON, without white space, it is what the thumbprint hashes.
type PublicJWK struct {
	Curve string `json:"crv"`
	Type  string `json:"kty"`
	X     string `json:"x"`
	Y     string `json:"y,omitempty"`
}

// NewPublicJWK describes a public key (RFC 7518 section 6.2.1, RFC 8037
// section 2). It refuses other kinds and curves with ErrUnsupportedKey.
func NewPublicJWK(pub crypto.PublicKey) (PublicJWK, Algorithm, error) {
	enc := base64.RawURLEncoding.EncodeToString
	switch k := pub.(type) {
	case ed25519.PublicKey:
		return PublicJWK{Curve: "Ed25519", Type: "OKP", X: enc(k)}, EdDSA, nil
	case *ecdsa.PublicKey:
		if k.Curve != elliptic.P256() {
			return PublicJWK{}, "", ErrUnsupportedKey
		}
		point, err := k.Bytes() // 4, X, Y
		if err != nil {
			return PublicJWK{}, "", ErrUnsupportedKey
		}
		return PublicJWK{Curve: "P-256", Type: "EC", X: enc(point[1:33]), Y: enc(point[33:])}, ES256, nil
	default:
		return PublicJWK{}, "", ErrUnsupportedKey
	}
}

// Thumbprint gives the key's RFC 7638 name, unpadded base64url of SHA-256.
func (j PublicJWK) Thumbprint() string {
	text := `{"crv":"` + j.Curve + `","kty":"` + j.Type + `","x":"` + j.X + `"`
	if j.Y != "" {
		text += `,"y":"` + j.Y + `"`
	}
	sum := sha256.Sum256([]byte(text + "}"))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
