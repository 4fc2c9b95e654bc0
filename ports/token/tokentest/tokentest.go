// Package tokentest is the suite that every adapter of ports/token must pass.
// It holds the private keys itself, so it can forge whatever an attacker or a
// careless colleague might.
package tokentest

import (
	"reflect"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign/countersign/domain/fault"
	"github.com/countersign/countersign/ports/token"
)

// Service is what is under test.
type Service interface {
	token.Signer
	token.Reader
	token.Publisher
}

// Setup is how the suite wants the service to be made.
type Setup struct {
	Keys     token.Keys
	Issuer   string
	Audience string
	Now      func() time.Time
}

// Keys is a token.Keys whose set can be replaced.
type Keys struct{ set atomic.Pointer[token.KeySet] }

// Keys returns the set that Use was given last.
func (k *Keys) Keys() *token.KeySet { return k.set.Load() }

// Use replaces the set.
func (k *Keys) Use(s *token.KeySet) { k.set.Store(s) }

const (
	issuer   = "https://login.example.com"
	audience = "https://api.example.com"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// bench is one service with its keys and clock.
type bench struct {
	Service
	keys  *Keys
	clock *time.Time
}

// Run runs the suite for both algorithms.
func Run(t *testing.T, open func(tb testing.TB, s Setup) Service) {
	t.Helper()
	for _, alg := range []token.Algorithm{token.EdDSA, token.ES256} {
		t.Run(string(alg), func(t *testing.T) {
			for name, test := range map[string]func(*testing.T, *bench){
				"what was signed reads back":         readsBack,
				"the token has the documented shape": shape,
				"the key set verifies independently": publishes,
				"expiry is to the second":            expires,
				"issuer and audience must be ours":   addressed,
				"unfit claims are not signed":        unfit,
				"receipts are not access tokens":     receipts,
				"forged tokens are refused":          forged,
				"altered tokens are refused":         altered,
				"rotation keeps tokens alive":        rotated,
				"retired keys end":                   retired,
			} {
				t.Run(name, func(t *testing.T) { test(t, newBench(t, alg, open)) })
			}
		})
	}
}

func newBench(t *testing.T, alg token.Algorithm, open func(testing.TB, Setup) Service) *bench {
	t.Helper()
	clock := start
	b := &bench{keys: new(Keys), clock: &clock}
	b.keys.Use(&token.KeySet{Active: newKey(t, alg)})
	b.Service = open(t, Setup{
		Keys: b.keys, Issuer: issuer, Audience: audience,
		Now: func() time.Time { return clock },
	})
	return b
}

func claims() token.Claims {
	return token.Claims{
		Subject: "user-1", Session: "session-1", Tenant: "default", ID: "token-1",
		AMR: []string{"otp", "sms"}, ACR: "aal1",
		AuthTime: start.Add(-time.Minute), IssuedAt: start, ExpiresAt: start.Add(10 * time.Minute),
	}
}

func (b *bench) sign(t *testing.T, c token.Claims) string {
	t.Helper()
	text, err := b.Sign(c)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// refuse fails unless reading gives the given refusal with all it tells others.
func (b *bench) refuse(t *testing.T, what, text string, now time.Time, want *fault.Error) {
	t.Helper()
	c, err := b.Read(text, now)
	f, ok := fault.Of(err)
	if !ok || f.Kind != want.Kind || f.Code != want.Code || f.Text != want.Text {
		t.Errorf("%s: got error %v, want %q", what, err, want.Text)
	}
	if !reflect.DeepEqual(c, token.Claims{}) {
		t.Errorf("%s: got claims as well: %+v", what, c)
	}
}

func readsBack(t *testing.T, b *bench) {
	want := claims()
	text := b.sign(t, want)
	want.Issuer, want.Audience = issuer, audience
	got, err := b.Read(text, start)
	if err != nil {
		t.Fatalf("in the second it was issued: %v", err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("got  %+v\nwant %+v", got, want)
	}
}

func expires(t *testing.T, b *bench) {
	c := claims()
	c.IssuedAt = start.Add(900 * time.Millisecond)
	c.ExpiresAt = c.IssuedAt.Add(time.Minute)
	text := b.sign(t, c)
	end := start.Add(time.Minute) // fractions are cut off
	for _, now := range []time.Time{start, c.IssuedAt, end.Add(-time.Microsecond)} {
		if _, err := b.Read(text, now); err != nil {
			t.Errorf("at %s: %v", now.Sub(start), err)
		}
	}
	b.refuse(t, "at its end", text, end, token.ErrExpired)
	b.refuse(t, "after its end", text, end.Add(time.Hour), token.ErrExpired)
	b.refuse(t, "before its start", text, start.Add(-time.Microsecond), token.ErrInvalid)
}

func addressed(t *testing.T, b *bench) {
	for what, change := range map[string]func(*token.Claims){
		"other issuer":         func(c *token.Claims) { c.Issuer = "https://evil.example.com" },
		"issuer with slash":    func(c *token.Claims) { c.Issuer = issuer + "/" },
		"other audience":       func(c *token.Claims) { c.Audience = "https://other.example.com" },
		"audience in capitals": func(c *token.Claims) { c.Audience = "HTTPS://API.EXAMPLE.COM" },
	} {
		c := claims()
		change(&c)
		text := b.sign(t, c)
		b.refuse(t, what, text, start, token.ErrInvalid)
		b.refuse(t, what+", expired", text, c.ExpiresAt, token.ErrInvalid)
	}
}

func unfit(t *testing.T, b *bench) {
	for what, change := range map[string]func(*token.Claims){
		"no subject":               func(c *token.Claims) { c.Subject = "" },
		"no id":                    func(c *token.Claims) { c.ID = "" },
		"no issue":                 func(c *token.Claims) { c.IssuedAt = time.Time{} },
		"no expiry":                func(c *token.Claims) { c.ExpiresAt = time.Time{} },
		"expires when it starts":   func(c *token.Claims) { c.ExpiresAt = c.IssuedAt },
		"expires before it starts": func(c *token.Claims) { c.ExpiresAt = c.IssuedAt.Add(-time.Second) },
	} {
		c := claims()
		change(&c)
		if text, err := b.Sign(c); err == nil || text != "" {
			t.Errorf("%s: signed %q", what, text)
		}
	}
	if text, err := b.Receipt(token.Receipt{}); err == nil || text != "" {
		t.Errorf("empty receipt: signed %q", text)
	}
}

func rotated(t *testing.T, b *bench) {
	old := b.keys.Keys().Active
	text := b.sign(t, claims())
	next := newKey(t, old.Algorithm)
	b.keys.Use(&token.KeySet{Active: old, Others: []token.Key{next}})
	if got := kids(t, b.JWKS()); len(got) != 2 || got[0] != old.ID || got[1] != next.ID {
		t.Errorf("published %q, want the active and the next key", got)
	}
	old.Until = start.Add(time.Hour)
	b.keys.Use(&token.KeySet{Active: next, Others: []token.Key{old}})
	if _, err := b.Read(text, start); err != nil {
		t.Errorf("a token of before the rotation: %v", err)
	}
	if got := header(t, b.sign(t, claims())).KeyID; got != next.ID {
		t.Errorf("signed with %q, want the key that became active, %q", got, next.ID)
	}
}

func retired(t *testing.T, b *bench) {
	old := b.keys.Keys().Active
	c := claims()
	c.ExpiresAt = start.Add(10 * time.Hour)
	text := b.sign(t, c)
	old.Until = start.Add(time.Hour)
	next := newKey(t, old.Algorithm)
	b.keys.Use(&token.KeySet{Active: next, Others: []token.Key{old}})
	*b.clock = old.Until.Add(-1)
	if got := kids(t, b.JWKS()); len(got) != 2 {
		t.Errorf("before its end: published %q", got)
	}
	*b.clock = old.Until
	if got := kids(t, b.JWKS()); len(got) != 1 || got[0] != next.ID {
		t.Errorf("at its end: published %q", got)
	}
	b.refuse(t, "token of a key that has ended", text, old.Until, token.ErrInvalid)
	b.keys.Use(&token.KeySet{Active: next})
	b.refuse(t, "token of a key that is gone", text, start, token.ErrInvalid)
}

func receipts(t *testing.T, b *bench) {
	r := token.Receipt{
		Audience: audience, Subject: "user-1", Tenant: "default", ID: "receipt-1", Purpose: "approve",
		Channel: "email", Destination: "a@example.com", DetailHash: []byte{0xfb, 0xff},
		IssuedAt: start, ExpiresAt: start.Add(time.Hour),
	}
	text, err := b.Receipt(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := verify(b.JWKS(), text); err != nil {
		t.Errorf("the key set does not verify the receipt: %v", err)
	}
	if got := header(t, text).Type; got != token.TypeReceipt {
		t.Errorf("type is %q", got)
	}
	same(t, payload(t, text), map[string]any{
		"iss": issuer, "sub": "user-1", "aud": audience, "tid": "default", "jti": "receipt-1",
		"purpose": "approve", "channel": "email", "destination": "a@example.com", "detail_sha256": "-_8",
		"iat": float64(start.Unix()), "exp": float64(start.Add(time.Hour).Unix()),
	})
	b.refuse(t, "receipt", text, start, token.ErrInvalid)
	if verify(b.JWKS(), text[:len(text)-8]+"AAAAAAAA") == nil {
		t.Error("the independent verifier accepts anything")
	}
}
