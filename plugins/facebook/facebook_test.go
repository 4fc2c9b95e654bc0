package facebook_test

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/plugins/facebook"
	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/channel/channeltest"
	"github.com/countersign/countersign/test/providers"
)

func start(tb testing.TB) *providers.OAuth {
	tb.Helper()
	p := (&providers.OAuth{Client: "1234567890", Secret: "hush-hush-hush"}).AsFacebook()
	tb.Cleanup(p.Close)
	p.Is(map[string]any{"id": "10215241773831025", "name": "Ada Lovelace", "first_name": "Ada", "last_name": "Lovelace", "email": "ada@example.com"})
	return p
}

func config(at string) string {
	return fmt.Sprintf(`{"client_id":"1234567890","client_secret":"hush-hush-hush","access_tokens":true,"dialog":"%s/dialog","graph":%q}`, at, at)
}

func suite(tb testing.TB) channeltest.Suite {
	p := start(tb)
	return channeltest.Suite{
		Plugin: facebook.Plugin(), Config: config(p.URL), Respond: p.Visit, Lie: providers.Lost, Provider: config,
		Broken: map[string]string{
			"nothing": `{}`, "no secret": `{"client_id":"x"}`, "a dialog without TLS": `{"client_id":"x","client_secret":"x","dialog":"http://www.facebook.com"}`,
			"an API without TLS": `{"client_id":"x","client_secret":"x","graph":"http://graph.facebook.com"}`,
		},
	}
}

func TestConformance(t *testing.T) { channeltest.Run(t, suite(t)) }

func FuzzVerify(f *testing.F) { channeltest.FuzzVerify(f, suite(f)) }

//go:generate go test -run TestDocs -update .
func TestDocs(t *testing.T) { channeltest.Docs(t, facebook.Plugin()) }

func open(t *testing.T, p *providers.OAuth, config string) channel.Channel {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{}, Timeout: 5 * time.Second}
	t.Cleanup(client.CloseIdleConnections)
	ch, err := facebook.Plugin().Open(t.Context(), channeltest.Decoder(config), channel.Env{
		Log: slog.New(slog.DiscardHandler), HTTP: client, Now: p.Watch.Now, Random: rand.Reader,
	})
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

func bring(t *testing.T, ch channel.Channel, token string) channel.Verdict {
	t.Helper()
	data, err := json.Marshal(map[string]string{"access_token": token})
	if err != nil {
		t.Fatal(err)
	}
	v, err := ch.Verify(t.Context(), channel.Challenge{}, nil, channel.Response{Data: data})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestTokensMustHaveBeenMadeForUs(t *testing.T) { // S-101
	p := start(t)
	ch := open(t, p, config(p.URL))
	now := time.Now()
	ours := p.Grant("1234567890", now)
	v, again := bring(t, ch, ours), bring(t, ch, ours)
	if v.Outcome != channel.Verified || v.OnceKey == "" || v.OnceKey != again.OnceKey || v.Ref != "10215241773831025" {
		t.Errorf("our own: %+v", v)
	}
	gone := p.Grant("1234567890", now)
	p.Revoke(gone)
	for name, token := range map[string]string{"another app's": p.Grant("9876543210", now), "nobody's": "EAAmadeup0000", "a revoked one": gone, "odd": "a&b=c"} {
		if v := bring(t, ch, token); v.Outcome != channel.Rejected || v.Reason != channel.Mismatch {
			t.Errorf("%s: %s (%s)", name, v.Outcome, v.Reason)
		}
	}
	for name, age := range map[string]time.Duration{"an old one": 2 * time.Hour, "one that has run out": 61 * 24 * time.Hour} {
		if v := bring(t, ch, p.Grant("1234567890", now.Add(-age))); v.Reason != channel.Expired {
			t.Errorf("%s: %s (%s)", name, v.Outcome, v.Reason)
		}
	}
	off := open(t, p, strings.Replace(config(p.URL), `"access_tokens":true`, `"access_tokens":false`, 1))
	if v := bring(t, off, p.Grant("1234567890", now)); v.Outcome != channel.Rejected {
		t.Error("accepted although nobody has allowed it")
	}
}

func TestAddressesAreNotChecked(t *testing.T) {
	p := start(t)
	v := bring(t, open(t, p, config(p.URL)), p.Grant("1234567890", time.Now()))
	want := channel.Identity{Issuer: "https://www.facebook.com", Email: "ada@example.com", Name: "Ada Lovelace", FirstName: "Ada", LastName: "Lovelace"}
	if v.Outcome != channel.Verified || *v.Identity != want {
		t.Errorf("%s, %+v", v.Outcome, v.Identity)
	}
}

func TestWhoSaysNoThereIsNotAskedAbout(t *testing.T) {
	p := start(t)
	ch := open(t, p, config(p.URL))
	o, err := ch.Begin(t.Context(), channel.Challenge{Handle: "h", Callback: "https://login.example.com/callback/facebook"})
	if err != nil {
		t.Fatal(err)
	}
	for data, want := range map[string]channel.Reason{`{"error":"access_denied"}`: channel.Denied, `{"error":"server_error","code":"c"}`: channel.Mismatch, `{}`: channel.Mismatch, `[]`: channel.Mismatch} {
		v, err := ch.Verify(t.Context(), channel.Challenge{}, o.State, channel.Response{Data: json.RawMessage(data)})
		if err != nil || v.Outcome != channel.Rejected || v.Reason != want {
			t.Errorf("%s: %s (%s), %v, want %s", data, v.Outcome, v.Reason, err, want)
		}
	}
}

func TestAWrongSecretIsTheOperatorsConcern(t *testing.T) {
	p := (&providers.OAuth{Client: "1234567890", Secret: "another"}).AsFacebook()
	t.Cleanup(p.Close)
	ch := open(t, p, config(p.URL))
	o, err := ch.Begin(t.Context(), channel.Challenge{Handle: "h", Callback: "https://login.example.com/callback/facebook"})
	if err != nil {
		t.Fatal(err)
	}
	for name, x := range map[string]struct {
		state channel.State
		data  string
	}{"a code": {o.State, `{"code":"c"}`}, "a token": {nil, `{"access_token":"EAA00000000"}`}} {
		if v, err := ch.Verify(t.Context(), channel.Challenge{}, x.state, channel.Response{Data: json.RawMessage(x.data)}); !errors.Is(err, channel.ErrRefused) {
			t.Errorf("%s: %s, %v", name, v.Outcome, err)
		}
	}
}

func TestErrorsDoNotShowTokens(t *testing.T) { // which Facebook wants in URLs
	p := start(t)
	ch := open(t, p, config(p.URL))
	p.Close()
	v, err := ch.Verify(t.Context(), channel.Challenge{}, nil, channel.Response{Data: json.RawMessage(`{"access_token":"EAA00000000"}`)})
	if !errors.Is(err, channel.ErrUnavailable) || strings.Contains(err.Error(), "EAA00000000") || strings.Contains(err.Error(), "hush") {
		t.Errorf("%s, %v", v.Outcome, err)
	}
}
