package attack_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/test/harness"
)

func TestA053StepsOutOfOrderLeadNowhere(t *testing.T) {
	apart(t, harness.Options{Policy: patient + "sign_up: { required: [email, username] }\n"}, func(t *testing.T, s *harness.Server, c *harness.Client) {
		to, others := fresh(), fresh()
		for name, address := range map[string]string{"annabel": to, "barbara": others} {
			c.Post("/v1/users", map[string]string{"username": name, "email": address, "password": knows}).Want(http.StatusCreated)
		}
		p, other := c.Secure(to), c.Secure(others)
		mixed(t, c, p, other, to, others)
		changes(t, c, p, to)
		resets(t, c, to, others) // which ends every session
		newcomers(t, c, to)
		invitations(t, s, c, to)
	})
}

// mixed takes the steps of two sign-ins across.
func mixed(t *testing.T, c *harness.Client, p, other harness.Person, to, others string) {
	t.Helper()
	second := func(pending, device string) harness.Answer {
		return c.As(pending).Post("/v1/challenges", map[string]string{"purpose": "second_factor", "device_id": device})
	}
	one, two := c.FirstFactor(to), c.FirstFactor(others)
	refused(t, "a second factor before the first", second("", p.Device.ID))
	refused(t, "a step-up while a sign-in waits", c.As(one).Post("/v1/challenges", map[string]string{"purpose": "step_up", "device_id": p.Device.ID}))
	refused(t, "another device while a sign-in waits", c.As(one).Post("/v1/me/devices", map[string]string{"channel": "totp"}))
	refused(t, "a password while a sign-in waits", choose(c, one, another))
	refused(t, "an account while a sign-in waits", c.As(one).Post("/v1/sign-in/complete", map[string]string{"username": "mallory"}))
	second(one, other.Device.ID).WantCode(http.StatusNotFound, "not_found")
	second(two, p.Device.ID).WantCode(http.StatusNotFound, "not_found")
	mine, theirs := c.SecondFactor(one, p.Device.ID), c.SecondFactor(two, other.Device.ID)
	c.Advance(harness.Period)
	code := func(p harness.Person) string { return harness.TOTP(p.Device.Secret, c.Now()) }
	c.Verify(mine.ID, code(other)).WantCode(http.StatusUnprocessableEntity, "invalid_code")
	c.Verify(theirs.ID, code(p)).WantCode(http.StatusUnprocessableEntity, "invalid_code")
	again := c.SecondFactor(one, p.Device.ID)
	if in := c.At(1).Verify(mine.ID, code(p)).Tokens(); in.User != p.User {
		t.Errorf("signed in as %s, want %s", in.User, p.User)
	}
	refused(t, "the same challenge twice", c.Verify(mine.ID, code(p)))
	refused(t, "the same pending token twice", second(one, p.Device.ID))
	c.Advance(harness.Period)
	refused(t, "two challenges of one sign-in", c.Verify(again.ID, code(p)))
	given := c.SecondFactor(two, other.Device.ID)
	c.Do(http.MethodDelete, "/v1/challenges/"+given.ID, nil).Want(http.StatusNoContent)
	refused(t, "a challenge that was given up", c.Verify(given.ID, code(other)))
	refused(t, "a challenge that was given up twice", c.Do(http.MethodDelete, "/v1/challenges/"+given.ID, nil))
	refused(t, "a resend of what is not sent", c.Post("/v1/challenges/"+theirs.ID+"/resend", "{}"))
	if in := c.Verify(theirs.ID, code(other)).Tokens(); in.User != other.User {
		t.Errorf("signed in as %s, want %s", in.User, other.User)
	}
}

// resets takes the steps of a forgotten password out of order.
func resets(t *testing.T, c *harness.Client, to, others string) {
	t.Helper()
	o := asks(t, c, "reset", to, func() harness.Answer {
		return c.As("").Post("/v1/password-resets", map[string]string{"identifier": to})
	})
	refused(t, "a password before the code", choose(c.As(""), o.id, another))
	refused(t, "a password with the code", choose(c, o.code, another))
	refused(t, "a password with nothing", c.As("").Do(http.MethodPut, "/v1/password", map[string]string{"new_password": another}))
	pending := c.Verify(o.id, o.code).Want(http.StatusOK).Text("pending_token")
	refused(t, "the code twice", c.Verify(o.id, o.code))
	choose(c, pending, another).Want(http.StatusNoContent)
	refused(t, "a second password with one proof", choose(c.At(1), pending, knows))
	refused(t, "the password of somebody else", byPassword(c, others, another))
	wantAsked(t, "the new password", byPassword(c, to, another))
	late := forgotten(t, c, to)
	c.Advance(5*time.Minute + time.Second)
	choose(c, late, knows).WantCode(http.StatusUnauthorized, "pending_token_expired")
}

// newcomers takes the steps of somebody new out of order.
func newcomers(t *testing.T, c *harness.Client, to string) {
	t.Helper()
	address := fresh()
	o := asks(t, c, "sign_in", address, start(c.As(""), map[string]any{"to": address}))
	complete := func(by string, body map[string]string) harness.Answer {
		return c.As(by).Post("/v1/sign-in/complete", body)
	}
	refused(t, "a name before the code", complete(o.id, map[string]string{"username": "mallory"}))
	a := c.Verify(o.id, o.code).Want(http.StatusOK)
	pending := a.Text("pending_token")
	if a.Text("status") != "identifier_required" || a.Get("access_token") != nil {
		t.Fatalf("%s, want identifier_required", a)
	}
	for _, path := range []string{"/v1/me", "/v1/me/sessions"} {
		refused(t, "half an account", c.As(pending).Get(path))
	}
	refused(t, "a reset by half an account", choose(c, pending, another))
	refused(t, "somebody else's name", complete(pending, map[string]string{"username": "annabel"}))
	skipped := complete(pending, map[string]string{"email": to}) // to be proven first, and it is somebody's
	if skipped.Get("access_token") != nil {
		t.Errorf("%s, want nobody signed in without a proof", skipped)
	}
	in := complete(pending, map[string]string{"username": "mallory"}).Tokens()
	if !in.New {
		t.Error("somebody new is somebody known")
	}
	refused(t, "a second account with one proof", complete(pending, map[string]string{"username": "mallory2"}))
}

// changes takes the steps of another address out of order.
func changes(t *testing.T, c *harness.Client, p harness.Person, to string) {
	t.Helper()
	next := fresh()
	refused(t, "a change that was never begun", c.As(c.Fresh(p).Access).Do(http.MethodDelete, "/v1/me/identifiers/email/pending", nil))
	before := len(c.Messages(to))
	in := c.Fresh(p)
	a := c.As(in.Access).Post("/v1/me/identifiers", map[string]string{"kind": "email", "value": next}).Want(http.StatusAccepted)
	code, current := c.AwaitMessages(next, 1)[0].Code, newestOf(c.AwaitMessages(to, before+1)).Code
	if done := c.As("").Verify(challengeOf(a, 1), current).Want(http.StatusOK); done.Text("status") != "identifier_pending" {
		t.Errorf("%s, want identifier_pending", done)
	}
	refused(t, "the current address twice", c.As("").Verify(challengeOf(a, 1), current))
	if me := c.As(in.Access).Get("/v1/me"); !strings.Contains(string(me.Body), to) {
		t.Errorf("%s, want the old address until the new one is proven", me)
	}
	c.As(in.Access).Do(http.MethodDelete, "/v1/me/identifiers/email/pending", nil).Want(http.StatusNoContent)
	refused(t, "the new address after it was given up", c.As("").Verify(challengeOf(a, 0), code))
	if me := c.As(in.Access).Get("/v1/me"); strings.Contains(string(me.Body), next) {
		t.Errorf("%s, want no trace of what was given up", me)
	}
}

// invitations takes the token of an invitation elsewhere, too late, and twice.
func invitations(t *testing.T, s *harness.Server, c *harness.Client, to string) {
	t.Helper()
	operator := c.As(operate(t, s, "apikey", "new", "--name", "ops", "--scope", "admin"))
	invite := func(seconds int) (address, token string) {
		address = fresh()
		operator.Post("/v1/invitations", map[string]any{"email": address, "expires_in": seconds}).Want(http.StatusCreated)
		_, token, _ = strings.Cut(c.AwaitNotices(address, 1)[0].Link, "/l/")
		return address, token
	}
	accept := func(token, name string) harness.Answer {
		return c.As("").Post("/v1/invitations/accept", map[string]string{"token": token, "username": name})
	}
	asked := c.As("").StartChallenge(to)
	address, token := invite(3600)
	c.Advance(time.Hour + time.Second)
	for what, a := range map[string]harness.Answer{
		"too late":             accept(token, "charlotte"),
		"as a reset":           choose(c, token, another),
		"as a pending token":   c.As(token).Post("/v1/sign-in/complete", map[string]string{"username": "charlotte"}),
		"as somebody's link":   c.As("").Post("/v1/challenges/"+asked.ID+"/verify", map[string]string{"link_token": token}),
		"as an access token":   c.As(token).Get("/v1/me"),
		"with another ending":  accept(token[:len(token)-1]+"_", "charlotte"),
		"as a challenge's":     c.Get("/v1/challenges/" + token),
		"by its page's script": c.As("").With("Accept", "application/json").Post("/l/"+token, nil),
	} {
		refused(t, "an invitation "+what, a)
	}
	if a := c.As("").Post("/v1/password-resets", map[string]string{"identifier": address}); a.Status != http.StatusAccepted {
		t.Errorf("a reset for an invited address: %s", a)
	}
	if n := len(c.Messages(address)); n != 0 {
		t.Errorf("%d codes went to somebody who was only invited", n)
	}
	_, token = invite(7200)
	v := fire(10, func(i int) (harness.Answer, error) {
		return c.At(i).As("").Try(http.MethodPost, "/v1/invitations/accept", map[string]string{"token": token, "username": fmt.Sprint("dorothea", i)})
	})
	v.wantOnly(t, "signed_in", 1, "invitation_expired", "identity_taken")
}

func TestA067TheSecretOfABrowserIsOurs(t *testing.T) {
	for _, x := range []struct {
		public, name string
		attributes   []string
	}{
		{"", "countersign-browser", []string{"path=/", "httponly", "samesite=lax"}},
		{"https://login.example.com", "__Host-countersign-browser", []string{"path=/", "httponly", "samesite=lax", "secure"}},
	} {
		t.Run(x.name, func(t *testing.T) {
			apart(t, harness.Options{Policy: patient, Public: x.public}, func(t *testing.T, _ *harness.Server, c *harness.Client) {
				ask := func(cookie string) (value string, l linked) {
					to := fresh()
					by := c
					if cookie != "" {
						by = c.With("Cookie", x.name+"="+cookie)
					}
					a := by.Post("/v1/challenges", map[string]string{"to": to}).Want(http.StatusAccepted)
					if n := len(a.Header.Values("Set-Cookie")); n != 1 {
						t.Fatalf("%d cookies, want one", n)
					}
					pair, attributes, _ := strings.Cut(a.Header.Get("Set-Cookie"), "; ")
					name, value, _ := strings.Cut(pair, "=")
					got := strings.Split(strings.ToLower(attributes), "; ")
					for _, part := range x.attributes {
						if !slices.Contains(got, part) {
							t.Errorf("the cookie is %q, want it with %s", a.Header.Get("Set-Cookie"), part)
						}
					}
					if name != x.name || strings.Contains(strings.ToLower(attributes), "domain") {
						t.Errorf("the cookie is %q, want %s for no other host", a.Header.Get("Set-Cookie"), x.name)
					}
					_, token, _ := strings.Cut(c.AwaitMessages(to, 1)[0].Link, "/l/")
					return value, linked{open{id: a.Text("id")}, token, c.With("Cookie", x.name+"="+value)}
				}
				known := map[string]bool{}
				for _, own := range []string{"", "", "x", "fixed", strings.Repeat("A", 42), strings.Repeat("A", 44), strings.Repeat("A", 86), strings.Repeat("=", 43), strings.Repeat("!", 43), "csr_" + strings.Repeat("A", 39) + "====", "0"} {
					value, l := ask(own)
					raw, err := base64.RawURLEncoding.DecodeString(value)
					if err != nil || len(raw) != 32 || value == own || known[value] {
						t.Errorf("for the value %q there is %q (%v), want a new secret of 256 bits", own, value, err)
					}
					known[value] = true
					planted := l
					planted.browser = c.With("Cookie", x.name+"="+own)
					if a := planted.follow("application/json"); !a.Is(http.StatusForbidden, a.Code()) {
						t.Errorf("a link with the planted value %q: %s, want 403", own, a)
					}
					for _, path := range []string{"/v1/me", "/v1/me/sessions"} {
						refused(t, "the cookie alone", l.browser.Get(path))
					}
					if a := l.browser.Post("/v1/challenges/"+l.id+"/verify", "{}"); a.Text("status") != "pending" {
						t.Errorf("the cookie alone: %s, want it pending", a)
					}
					l.follow("application/json").Tokens()
				}
				if name, ok := strings.CutPrefix(x.name, "__Host-"); ok { // what a neighbour could plant
					value, l := ask("")
					l.browser = c.With("Cookie", name+"="+value)
					if a := l.follow("application/json"); !a.Is(http.StatusForbidden, a.Code()) {
						t.Errorf("a link with a cookie of another name: %s, want 403", a)
					}
				}
				to := fresh()
				one, two := c.SignIn(to), c.With("Cookie", x.name+"="+strings.Repeat("A", 43)).SignIn(to)
				if one.Session == two.Session || one.Refresh == two.Refresh || one.Access == two.Access {
					t.Error("two sign-ins share a session or a token")
				}
				c.As(one.Access).Do(http.MethodDelete, "/v1/me/sessions/"+one.Session, nil).Want(http.StatusNoContent)
				c.At(1).As(one.Access).Get("/v1/me").WantCode(http.StatusUnauthorized, "token_revoked")
				c.At(1).As(two.Access).Get("/v1/me").Want(http.StatusOK)
			})
		})
	}
}
