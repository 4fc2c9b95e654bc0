package token_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"testing"
	"time"

	"github.com/countersign/countersign/ports/token"
)

func TestThumbprintIsTheOneOfRFC8037(t *testing.T) {
	x, err := base64.RawURLEncoding.DecodeString("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")
	if err != nil {
		t.Fatal(err)
	}
	j, alg, err := token.NewPublicJWK(ed25519.PublicKey(x))
	if err != nil || alg != token.EdDSA {
		t.Fatalf("got algorithm %q, error %v", alg, err)
	}
	if got, want := j.Thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"; got != want {
		t.Fatalf("thumbprint is %s, RFC 8037 A.3 says %s", got, want)
	}
}

func TestOnlyOurCurvesAreKeys(t *testing.T) {
	for _, c := range []elliptic.Curve{elliptic.P224(), elliptic.P384(), elliptic.P521()} {
		k, err := ecdsa.GenerateKey(c, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := token.NewPublicJWK(k.Public()); !errors.Is(err, token.ErrUnsupportedKey) {
			t.Errorf("%s: got %v", c.Params().Name, err)
		}
	}
	if _, _, err := token.NewPublicJWK("text"); !errors.Is(err, token.ErrUnsupportedKey) {
		t.Errorf("text as a key: got %v", err)
	}
	if _, _, err := token.NewPublicJWK(&ecdsa.PublicKey{}); !errors.Is(err, token.ErrUnsupportedKey) {
		t.Errorf("empty key: got %v", err)
	}
}

func TestRetiredKeysEndToTheInstant(t *testing.T) {
	end := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	k := token.Key{Until: end}
	if !k.Live(end.Add(-1)) || k.Live(end) {
		t.Fatal("a key lives before, and not at, its end")
	}
	if !(token.Key{}).Live(end) {
		t.Fatal("a key without an end lives")
	}
}
