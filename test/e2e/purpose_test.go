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
type open struct{ name, id, code string }

// fourPurposes opens one challenge for each purpose of this version, to a
// person who is signed in by phone and has a confirmed e-mail device. Each
// challenge has a code of its own.
func fourPurposes(t *testing.T, c *harness.Client) (access string, all []open) {
	t.Helper()
	signed := c.SignIn(anns)
	device := emailDevice(t, c, signed.Access, ann)
	asked := c.Challenge(ann, map[string]string{"to": anns}) // a second sign-in, before the second factor is asked for
	c.AwaitMessages(anns, 2)
	stepped := func() string { // a fresh proof by the device
		before := len(c.Messages(ann))
		id := c.StepUp(signed.Access, device).ID
		return c.Verify(id, c.AwaitMessages(ann, before+1)[0].Code).Tokens().Access
	}()
	c.RequireTwoFactor(stepped)
	waiting := c.Verify(asked.ID, c.Messages(anns)[0].Code).Want(http.StatusOK).Text("pending_token")

	newest := func(to string, ask func() string) open {
		before := len(c.Messages(to))
		id := ask()
		return open{id: id, code: c.AwaitMessages(to, before+1)[0].Code}
	}
	signIn := newest(anns, func() string { return c.Challenge(anns, map[string]string{"to": anns}).ID })
	second := newest(ann, func() string { return c.SecondFactor(waiting, device).ID })
	step := newest(ann, func() string { return c.StepUp(stepped, device).ID })
	enroll := newest(bob, func() string {
		return c.As(stepped).Post("/v1/me/devices", map[string]string{"channel": "email", "to": bob}).Want(http.StatusCreated).Text("challenge.id")
	})
	signIn.name, second.name, step.name, enroll.name = "sign_in", "second_factor", "step_up", "enroll"
	return stepped, []open{signIn, second, step, enroll}
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
	both(t, quick, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		_, all := fourPurposes(t, c)
		codes := map[string]bool{}
		for _, o := range all {
			codes[o.code] = true
		}
		if len(codes) != len(all) {
			t.Skip("two codes are equal, which happens once in a hundred thousand times")
		}
		for _, at := range all {
			for _, with := range all {
				if at != with {
					if a := c.Verify(at.id, with.code); !a.Is(http.StatusUnprocessableEntity, "invalid_code") {
						t.Errorf("the code for %s at %s: %s, want 422 invalid_code", with.name, at.name, a)
					}
				}
			}
		}
		for i, want := range []string{"factor_required", "signed_in", "signed_in", "device_confirmed"} {
			if a := c.Verify(all[i].id, all[i].code); a.Status != http.StatusOK || a.Text("status") != want {
				t.Errorf("the code for %s in its own place: %s, want %s", all[i].name, a, want)
			}
		}
	})
}

func TestS032EmptyNullZeroAndDefaultCodes(t *testing.T) {
	both(t, quick, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		access, all := fourPurposes(t, c)
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
		if after := account(c, access); after != before {
			t.Errorf("the account was\n%s\nand is\n%s", before, after)
		}
		for _, o := range all[:4] { // no attempt was charged for nonsense: two guesses of five
			if a := c.Get("/v1/challenges/" + o.id).Want(http.StatusOK); a.Text("status") != "pending" || a.Number("attempts_left") != 3 {
				t.Errorf("%s: %s, want pending with 3 attempts left", o.name, a)
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
		block(t, s.Options.Store, dave.User)

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
