package e2e_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/countersign/countersign/test/harness"
)

// open is a challenge that waits for its answer.
type open struct{ name, id, code, leadsTo string }

// allPurposes lets every purpose be asked for, and nobody wait.
const allPurposes = `challenge: { resend_after: 0s, public_verify: true, attempts: 10, live_per_destination: 10 }
throttle: { factor: 0s, disable_at: 100 }
`

// everyPurpose opens one challenge for each purpose, to a person who is signed in
// by phone and has a confirmed e-mail device. Each challenge has a code of its own.
func everyPurpose(t *testing.T, c *harness.Client) (access string, all []open) {
	t.Helper()
	signed := c.SignIn(anns)
	device := emailDevice(t, c, signed.Access, ann)
	stepped := func() string { // a fresh proof by the device
		before := len(c.Messages(ann))
		id := c.StepUp(signed.Access, device).ID
		return c.Verify(id, c.AwaitMessages(ann, before+1)[0].Code).Tokens().Access
	}()
	c.RequireTwoFactor(stepped) // which makes worthless whatever was begun before
	asked := c.Challenge(ann, map[string]string{"to": anns})
	c.AwaitMessages(anns, 2)
	waiting := c.Verify(asked.ID, c.Messages(anns)[0].Code).Want(http.StatusOK).Text("pending_token")

	add := func(name, leadsTo, to string, ask func() string) {
		t.Helper()
		before := len(c.Messages(to))
		id := ask()
		all = append(all, open{name, id, c.AwaitMessages(to, before+1)[0].Code, leadsTo})
	}
	start := func(who *harness.Client, body map[string]any) func() string {
		return func() string { return who.Post("/v1/challenges", body).Want(http.StatusAccepted).Text("id") }
	}
	add("sign_in", "factor_required", anns, start(c, map[string]any{"to": anns}))
	add("second_factor", "signed_in", ann, func() string { return c.SecondFactor(waiting, device).ID })
	add("step_up", "signed_in", ann, func() string { return c.StepUp(stepped, device).ID })
	add("approve", "approved", ann, start(c.As(stepped), map[string]any{
		"purpose": "approve", "device_id": device, "detail": []map[string]string{{"label": "Amount", "value": "120.00 EUR"}},
	}))
	add("verify", "verified", eve, start(c, map[string]any{"purpose": "verify", "to": eve}))
	add("reset_password", "password_reset_allowed", anns, func() string {
		return c.Post("/v1/password-resets", map[string]string{"identifier": anns}).Want(http.StatusAccepted).Text("id")
	})
	add("enroll", "device_confirmed", bob, func() string {
		return c.As(stepped).Post("/v1/me/devices", map[string]string{"channel": "email", "to": bob}).Want(http.StatusCreated).Text("challenge.id")
	})
	before := len(c.Messages(ann))
	a := c.As(stepped).Post("/v1/me/identifiers", map[string]string{"kind": "email", "value": "ann.new@example.com"}).Want(http.StatusAccepted)
	fresh, current := c.AwaitMessages("ann.new@example.com", 1)[0].Code, c.AwaitMessages(ann, before+1)[0].Code
	first, second := open{"change_identifier (new)", a.Text("challenges.0.id"), fresh, "identifier_pending"}, open{"change_identifier (current)", a.Text("challenges.1.id"), current, "identifier_changed"}
	return stepped, append(all, first, second)
}

// emailDevice binds an e-mail address as a device.
func emailDevice(t *testing.T, c *harness.Client, access, to string) string {
	t.Helper()
	before := len(c.Messages(to))
	a := c.As(access).Post("/v1/me/devices", map[string]string{"channel": "email", "to": to}).Want(http.StatusCreated)
	code := c.AwaitMessages(to, before+1)[0].Code
	done := c.Verify(a.Text("challenge.id"), code).Want(http.StatusOK)
	if done.Text("status") != "device_confirmed" {
		t.Fatalf("%s, want device_confirmed", done)
	}
	return a.Text("device.id")
}

func TestS034PurposeBinding(t *testing.T) {
	both(t, allPurposes, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		_, all := everyPurpose(t, c)
		for _, at := range all {
			for _, with := range all {
				if at == with || at.code == with.code { // equal ones are rare, and prove nothing
					continue
				}
				if a := c.Verify(at.id, with.code); !a.Is(http.StatusUnprocessableEntity, "invalid_code") {
					t.Errorf("the code for %s at %s: %s, want 422 invalid_code", with.name, at.name, a)
				}
			}
		}
		for _, o := range all {
			if a := c.Verify(o.id, o.code); a.Status != http.StatusOK || a.Text("status") != o.leadsTo {
				t.Errorf("the code for %s in its own place: %s, want %s", o.name, a, o.leadsTo)
			}
		}
	})
}

func TestS032EmptyNullZeroAndDefaultCodes(t *testing.T) {
	both(t, allPurposes, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		access, all := everyPurpose(t, c)
		known := all
		app := c.As(access).Post("/v1/me/devices", map[string]string{"channel": "totp"}).Want(http.StatusCreated)
		all = append(all, open{name: "enroll totp", id: app.Text("challenge.id")}, open{name: "no challenge", id: strings.Repeat("A", 22)})
		before := account(c, access)

		malformed := []string{`null`, `""`, `" "`, `0`, `"0"`, `[]`, `{}`, `true`, `123456`, `"0000!!"`, `"00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"`}
		guesses := []string{`"000000"`, `"123456"`}
		bodies := []string{`[]`, `null`, `"123456"`, `{"code":"123456","data":{}}`, `{"Code":"123456"}`, `{"code":"1","code":"123456"}`, `not JSON`}
		for _, o := range all {
			path := "/v1/challenges/" + o.id + "/verify"
			for _, code := range malformed {
				if a := c.Post(path, `{"code":`+code+`}`); !a.Is(http.StatusUnprocessableEntity, "malformed_code") {
					t.Errorf("%s with %s: %s, want 422 malformed_code", o.name, code, a)
				}
			}
			for _, code := range guesses {
				if o.code == strings.Trim(code, `"`) {
					continue // once in a million
				}
				want := "invalid_code"
				if o.name == "no challenge" {
					want = "challenge_not_found"
				}
				if a := c.Post(path, `{"code":`+code+`}`); a.Code() != want {
					t.Errorf("%s with %s: %s, want %s", o.name, code, a, want)
				}
			}
			for _, token := range []string{`"0"`, `"000000"`, `" "`, `"` + strings.Repeat("A", 64) + `"`} {
				if a := c.Post(path, `{"link_token":`+token+`}`); a.Status < 400 || a.Status >= 500 {
					t.Errorf("%s with the link %s: %s, want a refusal", o.name, token, a)
				}
			}
			for _, body := range bodies {
				if a := c.Post(path, body); a.Status < 400 || a.Status >= 500 || a.Code() == "" {
					t.Errorf("%s with the body %s: %s, want a refusal", o.name, body, a)
				}
			}
			for _, body := range []any{`{}`, nil} { // nothing is answered: nothing happens
				a := c.Post(path, body)
				if a.Text("status") != "pending" && a.Code() != "challenge_not_found" {
					t.Errorf("%s with nothing: %s, want pending", o.name, a)
				}
			}
		}
		for _, r := range []struct{ method, path, body string }{ // doors that take a code or token beside these
			{http.MethodPost, "/v1/sign-in/password", `{"identifier":"` + anns + `","password":%s}`},
			{http.MethodPut, "/v1/password", `{"new_password":%s}`},
			{http.MethodPost, "/v1/sign-in/complete", `{"phone":%s}`},
			{http.MethodPost, "/v1/tokens/refresh", `{"refresh_token":%s}`},
		} {
			for _, code := range append(slices.Clone(guesses), malformed...) {
				if a := c.Do(r.method, r.path, fmt.Sprintf(r.body, code)); a.Status < 400 || a.Status >= 500 || a.Code() == "" {
					t.Errorf("%s with %s, want a refusal", a, code)
				}
			}
		}
		if after := account(c, access); after != before {
			t.Errorf("the account was\n%s\nand is\n%s", before, after)
		}
		for _, o := range known { // no attempt was charged for nonsense: two guesses of ten
			if a := c.Get("/v1/challenges/" + o.id).Want(http.StatusOK); a.Text("status") != "pending" || a.Number("attempts_left") != 8 {
				t.Errorf("%s: %s, want pending with 8 attempts left", o.name, a)
			}
		}
	})
}

// account is everything that somebody may see of themselves.
func account(c *harness.Client, access string) string {
	var all []string
	for _, path := range []string{"/v1/me", "/v1/me/devices", "/v1/me/two-factor", "/v1/me/sessions"} {
		all = append(all, string(c.As(access).Get(path).Want(http.StatusOK).Body))
	}
	return strings.Join(all, "\n")
}

func TestS037InactiveUser(t *testing.T) {
	both(t, quick, func(t *testing.T, s *harness.Server, c *harness.Client) {
		dave := c.Secure(ann)
		asked := c.StartChallenge(ann)
		code := c.Code(ann)
		pending := c.FirstFactor(ann)
		second := c.SecondFactor(pending, dave.Device.ID)
		step := c.StepUp(dave.Access, dave.Device.ID)
		sent := len(c.Messages(ann))
		block(t, s, dave.User)

		known := c.Post("/v1/challenges", map[string]string{"to": ann}).Want(http.StatusAccepted)
		unknown := c.Post("/v1/challenges", map[string]string{"to": eve}).Want(http.StatusAccepted)
		if a, b := shape(known), shape(unknown); a != b {
			t.Errorf("a blocked user is answered %s, an unknown one %s", a, b)
		}
		unsent(t, c, ann, sent)
		c.Advance(harness.Period)
		app := harness.TOTP(dave.Device.Secret, c.Now())
		refusals := map[string]harness.Answer{
			"the code of an older challenge": c.Verify(asked.ID, code),
			"a second factor":                c.Verify(second.ID, app),
			"a step-up":                      c.Verify(step.ID, app),
			"a pending token":                c.As(pending).Post("/v1/challenges", map[string]string{"purpose": "second_factor", "device_id": dave.Device.ID}),
			"a refresh":                      c.Post("/v1/tokens/refresh", map[string]string{"refresh_token": dave.Refresh}),
			"an access token":                c.As(dave.Access).Get("/v1/me"),
			"a step-up request":              c.As(dave.Access).Post("/v1/challenges", map[string]string{"purpose": "step_up", "device_id": dave.Device.ID}),
			"a new device":                   c.As(dave.Access).Post("/v1/me/devices", map[string]string{"channel": "totp"}),
		}
		for what, a := range refusals {
			if a.Status < 400 || a.Status >= 500 || a.Code() == "" || strings.Contains(string(a.Body), "token\":") {
				t.Errorf("%s: %s, want a refusal", what, a)
			}
		}
		for _, token := range []string{dave.Access, dave.Refresh} {
			if a := c.Post("/v1/tokens/introspect", map[string]string{"token": token}).Want(http.StatusOK); a.Get("active") != false {
				t.Errorf("%s, want it inactive", a)
			}
		}
		if a := c.Verify(known.Text("id"), "123456"); !a.Is(http.StatusUnprocessableEntity, "invalid_code") {
			t.Errorf("an answer to the new challenge: %s, want it to behave like any other", a)
		}
	})
}

// shape is what tells answers apart that should be alike: status, names and
// what does not differ from one challenge to the next.
func shape(a harness.Answer) string {
	var body map[string]any
	a.JSON(&body)
	var names []string
	for name, value := range body {
		switch name {
		case "id", "destination", "expires_at":
			value = "…"
		}
		names = append(names, fmt.Sprintf("%s=%v", name, value))
	}
	for name := range a.Header {
		names = append(names, name)
	}
	slices.Sort(names)
	return fmt.Sprintf("%d %s", a.Status, names)
}
