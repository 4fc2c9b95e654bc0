package e2e_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/test/harness"
)

// What ann knows, and what she will know.
const (
	knows   = "staple horse 9!"
	another = "battery lamp 4?"
)

// setPassword gives somebody signed in a password.
func setPassword(c *harness.Client, access, password string) {
	c.As(access).Do(http.MethodPut, "/v1/me/password", map[string]string{"new_password": password}).Want(http.StatusNoContent)
}

// byPassword signs in by what somebody knows.
func byPassword(c *harness.Client, who, password string) harness.Answer {
	return c.As("").Post("/v1/sign-in/password", map[string]string{"identifier": who, "password": password})
}

// refusedPassword wants the one answer that there is.
func refusedPassword(t *testing.T, what string, a harness.Answer) {
	t.Helper()
	if !a.Is(http.StatusUnauthorized, "invalid_credentials") {
		t.Errorf("%s: %s, want 401 invalid_credentials", what, a)
	}
}

// reset proves an address to choose a new password, and gives the pending token.
func reset(t *testing.T, c *harness.Client, to string) (challenge, code, pending string) {
	t.Helper()
	before := len(c.Messages(to))
	challenge = c.Post("/v1/password-resets", map[string]string{"identifier": to}).Want(http.StatusAccepted).Text("id")
	code = c.AwaitMessages(to, before+1)[0].Code
	a := c.Verify(challenge, code).Want(http.StatusOK)
	if a.Text("status") != "password_reset_allowed" || a.Text("pending_token") == "" || a.Get("access_token") != nil {
		t.Fatalf("%s, want password_reset_allowed with a pending token only", a)
	}
	return challenge, code, a.Text("pending_token")
}

func choose(c *harness.Client, pending, password string) harness.Answer {
	return c.As(pending).Do(http.MethodPut, "/v1/password", map[string]string{"new_password": password})
}

func TestS014PasswordPolicyAndNoEcho(t *testing.T) {
	both(t, quick, func(t *testing.T, s *harness.Server, c *harness.Client) {
		who := c.SignIn("anneliese@example.com")
		c.As(who.Access).Do(http.MethodPatch, "/v1/me", map[string]string{"first_name": "Wilhelmina"}).Want(http.StatusOK)
		_, _, pending := reset(t, c, "anneliese@example.com")
		for _, bad := range []struct{ password, code string }{
			{"q7#Zk", "password_too_short"}, {"password1", "password_too_common"}, {"482913770124", "password_entirely_numeric"},
			{"anneliese", "password_too_similar"}, {"anneliese@example.com", "password_too_similar"}, {"wilhelmina1", "password_too_similar"},
		} {
			for what, a := range map[string]harness.Answer{
				"own":       c.As(who.Access).Do(http.MethodPut, "/v1/me/password", map[string]string{"new_password": bad.password}),
				"forgotten": choose(c, pending, bad.password),
			} {
				a.WantCode(http.StatusUnprocessableEntity, "invalid_request")
				if got := fieldCodes(a, "/new_password"); !slices.Contains(got, bad.code) {
					t.Errorf("%s password %q: %v, want %s", what, bad.password, got, bad.code)
				}
				if strings.Contains(strings.ToLower(string(a.Body)), bad.password) && bad.password != "password1" {
					t.Errorf("%s: the answer repeats %q", what, bad.password)
				}
				if strings.Contains(s.Log(), bad.password) {
					t.Errorf("%s: the log repeats %q", what, bad.password)
				}
			}
		}
		// One that breaks several rules hears of each.
		a := c.As(who.Access).Do(http.MethodPut, "/v1/me/password", map[string]string{"new_password": "1234567"})
		for _, code := range []string{"password_too_short", "password_too_common", "password_entirely_numeric"} {
			if got := fieldCodes(a, "/new_password"); !slices.Contains(got, code) {
				t.Errorf("1234567: %v, want %s among them", got, code)
			}
		}
		choose(c, pending, knows).Want(http.StatusNoContent) // refusals have not used it up
		if strings.Contains(s.Log(), knows) || strings.Contains(dump(t, s.Options.Store), knows) {
			t.Error("the password stands in the log or in the database")
		}
	})
}

// fieldCodes are what is wrong with one part of a request.
func fieldCodes(a harness.Answer, pointer string) (out []string) {
	var body struct {
		Fields []struct{ Pointer, Code string }
	}
	a.JSON(&body)
	for _, f := range body.Fields {
		if f.Pointer == pointer {
			out = append(out, f.Code)
		}
	}
	return out
}

func TestS037AnInactiveUserKnowsInVain(t *testing.T) {
	both(t, quick, func(t *testing.T, s *harness.Server, c *harness.Client) {
		who := c.SignIn(ann)
		setPassword(c, who.Access, knows)
		byPassword(c, ann, knows).Tokens()
		_, _, pending := reset(t, c, ann)
		l := askByLink(t, c, ann, "/orders/7")
		script := askByLink(t, c, ann, "")
		sent := len(c.Messages(ann))
		block(t, s, who.User)

		refusedPassword(t, "the right password", byPassword(c, ann, knows))
		if a := l.browser.Post(l.path, nil); a.Status == http.StatusOK || a.Status == http.StatusSeeOther {
			if a := c.Post("/v1/challenges/"+l.id+"/verify", "{}"); a.Status == http.StatusOK {
				t.Errorf("an opened link: %s, want no session", a)
			}
		}
		if a := script.browser.With("Accept", "application/json").Post(script.path, nil); a.Status < 400 || a.Status >= 500 {
			t.Errorf("a link: %s, want a refusal", a)
		}
		if a := choose(c, pending, another); a.Status != http.StatusUnauthorized {
			t.Errorf("a reset that was allowed before: %s, want 401", a)
		}
		known := c.Post("/v1/password-resets", map[string]string{"identifier": ann}).Want(http.StatusAccepted)
		unknown := c.Post("/v1/password-resets", map[string]string{"identifier": eve}).Want(http.StatusAccepted)
		if a, b := shape(known), shape(unknown); a != b {
			t.Errorf("a blocked user is answered %s, an unknown one %s", a, b)
		}
		unsent(t, c, ann, sent)
	})
}

func TestS089HygieneOfResetCodes(t *testing.T) {
	o := harness.Options{Policy: "challenge: { resend_after: 0s, attempts: 3, live_per_destination: 10 }\nthrottle: { free: 20 }", Config: twoTenants}
	served(t, o, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		who := c.SignIn(ann)
		setPassword(c, who.Access, knows)
		ask := func() (id, code string) {
			t.Helper()
			before := len(c.Messages(ann))
			id = c.Post("/v1/password-resets", map[string]string{"identifier": ann}).Want(http.StatusAccepted).Text("id")
			return id, c.AwaitMessages(ann, before+1)[0].Code
		}
		id, code := ask()
		for range 3 {
			c.Verify(id, wrong(code)).WantCode(http.StatusUnprocessableEntity, "invalid_code")
		}
		c.Verify(id, code).WantCode(http.StatusUnprocessableEntity, "challenge_exhausted")

		id, code = ask()
		at(c, "t2").Verify(id, code).WantCode(http.StatusNotFound, "challenge_not_found")
		c.Advance(301 * time.Second)
		c.Verify(id, code).WantCode(http.StatusGone, "challenge_expired")

		id, code, pending := reset(t, c, ann)
		c.Verify(id, code).WantCode(http.StatusNotFound, "challenge_not_found")
		if a := choose(at(c, "t2"), pending, another); a.Status != http.StatusUnauthorized {
			t.Errorf("a reset of one tenant at another: %s, want 401", a)
		}
		choose(c, pending, another).Want(http.StatusNoContent)
		choose(c, pending, "monkey wrench 7!").WantCode(http.StatusUnauthorized, "invalid_pending_token")

		_, _, late := reset(t, c, ann)
		c.Advance(301 * time.Second)
		choose(c, late, "monkey wrench 7!").WantCode(http.StatusUnauthorized, "pending_token_expired")
		byPassword(c, ann, another).Tokens()
	})
}

func TestS089OneResetChoosesOnePassword(t *testing.T) {
	races(t, quick, func(t *testing.T, c *harness.Client) {
		who := c.SignIn(ann)
		setPassword(c, who.Access, knows)
		_, _, pending := reset(t, c, ann)
		all := together(t, 6, func(i int) (harness.Answer, error) {
			return c.At(i).As(pending).Try(http.MethodPut, "/v1/password", map[string]string{"new_password": another + strings.Repeat("x", i)})
		})
		won := -1
		for i, a := range all {
			switch {
			case a.Status == http.StatusNoContent && won >= 0:
				t.Errorf("two of them won: %v", tally(all))
			case a.Status == http.StatusNoContent:
				won = i
			case a.Status != http.StatusUnauthorized && a.Status != http.StatusServiceUnavailable: // busy hashing is no accident
				t.Errorf("%s, want 401", a)
			}
		}
		if won < 0 {
			t.Fatalf("none of them won: %v", tally(all))
		}
		byPassword(c, ann, another+strings.Repeat("x", won)).Tokens()
	})
}
