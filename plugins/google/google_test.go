package google_test

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/countersign/countersign/plugins/google"
	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/channel/channeltest"
	"github.com/countersign/countersign/test/providers"
)

// start plays Google.
func start(tb testing.TB) *providers.OIDC {
	tb.Helper()
	p := (&providers.OIDC{Issuer: "https://accounts.google.com", Client: "123.apps", Secret: "GOCSPX-hush", Post: true}).Start()
	tb.Cleanup(p.Close)
	p.Is(map[string]any{"sub": "110169484474386276334", "email": "ada@gmail.com", "email_verified": true})
	return p
}

func config(at, more string) string {
	return fmt.Sprintf(`{"client_id":"123.apps","client_secret":"GOCSPX-hush","discovery":"%s/.well-known/openid-configuration"%s}`, at, more)
}

func suite(tb testing.TB) channeltest.Suite {
	p := start(tb)
	return channeltest.Suite{
		Plugin: google.Plugin(), Config: config(p.URL, ""), Respond: p.Visit, Lie: providers.Lost,
		Provider: func(url string) string { return config(url, "") },
		Broken: map[string]string{
			"no client": `{"client_secret":"x"}`, "no secret": `{"client_id":"x"}`,
			"a discovery without TLS": `{"client_id":"x","client_secret":"x","discovery":"http://accounts.google.com/"}`,
		},
	}
}

func TestConformance(t *testing.T) { channeltest.Run(t, suite(t)) }

//go:generate go test -run TestDocs -update .
func TestDocs(t *testing.T) { channeltest.Docs(t, google.Plugin()) }

// bring judges an ID token that an app brings.
func bring(t *testing.T, p *providers.OIDC, more string, changes map[string]any) channel.Verdict {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{}, Timeout: 5 * time.Second}
	t.Cleanup(client.CloseIdleConnections)
	ch, err := google.Plugin().Open(t.Context(), channeltest.Decoder(config(p.URL, more)), channel.Env{
		Log: slog.New(slog.DiscardHandler), HTTP: client, Now: p.Watch.Now, Random: rand.Reader,
	})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(map[string]string{"id_token": p.Sign(p.Claims(changes))})
	if err != nil {
		t.Fatal(err)
	}
	v, err := ch.Verify(t.Context(), channel.Challenge{Purpose: channel.Authenticate}, nil, channel.Response{Data: raw})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestGoogleHasTwoNamesAndNoThird(t *testing.T) {
	p := start(t)
	for issuer, want := range map[string]channel.Outcome{
		"https://accounts.google.com": channel.Verified, "accounts.google.com": channel.Verified,
		"http://accounts.google.com": channel.Rejected, "https://accounts.google.com/": channel.Rejected, p.URL: channel.Rejected,
	} {
		v := bring(t, p, "", map[string]any{"iss": issuer})
		if v.Outcome != want {
			t.Errorf("%s: %s (%s)", issuer, v.Outcome, v.Reason)
		}
		if want == channel.Verified && (v.Ref != "110169484474386276334" || v.Identity.Issuer != "https://accounts.google.com") {
			t.Errorf("%s: %q, %+v", issuer, v.Ref, v.Identity)
		}
	}
}

func TestGoogleIsBelievedAboutItsOwnMailboxes(t *testing.T) { // A-070, C5
	p := start(t)
	for _, x := range []struct {
		email    string
		verified any
		hosted   any
		want     bool
	}{
		{"ada@gmail.com", true, nil, true}, {"ada@GMail.com", true, nil, true}, {"ada@example.com", true, "example.com", true},
		{"ada@example.com", true, nil, false}, {"ada@example.com", false, "example.com", false}, {"ada@gmail.com", false, nil, false},
		{"ada@gmail.com", "true", nil, false}, {"ada@gmail.com.evil.example", true, nil, false}, {"ada@example.com", true, 7, false},
		{"gmail.com", true, nil, false}, {"a@evil.example@gmail.com", true, nil, false},
	} {
		v := bring(t, p, "", map[string]any{"email": x.email, "email_verified": x.verified, "hd": x.hosted})
		if v.Identity == nil || v.Identity.Authoritative != x.want || v.Identity.EmailVerified != (x.verified == true) {
			t.Errorf("%+v: %+v", x, v.Identity)
		}
	}
}

func TestAWorkspaceKeepsOthersOut(t *testing.T) {
	p := start(t)
	for hosted, want := range map[any]channel.Outcome{"example.com": channel.Verified, "other.example": channel.Rejected, nil: channel.Rejected} {
		if v := bring(t, p, `,"hosted_domain":"example.com"`, map[string]any{"hd": hosted}); v.Outcome != want {
			t.Errorf("%v: %s (%s)", hosted, v.Outcome, v.Reason)
		}
	}
}

func TestAnAccessTokenSaysNothing(t *testing.T) { // S-101: whoever it was made for
	p := start(t)
	ch, err := google.Plugin().Open(t.Context(), channeltest.Decoder(config(p.URL, "")), channel.Env{HTTP: http.DefaultClient, Now: p.Watch.Now, Random: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	for _, client := range []string{"123.apps", "456.apps"} {
		data := json.RawMessage(fmt.Sprintf(`{"access_token":%q}`, p.Grant(client)))
		if v, err := ch.Verify(t.Context(), channel.Challenge{}, nil, channel.Response{Data: data}); err != nil || v.Outcome != channel.Rejected {
			t.Errorf("%s: %s, %v", client, v.Outcome, err)
		}
	}
}
