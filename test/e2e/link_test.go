package e2e_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/test/harness"
)

// linked is a challenge whose message also carried a link.
type linked struct {
	id, code string
	path     string          // of the link, from the first slash
	browser  *harness.Client // that asked, with its cookie
}

// askByLink asks somebody by e-mail to sign in, from a browser.
func askByLink(t *testing.T, c *harness.Client, to, returnTo string) linked {
	t.Helper()
	asked := c.Challenge(to, map[string]string{"to": to, "return_to": returnTo})
	cookie, _, _ := strings.Cut(asked.Answer.Header.Get("Set-Cookie"), ";")
	m := c.Newest(to)
	_, path, ok := strings.Cut(m.Link, "/l/")
	if cookie == "" || !ok || m.Code == "" || !strings.Contains(m.Text, m.Link) {
		t.Fatalf("the cookie is %q, the message %+v, want a cookie, a code and a link", cookie, m)
	}
	return linked{asked.ID, m.Code, "/l/" + path, c.With("Cookie", cookie).With("Accept", "text/html")}
}

// refusedLink wants a page that leads nowhere.
func refusedLink(t *testing.T, what string, a harness.Answer, statuses ...int) {
	t.Helper()
	for _, status := range statuses {
		if a.Status == status && a.Header.Get("Location") == "" && !strings.Contains(string(a.Body), "access_token") {
			return
		}
	}
	t.Errorf("%s: %d, to %q, want one of %d and nothing else", what, a.Status, a.Header.Get("Location"), statuses)
}

func TestS091ALinkSignsInAndSendsTheBrowserOn(t *testing.T) {
	both(t, quick, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		l := askByLink(t, c, ann, "/orders/7")
		if page := l.browser.Get(l.path).Want(http.StatusOK); !strings.Contains(string(page.Body), "<button") {
			t.Errorf("the page has no button: %s", page.Body)
		}
		gone := l.browser.Post(l.path, nil).Want(http.StatusSeeOther)
		if to := gone.Header.Get("Location"); to != "/orders/7" {
			t.Errorf("the browser is sent to %q, want /orders/7", to)
		}
		c.Verify(l.id, l.code).WantCode(http.StatusNotFound, "challenge_not_found") // the code in the same mail
		who := c.Post("/v1/challenges/"+l.id+"/verify", "{}").Tokens()
		if a := c.As(who.Access).Get("/v1/me").Want(http.StatusOK); a.Text("identifiers.0.value") != ann || a.Get("identifiers.0.verified") != true {
			t.Errorf("%s, want ann with her address verified", a)
		}
		c.Post("/v1/challenges/"+l.id+"/verify", "{}").WantCode(http.StatusNotFound, "challenge_not_found")
	})
}

func TestS091ALinkSignsInWhoeverHoldsTheChallengeOrAsksAsAScript(t *testing.T) {
	both(t, quick, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		l := askByLink(t, c, ann, "/orders/7")
		got := l.browser.With("Accept", "application/json").Post(l.path, nil)
		got.Tokens()
		if got.Text("return_to") != "/orders/7" {
			t.Errorf("%s, want return_to in it", got)
		}
		c.Verify(l.id, l.code).WantCode(http.StatusNotFound, "challenge_not_found")

		l = askByLink(t, c, ann, "")
		token := strings.TrimPrefix(l.path, "/l/")
		c.Post("/v1/challenges/"+l.id+"/verify", map[string]string{"link_token": token}).Tokens()
		c.Verify(l.id, l.code).WantCode(http.StatusNotFound, "challenge_not_found")
		c.Post("/v1/challenges/"+l.id+"/verify", map[string]string{"link_token": token}).WantCode(http.StatusGone, "link_used")
	})
}

// A link is worth nothing where it could be used against its owner: elsewhere
// than in the browser that asked, and on the way to another site.
func TestS091ALinkLeadsNowhereElse(t *testing.T) {
	both(t, quick, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		l := askByLink(t, c, ann, "")
		other := c.With("Accept", "text/html")
		if page := other.Get(l.path); strings.Contains(string(page.Body), "<button") || strings.Contains(string(page.Body), "ann") {
			t.Errorf("another browser is shown %s", page.Body)
		}
		refusedLink(t, "another browser", other.Post(l.path, nil), http.StatusForbidden)
		refusedLink(t, "a cookie of one's own", other.With("Cookie", "countersign-browser="+strings.Repeat("A", 43)).Post(l.path, nil), http.StatusForbidden)
		for _, to := range []string{"https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)", "http:evil.example", "/%0d%0aSet-Cookie:a=b\r\n"} {
			if a := c.Post("/v1/challenges", map[string]string{"to": bob, "return_to": to}); !a.Is(http.StatusUnprocessableEntity, "invalid_request") {
				t.Errorf("return_to %q: %s, want 422", to, a)
			}
		}
		l.browser.Post(l.path, nil).Want(http.StatusOK)
		c.Post("/v1/challenges/"+l.id+"/verify", "{}").Tokens()
	})
}

func TestS092ATamperedLinkLeadsNowhere(t *testing.T) {
	o := harness.Options{Policy: quick, Config: twoTenants}
	served(t, o, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		l, bobs := askByLink(t, c, ann, ""), askByLink(t, c, bob, "")
		token := strings.TrimPrefix(l.path, "/l/")
		raw, err := base64.RawURLEncoding.DecodeString(token)
		if err != nil {
			t.Fatalf("the token of a link: %v", err)
		}
		follow := func(what string, changed []byte) {
			t.Helper()
			path := "/l/" + base64.RawURLEncoding.EncodeToString(changed)
			refusedLink(t, what, l.browser.Post(path, nil), http.StatusNotFound)
			c.Post("/v1/challenges/"+l.id+"/verify", map[string]string{"link_token": strings.TrimPrefix(path, "/l/")}).
				WantCode(http.StatusNotFound, "challenge_not_found")
		}
		for i := range raw { // every byte of it counts
			changed := append([]byte(nil), raw...)
			changed[i] ^= 1
			follow("a changed byte", changed)
		}
		theirs, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(bobs.path, "/l/"))
		if err != nil {
			t.Fatal(err)
		}
		follow("ann's challenge with bob's secret", append(append([]byte(nil), raw[:16]...), theirs[16:]...))
		follow("truncated", raw[:len(raw)-1])
		follow("too long", append(append([]byte(nil), raw...), 0))
		for what, path := range map[string]string{"padded": l.path + "=", "another letter of no bits": l.path + "A", "only its challenge": "/l/" + l.id, "nothing": "/l/"} {
			refusedLink(t, what, l.browser.Post(path, nil), http.StatusNotFound, http.StatusMethodNotAllowed)
		}
		refusedLink(t, "another tenant by name", at(l.browser, "t2").Post(l.path, nil), http.StatusNotFound)
		refusedLink(t, "another tenant by host", l.browser.Post(l.path, nil, "Host: t2.localhost"), http.StatusNotFound)
		c.Post("/v1/challenges/"+bobs.id+"/verify", map[string]string{"link_token": token}).WantCode(http.StatusNotFound, "challenge_not_found")

		l.browser.Post(l.path, nil).Want(http.StatusOK) // the original still works, once
		refusedLink(t, "a second time", l.browser.Post(l.path, nil), http.StatusGone)
		c.Post("/v1/challenges/"+l.id+"/verify", "{}").Tokens()
	})
}

func TestS094ScannersDoNotUseLinksUpAndPeopleUseThemOnce(t *testing.T) {
	both(t, quick, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		l := askByLink(t, c, ann, "/orders/7")
		for range 2 {
			for _, who := range []*harness.Client{c, c.With("User-Agent", "Mail scanner"), l.browser} {
				who.Get(l.path).Want(http.StatusOK)
				who.Do(http.MethodHead, l.path, nil).Want(http.StatusOK)
			}
		}
		if a := c.Get("/v1/challenges/" + l.id).Want(http.StatusOK); a.Text("status") != "pending" || a.Number("attempts_left") != 5 {
			t.Errorf("after a scanner: %s, want it pending with 5 attempts left", a)
		}
		l.browser.Post(l.path, nil).Want(http.StatusSeeOther)
		refusedLink(t, "a second click", l.browser.Post(l.path, nil), http.StatusGone)
		refusedLink(t, "a second look", l.browser.Get(l.path), http.StatusGone)

		late := askByLink(t, c, bob, "")
		c.Advance(301 * time.Second)
		refusedLink(t, "a late look", late.browser.Get(late.path), http.StatusGone)
		refusedLink(t, "a late click", late.browser.Post(late.path, nil), http.StatusGone)
		c.Get(late.path, "Accept: application/json").WantCode(http.StatusGone, "link_expired")
		c.Post("/v1/challenges/"+late.id+"/verify", map[string]string{"link_token": strings.TrimPrefix(late.path, "/l/")}).
			WantCode(http.StatusGone, "link_expired")
	})
}

func TestS094ALinkAndItsCodeSignInOnceTogether(t *testing.T) {
	races(t, quick, func(t *testing.T, c *harness.Client) {
		l := askByLink(t, c, ann, "/orders/7")
		script := l.browser.With("Accept", "application/json")
		all := together(t, crowd, func(i int) (harness.Answer, error) {
			if i%2 == 0 {
				return script.At(i/2).Try(http.MethodPost, l.path, nil)
			}
			return c.At(i/2).Try(http.MethodPost, "/v1/challenges/"+l.id+"/verify", answer(l.code))
		})
		healthy(t, all)
		if n := len(signedIn(all)); n != 1 {
			t.Errorf("%d of %d signed in, want one: %v", n, crowd, tally(all))
		}
	})
}
