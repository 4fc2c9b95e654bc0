package github_test

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/countersign/countersign/plugins/github"
	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/channel/channeltest"
	"github.com/countersign/countersign/test/providers"
)

func start(tb testing.TB) *providers.OAuth {
	tb.Helper()
	p := (&providers.OAuth{Client: "Iv1.client", Secret: "hush-hush-hush"}).AsGitHub()
	tb.Cleanup(p.Close)
	p.Is(map[string]any{"id": 583231, "login": "octo", "name": "Octo Cat"}, map[string]any{"email": "octo@example.com", "primary": true, "verified": true})
	return p
}

func config(at string) string {
	return fmt.Sprintf(`{"client_id":"Iv1.client","client_secret":"hush-hush-hush","access_tokens":true,"site":%q,"api":%q}`, at, at)
}

func suite(tb testing.TB) channeltest.Suite {
	p := start(tb)
	return channeltest.Suite{
		Plugin: github.Plugin(), Config: config(p.URL), Respond: p.Visit, Lie: providers.Lost, Provider: config,
		Broken: map[string]string{
			"nothing": `{}`, "no secret": `{"client_id":"x"}`, "a site without TLS": `{"client_id":"x","client_secret":"x","site":"http://github.com"}`,
			"an API without TLS": `{"client_id":"x","client_secret":"x","api":"http://api.github.com"}`,
		},
	}
}

func TestConformance(t *testing.T) { channeltest.Run(t, suite(t)) }

func FuzzVerify(f *testing.F) { channeltest.FuzzVerify(f, suite(f)) }

//go:generate go test -run TestDocs -update .
func TestDocs(t *testing.T) { channeltest.Docs(t, github.Plugin()) }

func open(t *testing.T, p *providers.OAuth, config string) channel.Channel {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{}, Timeout: 5 * time.Second}
	t.Cleanup(client.CloseIdleConnections)
	ch, err := github.Plugin().Open(t.Context(), channeltest.Decoder(config), channel.Env{
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
	ours := p.Grant("Iv1.client", now)
	v, again := bring(t, ch, ours), bring(t, ch, ours)
	if v.Outcome != channel.Verified || v.OnceKey == "" || v.OnceKey != again.OnceKey || v.Ref != p.URL+"|583231" {
		t.Errorf("our own: %+v", v)
	}
	gone := p.Grant("Iv1.client", now)
	p.Revoke(gone)
	for name, token := range map[string]string{"another app's": p.Grant("Iv1.other", now), "nobody's": "gho_madeup0000", "a revoked one": gone, "odd": "../../user"} {
		if v := bring(t, ch, token); v.Outcome != channel.Rejected || v.Reason != channel.Mismatch {
			t.Errorf("%s: %s (%s)", name, v.Outcome, v.Reason)
		}
	}
	if v := bring(t, ch, p.Grant("Iv1.client", now.Add(-2*time.Hour))); v.Reason != channel.Expired {
		t.Errorf("an old one: %s (%s)", v.Outcome, v.Reason)
	}
	off := open(t, p, fmt.Sprintf(`{"client_id":"Iv1.client","client_secret":"hush-hush-hush","site":%q,"api":%q}`, p.URL, p.URL))
	if v := bring(t, off, p.Grant("Iv1.client", now)); v.Outcome != channel.Rejected {
		t.Error("accepted although nobody has allowed it")
	}
}

func TestAnAnswerAboutAnotherAppIsRefused(t *testing.T) { // GitHub gives none
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"app":{"client_id":"Iv1.other"},"user":{"id":1},"created_at":%q,"id":1}`, time.Now().Format(time.RFC3339))
	}))
	t.Cleanup(srv.Close)
	if v := bring(t, open(t, &providers.OAuth{}, config(srv.URL)), "gho_00000000"); v.Outcome != channel.Rejected {
		t.Errorf("%s", v.Outcome)
	}
}

func TestOnlyTheCheckedPrimaryAddressCounts(t *testing.T) {
	p := start(t)
	ch := open(t, p, config(p.URL))
	address := func(email string, primary, verified any) map[string]any {
		return map[string]any{"email": email, "primary": primary, "verified": verified}
	}
	for name, x := range map[string]struct {
		mail []map[string]any
		want string
	}{
		"one of three": {[]map[string]any{address("a@x.example", false, true), address("b@x.example", true, true), address("c@x.example", false, true)}, "b@x.example"},
		"not checked":  {[]map[string]any{address("a@x.example", true, false), address("b@x.example", false, true)}, ""},
		"none":         {nil, ""},
	} {
		p.Is(map[string]any{"id": 7, "login": "octo", "email": "public@x.example"}, x.mail...)
		v := bring(t, ch, p.Grant("Iv1.client", time.Now()))
		if v.Outcome != channel.Verified || v.Identity.Email != x.want || v.Identity.EmailVerified != (x.want != "") || v.Identity.Authoritative {
			t.Errorf("%s: %s, %+v", name, v.Outcome, v.Identity)
		}
	}
}

func TestCodesAreBoundToTheirTrip(t *testing.T) {
	p := start(t)
	ch := open(t, p, config(p.URL))
	leave := func(handle string) (channel.State, url.Values) {
		o, err := ch.Begin(t.Context(), channel.Challenge{Handle: handle, Callback: "https://login.example.com/callback/github"})
		if err != nil {
			t.Fatal(err)
		}
		back, err := p.Consent(o.Prompt.URL)
		if err != nil {
			t.Fatal(err)
		}
		return o.State, back
	}
	mine, _ := leave("mine")
	_, theirs := leave("theirs")
	data, err := json.Marshal(map[string]string{"code": theirs.Get("code")})
	if err != nil {
		t.Fatal(err)
	}
	if v, err := ch.Verify(t.Context(), channel.Challenge{}, mine, channel.Response{Data: data}); err != nil || v.Outcome != channel.Rejected {
		t.Errorf("another's code: %s, %v", v.Outcome, err)
	}
}

func TestWhoSaysNoThereIsNotAskedAbout(t *testing.T) {
	p := start(t)
	ch := open(t, p, config(p.URL))
	o, err := ch.Begin(t.Context(), channel.Challenge{Handle: "h", Callback: "https://login.example.com/callback/github"})
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
	p := (&providers.OAuth{Client: "Iv1.client", Secret: "another"}).AsGitHub()
	t.Cleanup(p.Close)
	ch := open(t, p, config(p.URL))
	o, err := ch.Begin(t.Context(), channel.Challenge{Handle: "h", Callback: "https://login.example.com/callback/github"})
	if err != nil {
		t.Fatal(err)
	}
	for name, x := range map[string]struct {
		state channel.State
		data  string
	}{"a code": {o.State, `{"code":"c"}`}, "a token": {nil, `{"access_token":"gho_00000000"}`}} {
		if v, err := ch.Verify(t.Context(), channel.Challenge{}, x.state, channel.Response{Data: json.RawMessage(x.data)}); !errors.Is(err, channel.ErrRefused) {
			t.Errorf("%s: %s, %v", name, v.Outcome, err)
		}
	}
}
