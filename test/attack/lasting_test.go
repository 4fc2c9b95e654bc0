package attack_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/test/harness"
)

// patientDays makes sessions of two months, so that what else ends is seen.
const patientDays = patient + "tokens: { access: 1h, refresh: 1440h }\n"

// wantStrength fails the test unless introspection and the next refresh say this
// level, with or without two factors. It gives the tokens that come next.
func wantStrength(t *testing.T, c *harness.Client, what string, one harness.Tokens, acr string) harness.Tokens {
	t.Helper()
	a := c.At(1).As("").Post("/v1/tokens/introspect", map[string]string{"token": one.Access}).Want(http.StatusOK)
	if a.Get("active") != true || a.Text("acr") != acr || strings.Contains(fmt.Sprint(a.Get("amr")), "mfa") != (acr == "aal2") {
		t.Errorf("%s: %s, want %s at once", what, a, acr)
	}
	next := c.As("").Post("/v1/tokens/refresh", map[string]string{"refresh_token": one.Refresh}).Want(http.StatusOK)
	one.Access, one.Refresh = next.Text("access_token"), next.Text("refresh_token")
	if got, amr := claim(t, one.Access, "acr"), fmt.Sprint(claim(t, one.Access, "amr")); got != acr || strings.Contains(amr, "mfa") != (acr == "aal2") {
		t.Errorf("%s: refreshed to %v by %s, want %s", what, got, amr, acr)
	}
	return one
}

func TestA047SessionsAreWorthWhatTheirProofsAreWorthNow(t *testing.T) {
	apart(t, harness.Options{Policy: patientDays}, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		to := fresh()
		old := c.SignIn(to)
		p := c.Secure(to)
		old = wantStrength(t, c, "a session from before", old, "aal1")
		me := c.As(old.Access)
		for what, a := range map[string]harness.Answer{
			"no second factor":  me.Do(http.MethodPatch, "/v1/me/two-factor", map[string]bool{"required": false}),
			"another device":    me.Post("/v1/me/devices", map[string]string{"channel": "totp"}),
			"one device less":   me.Do(http.MethodDelete, "/v1/me/devices/"+p.Device.ID, nil),
			"recovery codes":    me.Post("/v1/me/recovery-codes", nil),
			"another address":   me.Post("/v1/me/identifiers", map[string]string{"kind": "email", "value": fresh()}),
			"one address less":  me.Do(http.MethodDelete, "/v1/me/identifiers/email", nil),
			"a password":        me.Do(http.MethodPut, "/v1/me/password", map[string]string{"new_password": knows}),
			"no account at all": me.Do(http.MethodDelete, "/v1/me", nil),
		} {
			if !a.Is(http.StatusUnauthorized, "insufficient_user_authentication") {
				t.Errorf("%s in a session from before: %s, want 401 insufficient_user_authentication", what, a)
			}
		}
		p.Tokens = c.Fresh(p)
		asked := c.SecondFactor(c.FirstFactor(to), p.Device.ID)
		c.Advance(harness.Period)
		other := c.Verify(asked.ID, harness.TOTP(p.Device.Secret, c.Now())).Tokens()
		p.Tokens, other = wantStrength(t, c, "one with the app", p.Tokens, "aal2"), wantStrength(t, c, "another one", other, "aal2")
		c.As(p.Access).Do(http.MethodPatch, "/v1/me/two-factor", map[string]bool{"required": false}).Want(http.StatusOK)
		c.At(1).As(p.Access).Do(http.MethodDelete, "/v1/me/devices/"+p.Device.ID, nil).Want(http.StatusNoContent)
		c.Advance(11 * time.Second)
		wantStrength(t, c, "without the app", p.Tokens, "aal1")
		wantStrength(t, c, "the other one without the app", other, "aal1")
		wantStrength(t, c, "the one from before", old, "aal1")
	})
}

// remember signs somebody in by two factors, in a browser that is not asked for
// the second one again.
func remember(t *testing.T, c *harness.Client, p harness.Person, to string) string {
	t.Helper()
	asked := c.SecondFactor(c.FirstFactor(to), p.Device.ID)
	c.Advance(harness.Period)
	a := c.As("").Post("/v1/challenges/"+asked.ID+"/verify", map[string]any{"code": harness.TOTP(p.Device.Secret, c.Now()), "remember_browser": true})
	a.Tokens()
	if a.Text("trusted_browser") == "" {
		t.Fatalf("%s, want the token of this browser", a)
	}
	return a.Text("trusted_browser")
}

// trusting signs in by a code, in a browser that says it was remembered.
func trusting(t *testing.T, c *harness.Client, to, token string) harness.Answer {
	t.Helper()
	o := asks(t, c, "sign_in", to, start(c.As(""), map[string]any{"to": to}))
	return c.At(1).As("").Post("/v1/challenges/"+o.id+"/verify", map[string]string{"code": o.code, "trusted_browser": token})
}

func TestA050ARememberedBrowserIsOnlyThat(t *testing.T) {
	apart(t, harness.Options{Policy: patientDays, Config: tenants}, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		to, others := fresh(), fresh()
		p, other := c.Secure(to), c.Secure(others)
		token, theirs := remember(t, c, p, to), remember(t, c, other, others)
		in := trusting(t, c, to, token).Tokens()
		wantLevel(t, "in a remembered browser", in.Access, "aal1", "otp")
		if a := c.As(in.Access).Post("/v1/me/recovery-codes", nil); !a.Is(http.StatusUnauthorized, "insufficient_user_authentication") {
			t.Errorf("what weakens an account, in a remembered browser: %s, want 401", a)
		}
		setPassword(c, c.Fresh(p).Access, knows)
		token = remember(t, c, p, to)
		if a := c.Post("/v1/sign-in/password", map[string]string{"identifier": to, "password": knows, "trusted_browser": token}); a.Text("status") != "signed_in" {
			t.Errorf("a password in a remembered browser: %s, want signed_in", a)
		}
		bad := map[string]string{"somebody else's": theirs, "nothing": "", "too short": token[:len(token)-1], "too long": token + "A", "padded": token + "=", "another kind": "csr_" + token[4:], "a line break": token + "\n"}
		for i := 4; i < len(token); i += 7 {
			letter := "A"
			if token[i] == 'A' {
				letter = "B"
			}
			bad[fmt.Sprint("letter ", i)] = token[:i] + letter + token[i+1:]
		}
		for what, one := range bad {
			wantAsked(t, what, trusting(t, c, to, one))
		}
		wantAsked(t, "in the other direction", trusting(t, c, others, token))
		there := elsewhere(c).Secure(to)
		wantAsked(t, "at another tenant", trusting(t, elsewhere(c), to, token))
		if there.User == p.User {
			t.Error("one person in two tenants")
		}
		aloneItIsNothing(t, c, to, token)
	})
}

func aloneItIsNothing(t *testing.T, c *harness.Client, to, token string) {
	t.Helper()
	wantNobody(t, c, "the token of a browser", token)
	asked := c.As("").StartChallenge(to)
	code := c.Code(to)
	for what, a := range map[string]harness.Answer{
		"as a refresh token":  c.As("").Post("/v1/tokens/refresh", map[string]string{"refresh_token": token}),
		"as a pending token":  c.As(token).Post("/v1/sign-in/complete", map[string]string{"username": "mallory"}),
		"as a reset":          choose(c, token, another),
		"as a link":           c.As("").Post("/v1/challenges/"+asked.ID+"/verify", map[string]string{"link_token": token}),
		"with a wrong code":   c.As("").Post("/v1/challenges/"+asked.ID+"/verify", map[string]string{"code": wrong(code, 3), "trusted_browser": token}),
		"instead of a code":   c.As("").Post("/v1/challenges/"+asked.ID+"/verify", map[string]string{"code": token}),
		"with a bad password": c.As("").Post("/v1/sign-in/password", map[string]string{"identifier": to, "password": another, "trusted_browser": token}),
		"without a password":  c.As("").Post("/v1/sign-in/password", map[string]string{"identifier": to, "password": "", "trusted_browser": token}),
	} {
		refused(t, "the token of a browser "+what, a)
	}
	if a := c.As("").Post("/v1/challenges/"+asked.ID+"/verify", map[string]string{"trusted_browser": token}); a.Text("status") != "pending" {
		t.Errorf("the token of a browser and no code: %s, want pending", a)
	}
}

func TestA050BrowsersAreForgottenWhenAnAccountChanges(t *testing.T) {
	apart(t, harness.Options{Policy: patientDays}, func(t *testing.T, s *harness.Server, c *harness.Client) {
		to := fresh()
		p := c.Secure(to)
		fresh := func() *harness.Client { return c.As(c.Fresh(p).Access) }
		require := func(on bool) {
			fresh().Do(http.MethodPatch, "/v1/me/two-factor", map[string]bool{"required": on}).Want(http.StatusOK)
		}
		for _, x := range []struct {
			what string
			do   func()
		}{
			{"another device is removed", func() {
				other := c.EnrollTOTP(c.Fresh(p).Access)
				trusting(t, c, to, remember(t, c, p, to)).Tokens()
				fresh().Do(http.MethodDelete, "/v1/me/devices/"+other.ID, nil).Want(http.StatusNoContent)
			}},
			{"every other session ended", func() { fresh().At(1).Do(http.MethodDelete, "/v1/me/sessions", nil).Want(http.StatusNoContent) }},
			{"the password was changed", func() { setPassword(c, c.Fresh(p).Access, knows) }},
			{"the password was forgotten", func() {
				choose(c, forgotten(t, c, to), another).Want(http.StatusNoContent)
				asked := c.SecondFactor(c.FirstFactor(to), p.Device.ID)
				c.Advance(harness.Period)
				p.Tokens = c.Verify(asked.ID, harness.TOTP(p.Device.Secret, c.Now())).Tokens()
			}},
			{"the second factor was off", func() { require(false); require(true) }},
			{"a month has passed", func() { c.Advance(720*time.Hour + time.Second) }},
		} {
			token := remember(t, c, p, to)
			trusting(t, c, to, token).Tokens()
			x.do()
			wantAsked(t, x.what, trusting(t, c, to, token))
		}
	})
}

func TestA052ADeviceIsRemovedByItsOwnerOnly(t *testing.T) {
	apart(t, harness.Options{Policy: patientDays}, func(t *testing.T, s *harness.Server, c *harness.Client) {
		to, others := fresh(), fresh()
		p, other := c.Secure(to), c.Secure(others)
		remove := func(access, id string) harness.Answer {
			return c.At(1).As(access).Do(http.MethodDelete, "/v1/me/devices/"+id, nil)
		}
		remove(other.Access, p.Device.ID).WantCode(http.StatusNotFound, "not_found")
		remove(p.Access, p.Device.ID).WantCode(http.StatusConflict, "last_device")
		c.Advance(6 * time.Minute)
		remove(p.Access, p.Device.ID).WantCode(http.StatusUnauthorized, "insufficient_user_authentication")
		c.As(p.Access).Do(http.MethodPatch, "/v1/me/two-factor", map[string]bool{"required": false}).WantCode(http.StatusUnauthorized, "insufficient_user_authentication")
		p.Tokens = c.Fresh(p)
		c.As(p.Access).Do(http.MethodPatch, "/v1/me/two-factor", map[string]bool{"required": false}).Want(http.StatusOK)
		notices := len(c.AwaitNotices(to, 1))
		remove(p.Access, p.Device.ID).Want(http.StatusNoContent)
		if m := newestOf(c.AwaitNotices(to, notices+1)); m.Code != "" || m.Link != "" {
			t.Errorf("the notice %q lets somebody in", m.Text)
		}
		remove(p.Access, p.Device.ID).WantCode(http.StatusNotFound, "not_found")
		c.SignIn(to)
		c.FirstFactor(others)

		notices = len(c.Notices(others))
		operate(t, s, "user", "reset", others, "--reason", "ticket 7", "--yes")
		c.AwaitNotices(others, notices+1)
		c.SignIn(others)
		removed := 0
		for line := range strings.Lines(command(t, "events", "tail", "--database", s.Options.Store.URL, "--type", "device.removed", "--json")) {
			var e struct {
				User string `json:"user_id"`
				Data map[string]string
			}
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Fatalf("%v: %s", err, line)
			}
			if e.User == other.User && e.Data["by"] == "cli" && e.Data["reason"] == "ticket 7" && e.Data["device"] == other.Device.ID {
				removed++
			}
		}
		if removed != 1 {
			t.Errorf("%d events say who removed the device and why, want 1", removed)
		}
	})
}

func TestA052OfTwoDevicesRemovedAtOnceOneStays(t *testing.T) {
	apart(t, harness.Options{Policy: patientDays}, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		to := fresh()
		p := c.Secure(to)
		for range rounds {
			p.Tokens = c.Fresh(p)
			other := c.EnrollTOTP(p.Access)
			devices := []string{p.Device.ID, other.ID}
			v := fire(2, func(i int) (harness.Answer, error) {
				return c.At(i).As(p.Access).Try(http.MethodDelete, "/v1/me/devices/"+devices[i], nil)
			})
			v.wantOnly(t, "status 204", 1, "last_device", "insufficient_user_authentication")
			if v.answers[0].Status == http.StatusNoContent {
				p.Device = other
			}
			c.FirstFactor(to)
		}
	})
}
