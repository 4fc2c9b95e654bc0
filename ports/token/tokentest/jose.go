package tokentest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"strings"
	"testing"

	"github.com/countersign/countersign/ports/token"
)

// What follows makes and verifies tokens with the standard library alone, so
// that no adapter is judged by its own code.

type joseHeader struct {
	Algorithm string `json:"alg"`
	Type      string `json:"typ"`
	KeyID     string `json:"kid"`
}

type joseKey struct {
	Curve     string `json:"crv"`
	Type      string `json:"kty"`
	X         string `json:"x"`
	Y         string `json:"y"`
	KeyID     string `json:"kid"`
	Algorithm string `json:"alg"`
	Use       string `json:"use"`
}

func newKey(tb testing.TB, alg token.Algorithm) token.Key {
	tb.Helper()
	private, err := newPrivate(alg)
	if err != nil {
		tb.Fatal(err)
	}
	public, _, err := token.NewPublicJWK(private.Public())
	if err != nil {
		tb.Fatal(err)
	}
	return token.Key{ID: public.Thumbprint(), Algorithm: alg, Private: private}
}

func newPrivate(alg token.Algorithm) (crypto.Signer, error) {
	if alg == token.ES256 {
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	_, k, err := ed25519.GenerateKey(rand.Reader)
	return k, err
}

// forge signs any header and payload with any of our keys.
func forge(tb testing.TB, k token.Key, head, body string) string {
	tb.Helper()
	text := encode(head) + "." + encode(body)
	switch private := k.Private.(type) {
	case ed25519.PrivateKey:
		return text + "." + encode(string(ed25519.Sign(private, []byte(text))))
	case *ecdsa.PrivateKey:
		hash := sha256.Sum256([]byte(text))
		r, s, err := ecdsa.Sign(rand.Reader, private, hash[:])
		if err != nil {
			tb.Fatal(err)
		}
		raw := make([]byte, 64)
		r.FillBytes(raw[:32])
		s.FillBytes(raw[32:])
		return text + "." + encode(string(raw))
	default:
		tb.Fatalf("no way to sign with %T", k.Private)
		return ""
	}
}

// verify checks a signature with nothing but a published key set.
func verify(jwks []byte, text string) error {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return errors.New("not three parts")
	}
	head, err := decode[joseHeader](parts[0])
	if err != nil {
		return err
	}
	signature, err := base64.RawURLEncoding.Strict().DecodeString(parts[2])
	if err != nil {
		return err
	}
	var set struct{ Keys []joseKey }
	if err := json.Unmarshal(jwks, &set); err != nil {
		return err
	}
	for _, k := range set.Keys {
		if k.KeyID == head.KeyID && k.Algorithm == head.Algorithm && k.Use == "sig" {
			return k.verify(parts[0]+"."+parts[1], signature)
		}
	}
	return errors.New("no such key")
}

func (k joseKey) verify(text string, signature []byte) error {
	x, errX := base64.RawURLEncoding.DecodeString(k.X)
	y, errY := base64.RawURLEncoding.DecodeString(k.Y)
	if err := errors.Join(errX, errY); err != nil {
		return err
	}
	valid := false
	switch {
	case k.Type == "OKP" && k.Curve == "Ed25519" && len(x) == ed25519.PublicKeySize:
		valid = ed25519.Verify(x, []byte(text), signature)
	case k.Type == "EC" && k.Curve == "P-256" && len(signature) == 64:
		public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append(append([]byte{4}, x...), y...))
		if err != nil {
			return err
		}
		hash := sha256.Sum256([]byte(text))
		r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
		valid = ecdsa.Verify(public, hash[:], r, s)
	}
	if !valid {
		return errors.New("signature does not verify")
	}
	return nil
}

func encode(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func decode[T any](segment string) (T, error) {
	var v T
	text, err := base64.RawURLEncoding.DecodeString(segment)
	if err != nil {
		return v, fmt.Errorf("decode segment: %w", err)
	}
	return v, json.Unmarshal(text, &v)
}

func header(tb testing.TB, text string) joseHeader {
	tb.Helper()
	h, err := decode[joseHeader](strings.Split(text, ".")[0])
	if err != nil {
		tb.Fatal(err)
	}
	return h
}

func payload(tb testing.TB, text string) map[string]any {
	tb.Helper()
	p, err := decode[map[string]any](strings.Split(text, ".")[1])
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func kids(tb testing.TB, jwks []byte) []string {
	tb.Helper()
	var set struct{ Keys []joseKey }
	if err := json.Unmarshal(jwks, &set); err != nil {
		tb.Fatal(err)
	}
	var ids []string
	for _, k := range set.Keys {
		ids = append(ids, k.KeyID)
	}
	return ids
}

func same(tb testing.TB, got, want map[string]any) {
	tb.Helper()
	if !reflect.DeepEqual(got, want) {
		tb.Errorf("payload is\n%v\nwant\n%v", got, want)
	}
}
