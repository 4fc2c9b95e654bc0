package jwttoken_test

import (
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/adapters/jwttoken"
	"github.com/countersign/countersign/ports/token"
	"github.com/countersign/countersign/ports/token/tokentest"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func TestTokensKeepTheContract(t *testing.T) {
	tokentest.Run(t, func(tb testing.TB, s tokentest.Setup) tokentest.Service {
		service, err := jwttoken.New(jwttoken.Config{Keys: s.Keys, Issuer: s.Issuer, Audience: s.Audience, Now: s.Now})
		if err != nil {
			tb.Fatal(err)
		}
		return service
	})
}

// fixed holds a key that everybody knows, so that tokens here are the same every time.
func fixed(tb testing.TB) *tokentest.Keys {
	tb.Helper()
	seed := []byte("an ed25519 seed has 32 bytes ...")
	private := ed25519.NewKeyFromSeed(seed)
	public, alg, err := token.NewPublicJWK(private.Public())
	if err != nil {
		tb.Fatal(err)
	}
	keys := new(tokentest.Keys)
	keys.Use(&token.KeySet{Active: token.Key{ID: public.Thumbprint(), Algorithm: alg, Private: private}})
	return keys
}

func newTokens(tb testing.TB, keys token.Keys) *jwttoken.Tokens {
	tb.Helper()
	tokens, err := jwttoken.New(jwttoken.Config{
		Keys: keys, Issuer: "https://login.example.com", Audience: "api", Now: func() time.Time { return now },
	})
	if err != nil {
		tb.Fatal(err)
	}
	return tokens
}

func claims() token.Claims {
	return token.Claims{
		Subject: "0190a1b2-0000-7000-8000-000000000001", Session: "0190a1b2-0000-7000-8000-000000000002",
		ID: "0190a1b2-0000-7000-8000-000000000003", Tenant: "default", AMR: []string{"otp"}, ACR: "aal1",
		AuthTime: now, IssuedAt: now, ExpiresAt: now.Add(10 * time.Minute),
	}
}

func TestFieldsStandInAFixedOrder(t *testing.T) {
	text, err := newTokens(t, fixed(t)).Sign(claims())
	if err != nil {
		t.Fatal(err)
	}
	want := "eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCIsImtpZCI6" // {"alg":"EdDSA","typ":"at+jwt","kid":
	if !strings.HasPrefix(text, want) {
		t.Errorf("token starts with %.60s", text)
	}
	if len(text) > 700 {
		t.Errorf("a plain token has %d bytes", len(text))
	}
}

func TestIncompleteConfigIsRefused(t *testing.T) {
	keys, clock := fixed(t), func() time.Time { return now }
	for what, c := range map[string]jwttoken.Config{
		"no keys":     {Issuer: "i", Audience: "a", Now: clock},
		"no issuer":   {Keys: keys, Audience: "a", Now: clock},
		"no audience": {Keys: keys, Issuer: "i", Now: clock},
		"no clock":    {Keys: keys, Issuer: "i", Audience: "a"},
	} {
		if tokens, err := jwttoken.New(c); err == nil || tokens != nil {
			t.Errorf("%s: made tokens", what)
		}
	}
}

func TestAKeyOfAnotherAlgorithmIsRefused(t *testing.T) {
	keys := fixed(t)
	k := keys.Keys().Active
	k.Algorithm = token.ES256
	keys.Use(&token.KeySet{Active: k})
	_, err := jwttoken.New(jwttoken.Config{
		Keys: keys, Issuer: "i", Audience: "a", Now: func() time.Time { return now },
	})
	if !errors.Is(err, token.ErrUnsupportedKey) {
		t.Fatalf("got %v", err)
	}
}

func TestRefusalsDoNotShowTheToken(t *testing.T) {
	tokens := newTokens(t, fixed(t))
	text, err := tokens.Sign(claims())
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(text, ".")
	for _, bad := range []string{text + "=", "x" + text, text + ".", parts[0] + "." + parts[1] + ".AAAA"} {
		_, err := tokens.Read(bad, now)
		if err == nil {
			t.Fatal("accepted")
		}
		for _, p := range parts {
			if strings.Contains(err.Error(), p) {
				t.Errorf("the error shows a part of the token: %v", err)
			}
		}
	}
}

func TestTokensBeyond8KiBAreNotLookedAt(t *testing.T) {
	tokens, c := newTokens(t, fixed(t)), claims()
	c.Subject = strings.Repeat("s", 7<<10)
	text, err := tokens.Sign(c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tokens.Read(text, now); len(text) <= 8<<10 || !errors.Is(err, token.ErrInvalid) {
		t.Fatalf("%d bytes: got %v", len(text), err)
	}
}

func FuzzRead(f *testing.F) {
	tokens := newTokens(f, fixed(f))
	good, err := tokens.Sign(claims())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good + "=")
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add("..")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := tokens.Read(text, now)
		switch {
		case text == good && err != nil:
			t.Fatalf("refused the right one: %v", err)
		case text != good && (!errors.Is(err, token.ErrInvalid) || c.Subject != ""):
			t.Fatalf("accepted a forged one: %+v, error %v", c, err)
		}
	})
}

func BenchmarkSign(b *testing.B) {
	tokens, c := newTokens(b, fixed(b)), claims()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tokens.Sign(c); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	tokens := newTokens(b, fixed(b))
	text, err := tokens.Sign(claims())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tokens.Read(text, now); err != nil {
			b.Fatal(err)
		}
	}
}
