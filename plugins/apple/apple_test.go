package apple_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/countersign/countersign/plugins/apple"
	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/channel/channeltest"
	"github.com/countersign/countersign/test/providers"
)

const id = "com.example.login"

// start plays Apple, which checks the secrets that we sign, and gives our
// configuration.
func start(tb testing.TB) (*providers.OIDC, func(at string) string) {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	p := &providers.OIDC{Issuer: "https://appleid.apple.com", Client: id, Post: true, FormPost: true}
	p.Check = func(secret string) error {
		claims := jwt.MapClaims{}
		t, err := jwt.NewParser(
			jwt.WithValidMethods([]string{"ES256"}), jwt.WithTimeFunc(p.Watch.Now), jwt.WithExpirationRequired(), jwt.WithIssuedAt(),
			jwt.WithAudience("https://appleid.apple.com"), jwt.WithIssuer("TEAM"), jwt.WithSubject(id),
		).ParseWithClaims(secret, claims, func(*jwt.Token) (any, error) { return &key.PublicKey, nil })
		if err == nil && t.Header["kid"] != "KEY" {
			err = errors.New("another key")
		}
		return err
	}
	p.Start()
	tb.Cleanup(p.Close)
	p.Is(map[string]any{"sub": "000544.5e.1321", "email": "x@privaterelay.appleid.com", "email_verified": true})
	return p, func(at string) string { return config(tb, key, at) }
}

func config(tb testing.TB, key any, at string) string {
	tb.Helper()
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		tb.Fatal(err)
	}
	text, err := json.Marshal(map[string]string{
		"client_id": id, "team_id": "TEAM", "key_id": "KEY", "discovery": at + "/.well-known/openid-configuration",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})),
	})
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}

func TestConformance(t *testing.T) {
	p, config384 := start(t)
	other, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	channeltest.Run(t, channeltest.Suite{
		Plugin: apple.Plugin(), Config: config384(p.URL), Respond: p.Visit, Lie: providers.Lost, Provider: config384,
		Broken: map[string]string{
			"nothing": `{}`, "no PEM": `{"client_id":"x","team_id":"x","key_id":"x","private_key":"x"}`,
			"a key of another curve":  config(t, other, "https://appleid.apple.com"),
			"a discovery without TLS": config384("http://appleid.apple.com"),
		},
	})
}

//go:generate go test -run TestDocs -update .
func TestDocs(t *testing.T) { channeltest.Docs(t, apple.Plugin()) }

func open(t *testing.T, p *providers.OIDC, config string) channel.Channel {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{}, Timeout: 5 * time.Second}
	t.Cleanup(client.CloseIdleConnections)
	ch, err := apple.Plugin().Open(t.Context(), channeltest.Decoder(config), channel.Env{
		Log: slog.New(slog.DiscardHandler), HTTP: client, Now: p.Watch.Now, Random: rand.Reader,
	})
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

// come goes to Apple and comes back with a form.
func come(t *testing.T, p *providers.OIDC, ch channel.Channel, more url.Values) channel.Verdict {
	t.Helper()
	c := channel.Challenge{Handle: "h", Purpose: channel.Authenticate, Callback: "https://login.example.com/callback/apple"}
	o, err := ch.Begin(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	form, err := p.Consent(o.Prompt.URL)
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(form, more)
	cb, _ := channel.As[channel.Callback](ch)
	_, r, err := cb.Receive(t.Context(), channel.Inbound{Method: http.MethodPost, Body: []byte(form.Encode())})
	if err != nil {
		t.Fatal(err)
	}
	v, err := ch.Verify(t.Context(), c, o.State, r)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestTheNameComesWithTheFirstSignInAndNothingElseDoes(t *testing.T) {
	p, config := start(t)
	ch := open(t, p, config(p.URL))
	for user, want := range map[string]channel.Identity{
		"": {}, "{": {}, `{"name":7}`: {}, `[]`: {},
		`{"name":{"firstName":"Ada","lastName":"Lovelace"},"email":"evil@example.com"}`: {FirstName: "Ada", LastName: "Lovelace"},
	} {
		v := come(t, p, ch, url.Values{"user": {user}})
		want.Issuer, want.Email, want.EmailVerified, want.Authoritative = "https://appleid.apple.com", "x@privaterelay.appleid.com", true, true
		if v.Outcome != channel.Verified || v.Ref != "000544.5e.1321" || *v.Identity != want {
			t.Errorf("%s: %s, %+v", user, v.Outcome, v.Identity)
		}
	}
}

func TestAppleIsBelievedAboutItsOwnMailboxes(t *testing.T) {
	p, config := start(t)
	ch := open(t, p, config(p.URL))
	for _, x := range []struct {
		email               string
		verified            any
		proven, authorities bool
	}{
		{"a@icloud.com", true, true, true}, {"a@example.com", true, true, false}, {"a@icloud.com", "true", false, false}, {"a@icloud.com", nil, false, false},
	} {
		p.Is(map[string]any{"sub": "1", "email": x.email, "email_verified": x.verified})
		v := come(t, p, ch, nil)
		if v.Outcome != channel.Verified || v.Identity.EmailVerified != x.proven || v.Identity.Authoritative != x.authorities {
			t.Errorf("%+v: %s, %+v", x, v.Outcome, v.Identity)
		}
	}
}
