package e2e_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"github.com/countersign/countersign/test/harness"
	"github.com/countersign/countersign/test/providers"
)

// newGoogle plays Google for one deployment.
func newGoogle(t *testing.T) (g *providers.OIDC, config string) {
	t.Helper()
	g = (&providers.OIDC{Issuer: "https://accounts.google.com", Client: "123.apps", Secret: "hush"}).Start()
	t.Cleanup(g.Close)
	g.Is(map[string]any{"sub": "110169484474386276334", "email": "ann@gmail.com", "email_verified": true, "given_name": "Ann"})
	return g, fmt.Sprintf("channels: { google: { use: google, google: { client_id: 123.apps, client_secret: hush, discovery: %q } } }", g.Discovery())
}

func TestATokenOfGoogleSignsInOnce(t *testing.T) { // S-095, S-101, A-068
	g, config := newGoogle(t)
	served(t, harness.Options{Policy: quick, Config: config}, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		// Every run has a token of its own: this second's would be another's too.
		token := g.Sign(g.Claims(map[string]any{"jti": t.Name()}))
		first := c.Post("/v1/sign-in/google", map[string]string{"id_token": token}).Want(http.StatusOK)
		if first.Text("status") != "signed_in" || first.Get("new_user") != true {
			t.Fatalf("%s", first)
		}
		c.Post("/v1/sign-in/google", map[string]string{"id_token": token}).WantCode(http.StatusUnprocessableEntity, "assertion_replayed")
		again := c.Post("/v1/sign-in/google", map[string]string{"id_token": g.Sign(g.Claims(map[string]any{"jti": t.Name() + "2"}))}).Want(http.StatusOK)
		if again.Text("user.id") != first.Text("user.id") || again.Get("new_user") == true {
			t.Errorf("%s", again)
		}
		for _, body := range []map[string]string{
			{"id_token": g.Sign(g.Claims(map[string]any{"aud": "other"}))}, {"access_token": g.Grant("456.apps")}, {"id_token": "x"}, {},
		} {
			c.Post("/v1/sign-in/google", body).WantCode(http.StatusUnprocessableEntity, "invalid_assertion")
		}
		c.Post("/v1/sign-in/google", map[string]string{"id_token": g.Sign(g.Claims(map[string]any{"exp": 1}))}).WantCode(http.StatusUnprocessableEntity, "assertion_expired")
	})
}

func TestEverybodyIsToldTheClientIDAndNoSecret(t *testing.T) { // C-115
	const config = `channels:
  google: { use: google, google: { client_id: 123.apps, client_secret: hush } }
  elsewhere: { use: github, github: { client_id: Iv1.abc, client_secret: hush } }
  widget: { use: telegram, telegram: { bot_token: "777:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", bot_name: example_bot } }`
	served(t, harness.Options{Policy: quick, Config: config}, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		told := c.Get("/v1/discovery").Want(http.StatusOK)
		var body struct {
			Channels []struct {
				ID       string `json:"id"`
				ClientID string `json:"client_id"`
			} `json:"channels"`
		}
		told.JSON(&body)
		got := map[string]string{}
		for _, one := range body.Channels {
			if one.ClientID != "" {
				got[one.ID] = one.ClientID
			}
		}
		if want := map[string]string{"google": "123.apps", "elsewhere": "Iv1.abc", "widget": "777"}; !maps.Equal(got, want) {
			t.Errorf("client ids are %v, want %v", got, want)
		}
		for _, secret := range []string{"hush", "777:", "aaaaaaaa"} {
			if strings.Contains(string(told.Body), secret) {
				t.Errorf("discovery says %q", secret)
			}
		}
	})
}

func TestTheWayToGoogleAndBack(t *testing.T) {
	g, config := newGoogle(t)
	served(t, harness.Options{Policy: quick, Config: config}, func(t *testing.T, s *harness.Server, c *harness.Client) {
		browser := func() *http.Client {
			jar, err := cookiejar.New(nil)
			if err != nil {
				t.Fatal(err)
			}
			return &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		}
		mine, theirs := browser(), browser()
		away := visit(t, mine, s.URL+"/v1/sign-in/google/start?return_to=/welcome")
		back, err := g.Consent(away)
		if err != nil {
			t.Fatal(err)
		}
		home := s.URL + "/callback/google?" + back.Encode()
		if to := visit(t, theirs, home); to != "" {
			t.Errorf("another browser was sent to %q", to)
		}
		to, err := url.Parse(visit(t, mine, home))
		if err != nil || !strings.HasSuffix(to.Path, "/welcome") {
			t.Fatalf("sent to %q, %v", to, err)
		}
		id := strings.TrimPrefix(to.Fragment, "challenge=")
		if out := c.Post("/v1/challenges/"+id+"/verify", map[string]string{}).Want(http.StatusOK); out.Text("status") != "signed_in" {
			t.Errorf("%s", out)
		}
		if to := visit(t, mine, home); strings.Contains(to, "challenge=") {
			t.Error("the same way back was gone twice")
		}
	})
}

// visit opens a page, and says where that sends the browser; "" is nowhere.
func visit(t *testing.T, browser *http.Client, page string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, page, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := browser.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	return resp.Header.Get("Location")
}
