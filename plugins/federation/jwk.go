package federation

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"math/big"
	"slices"
)

// mostKeys is how many keys of one provider are looked at.
const mostKeys = 64

// jwk is a public key as providers publish it (RFC 7517, RFC 7518 section 6, RFC
// 8037).
type jwk struct {
	Type      string `json:"kty"`
	ID        string `json:"kid"`
	Use       string `json:"use"`
	Algorithm string `json:"alg"`
	Curve     string `json:"crv"`
	X         string `json:"x"`
	Y         string `json:"y"`
	N         string `json:"n"`
	E         string `json:"e"`
}

// key verifies what was signed with certain algorithms, and with no others.
type key struct {
	id         string
	algorithms []string
	public     crypto.PublicKey
}

func (k key) err() error {
	if k.public == nil {
		return errNoKey
	}
	return nil
}

// pick finds the key that a token names. One that names none must leave no choice.
func pick(keys []key, id, algorithm string) (found key, ok bool) {
	n := 0
	for _, k := range keys {
		if (id == "" || k.id == id) && slices.Contains(k.algorithms, algorithm) {
			found = k
			n++
		}
	}
	if n != 1 {
		return key{}, false
	}
	return found, true
}

// usable reads the keys that we can use. Of the others there may be any number:
// a provider that also has a key of a kind that we do not know is no worse for it.
func usable(all []jwk) []key {
	out := []key{}
	for _, j := range all[:min(len(all), mostKeys)] {
		public, algorithms := j.public()
		if j.Algorithm != "" {
			algorithms = slices.DeleteFunc(algorithms, func(a string) bool { return a != j.Algorithm })
		}
		if public == nil || len(algorithms) == 0 || j.Use != "" && j.Use != "sig" {
			continue
		}
		out = append(out, key{id: j.ID, algorithms: algorithms, public: public})
	}
	return out
}

// public reads the key, or gives nil.
func (j jwk) public() (crypto.PublicKey, []string) {
	switch {
	case j.Type == "RSA":
		return j.rsa()
	case j.Type == "EC" && j.Curve == "P-256":
		return j.ec(elliptic.P256(), "ES256")
	case j.Type == "EC" && j.Curve == "P-384":
		return j.ec(elliptic.P384(), "ES384")
	case j.Type == "OKP" && j.Curve == "Ed25519":
		if raw, err := base64.RawURLEncoding.DecodeString(j.X); err == nil && len(raw) == ed25519.PublicKeySize {
			return ed25519.PublicKey(raw), []string{"EdDSA"}
		}
	}
	return nil, nil
}

// rsa reads keys of 2048 to 8192 bits: shorter ones are weak, longer ones slow.
func (j jwk) rsa() (crypto.PublicKey, []string) {
	n, errN := base64.RawURLEncoding.DecodeString(j.N)
	e, errE := base64.RawURLEncoding.DecodeString(j.E)
	if errN != nil || errE != nil || len(e) == 0 || len(e) > 4 {
		return nil, nil
	}
	modulus, exponent := new(big.Int).SetBytes(n), int(new(big.Int).SetBytes(e).Int64())
	if bits := modulus.BitLen(); bits < 2048 || bits > 8192 || exponent < 3 || exponent%2 == 0 {
		return nil, nil
	}
	return &rsa.PublicKey{N: modulus, E: exponent}, []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
}

// ec reads a point, which must be one of the curve.
func (j jwk) ec(curve elliptic.Curve, algorithm string) (crypto.PublicKey, []string) {
	x, errX := base64.RawURLEncoding.DecodeString(j.X)
	y, errY := base64.RawURLEncoding.DecodeString(j.Y)
	size := (curve.Params().BitSize + 7) / 8
	if errX != nil || errY != nil || len(x) != size || len(y) != size {
		return nil, nil
	}
	point := slices.Concat([]byte{4}, x, y)
	public, err := ecdsa.ParseUncompressedPublicKey(curve, point)
	if err != nil {
		return nil, nil
	}
	return public, []string{algorithm}
}
