package attack_test

import (
	"bytes"
	"cmp"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"github.com/countersign/countersign/test/harness"
)

// What somebody knows, and will know.
const (
	knows   = "staple horse 9!"
	another = "battery lamp 4?"
)

// apart is everywhere for attacks that need nothing but a server of their own:
// they run at the same time.
func apart(t *testing.T, o harness.Options, attack func(t *testing.T, s *harness.Server, c *harness.Client)) {
	t.Helper()
	t.Parallel()
	harness.Stores(t, func(t *testing.T, store harness.Store) {
		t.Parallel()
		o := o
		o.Store, o.Log = store, cmp.Or(o.Log, "warn")
		s := harness.Start(t, o)
		if store.Name == "postgres" {
			s.Replica(t)
		}
		attack(t, s, s.Client(t))
	})
}

// patient makes nobody wait, and lets several codes of one address live.
const patient = "challenge: { resend_after: 0s, attempts: 10, live_per_destination: 10, public_verify: true }\nthrottle: { factor: 0s, disable_at: 100 }\n"

// tenants has a second tenant, t2, beside the default one.
const tenants = "tenants: [ { slug: t2 } ]"

// elsewhere is the client as somebody of the second tenant.
func elsewhere(c *harness.Client) *harness.Client { return c.With("Countersign-Tenant", "t2") }

// operate runs a command of operators against the database of a server, and
// gives what it printed.
func operate(t *testing.T, s *harness.Server, args ...string) string {
	t.Helper()
	return command(t, append(args, "--config", s.Config())...)
}

// command runs the program and gives what it printed.
func command(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), harness.Binary(t), args...)
	var complaint bytes.Buffer
	cmd.Stderr, cmd.Env, cmd.Dir = &complaint, []string{"PATH=/usr/bin:/bin"}, t.TempDir()
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, complaint.String())
	}
	return strings.TrimSpace(string(out))
}

// open is a challenge that waits for its answer.
type open struct{ name, id, code, leadsTo string }

// asks makes a challenge to an address and reads the code of its message.
func asks(t *testing.T, c *harness.Client, name, to string, ask func() harness.Answer) open {
	t.Helper()
	before := len(c.Messages(to))
	a := ask()
	if a.Status/100 != 2 {
		t.Fatalf("%s: %s", name, a)
	}
	id := a.Text("id")
	for _, path := range []string{"challenge.id", "challenges.0.id"} {
		if id == "" {
			id = a.Text(path)
		}
	}
	all := c.AwaitMessages(to, before+1)
	newest := all[0]
	for _, m := range all {
		if m.At.After(newest.At) {
			newest = m
		}
	}
	return open{name: name, id: id, code: newest.Code}
}

// wantDistinct fails the test if codes repeat. Once in a million times two are
// equal by chance, which is no more than that.
func wantDistinct(t *testing.T, all []open) {
	t.Helper()
	known := map[string]bool{}
	for _, o := range all {
		known[o.code] = true
	}
	if len(known) < len(all)-1 {
		t.Fatalf("%d challenges have %d codes", len(all), len(known))
	}
}

// start is the wish to prove something.
func start(c *harness.Client, body map[string]any) func() harness.Answer {
	return func() harness.Answer { return c.Post("/v1/challenges", body) }
}

// setPassword gives somebody signed in a password.
func setPassword(c *harness.Client, access, password string) {
	c.As(access).Do(http.MethodPut, "/v1/me/password", map[string]string{"new_password": password}).Want(http.StatusNoContent)
}

// byPassword signs in by what somebody knows.
func byPassword(c *harness.Client, who, password string) harness.Answer {
	return c.As("").Post("/v1/sign-in/password", map[string]string{"identifier": who, "password": password})
}

// choose sets a new password with the pending token of a reset.
func choose(c *harness.Client, pending, password string) harness.Answer {
	return c.As(pending).Do(http.MethodPut, "/v1/password", map[string]string{"new_password": password})
}

// forgotten proves an address to choose a new password.
func forgotten(t *testing.T, c *harness.Client, to string) (pending string) {
	t.Helper()
	o := asks(t, c, "reset", to, func() harness.Answer {
		return c.As("").Post("/v1/password-resets", map[string]string{"identifier": to})
	})
	a := c.As("").Verify(o.id, o.code).Want(http.StatusOK)
	if a.Text("status") != "password_reset_allowed" || a.Get("access_token") != nil {
		t.Fatalf("%s, want password_reset_allowed and nobody signed in", a)
	}
	return a.Text("pending_token")
}

// linked is a challenge whose message also carried a link.
type linked struct {
	open
	token   string
	browser *harness.Client // that asked, with its cookie
}

// byLink asks somebody to sign in, from a browser.
func byLink(t *testing.T, c *harness.Client, to string) linked {
	t.Helper()
	return byLinkBack(t, c, to, "")
}

// byLinkBack asks somebody to sign in, from a browser that then goes somewhere.
func byLinkBack(t *testing.T, c *harness.Client, to, back string) linked {
	t.Helper()
	before := len(c.Messages(to))
	a := c.As("").Post("/v1/challenges", map[string]string{"to": to, "return_to": back}).Want(http.StatusAccepted)
	cookie, _, _ := strings.Cut(a.Header.Get("Set-Cookie"), ";")
	all := c.AwaitMessages(to, before+1)
	newest := all[0]
	for _, m := range all {
		if m.At.After(newest.At) {
			newest = m
		}
	}
	_, token, ok := strings.Cut(newest.Link, "/l/")
	if !ok || cookie == "" {
		t.Fatalf("the cookie is %q and the link %q, want both", cookie, newest.Link)
	}
	return linked{open{name: "sign_in", id: a.Text("id"), code: newest.Code}, token, c.As("").With("Cookie", cookie)}
}

// follow presses the button of a link in the browser that asked, or lets a
// script do so.
func (l linked) follow(accept string) harness.Answer {
	return l.browser.With("Accept", accept).Post("/l/"+l.token, nil)
}

// refused fails the test unless an answer is a refusal that is foreseen, and
// hands nothing over.
func refused(t *testing.T, what string, a harness.Answer) {
	t.Helper()
	if a.Status < 400 || a.Status >= 500 || a.Code() == "" {
		t.Errorf("%s: %s, want a refusal", what, a)
	}
	for _, token := range []string{"access_token", "refresh_token", "pending_token", "receipt"} {
		if a.Get(token) != nil {
			t.Errorf("%s: %s, want no %s in it", what, a, token)
		}
	}
}

// freshPhone is a number that nobody has used.
func freshPhone() string { return fmt.Sprintf("+4474001%05d", people.Add(1)) }
