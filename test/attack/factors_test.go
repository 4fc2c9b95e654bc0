package attack_test

import (
	"fmt"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/test/harness"
)

// body is what is sent.
type body map[string]any

// guarded is somebody with a password, a phone, a mailbox and an app, who is asked
// for a second factor.
type guarded struct {
	member
	phone string
}

var phones = func() func() string {
	n := 400_200_000
	return func() string {
		n++
		return fmt.Sprintf("+447%d", n)
	}
}()

func guard(c *harness.Client) guarded {
	g := guarded{member: enroll(c), phone: phones()}
	stepUp(c, g.member)
	a := c.As(g.tokens.Access).Post("/v1/me/identifiers", body{"kind": "phone", "value": g.phone}).Want(http.StatusAccepted)
	c.Verify(a.Text("challenges.0.id"), c.AwaitMessages(g.phone, 1)[0].Code).Want(http.StatusOK)
	c.As(g.tokens.Access).Do(http.MethodPut, "/v1/me/password", body{"new_password": knows}).Want(http.StatusNoContent)
	c.RequireTwoFactor(g.tokens.Access)
	return g
}

// asksForMore fails the test unless an outcome waits for a second factor.
func asksForMore(t *testing.T, door string, a harness.Answer) {
	t.Helper()
	if a.Status != http.StatusOK || a.Text("status") != "factor_required" || a.Get("access_token") != nil || a.Get("refresh_token") != nil {
		t.Errorf("%s: %s, want factor_required and no tokens", door, a)
	}
}

// follow follows a link as a script in the browser that asked.
func follow(c *harness.Client, asked harness.Challenge, link string) harness.Answer {
	cookie, _, _ := strings.Cut(asked.Answer.Header.Get("Set-Cookie"), ";")
	return c.With("Cookie", cookie).With("Accept", "application/json").Post(link[strings.Index(link, "/l/"):], nil)
}

func TestA044NoFirstFactorGoesAroundTheSecond(t *testing.T) {
	everywhere(t, atOnce, func(t *testing.T, s *harness.Server, c *harness.Client) {
		g := guard(c)
		for _, to := range []string{g.to, g.phone} {
			asked := c.StartChallenge(to)
			asksForMore(t, "a code to "+to, c.Verify(asked.ID, c.Code(to)))
			asksForMore(t, "a password and "+to, c.Post("/v1/sign-in/password", body{"identifier": to, "password": knows}))
		}
		asked := c.StartChallenge(g.to)
		asksForMore(t, "a link", follow(c, asked, c.Newest(g.to).Link))
		asked = c.StartChallenge(g.to)
		link := c.Newest(g.to).Link
		asksForMore(t, "a link's token", c.Post("/v1/challenges/"+asked.ID+"/verify", body{"link_token": link[strings.LastIndex(link, "/")+1:]}))
		asked = c.StartChallenge(g.to)
		cookie, _, _ := strings.Cut(asked.Answer.Header.Get("Set-Cookie"), ";")
		link = c.Newest(g.to).Link
		c.With("Cookie", cookie).With("Accept", "text/html").Post(link[strings.Index(link, "/l/"):], nil)
		asksForMore(t, "what a link leaves behind", c.Post("/v1/challenges/"+asked.ID+"/verify", "{}"))

		old := c.Post("/v1/tokens/refresh", body{"refresh_token": g.tokens.Refresh}).Want(http.StatusOK)
		if acr := claim(t, old.Text("access_token"), "acr"); acr != "aal2" {
			t.Errorf("a refresh makes %v of level 2", acr)
		}
		// An inline code is a second factor, and only a right one of one's own.
		c.Advance(harness.Period)
		inline := func(code, device string) harness.Answer {
			return c.Post("/v1/sign-in/password", body{"identifier": g.to, "password": knows, "code": code, "device_id": device})
		}
		inline("000000", g.device.ID).WantCode(http.StatusUnauthorized, "invalid_credentials")
		other := enroll(c)
		c.Advance(harness.Period)
		inline(harness.TOTP(other.device.Secret, c.Now()), other.device.ID).WantCode(http.StatusUnauthorized, "invalid_credentials")
		done := inline(harness.TOTP(g.device.Secret, c.Now()), g.device.ID)
		if acr, amr := claim(t, done.Tokens().Access, "acr"), fmt.Sprint(claim(t, done.Tokens().Access, "amr")); acr != "aal2" || !strings.Contains(amr, "pwd") || !strings.Contains(amr, "otp") || !strings.Contains(amr, "mfa") {
			t.Errorf("a password and an app are %v by %v, want aal2 by pwd, otp and mfa", acr, amr)
		}
		// An invitation to an address that is somebody's opens nothing.
		host := c.SignIn(fresh())
		c.As(host.Access).Post("/v1/invitations", body{"email": g.to})
		for _, m := range c.Notices(g.to) {
			if at := strings.Index(m.Link, "csi_"); at >= 0 {
				if a := c.Post("/v1/invitations/accept", body{"token": m.Link[at:]}); a.Get("access_token") != nil && a.Text("user.id") == g.tokens.User {
					t.Errorf("an invitation: %s", a)
				}
			}
		}
		key, err := exec.Command(harness.Binary(t), "apikey", "new", "--config", s.Config(), "--name", "x", "--scope", "admin").Output()
		if err != nil {
			t.Fatal(err)
		}
		if a := c.As(strings.TrimSpace(string(key))).Get("/v1/me"); a.Status != http.StatusUnauthorized {
			t.Errorf("an API key: %s, want 401", a)
		}
	})
}

func TestA044OneKindTwiceIsNotTwoFactors(t *testing.T) {
	everywhere(t, atOnce, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		g := guard(c)
		pending := c.FirstFactor(g.phone)
		if a := c.As(pending).Post("/v1/challenges", body{"purpose": "second_factor", "to": g.phone}); a.Status < 400 {
			t.Errorf("the phone once more: %s, want a refusal", a)
		}
		stepped := c.SignIn(fresh())
		asked := c.As(stepped.Access).Post("/v1/challenges", body{"purpose": "step_up", "to": "nobody@example.com"})
		if asked.Status < 400 {
			t.Errorf("somebody else's address: %s, want a refusal", asked)
		}
		to := fresh()
		one := c.SignIn(to)
		for range 2 {
			before := len(c.Messages(to))
			id := c.As(one.Access).Post("/v1/challenges", body{"purpose": "step_up", "to": to}).Want(http.StatusAccepted).Text("id")
			c.AwaitMessages(to, before+1)
			one = c.Verify(id, c.Newest(to).Code).Tokens()
		}
		if acr, amr := claim(t, one.Access, "acr"), fmt.Sprint(claim(t, one.Access, "amr")); acr != "aal1" || strings.Contains(amr, "mfa") {
			t.Errorf("one mailbox three times is %v by %v, want aal1", acr, amr)
		}
	})
}

func TestA046AForgottenPasswordIsNoSecondFactor(t *testing.T) {
	everywhere(t, atOnce, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		g := guard(c)
		before := len(c.Messages(g.to))
		id := c.Post("/v1/password-resets", body{"identifier": g.to}).Want(http.StatusAccepted).Text("id")
		c.AwaitMessages(g.to, before+1)
		allowed := c.Verify(id, c.Newest(g.to).Code).Want(http.StatusOK)
		if allowed.Text("status") != "password_reset_allowed" || allowed.Get("access_token") != nil {
			t.Errorf("%s, want nobody signed in", allowed)
		}
		done := c.As(allowed.Text("pending_token")).Do(http.MethodPut, "/v1/password", body{"new_password": "battery lamp 4?"}).Want(http.StatusNoContent)
		if strings.Contains(string(done.Body), "token") {
			t.Errorf("%s, want nothing", done)
		}
		asksForMore(t, "the new password", c.At(1).Post("/v1/sign-in/password", body{"identifier": g.to, "password": "battery lamp 4?"}))
		if got := recoverWith(t, c, g.to, g.device.Recovery[0]); got.Text("status") != "signed_in" { // who lost the app has these
			t.Errorf("a recovery code: %s", got)
		}
	})
}

func TestA047SessionsOfBeforeDoNotGrow(t *testing.T) {
	everywhere(t, atOnce, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		m := enroll(c)
		old := c.SignIn(m.to)
		stepUp(c, m)
		c.RequireTwoFactor(m.tokens.Access)
		for what, a := range map[string]harness.Answer{
			"removing the app":   c.As(old.Access).Do(http.MethodDelete, "/v1/me/devices/"+m.device.ID, nil),
			"switching it off":   c.As(old.Access).Do(http.MethodPatch, "/v1/me/two-factor", body{"required": false}),
			"another password":   c.As(old.Access).Do(http.MethodPut, "/v1/me/password", body{"new_password": knows}),
			"another address":    c.As(old.Access).Post("/v1/me/identifiers", body{"kind": "email", "value": fresh()}),
			"new recovery codes": c.As(old.Access).Post("/v1/me/recovery-codes", nil),
			"another device":     c.As(old.Access).Post("/v1/me/devices", body{"channel": "totp"}),
			"the end of it all":  c.As(old.Access).Do(http.MethodDelete, "/v1/me", nil),
		} {
			if !a.Is(http.StatusUnauthorized, "insufficient_user_authentication") {
				t.Errorf("%s from a session of before: %s, want 401", what, a)
			}
		}
		next := c.Post("/v1/tokens/refresh", body{"refresh_token": old.Refresh}).Want(http.StatusOK)
		if acr := claim(t, next.Text("access_token"), "acr"); acr != "aal1" {
			t.Errorf("a refresh lifts it to %v", acr)
		}
	})
}

func TestA049AnAppThatNeverAnsweredCountsForNothing(t *testing.T) {
	everywhere(t, required, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		to := fresh()
		who := c.SignIn(to)
		a := c.As(who.Access).Post("/v1/me/devices", body{"channel": "totp"}).Want(http.StatusCreated)
		again := c.SignIn(to) // it is not asked for
		if acr := claim(t, again.Access, "acr"); acr != "aal1" {
			t.Errorf("acr is %v, want aal1", acr)
		}
		device := a.Text("device.id")
		c.As(again.Access).Post("/v1/challenges", body{"purpose": "step_up", "device_id": device}).WantCode(http.StatusNotFound, "not_found")
		c.As(again.Access).Do(http.MethodPatch, "/v1/me/two-factor", body{"required": true}).WantCode(http.StatusConflict, "no_device")
		if status := c.As(again.Access).Get("/v1/me/two-factor").Want(http.StatusOK); status.Number("devices") != 0 {
			t.Errorf("%s, want it not to count", status)
		}
		c.Advance(61 * time.Minute)
		next := c.SignIn(to)
		c.As(next.Access).Post("/v1/me/devices", body{"channel": "totp"}).Want(http.StatusCreated)
		if list := c.As(next.Access).Get("/v1/me/devices").Want(http.StatusOK); strings.Contains(string(list.Body), device) {
			t.Errorf("%s still has what waited for an hour", list)
		}
		c.Verify(a.Text("challenge.id"), harness.TOTP(secretOf(t, a.Text("challenge.prompt.show.0")), c.Now())).WantCode(http.StatusGone, "challenge_expired")
	})
}

func TestA050ARememberedBrowserIsWorthLittle(t *testing.T) {
	everywhere(t, atOnce+"\ntwo_factor: { remember_device: 1h }", func(t *testing.T, _ *harness.Server, c *harness.Client) {
		g := guard(c)
		remembered := func() string {
			t.Helper()
			c.Advance(harness.Period)
			pending := c.FirstFactor(g.to)
			id := c.SecondFactor(pending, g.device.ID).ID
			a := c.Post("/v1/challenges/"+id+"/verify", body{"code": harness.TOTP(g.device.Secret, c.Now()), "remember_browser": true}).Want(http.StatusOK)
			if a.Text("trusted_browser") == "" {
				t.Fatalf("%s, want a token for the browser", a)
			}
			g.tokens = a.Tokens()
			return a.Text("trusted_browser")
		}
		come := func(to, browser string) harness.Answer {
			t.Helper()
			asked := c.StartChallenge(to)
			return c.At(1).Post("/v1/challenges/"+asked.ID+"/verify", body{"code": c.Code(to), "trusted_browser": browser}).Want(http.StatusOK)
		}
		browser := remembered()
		mine := come(g.to, browser)
		if acr := claim(t, mine.Tokens().Access, "acr"); acr != "aal1" {
			t.Errorf("a remembered browser is %v, want aal1: nobody has shown a second factor", acr)
		}
		other := guard(c)
		asksForMore(t, "somebody else with it", come(other.to, browser))
		for what, token := range map[string]string{"edited": browser[:len(browser)-2] + "AA", "cut": browser[:len(browser)-1], "made up": "cst_" + strings.Repeat("A", 71), "a refresh token": g.tokens.Refresh} {
			asksForMore(t, what, come(g.to, token))
		}
		asked := c.StartChallenge(g.to) // alone it is no answer to anything
		if a := c.Post("/v1/challenges/"+asked.ID+"/verify", body{"trusted_browser": browser}); a.Get("access_token") != nil || a.Text("status") == "signed_in" {
			t.Errorf("alone: %s, want nothing", a)
		}
		wantNobody(t, c, "as an access token", browser)
		ends := map[string]func(){
			"another factor": func() {
				stepUp(c, g.member)
				extra := c.EnrollTOTP(g.tokens.Access)
				c.As(g.tokens.Access).Do(http.MethodDelete, "/v1/me/devices/"+extra.ID, nil).Want(http.StatusNoContent)
			},
			"signing out everywhere": func() {
				c.As(g.tokens.Access).Do(http.MethodDelete, "/v1/me/sessions", nil).Want(http.StatusNoContent)
			},
			"another password": func() {
				stepUp(c, g.member)
				c.As(g.tokens.Access).Do(http.MethodPut, "/v1/me/password", body{"new_password": "battery lamp 4?"}).Want(http.StatusNoContent)
			},
			"time": func() { c.Advance(61 * time.Minute) },
		}
		for _, what := range []string{"another factor", "signing out everywhere", "another password", "time"} {
			browser := remembered()
			ends[what]()
			asksForMore(t, "after "+what, come(g.to, browser))
		}
	})
}

func TestA052TakingFactorsAway(t *testing.T) {
	everywhere(t, atOnce, func(t *testing.T, s *harness.Server, c *harness.Client) {
		g, mallory := guard(c), guard(c)
		path := "/v1/me/devices/" + g.device.ID
		c.As(mallory.tokens.Access).Do(http.MethodDelete, path, nil).WantCode(http.StatusNotFound, "not_found")
		c.Advance(6 * time.Minute)
		c.As(g.tokens.Access).Do(http.MethodDelete, path, nil).WantCode(http.StatusUnauthorized, "insufficient_user_authentication")
		stepUp(c, g.member)
		c.As(g.tokens.Access).Do(http.MethodDelete, path, nil).WantCode(http.StatusConflict, "last_device")
		notices := len(c.Notices(g.to))

		out, err := exec.Command(harness.Binary(t), "user", "reset", g.to, "--config", s.Config(), "--reason", "ticket 7", "--yes").CombinedOutput()
		if err != nil {
			t.Fatalf("user reset: %v: %s", err, out)
		}
		c.AwaitNotices(g.to, notices+1)
		wantInactive(t, c, "a session of before", g.tokens.Access)
		events, err := exec.Command(harness.Binary(t), "events", "tail", "--database", s.Options.Store.URL).CombinedOutput()
		if err != nil || !strings.Contains(string(events), "device.removed") || !strings.Contains(string(events), "cli") {
			t.Errorf("the events do not say who took the device away (%v): %s", err, events)
		}
		if who := c.SignIn(g.to); who.User != g.tokens.User {
			t.Errorf("signed in as %s, want %s", who.User, g.tokens.User)
		}
		c.Verify(c.SecondFactor(c.FirstFactor(mallory.to), mallory.device.ID).ID, "000000").WantCode(http.StatusUnprocessableEntity, "invalid_code")
	})
}

func TestA053StepsOutOfOrderLeadNowhere(t *testing.T) {
	everywhere(t, atOnce, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		g, other := guard(c), guard(c)
		c.Advance(2 * harness.Period)
		mine, theirs := c.FirstFactor(g.to), c.FirstFactor(other.to)
		app := harness.TOTP(g.device.Secret, c.Now())
		refuse := func(what string, a harness.Answer) {
			t.Helper()
			if a.Status < 400 || a.Status >= 500 || a.Get("access_token") != nil {
				t.Errorf("%s: %s, want a refusal", what, a)
			}
		}
		refuse("a second factor before the first", c.Post("/v1/challenges", body{"purpose": "second_factor", "device_id": g.device.ID}))
		refuse("somebody's device in another's sign-in", c.As(theirs).Post("/v1/challenges", body{"purpose": "second_factor", "device_id": g.device.ID}))
		refuse("a step-up while a sign-in waits", c.As(mine).Post("/v1/challenges", body{"purpose": "step_up", "device_id": g.device.ID}))
		refuse("a password in place of a second factor", c.As(mine).Do(http.MethodPut, "/v1/password", body{"new_password": knows}))
		refuse("completing what is complete", c.As(mine).Post("/v1/sign-in/complete", body{"username": "mallory"}))
		refuse("an app's code at another's challenge", c.Verify(c.SecondFactor(theirs, other.device.ID).ID, app))
		first := c.SecondFactor(mine, g.device.ID)
		c.Do(http.MethodDelete, "/v1/challenges/"+first.ID, nil).Want(http.StatusNoContent)
		refuse("a challenge that was given up", c.Verify(first.ID, app))
		second := c.SecondFactor(mine, g.device.ID)
		c.At(1).Verify(second.ID, app).Tokens()
		refuse("a repetition", c.Verify(second.ID, app))
		refuse("the same sign-in once more", c.As(mine).Post("/v1/challenges", body{"purpose": "second_factor", "device_id": g.device.ID}))
		refuse("a reset by an invitation's token", c.As("csi_"+strings.Repeat("A", 60)).Do(http.MethodPut, "/v1/password", body{"new_password": knows}))
		refuse("an enrolment of somebody else", c.As(theirs).Post("/v1/me/devices", body{"channel": "totp"}))
	})
}

func TestA067ABrowsersCookieIsOursAndSignsNobodyIn(t *testing.T) {
	harness.Stores(t, func(t *testing.T, store harness.Store) {
		s := harness.Start(t, harness.Options{Store: store, Policy: atOnce, Public: "https://login.example.com", Log: "warn"})
		c := s.Client(t)
		const name = "__Host-countersign-browser"
		ask := func(cookie, to string) (value, link, id string) {
			t.Helper()
			client := c
			if cookie != "" {
				client = c.With("Cookie", cookie)
			}
			asked := client.Challenge(to, body{"to": to})
			set := asked.Answer.Header.Get("Set-Cookie")
			parts := strings.Split(strings.ToLower(set), "; ")
			for _, want := range []string{"path=/", "httponly", "secure", "samesite=lax"} {
				if !slices.Contains(parts, want) {
					t.Errorf("%q lacks %s", set, want)
				}
			}
			if strings.Contains(strings.ToLower(set), "domain=") || !strings.HasPrefix(set, name+"=") {
				t.Errorf("%q, want %s of this host only", set, name)
			}
			value, _, _ = strings.Cut(strings.TrimPrefix(set, name+"="), ";")
			link = c.Newest(to).Link
			return value, link[strings.Index(link, "/l/"):], asked.ID
		}
		seen := map[string]bool{}
		const planted = "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE"
		for _, cookie := range []string{"", "countersign-browser=" + planted, name + "=short", name + "=" + strings.Repeat("A", 400), "session=" + planted} {
			value, _, _ := ask(cookie, fresh())
			if len(value) < 43 || seen[value] || strings.Contains(cookie, value) {
				t.Errorf("with %.40q the secret is %q, want one of 256 bits of our own", cookie, value)
			}
			seen[value] = true
		}
		to := fresh()
		value, link, id := ask("", to)
		for _, cookie := range []string{"countersign-browser=" + value, name + "=" + planted, "x=y", name + "=" + value[:len(value)-1]} {
			c.With("Cookie", cookie).With("Accept", "application/json").Post(link, nil).WantCode(http.StatusForbidden, "forbidden")
		}
		mine := c.With("Cookie", name+"="+value)
		for _, path := range []string{"/v1/me", "/v1/me/sessions"} {
			if a := mine.Get(path); a.Status != http.StatusUnauthorized {
				t.Errorf("the cookie alone: %s, want 401", a)
			}
		}
		if a := mine.Post("/v1/challenges/"+id+"/verify", "{}"); a.Text("status") != "pending" {
			t.Errorf("the cookie alone: %s, want it pending", a)
		}
		mine.With("Accept", "application/json").Post(link, nil).Tokens()
	})
}
