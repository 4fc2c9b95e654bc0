package e2e_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/test/harness"
)

func TestS046SecondFactorRequired(t *testing.T) {
	both(t, quick, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		who := c.Secure(ann)
		before := len(c.Messages(anns))
		a := c.As(who.Access).Post("/v1/me/devices", map[string]string{"channel": "sms", "to": anns, "name": "My phone"}).Want(http.StatusCreated)
		c.Verify(a.Text("challenge.id"), c.AwaitMessages(anns, before+1)[0].Code).Want(http.StatusOK)

		asked := c.StartChallenge(ann)
		got := c.Verify(asked.ID, c.Code(ann)).Want(http.StatusOK)
		if got.Text("status") != "factor_required" || got.Number("expires_in") != 300 {
			t.Errorf("%s, want factor_required for 300 s", got)
		}
		if got.Get("access_token") != nil || got.Get("refresh_token") != nil || strings.Contains(string(got.Body), anns) {
			t.Errorf("%s, want neither tokens nor whole addresses", got)
		}
		var body struct {
			Devices []struct{ ID, Channel, Name, Destination string }
		}
		got.JSON(&body)
		app, phone := false, false
		for _, d := range body.Devices {
			app = app || d.ID == who.Device.ID && d.Channel == "totp" && d.Destination == ""
			phone = phone || d.ID == a.Text("device.id") && d.Channel == "sms" && d.Name == "My phone" && d.Destination != "" && d.Destination != anns
		}
		if !app || !phone {
			t.Errorf("%s, want the app and the phone in it, masked", got)
		}
		pending := got.Text("pending_token")
		for _, path := range []string{"/v1/me", "/v1/me/devices", "/v1/me/sessions"} {
			if a := c.As(pending).Get(path); a.Status != http.StatusUnauthorized {
				t.Errorf("with the pending token: %s, want 401", a)
			}
		}
	})
}

func TestS047AppCompletes(t *testing.T) {
	both(t, quick, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		who := c.Secure(ann)
		c.Advance(harness.Period)
		pending := c.FirstFactor(ann)
		asked := c.SecondFactor(pending, who.Device.ID)
		if asked.Answer.Text("delivery") != "none" || asked.Answer.Text("prompt.kind") != "enter_code" {
			t.Errorf("%s, want a prompt and no delivery", asked.Answer)
		}
		got := c.Verify(asked.ID, harness.TOTP(who.Device.Secret, c.Now())).Tokens()
		if got.User != who.User || got.New {
			t.Errorf("signed in as %s (new %v), want %s", got.User, got.New, who.User)
		}
		if is := claims(t, got.Access); is.ACR != "aal2" || !slices.Contains(is.AMR, "otp") || !slices.Contains(is.AMR, "mfa") {
			t.Errorf("the token says %+v, want aal2 with otp and mfa", is)
		}
		c.As(pending).Post("/v1/challenges", map[string]string{"purpose": "second_factor", "device_id": who.Device.ID}).
			WantCode(http.StatusUnauthorized, "invalid_pending_token")
	})
}

func TestS049EmailDeviceCompletesAfterPhone(t *testing.T) {
	both(t, "challenge: { resend_after: 30s }", func(t *testing.T, _ *harness.Server, c *harness.Client) {
		who := harness.Person{Tokens: c.SignIn(anns)}
		who.Device = c.EnrollTOTP(who.Access)
		who.Tokens = c.Fresh(who)
		c.RequireTwoFactor(who.Access)
		device := emailDevice(t, c, who.Access, ann)

		c.Advance(31 * time.Second)
		pending := c.FirstFactor(anns)
		app := c.SecondFactor(pending, who.Device.ID)
		if app.Answer.Text("delivery") != "none" || app.Answer.Get("destination") != nil {
			t.Errorf("%s, want nothing sent for an app", app.Answer)
		}
		before := len(c.Messages(ann))
		asked := c.SecondFactor(pending, device)
		if d := asked.Answer.Text("destination"); d == "" || d == ann {
			t.Errorf("the destination is shown as %q, want it masked", d)
		}
		code := c.AwaitMessages(ann, before+1)[0].Code
		again := c.As(pending).Post("/v1/challenges", map[string]string{"purpose": "second_factor", "device_id": device}).
			WantCode(http.StatusTooManyRequests, "cooldown")
		if n := again.RetryAfter(); n < 1 || n > 30 {
			t.Errorf("Retry-After is %d, want at most 30", n)
		}
		got := c.Verify(asked.ID, code).Tokens()
		if got.User != who.User {
			t.Errorf("signed in as %s, want %s", got.User, who.User)
		}
		if is := claims(t, got.Access); !slices.Contains(is.AMR, "otp") || !slices.Contains(is.AMR, "sms") {
			t.Errorf("the token says %+v, want sms and otp", is)
		}
	})
}

func TestS049EmailNeverLiftsToLevelTwo(t *testing.T) {
	both(t, quick, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		signed := c.SignIn(ann)
		device := emailDevice(t, c, signed.Access, bob)
		before := len(c.Messages(bob))
		asked := c.StepUp(signed.Access, device)
		got := c.Verify(asked.ID, c.AwaitMessages(bob, before+1)[0].Code).Tokens()
		if is := claims(t, got.Access); is.ACR != "aal1" {
			t.Errorf("two e-mail addresses give %+v, want aal1", is)
		}
	})
}

func TestS050RecoveryCode(t *testing.T) {
	both(t, quick, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		who := c.Secure(ann)
		if len(who.Device.Recovery) != 10 {
			t.Fatalf("%d recovery codes, want 10", len(who.Device.Recovery))
		}
		if body := account(c, who.Access); strings.Contains(body, who.Device.Recovery[0]) {
			t.Error("recovery codes are shown again")
		}
		left := func(want int) {
			t.Helper()
			if a := c.As(who.Access).Get("/v1/me/two-factor").Want(http.StatusOK); a.Number("recovery_codes_left") != want {
				t.Errorf("%s, want %d left", a, want)
			}
		}
		use := func(code string) harness.Answer {
			t.Helper()
			pending, sheet := firstFactorAndSheet(t, c, ann)
			return c.Verify(c.SecondFactor(pending, sheet).ID, code)
		}
		left(10)
		use(who.Device.Recovery[7]).Tokens() // in any order
		left(9)
		use(who.Device.Recovery[7]).WantCode(http.StatusUnprocessableEntity, "invalid_code")
		use(strings.ToLower(strings.ReplaceAll(who.Device.Recovery[2], "-", " "))).Tokens()
		left(8)

		who.Tokens = c.Fresh(who)
		fresh := c.As(who.Access).Post("/v1/me/recovery-codes", nil).Want(http.StatusCreated)
		left(10)
		use(who.Device.Recovery[0]).WantCode(http.StatusUnprocessableEntity, "invalid_code")
		use(fresh.Text("codes.9")).Tokens()
		left(9)
	})
}

// firstFactorAndSheet proves an address, and finds the sheet of recovery codes
// among what may be asked for then.
func firstFactorAndSheet(t *testing.T, c *harness.Client, to string) (pending, sheet string) {
	t.Helper()
	asked := c.StartChallenge(to)
	a := c.Verify(asked.ID, c.Code(to)).Want(http.StatusOK)
	var body struct {
		Devices []struct{ ID, Channel string }
	}
	a.JSON(&body)
	for _, d := range body.Devices {
		if d.Channel == "recovery" {
			return a.Text("pending_token"), d.ID
		}
	}
	t.Fatalf("%s, want the sheet of recovery codes among the devices", a)
	return "", ""
}

func TestS052WindowAndReplay(t *testing.T) {
	both(t, quick, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		type fresh struct {
			access string
			device harness.Device
		}
		var all []fresh
		for i := range 11 {
			signed := c.SignIn(string(rune('a'+i)) + ann)
			all = append(all, fresh{signed.Access, c.EnrollTOTP(signed.Access)})
		}
		// Five seconds into a step, far enough from the codes of the enrolment.
		now := c.Now().Add(5 * time.Minute).Truncate(harness.Period).Add(5 * time.Second)
		c.AdvanceTo(now)
		try := func(f fresh, step int) harness.Answer {
			t.Helper()
			asked := c.StepUp(f.access, f.device.ID)
			return c.Verify(asked.ID, harness.TOTP(f.device.Secret, now.Add(time.Duration(step)*harness.Period)))
		}
		for i := range 10 {
			step := i - 3
			a := try(all[i], step)
			if accepted := a.Status == http.StatusOK; accepted != (step >= -1 && step <= 1) {
				t.Errorf("the code of step %+d: %s", step, a)
			} else if !accepted && a.Code() != "invalid_code" {
				t.Errorf("the code of step %+d: %s, want invalid_code", step, a)
			}
			if step < -1 || step > 1 {
				continue
			}
			if again := try(all[i], step); again.Status == http.StatusOK {
				t.Errorf("the code of step %+d once more: %s, want it refused", step, again)
			}
		}
		last := all[10]
		try(last, 1).Tokens()
		if a := try(last, 0); a.Status == http.StatusOK {
			t.Errorf("an older code after a newer one: %s, want it refused", a)
		}
		if c.Now().Truncate(harness.Period) != now.Truncate(harness.Period) {
			t.Log("the machine was too slow: the step has changed meanwhile")
		}
	})
}

func TestS053WrongCodesOnOneDeviceDoNotLockAnother(t *testing.T) {
	both(t, "challenge: { resend_after: 0s }", func(t *testing.T, _ *harness.Server, c *harness.Client) {
		who := harness.Person{Tokens: c.SignIn(anns)}
		who.Device = c.EnrollTOTP(who.Access)
		who.Tokens = c.Fresh(who)
		c.RequireTwoFactor(who.Access)
		device := emailDevice(t, c, who.Access, ann)

		pending := c.FirstFactor(anns)
		guess := wrong(harness.TOTP(who.Device.Secret, c.Now()))
		asked := c.SecondFactor(pending, who.Device.ID)
		for range 5 {
			c.Verify(asked.ID, guess).WantCode(http.StatusUnprocessableEntity, "invalid_code")
		}
		c.Verify(asked.ID, guess).WantCode(http.StatusUnprocessableEntity, "challenge_exhausted")
		asked = c.SecondFactor(pending, who.Device.ID)
		c.Verify(asked.ID, guess).WantCode(http.StatusUnprocessableEntity, "invalid_code")
		locked(t, c.Verify(asked.ID, harness.TOTP(who.Device.Secret, c.Now())), 30)

		before := len(c.Messages(ann))
		other := c.SecondFactor(pending, device)
		c.Verify(other.ID, c.AwaitMessages(ann, before+1)[0].Code).Tokens()
	})
}

func TestS055EnablingWithoutADevice(t *testing.T) {
	both(t, quick, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		who := c.SignIn(ann)
		require := map[string]bool{"required": true}
		c.As(who.Access).Do(http.MethodPatch, "/v1/me/two-factor", require).WantCode(http.StatusConflict, "no_device")
		c.As(who.Access).Post("/v1/me/devices", map[string]string{"channel": "totp"}).Want(http.StatusCreated)
		c.As(who.Access).Do(http.MethodPatch, "/v1/me/two-factor", require).WantCode(http.StatusConflict, "no_device") // not confirmed
		if a := c.As(who.Access).Get("/v1/me/two-factor").Want(http.StatusOK); a.Get("required") != false || a.Number("devices") != 0 {
			t.Errorf("%s, want it off", a)
		}
		c.SignIn(ann)
	})
}

func TestS058TurningOffNeedsProof(t *testing.T) {
	both(t, quick+"tokens: { access: 1h }\n", func(t *testing.T, s *harness.Server, c *harness.Client) {
		who := c.Secure(ann)
		c.Advance(59 * time.Minute)
		off := map[string]bool{"required": false}
		a := c.As(who.Access).Do(http.MethodPatch, "/v1/me/two-factor", off).WantCode(http.StatusUnauthorized, "insufficient_user_authentication")
		if h := a.Header.Get("WWW-Authenticate"); !strings.Contains(h, `error="insufficient_user_authentication"`) ||
			!strings.Contains(h, `acr_values="aal2"`) || !strings.Contains(h, "max_age=") {
			t.Errorf("WWW-Authenticate is %q, want what would satisfy it", h)
		}
		c.FirstFactor(ann) // it is still on
		who.Tokens = c.Fresh(who)
		a = c.As(who.Access).Do(http.MethodPatch, "/v1/me/two-factor", off).Want(http.StatusOK)
		if a.Get("required") != false {
			t.Errorf("%s, want it off", a)
		}
		c.SignIn(ann)
		events := column(t, database(t, s.Options.Store), "SELECT type FROM events ORDER BY id")
		if n := len(events); n == 0 || !slices.ContainsFunc(events, func(e string) bool { return strings.Contains(e, "two_factor") }) {
			t.Errorf("the events are %q, want one about the second factor", events)
		}
	})
}

func TestS059ReplacingTheSecret(t *testing.T) {
	both(t, quick, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		who := c.Secure(ann)
		c.Advance(6 * time.Minute) // the proof is older than step_up_max_age
		for _, body := range []map[string]string{{"channel": "totp"}, {"channel": "email", "to": eve}, {"channel": "sms", "to": "+447400123456"}} {
			a := c.As(who.Access).Post("/v1/me/devices", body)
			if !a.Is(http.StatusUnauthorized, "insufficient_user_authentication") {
				t.Errorf("%v: %s, want 401 insufficient_user_authentication", body, a)
			}
		}
		c.As(who.Access).Do(http.MethodDelete, "/v1/me/devices/"+who.Device.ID, nil).WantCode(http.StatusUnauthorized, "insufficient_user_authentication")
		c.As(who.Access).Post("/v1/me/recovery-codes", nil).WantCode(http.StatusUnauthorized, "insufficient_user_authentication")

		who.Tokens = c.Fresh(who)
		const own = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
		for _, field := range []string{"secret", "key", "seed"} {
			c.As(who.Access).Post("/v1/me/devices", map[string]string{"channel": "totp", field: own}).WantCode(http.StatusBadRequest, "unknown_field")
		}
		if added := c.EnrollTOTP(who.Access); added.Secret == own || added.Secret == who.Device.Secret || len(added.Secret) < 32 {
			t.Errorf("the new secret %q is not one of the server's own", added.Secret)
		}
	})
}

func TestS062PendingTokenLimits(t *testing.T) {
	both(t, quick, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		who := c.Secure(ann)
		ask := func(pending string) harness.Answer {
			t.Helper()
			return c.As(pending).Post("/v1/challenges", map[string]string{"purpose": "second_factor", "device_id": who.Device.ID})
		}
		pending := c.FirstFactor(ann)
		after := c.Now()
		c.AdvanceTo(after.Add(200 * time.Second))
		late := c.SecondFactor(pending, who.Device.ID)
		c.AdvanceTo(after.Add(301 * time.Second))
		ask(pending).WantCode(http.StatusUnauthorized, "pending_token_expired")
		c.Verify(late.ID, harness.TOTP(who.Device.Secret, c.Now())).WantCode(http.StatusUnauthorized, "pending_token_expired")

		c.Advance(2 * harness.Period)
		pending = c.FirstFactor(ann)
		one, two := c.SecondFactor(pending, who.Device.ID), c.SecondFactor(pending, who.Device.ID)
		c.Verify(one.ID, harness.TOTP(who.Device.Secret, c.Now())).Tokens()
		ask(pending).WantCode(http.StatusUnauthorized, "invalid_pending_token")
		c.Advance(harness.Period)
		if a := c.Verify(two.ID, harness.TOTP(who.Device.Secret, c.Now())); a.Status < 400 || a.Status >= 500 || a.Get("access_token") != nil {
			t.Errorf("a second use by another challenge: %s, want it refused", a)
		}

		pending = c.FirstFactor(ann)
		c.With("Countersign-Tenant", "t2").As(pending).Post("/v1/challenges", map[string]string{"purpose": "second_factor", "device_id": who.Device.ID}).
			WantCode(http.StatusBadRequest, "tenant_unknown")
		c.Post("/v1/tokens/refresh", map[string]string{"refresh_token": pending}).WantCode(http.StatusUnauthorized, "invalid_token")
		if a := c.Post("/v1/tokens/introspect", map[string]string{"token": pending}).Want(http.StatusOK); a.Get("active") != false {
			t.Errorf("%s, want it inactive", a)
		}
		other := c.Secure(bob)
		if a := c.As(pending).Post("/v1/challenges", map[string]string{"purpose": "second_factor", "device_id": other.Device.ID}); !a.Is(http.StatusNotFound, "not_found") {
			t.Errorf("somebody else's device: %s, want 404", a)
		}
	})
}
