package attack_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/test/harness"
)

// wantLevel fails the test unless an access token says this level, with these
// methods and no others, "mfa" included.
func wantLevel(t *testing.T, what, access, acr string, amr ...string) {
	t.Helper()
	list, _ := claim(t, access, "amr").([]any)
	var got []string
	for _, one := range list {
		got = append(got, fmt.Sprint(one))
	}
	slices.Sort(amr)
	if level := claim(t, access, "acr"); level != acr || !slices.Equal(got, amr) {
		t.Errorf("%s: the token says %v by %v, want %s by %v", what, level, got, acr, amr)
	}
}

// wantAsked fails the test unless a first factor leads to the second one only,
// and gives the pending token.
func wantAsked(t *testing.T, what string, a harness.Answer) string {
	t.Helper()
	if a.Status != http.StatusOK || a.Text("status") != "factor_required" || a.Get("access_token") != nil || a.Get("refresh_token") != nil || a.Text("pending_token") == "" {
		t.Errorf("%s: %s, want factor_required and no tokens", what, a)
	}
	return a.Text("pending_token")
}

// careful is somebody with two addresses, a password and an app that is asked for.
type careful struct {
	harness.Person
	mail, phone string
}

func makeCareful(t *testing.T, c *harness.Client) careful {
	t.Helper()
	p := careful{mail: fresh(), phone: freshPhone()}
	p.Tokens = c.SignIn(p.mail)
	a := c.As(p.Access).Post("/v1/me/identifiers", map[string]string{"kind": "phone", "value": p.phone}).Want(http.StatusAccepted)
	c.As("").Verify(challengeOf(a, 0), c.AwaitMessages(p.phone, 1)[0].Code).Want(http.StatusOK)
	setPassword(c, p.Access, knows)
	p.Device = c.EnrollTOTP(p.Access)
	p.Tokens = c.Fresh(p.Person)
	c.RequireTwoFactor(p.Access)
	return p
}

// code is what the app shows, once the last one is over.
func (p careful) code(c *harness.Client) string {
	c.Advance(harness.Period)
	return harness.TOTP(p.Device.Secret, c.Now())
}

func TestA044NoFirstFactorIsAWayAroundTheSecond(t *testing.T) {
	apart(t, harness.Options{Policy: patient}, func(t *testing.T, s *harness.Server, c *harness.Client) {
		p := makeCareful(t, c)
		operator := c.As(operate(t, s, "apikey", "new", "--name", "ops", "--scope", "admin,verify"))
		byCode := func(to string) func() harness.Answer {
			return func() harness.Answer {
				o := asks(t, c, "sign_in", to, start(c.As(""), map[string]any{"to": to}))
				return c.At(1).As("").Verify(o.id, o.code)
			}
		}
		byKey := func() harness.Answer {
			o := asks(t, c, "sign_in", p.mail, start(operator, map[string]any{"to": p.mail}))
			return operator.Verify(o.id, o.code)
		}
		opened := func() harness.Answer {
			l := byLink(t, c, p.mail)
			if a := l.follow("text/html"); a.Status != http.StatusOK || strings.Contains(string(a.Body), "token") {
				t.Errorf("the page of a link: %s", a)
			}
			return c.Post("/v1/challenges/"+l.id+"/verify", "{}")
		}
		typed := func() harness.Answer {
			l := byLink(t, c, p.mail)
			return c.Post("/v1/challenges/"+l.id+"/verify", map[string]string{"link_token": l.token})
		}
		for what, first := range map[string]func() harness.Answer{
			"a code by mail": byCode(p.mail), "a code by text message": byCode(p.phone), "a code for a program": byKey,
			"an opened link": opened, "a link that a script follows": func() harness.Answer { return byLink(t, c, p.mail).follow("application/json") }, "the token of a link": typed,
			"a password": func() harness.Answer { return byPassword(c, p.mail, knows) }, "a password by phone": func() harness.Answer { return byPassword(c, p.phone, knows) },
			"a new password": func() harness.Answer {
				choose(c, forgotten(t, c, p.mail), knows).Want(http.StatusNoContent)
				return byPassword(c, p.mail, knows)
			},
		} {
			pending := wantAsked(t, what, first())
			for _, path := range []string{"/v1/me", "/v1/me/devices", "/v1/me/sessions"} {
				refused(t, what+" and no second factor", c.As(pending).Get(path))
			}
			refused(t, what+" and the same again", c.As(pending).Post("/v1/challenges", map[string]string{"purpose": "second_factor", "to": p.mail}))
		}
		noWaysIn(t, c, p, operator)
		completed(t, c, p, byCode(p.phone)())
	})
}

// noWaysIn tries what is no first factor at all.
func noWaysIn(t *testing.T, c *harness.Client, p careful, operator *harness.Client) {
	t.Helper()
	invited := operator.Post("/v1/invitations", map[string]any{"email": p.mail})
	if invited.Status == http.StatusCreated {
		t.Logf("somebody who is here already can be invited")
		all := c.Notices(p.mail)
		for _, m := range all {
			if _, token, ok := strings.Cut(m.Link, "/l/"); ok {
				refused(t, "an invitation", c.As("").Post("/v1/invitations/accept", map[string]string{"token": token}))
			}
		}
	}
	_, sheet := sheet(t, c, p.mail)
	for _, body := range []map[string]string{
		{"to": p.mail, "channel": "recovery"}, {"to": p.mail, "channel": "totp"}, {"device_id": sheet}, {"device_id": p.Device.ID}, {"channel": "recovery"}, {"channel": "totp"},
		{"purpose": "second_factor", "device_id": sheet}, {"purpose": "second_factor", "device_id": p.Device.ID}, {"purpose": "step_up", "device_id": p.Device.ID},
	} {
		for who, by := range map[string]*harness.Client{"nobody": c.As(""), "a program": operator} {
			refused(t, fmt.Sprint(body, " by ", who), by.Post("/v1/challenges", body))
		}
	}
	for _, channel := range []string{"totp", "recovery", "email", "sms", "password"} {
		for _, body := range []any{map[string]string{"code": p.code(c)}, map[string]string{"code": p.Device.Recovery[0]}, map[string]string{"identifier": p.mail, "code": p.Device.Recovery[0]}} {
			if a := c.As("").Post("/v1/sign-in/"+channel, body); a.Status < 400 || a.Status >= 500 || a.Get("access_token") != nil {
				t.Errorf("signing in by %s alone: %s", channel, a)
			}
		}
	}
	wrongFactor := map[string]string{"identifier": p.mail, "password": knows, "device_id": sheet, "code": "AAAA-BBBB-CCCC-DDDD"}
	refused(t, "a password and a wrong recovery code", c.As("").Post("/v1/sign-in/password", wrongFactor))
	delete(wrongFactor, "device_id")
	refused(t, "a password and a code of no device", c.As("").Post("/v1/sign-in/password", wrongFactor))
	refused(t, "a program that asks for a person", operator.Get("/v1/me"))
}

// completed gives the second factor, and looks at what the tokens say then.
func completed(t *testing.T, c *harness.Client, p careful, first harness.Answer) {
	t.Helper()
	asked := c.SecondFactor(wantAsked(t, "a text message", first), p.Device.ID)
	in := c.Verify(asked.ID, p.code(c)).Tokens()
	wantLevel(t, "a text message and an app", in.Access, "aal2", "mfa", "otp", "sms")
	c.As(in.Access).Do(http.MethodPatch, "/v1/me/two-factor", map[string]bool{"required": false}).Want(http.StatusOK)
	one := byPassword(c, p.mail, knows).Tokens()
	wantLevel(t, "a password alone", one.Access, "aal1", "pwd")
	c.RequireTwoFactor(in.Access)
	refreshed := c.At(1).As("").Post("/v1/tokens/refresh", map[string]string{"refresh_token": one.Refresh})
	if refreshed.Status == http.StatusOK {
		wantLevel(t, "a session of before, refreshed", refreshed.Text("access_token"), "aal1", "pwd")
	}
	both := c.Post("/v1/sign-in/password", map[string]string{"identifier": p.mail, "password": knows, "device_id": p.Device.ID, "code": p.code(c)}).Tokens()
	wantLevel(t, "a password and an app", both.Access, "aal2", "mfa", "otp", "pwd")
}

// The phone that gives the second factor is not also the first.
func TestA044OnePhoneIsNotTwoFactors(t *testing.T) {
	apart(t, harness.Options{Policy: patient}, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		mail, phone := fresh(), freshPhone()
		who := c.SignIn(mail)
		o := asks(t, c, "enroll", phone, func() harness.Answer {
			return c.As(who.Access).Post("/v1/me/devices", map[string]string{"channel": "sms", "to": phone})
		})
		c.Verify(o.id, o.code).Want(http.StatusOK)
		device := c.As(who.Access).Get("/v1/me/devices").Text("devices.0.id")
		step := asks(t, c, "step_up", phone, start(c.As(who.Access), map[string]any{"purpose": "step_up", "device_id": device}))
		c.RequireTwoFactor(c.Verify(step.id, step.code).Tokens().Access)
		c.FirstFactor(mail)
		again := asks(t, c, "sign_in", phone, start(c.As(""), map[string]any{"to": phone}))
		a := c.Verify(again.id, again.code)
		pending := wantAsked(t, "the phone alone", a)
		refused(t, "the same phone as the second factor", c.As(pending).Post("/v1/challenges", map[string]string{"purpose": "second_factor", "device_id": device}))
	})
}

func TestA044OneKindTwiceIsNotTwoFactors(t *testing.T) {
	apart(t, harness.Options{Policy: patient}, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		to := fresh()
		one := c.SignIn(to)
		for range 2 {
			o := asks(t, c, "step_up", to, start(c.As(one.Access), map[string]any{"purpose": "step_up", "to": to}))
			one = c.Verify(o.id, o.code).Tokens()
			wantLevel(t, "one mailbox again and again", one.Access, "aal1", "otp")
		}
		refused(t, "somebody else's address", c.As(one.Access).Post("/v1/challenges", map[string]string{"purpose": "step_up", "to": fresh()}))
	})
}

func TestA046RecoveryAsksForTheSecondFactorToo(t *testing.T) {
	apart(t, harness.Options{Policy: patient}, func(t *testing.T, s *harness.Server, c *harness.Client) {
		p := makeCareful(t, c)
		pending := forgotten(t, c, p.mail)
		for what, a := range map[string]harness.Answer{
			"a second factor in a reset":  c.As(pending).Post("/v1/challenges", map[string]string{"purpose": "second_factor", "device_id": p.Device.ID}),
			"an account by a reset":       c.As(pending).Get("/v1/me"),
			"another device by a reset":   c.As(pending).Post("/v1/me/devices", map[string]string{"channel": "totp"}),
			"recovery codes by a reset":   c.As(pending).Post("/v1/me/recovery-codes", nil),
			"no second factor by a reset": c.As(pending).Do(http.MethodPatch, "/v1/me/two-factor", map[string]bool{"required": false}),
		} {
			refused(t, what, a)
		}
		choose(c, pending, another).Want(http.StatusNoContent)
		wantAsked(t, "the new password", byPassword(c, p.mail, another))
		wantAsked(t, "the other address", func() harness.Answer {
			o := asks(t, c, "sign_in", p.phone, start(c.As(""), map[string]any{"to": p.phone}))
			return c.Verify(o.id, o.code)
		}())
		// A lost phone: mail and a recovery code, which are two methods, and no
		// two of one.
		lost, device := sheet(t, c, p.mail)
		asked := c.SecondFactor(lost, device)
		c.Verify(asked.ID, "AAAA-BBBB-CCCC-DDDD").WantCode(http.StatusUnprocessableEntity, "invalid_code")
		in := c.Verify(asked.ID, p.Device.Recovery[0]).Tokens()
		if n := codesLeft(c, in.Access); n != 9 {
			t.Errorf("%d recovery codes are left, want 9", n)
		}
		recoverWith(t, c, p.mail, p.Device.Recovery[0]).WantCode(http.StatusUnprocessableEntity, "invalid_code")
		if a := c.As(in.Access).Get("/v1/me/two-factor"); a.Get("required") != true {
			t.Errorf("%s, want the second factor still asked for", a)
		}
		c.FirstFactor(p.mail)
	})
}

// A device that waits for its proof is nothing all the time, and is not there any
// more after a quarter of an hour. That its row goes by then is shown by the tests
// of app/janitor and ports/store/storetest.
func TestA049ADeviceThatProvedNothingIsNothing(t *testing.T) {
	apart(t, harness.Options{Policy: required}, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		to := fresh()
		who := c.SignIn(to)
		me := c.As(who.Access)
		a := me.Post("/v1/me/devices", map[string]string{"channel": "totp"}).Want(http.StatusCreated)
		device, secret := a.Text("device.id"), secretOf(t, a.Text("challenge.prompt.show.0"))
		in := c.SignIn(to) // not asked
		wantLevel(t, "a code by mail", in.Access, "aal1", "otp")
		app := func() string { return harness.TOTP(secret, c.Now()) }
		refused(t, "stepping up by it", me.Post("/v1/challenges", map[string]string{"purpose": "step_up", "device_id": device}))
		refused(t, "approving by it", me.Post("/v1/challenges", map[string]any{
			"purpose": "approve", "device_id": device, "detail": []map[string]string{{"label": "Amount", "value": "1 EUR"}},
		}))
		c.As(in.Access).Do(http.MethodPatch, "/v1/me/two-factor", map[string]bool{"required": true}).WantCode(http.StatusConflict, "no_device")
		setPassword(c, in.Access, knows)
		refused(t, "a password and its code", c.Post("/v1/sign-in/password", map[string]string{"identifier": to, "password": knows, "device_id": device, "code": app()}))
		wantLevel(t, "a password", byPassword(c, to, knows).Tokens().Access, "aal1", "pwd")
		if got := me.Get("/v1/me/two-factor"); got.Status == http.StatusOK && (got.Number("devices") != 0 || got.Number("recovery_codes_left") > 0) {
			t.Errorf("%s, want no device and no recovery codes", got)
		}
		now := c.As(in.Access)
		count := func() (n int) {
			list, _ := now.Get("/v1/me/devices").Want(http.StatusOK).Get("devices").([]any)
			return len(list)
		}
		c.Advance(11 * time.Minute) // the access token has run out
		in = c.SignIn(to)
		now = c.As(in.Access)
		again := now.Post("/v1/me/devices/"+device+"/challenge", nil).Want(http.StatusAccepted)
		secret = secretOf(t, again.Text("prompt.show.0"))
		now.Post("/v1/me/devices", map[string]string{"channel": "totp"}).Want(http.StatusCreated)
		if n := count(); n != 2 {
			t.Errorf("%d devices after 11 minutes, want both", n)
		}
		c.Advance(4 * time.Minute)
		if n := count(); n != 1 {
			t.Errorf("%d devices after a quarter of an hour, want the first one gone", n)
		}
		for what, got := range map[string]harness.Answer{
			"asked again":             now.Post("/v1/me/devices/"+device+"/challenge", nil),
			"called something else":   now.Do(http.MethodPatch, "/v1/me/devices/"+device, map[string]string{"name": "Mine"}),
			"removed":                 now.Do(http.MethodDelete, "/v1/me/devices/"+device, nil),
			"proven, when it is late": c.Verify(again.Text("id"), app()),
		} {
			if !got.Is(http.StatusNotFound, "not_found") && !got.Is(http.StatusNotFound, "challenge_not_found") {
				t.Errorf("the first device, %s: %s, want 404", what, got)
			}
		}
		wantLevel(t, "a code by mail, later", c.SignIn(to).Access, "aal1", "otp")
	})
}
