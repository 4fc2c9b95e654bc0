package oidc_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/countersign/countersign/plugins/oidc"
	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/channel/channeltest"
	"github.com/countersign/countersign/test/providers"
)

// somebody is who consents unless a test says otherwise.
var somebody = map[string]any{"sub": "u-1", "email": "ada@example.com", "email_verified": true, "given_name": "Ada", "family_name": "Lovelace"}

func provider(tb testing.TB, p *providers.OIDC) *providers.OIDC {
	tb.Helper()
	p.Client, p.Redirect = "countersign", "https://login.example.com/callback/kit"
	p.Start()
	tb.Cleanup(p.Close)
	p.Is(somebody)
	return p
}

func suite(tb testing.TB) channeltest.Suite {
	p := provider(tb, &providers.OIDC{Secret: "hush hush hush"})
	config := func(issuer string) string {
		return fmt.Sprintf(`{"issuer":%q,"client_id":"countersign","client_secret":"hush hush hush"}`, issuer)
	}
	return channeltest.Suite{
		Plugin: oidc.Plugin(), Config: config(p.URL), Respond: p.Visit, Lie: providers.Lost, Provider: config,
		Broken: map[string]string{
			"no issuer": `{"client_id":"x"}`, "no client": `{"issuer":"https://id.example.com"}`,
			"an issuer without TLS":     `{"issuer":"http://id.example.com","client_id":"x"}`,
			"an issuer with a user":     `{"issuer":"https://a:b@id.example.com","client_id":"x"}`,
			"no openid":                 `{"issuer":"https://id.example.com","client_id":"x","scopes":["email"]}`,
			"unsigned tokens":           `{"issuer":"https://id.example.com","client_id":"x","algorithms":["none"]}`,
			"a pattern for a domain":    `{"issuer":"https://id.example.com","client_id":"x","domains":["*.com"]}`,
			"introspection as a nobody": `{"issuer":"https://id.example.com","client_id":"x","introspection":true}`,
			"no algorithm":              `{"issuer":"https://id.example.com","client_id":"x","algorithms":[]}`,
			"tokens that are days old":  `{"issuer":"https://id.example.com","client_id":"x","max_age":"48h"}`,
			"signatures of a symmetry":  `{"issuer":"https://id.example.com","client_id":"x","algorithms":["HS256"]}`,
		},
	}
}

func TestConformance(t *testing.T) { channeltest.Run(t, suite(t)) }

func FuzzVerify(f *testing.F) { channeltest.FuzzVerify(f, suite(f)) }

func FuzzReceive(f *testing.F) { channeltest.FuzzReceive(f, suite(f)) }

//go:generate go test -run TestDocs -update .
func TestDocs(t *testing.T) { channeltest.Docs(t, oidc.Plugin()) }

// bench is an open channel beside its provider, by one clock.
type bench struct {
	channel.Channel
	*providers.OIDC

	clock *channeltest.Clock
}

func open(t *testing.T, more string) bench {
	t.Helper()
	p := provider(t, &providers.OIDC{Secret: "hush"})
	b := bench{OIDC: p, clock: channeltest.NewClock(time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC))}
	p.Watch.Set(b.clock)
	config := fmt.Sprintf(`{"issuer":%q,"client_id":"countersign","client_secret":"hush"%s}`, p.URL, more)
	client := &http.Client{Transport: &http.Transport{}, Timeout: 5 * time.Second}
	t.Cleanup(client.CloseIdleConnections)
	ch, err := oidc.Plugin().Open(t.Context(), channeltest.Decoder(config), channel.Env{
		Instance: "corp", Log: slog.New(slog.DiscardHandler), HTTP: client, Now: b.clock.Now, Random: rand.Reader,
	})
	if err != nil {
		t.Fatal(err)
	}
	b.Channel = ch
	return b
}

// bring judges what an app brings.
func (b bench) bring(t *testing.T, body map[string]any) channel.Verdict {
	t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	v, err := b.Verify(t.Context(), channel.Challenge{Purpose: channel.Authenticate}, nil, channel.Response{Data: raw})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func (b bench) token(changes map[string]any) map[string]any {
	return map[string]any{"id_token": b.Sign(b.Claims(changes))}
}

func TestATokenIsGoodForItsAudienceItsTimeAndItsIssuerOnly(t *testing.T) {
	b := open(t, `,"other_client_ids":["app"]`)
	now := b.clock.Now().Unix()
	for name, changes := range map[string]map[string]any{
		"another audience": {"aud": "other"}, "one more audience": {"aud": []string{"countersign", "other"}, "azp": "countersign"},
		"two audiences and no party": {"aud": []string{"countersign", "app"}}, "no audience": {"aud": nil}, "an empty list": {"aud": []string{}},
		"an odd audience": {"aud": []any{"countersign", 1}}, "another party": {"azp": "other"}, "an odd party": {"azp": 7},
		"another issuer": {"iss": "https://id.example.com"}, "the issuer without its scheme": {"iss": strings.TrimPrefix(b.URL, "http://")},
		"no issuer": {"iss": nil}, "no subject": {"sub": nil}, "a number for a subject": {"sub": 12}, "an endless subject": {"sub": strings.Repeat("a", 1000)},
		"no end": {"exp": nil}, "an odd end": {"exp": "later"}, "no beginning": {"iat": nil}, "made tomorrow": {"iat": now + 86400}, "good tomorrow": {"nbf": now + 86400},
	} {
		if v := b.bring(t, b.token(changes)); v.Outcome != channel.Rejected || v.Reason != channel.Mismatch {
			t.Errorf("%s: %s (%s)", name, v.Outcome, v.Reason)
		}
	}
	for name, changes := range map[string]map[string]any{
		"out of date": {"exp": now}, "made two hours ago": {"iat": now - 7200},
	} {
		if v := b.bring(t, b.token(changes)); v.Outcome != channel.Rejected || v.Reason != channel.Expired {
			t.Errorf("%s: %s (%s)", name, v.Outcome, v.Reason)
		}
	}
	for name, changes := range map[string]map[string]any{
		"as it should be": nil, "our app's": {"aud": "app", "azp": "app"}, "both": {"aud": []string{"countersign", "app"}, "azp": "app"},
		"a clock that is ahead": {"iat": now + 20}, "a list of one": {"aud": []string{"countersign"}},
	} {
		if v := b.bring(t, b.token(changes)); v.Outcome != channel.Verified || v.Ref != b.URL+"|u-1" {
			t.Errorf("%s: %s (%s) %s", name, v.Outcome, v.Reason, v.Ref)
		}
	}
}

func TestATokenIsGoodUnderTheProvidersKeyOnly(t *testing.T) {
	b := open(t, ``)
	foreign, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	claims := jwt.MapClaims(b.Claims(nil))
	unsigned, err := jwt.NewWithClaims(jwt.SigningMethodNone, claims).SignedString(jwt.UnsafeAllowNoneSignatureType)
	if err != nil {
		t.Fatal(err)
	}
	symmetric := jwt.NewWithClaims(jwt.SigningMethodHS256, claims)
	symmetric.Header["kid"] = "key-1"
	shared, err := symmetric.SignedString([]byte("hush"))
	if err != nil {
		t.Fatal(err)
	}
	good := b.Sign(b.Claims(nil))
	parts := strings.Split(good, ".")
	for name, token := range map[string]string{
		"a stranger's key under the right name": providers.SignWith(foreign, map[string]any{"kid": "key-1"}, claims),
		"a key that the token brings along":     providers.SignWith(foreign, map[string]any{"kid": "mine", "jwk": map[string]any{"kty": "EC"}}, claims),
		"a key that the token points to":        providers.SignWith(foreign, map[string]any{"kid": "mine", "jku": b.URL + "/evil", "x5u": b.URL + "/evil"}, claims),
		"an extension":                          b.SignUnder(map[string]any{"crit": []string{"b64"}}, claims),
		"no signature":                          unsigned, "a shared secret": shared, "a signature cut off": parts[0] + "." + parts[1] + ".",
		"two parts": parts[0] + "." + parts[1], "four parts": good + ".a", "nothing": "..", "padding": good + "=", "an ocean": strings.Repeat("a", 1<<20) + ".b.c",
	} {
		if v := b.bring(t, map[string]any{"id_token": token}); v.Outcome != channel.Rejected || v.Reason != channel.Mismatch {
			t.Errorf("%s: %s (%s)", name, v.Outcome, v.Reason)
		}
	}
	if n := b.Fetched(); n != 1 {
		t.Errorf("the keys were asked for %d times", n)
	}
	if v := b.bring(t, map[string]any{"id_token": b.SignUnder(map[string]any{"x5t": "x", "jku": b.URL + "/evil"}, claims)}); v.Outcome != channel.Verified {
		t.Errorf("a header that says more than we read: %s (%s)", v.Outcome, v.Reason)
	}
}

func TestAnotherIssuersDocumentIsNotBelieved(t *testing.T) { // OpenID Connect Discovery 1.0 section 4.3
	b := open(t, ``)
	b.Issuer = "https://id.example.com" // what the tokens say, too
	data, err := json.Marshal(b.token(map[string]any{"iss": b.URL}))
	if err != nil {
		t.Fatal(err)
	}
	if v, err := b.Verify(t.Context(), channel.Challenge{}, nil, channel.Response{Data: data}); !errors.Is(err, channel.ErrUnavailable) {
		t.Errorf("%s, %v", v.Outcome, err)
	}
}

func TestUnknownKeysAreLookedForOnceAMinute(t *testing.T) {
	b := open(t, ``)
	if v := b.bring(t, b.token(nil)); v.Outcome != channel.Verified {
		t.Fatalf("%s (%s)", v.Outcome, v.Reason)
	}
	b.Rotate()
	for range 20 {
		if v := b.bring(t, b.token(nil)); v.Outcome != channel.Rejected {
			t.Fatal("a key was known before anybody had asked for it")
		}
	}
	b.clock.Advance(time.Minute)
	for range 20 {
		if v := b.bring(t, b.token(nil)); v.Outcome != channel.Verified {
			t.Fatalf("after a minute: %s (%s)", v.Outcome, v.Reason)
		}
	}
	if n := b.Fetched(); n != 2 {
		t.Errorf("the keys were asked for %d times, not twice", n)
	}
}

func TestKeysAreKeptAsLongAsTheProviderSaysWithinReason(t *testing.T) {
	for said, want := range map[string]time.Duration{
		"max-age=600": 10 * time.Minute, "public, max-age=1": 5 * time.Minute, "max-age=99999999": 24 * time.Hour, "no-store": 5 * time.Minute,
		"": time.Hour, "max-age=soon": time.Hour, "max-age=-5": time.Hour,
	} {
		b := open(t, ``)
		b.Publish(said)
		b.bring(t, b.token(nil))
		b.clock.Advance(want - time.Second)
		b.bring(t, b.token(nil))
		if n := b.Fetched(); n != 1 {
			t.Errorf("%q: asked %d times before the time", said, n)
		}
		b.clock.Advance(time.Second)
		b.bring(t, b.token(nil))
		if n := b.Fetched(); n != 2 {
			t.Errorf("%q: asked %d times after the time", said, n)
		}
	}
}

func TestKeysOfStrangeKindsDoNoHarm(t *testing.T) { // Telegram publishes one of secp256k1
	b := open(t, ``)
	b.Publish("", map[string]string{"kty": "EC", "crv": "secp256k1", "kid": "a", "alg": "ES256K", "x": "AA", "y": "AA"},
		map[string]string{"kty": "RSA", "kid": "weak", "n": "AQAB", "e": "AQAB"}, map[string]string{"kty": "EC", "crv": "P-256", "kid": "off", "x": strings.Repeat("A", 43), "y": strings.Repeat("A", 43)},
		map[string]string{"kty": "oct", "kid": "key-1", "k": "aHVzaA"}, map[string]string{})
	if v := b.bring(t, b.token(nil)); v.Outcome != channel.Verified {
		t.Errorf("%s (%s)", v.Outcome, v.Reason)
	}
}

func TestEveryKindOfSignatureNeedsItsKindOfKey(t *testing.T) {
	b, wide := open(t, ``), open(t, `,"algorithms":["PS256","ES384"]`)
	encode := base64.RawURLEncoding.EncodeToString
	long, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	curved, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := curved.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	edwards, edwardsKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keys := []map[string]string{
		{"kty": "RSA", "kid": "rsa", "n": encode(long.N.Bytes()), "e": "AQAB"},
		{"kty": "RSA", "kid": "rs256", "alg": "RS256", "n": encode(long.N.Bytes()), "e": "AQAB"},
		{"kty": "RSA", "kid": "sealing", "use": "enc", "n": encode(long.N.Bytes()), "e": "AQAB"},
		{"kty": "EC", "crv": "P-384", "kid": "p384", "x": encode(point[1:49]), "y": encode(point[49:])},
		{"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": encode(edwards)},
	}
	for _, x := range []struct {
		b      bench
		method jwt.SigningMethod
		kid    string
		key    any
		want   channel.Outcome
	}{
		{b, jwt.SigningMethodRS256, "rsa", long, channel.Verified}, {b, jwt.SigningMethodRS256, "rs256", long, channel.Verified},
		{b, jwt.SigningMethodEdDSA, "ed", edwardsKey, channel.Verified}, {wide, jwt.SigningMethodPS256, "rsa", long, channel.Verified},
		{wide, jwt.SigningMethodES384, "p384", curved, channel.Verified}, {wide, jwt.SigningMethodES384, "", curved, channel.Verified},
		{b, jwt.SigningMethodPS256, "rsa", long, channel.Rejected}, {wide, jwt.SigningMethodPS256, "rs256", long, channel.Rejected},
		{b, jwt.SigningMethodRS256, "sealing", long, channel.Rejected}, {b, jwt.SigningMethodRS256, "ed", long, channel.Rejected},
		{b, jwt.SigningMethodRS256, "", long, channel.Rejected}, {wide, jwt.SigningMethodRS256, "rsa", long, channel.Rejected},
	} {
		x.b.Publish("", keys...)
		token := jwt.NewWithClaims(x.method, jwt.MapClaims(x.b.Claims(nil)))
		if x.kid != "" {
			token.Header["kid"] = x.kid
		}
		text, err := token.SignedString(x.key)
		if err != nil {
			t.Fatal(err)
		}
		if v := x.b.bring(t, map[string]any{"id_token": text}); v.Outcome != x.want {
			t.Errorf("%s by %q: %s", x.method.Alg(), x.kid, v.Outcome)
		}
	}
}

func TestATokenThatAnAppBringsIsGoodOnce(t *testing.T) {
	b := open(t, ``)
	one, two := b.token(nil), b.token(map[string]any{"jti": "2"})
	first, again, other := b.bring(t, one), b.bring(t, one), b.bring(t, two)
	if first.OnceKey == "" || first.OnceKey != again.OnceKey || first.OnceKey == other.OnceKey {
		t.Errorf("once keys %q, %q, %q", first.OnceKey, again.OnceKey, other.OnceKey)
	}
	for name, body := range map[string]map[string]any{
		"another nonce": {"id_token": b.Sign(b.Claims(map[string]any{"nonce": "a"})), "nonce": "b"},
		"no nonce":      {"id_token": b.Sign(b.Claims(nil)), "nonce": "b"},
		"both tokens":   {"id_token": b.Sign(b.Claims(nil)), "access_token": "x"},
	} {
		if v := b.bring(t, body); v.Outcome != channel.Rejected {
			t.Errorf("%s: %s", name, v.Outcome)
		}
	}
	if v := b.bring(t, map[string]any{"id_token": b.Sign(b.Claims(map[string]any{"nonce": "a"})), "nonce": "a"}); v.Outcome != channel.Verified {
		t.Errorf("the right nonce: %s", v.Outcome)
	}
}

func TestOnlyTrueIsTrue(t *testing.T) {
	b := open(t, `,"domains":["Example.com"]`)
	for _, x := range []struct {
		email    any
		verified any
		want     channel.Identity
	}{
		{"ada@example.com", true, channel.Identity{Email: "ada@example.com", EmailVerified: true, Authoritative: true}},
		{"ada@EXAMPLE.com", true, channel.Identity{Email: "ada@EXAMPLE.com", EmailVerified: true, Authoritative: true}},
		{"ada@elsewhere.com", true, channel.Identity{Email: "ada@elsewhere.com", EmailVerified: true}},
		{"ada@x@example.com", true, channel.Identity{Email: "ada@x@example.com", EmailVerified: true}},
		{"ada@example.com", "true", channel.Identity{Email: "ada@example.com"}},
		{"ada@example.com", "false", channel.Identity{Email: "ada@example.com"}},
		{"ada@example.com", 1, channel.Identity{Email: "ada@example.com"}},
		{"ada@example.com", nil, channel.Identity{Email: "ada@example.com"}},
		{nil, true, channel.Identity{}}, {7, true, channel.Identity{}},
	} {
		v := b.bring(t, b.token(map[string]any{"email": x.email, "email_verified": x.verified}))
		x.want.Issuer, x.want.FirstName, x.want.LastName = b.URL, "Ada", "Lovelace"
		if v.Identity == nil || *v.Identity != x.want {
			t.Errorf("%v, %v: got %+v", x.email, x.verified, v.Identity)
		}
	}
}

// trip is a browser that was sent away.
func (b bench) trip(t *testing.T, handle string) (channel.State, *url.URL) {
	t.Helper()
	o, err := b.Begin(t.Context(), channel.Challenge{Handle: handle, Purpose: channel.Authenticate, Callback: b.Redirect})
	if err != nil {
		t.Fatal(err)
	}
	target, err := url.Parse(o.Prompt.URL)
	if err != nil {
		t.Fatal(err)
	}
	return o.State, target
}

func (b bench) back(t *testing.T, s channel.State, back url.Values) channel.Verdict {
	t.Helper()
	cb, _ := channel.As[channel.Callback](b.Channel)
	_, r, err := cb.Receive(t.Context(), channel.Inbound{Method: http.MethodGet, Query: back})
	if err != nil {
		t.Fatal(err)
	}
	v, err := b.Verify(t.Context(), channel.Challenge{Purpose: channel.Authenticate}, s, r)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestATripIsBoundToItsStart(t *testing.T) {
	b := open(t, ``)
	mine, target := b.trip(t, "mine")
	theirs, _ := b.trip(t, "theirs")
	back, err := b.Consent(target.String())
	if err != nil {
		t.Fatal(err)
	}
	if back.Get("state") != "mine" {
		t.Errorf("state %q", back.Get("state"))
	}
	if v := b.back(t, theirs, back); v.Outcome != channel.Rejected {
		t.Error("a code was accepted for another trip: its verifier differs")
	}
	back, err = b.Consent(target.String())
	if err != nil {
		t.Fatal(err)
	}
	if v := b.back(t, mine, back); v.Outcome != channel.Verified || v.OnceKey != "" {
		t.Errorf("the way back: %s (%s)", v.Outcome, v.Reason)
	}
	if v := b.back(t, mine, back); v.Outcome != channel.Rejected || v.Reason != channel.Mismatch {
		t.Errorf("a code was used twice: %s", v.Outcome)
	}
}

func TestAnotherTripsTokenIsRefused(t *testing.T) { // the nonce
	b := open(t, ``)
	for _, nonce := range []any{"somebody else's", nil, 7} {
		s, target := b.trip(t, "h")
		b.Is(map[string]any{"sub": "u-1", "nonce": nonce})
		back, err := b.Consent(target.String())
		if err != nil {
			t.Fatal(err)
		}
		if v := b.back(t, s, back); v.Outcome != channel.Rejected {
			t.Errorf("nonce %v: %s", nonce, v.Outcome)
		}
	}
}

func TestReturnsAreReadStrictly(t *testing.T) {
	b := open(t, ``)
	s, target := b.trip(t, "h")
	if v := b.back(t, s, url.Values{"state": {"h"}, "error": {"access_denied"}}); v.Reason != channel.Denied {
		t.Errorf("somebody said no: %s (%s)", v.Outcome, v.Reason)
	}
	way, err := b.Consent(target.String())
	if err != nil {
		t.Fatal(err)
	}
	way.Set("iss", "https://evil.example") // RFC 9207
	if v := b.back(t, s, way); v.Reason != channel.Mismatch {
		t.Errorf("another provider's code: %s (%s)", v.Outcome, v.Reason)
	}
	way.Set("iss", b.URL)
	if v := b.back(t, s, way); v.Outcome != channel.Verified {
		t.Errorf("the provider's code, which nobody else has seen: %s (%s)", v.Outcome, v.Reason)
	}
	cb, _ := channel.As[channel.Callback](b.Channel)
	for name, q := range map[string]url.Values{
		"two codes": {"state": {"h"}, "code": {"a", "b"}}, "two states": {"state": {"h", "i"}, "code": {"a"}}, "no state": {"code": {"a"}},
		"a code and an error": {"state": {"h"}, "code": {"a"}, "error": {"b"}}, "a line break": {"state": {"h\r\n"}, "code": {"a"}},
		"an endless state": {"state": {strings.Repeat("h", 300)}, "code": {"a"}},
	} {
		if handle, _, err := cb.Receive(t.Context(), channel.Inbound{Method: http.MethodGet, Query: q}); err == nil {
			t.Errorf("%s: accepted for %q", name, handle)
		}
	}
}

func TestUserinfoCompletesTheToken(t *testing.T) {
	b := open(t, `,"user_info":true`)
	b.Is(map[string]any{"sub": "u-1", "email": "ada@example.com"})
	b.Tells(map[string]any{"email": "evil@example.com", "email_verified": true, "given_name": "Ada"})
	s, target := b.trip(t, "h")
	back, err := b.Consent(target.String())
	if err != nil {
		t.Fatal(err)
	}
	v := b.back(t, s, back)
	if v.Outcome != channel.Verified || v.Identity.Email != "ada@example.com" || v.Identity.EmailVerified || v.Identity.FirstName != "Ada" {
		t.Errorf("%s: %+v", v.Outcome, v.Identity)
	}
}

func TestNobodySendsUsElsewhere(t *testing.T) { // our secret would go along
	var asked atomic.Bool
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Store(true) }))
	t.Cleanup(elsewhere.Close)
	away := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	t.Cleanup(away.Close)
	ch, err := oidc.Plugin().Open(t.Context(), channeltest.Decoder(fmt.Sprintf(`{"issuer":%q,"client_id":"x"}`, away.URL)), channel.Env{
		HTTP: &http.Client{Timeout: 5 * time.Second}, Now: time.Now, Random: rand.Reader,
	})
	if err != nil {
		t.Fatal(err)
	}
	p, _ := channel.As[channel.Prober](ch)
	if err := p.Probe(t.Context()); !errors.Is(err, channel.ErrUnavailable) || asked.Load() {
		t.Errorf("%v; followed: %v", err, asked.Load())
	}
}

func TestUserinfoAboutSomebodyElseIsAFault(t *testing.T) {
	b := open(t, `,"user_info":true`)
	b.Tells(map[string]any{"sub": "u-2"})
	s, target := b.trip(t, "h")
	back, err := b.Consent(target.String())
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(map[string]string{"code": back.Get("code")})
	if err != nil {
		t.Fatal(err)
	}
	if v, err := b.Verify(t.Context(), channel.Challenge{}, s, channel.Response{Data: data}); !errors.Is(err, channel.ErrUnavailable) {
		t.Errorf("%s, %v", v.Outcome, err)
	}
}

func TestAccessTokensMustHaveBeenMadeForUs(t *testing.T) { // S-101
	off, on := open(t, ``), open(t, `,"introspection":true`)
	if v := off.bring(t, map[string]any{"access_token": off.Grant("countersign")}); v.Outcome != channel.Rejected {
		t.Error("an access token was accepted although nobody has allowed it")
	}
	for name, token := range map[string]string{"another client's": on.Grant("other"), "nobody's": "made-up", "odd": "a b"} {
		if v := on.bring(t, map[string]any{"access_token": token}); v.Outcome != channel.Rejected {
			t.Errorf("%s token was accepted", name)
		}
	}
	v := on.bring(t, map[string]any{"access_token": on.Grant("countersign")})
	if v.Outcome != channel.Verified || v.OnceKey == "" || v.Identity.Email != "ada@example.com" {
		t.Errorf("our own token: %s (%s), %+v", v.Outcome, v.Reason, v.Identity)
	}
	on.Is(map[string]any{"sub": "u-1", "iat": on.clock.Now().Add(-2 * time.Hour).Unix()})
	if v := on.bring(t, map[string]any{"access_token": on.Grant("countersign")}); v.Reason != channel.Expired {
		t.Errorf("an old token: %s (%s)", v.Outcome, v.Reason)
	}
}
