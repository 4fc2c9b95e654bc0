package e2e_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/countersign/countersign/test/harness"
)

// form is what somebody fills in who wants an account.
type form map[string]any

func signUp(c *harness.Client, f form) harness.Answer { return c.As("").Post("/v1/users", f) }

// identifiers are those of an account by their kind.
func identifiers(c *harness.Client, access string) map[string]identifier {
	var body struct{ Identifiers []identifier }
	c.As(access).Get("/v1/me").Want(http.StatusOK).JSON(&body)
	out := map[string]identifier{}
	for _, i := range body.Identifiers {
		out[i.Kind] = i
	}
	return out
}

type identifier struct {
	Kind, Value string
	Verified    bool
	Pending     string `json:"pending_value"`
}

// asked are the challenges that an answer lists, by the channel they go by.
func asked(a harness.Answer) map[string]string {
	var body struct {
		Challenges []struct{ ID, Channel string }
	}
	a.JSON(&body)
	out := map[string]string{}
	for _, c := range body.Challenges {
		out[c.Channel] = c.ID
	}
	return out
}

func TestS004SignUpOffClosesEveryDoor(t *testing.T) {
	both(t, quick+"sign_up: { allowed: false, auto_create: true }\n", func(t *testing.T, s *harness.Server, c *harness.Client) {
		signUp(c, form{"email": eve, "password": knows}).WantCode(http.StatusForbidden, "signup_not_allowed")
		signUp(c, form{"username": "eve", "password": knows}).WantCode(http.StatusForbidden, "signup_not_allowed")
		for _, to := range []string{eve, anns, "nobody"} {
			a := c.Post("/v1/challenges", map[string]string{"to": to}).Want(http.StatusAccepted)
			c.Verify(a.Text("id"), "123456").WantCode(http.StatusUnprocessableEntity, "invalid_code")
		}
		a := c.Post("/v1/challenges", map[string]string{"to": ann}).Want(http.StatusAccepted)
		waitFor(t, patient, "the decoy's message counts as sent", func() bool { return delivery(c, a.Text("id")) == "sent" })
		if n := len(c.Messages("")) + len(c.Notices("")); n != 0 {
			t.Errorf("%d messages went out, want none", n)
		}
		if n := column(t, database(t, s.Options.Store), "SELECT count(*) FROM users")[0]; n != "0" {
			t.Errorf("%s users, want none", n)
		}
	})
}

func TestS005VerifiedRegistration(t *testing.T) {
	both(t, quick+"sign_up: { auto_create: false }\n", func(t *testing.T, _ *harness.Server, c *harness.Client) {
		a := c.Post("/v1/challenges", map[string]string{"to": ann}).Want(http.StatusAccepted)
		c.Verify(a.Text("id"), "123456").WantCode(http.StatusUnprocessableEntity, "invalid_code")

		a = signUp(c, form{"email": ann, "password": knows}).Want(http.StatusCreated)
		if a.Text("user.id") == "" || a.Text("user.identifiers.0.value") != ann || a.Get("user.identifiers.0.verified") != false {
			t.Errorf("%s, want ann with an address that is not verified", a)
		}
		for _, bad := range []string{knows, "token", "password", "session"} {
			if strings.Contains(string(a.Body), bad) {
				t.Errorf("%s, want no %q in it", a, bad)
			}
		}
		if n := len(c.Messages(ann)); n != 0 {
			t.Errorf("%d messages went out that nobody asked for", n)
		}
		refusedPassword(t, "before the address is proven", byPassword(c, ann, knows))
		who := c.ClaimSignIn(ann, a.Text("claim"))
		if who.User != a.Text("user.id") || !identifiers(c, who.Access)["email"].Verified {
			t.Errorf("proving the address signs %s in, want %s with it verified", who.User, a.Text("user.id"))
		}
		byPassword(c, ann, knows).Tokens()
	})
}

func TestS007TwoPeopleWaitForOneAddress(t *testing.T) {
	policy := "challenge: { resend_after: 0s, live_per_destination: 10 }\nthrottle: { free: 20 }\nidentity: { defer: true, auto_send: true }\n"
	both(t, policy, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		const shared = "x@example.com"
		waits := func(name string) (user, challenge, code string) {
			t.Helper()
			before := len(c.Messages(shared))
			a := signUp(c, form{"username": name, "password": knows, "email": shared}).Want(http.StatusCreated)
			return a.Text("user.id"), asked(a)["email"], c.AwaitMessages(shared, before+1)[0].Code
		}
		john, johns, johnsCode := waits("john")
		_, janes, janesCode := waits("jane")
		if johnsCode == janesCode {
			t.Skip("two codes are equal, which happens once in a million times")
		}
		jane := byPassword(c, "jane", knows).Tokens()
		if mine := identifiers(c, jane.Access); mine["email"].Verified || mine["email"].Value == shared {
			t.Errorf("before any proof jane has %+v", mine)
		}
		c.Verify(janes, johnsCode).WantCode(http.StatusUnprocessableEntity, "invalid_code")
		if a := c.Verify(johns, johnsCode).Want(http.StatusOK); a.Text("status") != "identifier_changed" {
			t.Errorf("%s, want identifier_changed", a)
		}
		c.Verify(janes, janesCode).WantCode(http.StatusConflict, "identity_taken")
		if mine := identifiers(c, jane.Access); mine["email"].Verified || mine["email"].Value == shared {
			t.Errorf("after john's proof jane has %+v", mine)
		}
		if who := c.SignIn(shared); who.User != john {
			t.Errorf("the address signs %s in, want john", who.User)
		}
		byPassword(c, "jane", knows).Tokens()
	})
}

func TestS007OneOfManyWhoWaitGetsTheAddress(t *testing.T) {
	policy := "challenge: { resend_after: 0s, live_per_destination: 10 }\nthrottle: { free: 20 }\nidentity: { defer: true, auto_send: true }\n"
	races(t, policy, func(t *testing.T, c *harness.Client) {
		const shared = "x@example.com"
		type live struct{ id, code string }
		var all []live
		for i := range 4 {
			before := len(c.Messages(shared))
			a := signUp(c.At(i), form{"username": fmt.Sprintf("john%d", i), "password": knows, "email": shared}).Want(http.StatusCreated)
			c.AwaitMessages(shared, before+1)
			all = append(all, live{asked(a)["email"], c.Newest(shared).Code})
		}
		answers := together(t, len(all), func(i int) (harness.Answer, error) {
			return c.At(i).Try(http.MethodPost, "/v1/challenges/"+all[i].id+"/verify", answer(all[i].code))
		})
		healthy(t, answers)
		if got := tally(answers); got["200"] != 1 || got["identity_taken"] != len(all)-1 {
			t.Errorf("%v, want one to get it and all others to hear that it is taken", got)
		}
	})
}

func TestS008CodesGoOutAtSignUp(t *testing.T) {
	both(t, quick+"identity: { auto_send: true }\n", func(t *testing.T, _ *harness.Server, c *harness.Client) {
		a := signUp(c, form{"email": ann, "phone": anns, "password": knows}).Want(http.StatusCreated)
		all := asked(a)
		if len(all) != 2 || all["email"] == "" || all["sms"] == "" {
			t.Fatalf("%s, want a challenge by each channel", a)
		}
		mail, text := c.AwaitMessages(ann, 1)[0].Code, c.AwaitMessages(anns, 1)[0].Code
		unsent(t, c, ann, 1)
		if n := len(c.Messages(anns)); n != 1 {
			t.Errorf("%d text messages, want 1", n)
		}
		if mail != text {
			c.Verify(all["email"], text).WantCode(http.StatusUnprocessableEntity, "invalid_code")
			c.Verify(all["sms"], mail).WantCode(http.StatusUnprocessableEntity, "invalid_code")
		}
		c.Verify(all["email"], mail).Want(http.StatusOK)
		refusedPassword(t, "by the phone that is not proven", byPassword(c, anns, knows))
		who := byPassword(c, ann, knows).Tokens()
		if mine := identifiers(c, who.Access); !mine["email"].Verified || mine["phone"].Verified {
			t.Errorf("%+v, want only the mail verified", mine)
		}
		c.Verify(all["sms"], text).Want(http.StatusOK)
		if mine := identifiers(c, who.Access); !mine["email"].Verified || !mine["phone"].Verified {
			t.Errorf("%+v, want both verified", mine)
		}
	})
}

func TestS010PasswordAndBothAddresses(t *testing.T) {
	policy := quick + "identity: { auto_send: true }\nsign_up: { required: [email, phone] }\n"
	both(t, policy, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		a := signUp(c, form{"email": ann, "phone": "+31 0612 345 678", "password": knows, "first_name": "Ann"}).Want(http.StatusCreated)
		if a.Get("access_token") != nil || a.Get("refresh_token") != nil || a.Get("user.tenant") != nil || strings.Contains(string(a.Body), knows) {
			t.Errorf("%s, want nobody signed in, and neither password nor tenant", a)
		}
		var body struct {
			User struct{ Identifiers []identifier }
		}
		a.JSON(&body)
		if len(body.User.Identifiers) != 2 || body.User.Identifiers[0].Verified || body.User.Identifiers[1].Verified {
			t.Errorf("%s, want both addresses, not verified", a)
		}
		mail, text := c.AwaitMessages(ann, 1), c.AwaitMessages(anns, 1)
		if mail[0].Code == text[0].Code {
			t.Log("both codes are equal, which happens once in a million times")
		}
		for _, who := range []string{ann, anns} {
			refusedPassword(t, who+" before a proof", byPassword(c, who, knows))
		}
	})
}

// Whoever fills in a form is let in once everything is proven that must be, by
// whatever they come.
func TestS010BothAddressesAreProvenBeforeAnybodyIsIn(t *testing.T) {
	policy := quick + "identity: { auto_send: true }\nsign_up: { required: [email, phone] }\n"
	both(t, policy, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		a := signUp(c, form{"email": ann, "phone": anns, "username": "ann", "password": knows}).Want(http.StatusCreated)
		texts := len(c.AwaitMessages(anns, 1))
		wait := byPassword(c, "ann", knows).Want(http.StatusOK)
		if wait.Text("status") != "identifier_required" || wait.Get("access_token") != nil || wait.Text("missing.1") != "phone" {
			t.Fatalf("%s, want both addresses to be missing", wait)
		}
		c.Verify(asked(a)["email"], c.AwaitMessages(ann, 1)[0].Code).Want(http.StatusOK)
		wait = byPassword(c, ann, knows).Want(http.StatusOK)
		if wait.Text("status") != "identifier_required" || wait.Text("missing.0") != "phone" || wait.Text("missing.1") != "" {
			t.Fatalf("%s, want the phone to be missing", wait)
		}
		pending := c.As(wait.Text("pending_token"))
		ask := pending.Post("/v1/sign-in/complete", map[string]string{"phone": anns}).Want(http.StatusOK)
		in := c.Verify(ask.Text("id"), c.AwaitMessages(anns, texts+1)[0].Code).Tokens()
		if mine := identifiers(c, in.Access); !mine["email"].Verified || !mine["phone"].Verified {
			t.Errorf("%+v, want both verified", mine)
		}
		byPassword(c, anns, knows).Tokens()
		pending.Post("/v1/sign-in/complete", map[string]string{"phone": anns}).WantCode(http.StatusUnauthorized, "invalid_pending_token")
	})
}

func TestS011TheSameAddressesAtAnotherTenant(t *testing.T) {
	served(t, harness.Options{Policy: quick + "identity: { auto_send: true }\n", Config: twoTenants}, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		here, there := c, at(c, "t2")
		users := map[string]bool{}
		for client, password := range map[*harness.Client]string{here: knows, there: another} {
			mails, texts := len(c.Messages(ann)), len(c.Messages(anns))
			a := signUp(client, form{"email": ann, "phone": anns, "password": password}).Want(http.StatusCreated)
			all := asked(a)
			client.Verify(all["email"], c.AwaitMessages(ann, mails+1)[0].Code).Want(http.StatusOK)
			client.Verify(all["sms"], c.AwaitMessages(anns, texts+1)[0].Code).Want(http.StatusOK)
			users[a.Text("user.id")] = true
		}
		if len(users) != 2 {
			t.Errorf("%d users, want one in each tenant", len(users))
		}
		for _, who := range []string{ann, anns} {
			byPassword(here, who, knows).Tokens()
			byPassword(there, who, another).Tokens()
			refusedPassword(t, "the other tenant's password here", byPassword(here, who, another))
			refusedPassword(t, "the other tenant's password there", byPassword(there, who, knows))
		}
	})
}

func TestS013InputValidation(t *testing.T) {
	policy := quick + "identity: { auto_send: true }\nsign_up: { required: [email, phone] }\n"
	both(t, policy, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		for name, x := range map[string]struct {
			form    form
			pointer string
			code    string
		}{
			"no domain":         {form{"email": "a@", "phone": anns}, "/email", "invalid_email"},
			"no name":           {form{"email": "@b", "phone": anns}, "/email", "invalid_email"},
			"too long":          {form{"email": strings.Repeat("a", 309) + "@example.com", "phone": anns}, "/email", "invalid_email"},
			"two of them":       {form{"email": "a@b.example, c@d.example", "phone": anns}, "/email", "invalid_email"},
			"a line break":      {form{"email": "a@b.example\nBcc: x@y.example", "phone": anns}, "/email", "invalid_email"},
			"no e-mail":         {form{"phone": anns}, "/email", "field_required"},
			"an empty e-mail":   {form{"email": "", "phone": anns}, "/email", "field_required"},
			"no phone":          {form{"email": ann}, "/phone", "field_required"},
			"not a number":      {form{"email": ann, "phone": "12"}, "/phone", "invalid_phone_number"},
			"letters":           {form{"email": ann, "phone": "call me"}, "/phone", "invalid_phone_number"},
			"a premium number":  {form{"email": ann, "phone": "+19005550123"}, "/phone", "invalid_phone_number"},
			"a name like this":  {form{"email": ann, "phone": anns, "username": "a@b"}, "/username", "invalid_username"},
			"a common password": {form{"email": ann, "phone": anns, "password": "password1"}, "/password", "password_too_common"},
		} {
			x.form["first_name"] = "Ann"
			a := signUp(c, x.form)
			if !a.Is(http.StatusUnprocessableEntity, "invalid_request") || !slices.Contains(fieldCodes(a, x.pointer), x.code) {
				t.Errorf("%s: %s, want %s at %s", name, a, x.code, x.pointer)
			}
		}
		a := signUp(c, form{"email": "a@", "phone": "12", "password": "123"})
		if len(fieldCodes(a, "/email")) == 0 || len(fieldCodes(a, "/phone")) == 0 || len(fieldCodes(a, "/password")) == 0 {
			t.Errorf("%s, want everything that is wrong at once", a)
		}
		if n := len(c.Messages("")) + len(c.Notices("")); n != 0 {
			t.Errorf("%d messages went out, want none", n)
		}
	})
}

func TestS014PasswordPolicyAtSignUp(t *testing.T) {
	both(t, quick, func(t *testing.T, s *harness.Server, c *harness.Client) {
		for _, bad := range []struct{ password, code string }{
			{"q7#Zk", "password_too_short"}, {"qwerty123", "password_too_common"}, {"482913770124", "password_entirely_numeric"},
			{"anneliese", "password_too_similar"}, {"Wilhelmina1", "password_too_similar"},
		} {
			a := signUp(c, form{"email": "anneliese@example.com", "first_name": "Wilhelmina", "password": bad.password})
			if !slices.Contains(fieldCodes(a, "/password"), bad.code) {
				t.Errorf("%q: %s, want %s", bad.password, a, bad.code)
			}
			if strings.Contains(string(a.Body), bad.password) || strings.Contains(s.Log(), bad.password) {
				t.Errorf("%q is repeated in the answer or the log", bad.password)
			}
		}
	})
}

func TestS016ADuplicateSignUpTellsNothing(t *testing.T) {
	for _, autoSend := range []bool{false, true} {
		t.Run(fmt.Sprintf("auto_send %v", autoSend), func(t *testing.T) {
			policy := fmt.Sprintf("%sidentity: { auto_send: %v }\n", quick, autoSend)
			both(t, policy, func(t *testing.T, _ *harness.Server, c *harness.Client) {
				owner := c.SignIn(bob)
				setPassword(c, owner.Access, knows)
				told := len(c.AwaitNotices(bob, 1))
				codes := len(c.Messages(bob))

				known := signUp(c, form{"email": bob, "password": another}).Want(http.StatusCreated)
				fresh := signUp(c, form{"email": eve, "password": another}).Want(http.StatusCreated)
				if a, b := members(known), members(fresh); a != b {
					t.Errorf("a known address is answered %s, a fresh one %s", a, b)
				}
				notice := c.AwaitNotices(bob, told+1)[0]
				if notice.Code != "" || strings.Contains(notice.Text, "/l/") {
					t.Errorf("the owner is sent %q, which lets somebody in", notice.Text)
				}
				unsent(t, c, bob, codes)
				if id := asked(known)["email"]; autoSend {
					for range 3 {
						c.Verify(id, "123456").WantCode(http.StatusUnprocessableEntity, "invalid_code")
					}
				}
				byPassword(c, bob, knows).Tokens()
				refusedPassword(t, "the password of the duplicate", byPassword(c, bob, another))
				if who := c.SignIn(bob); who.User != owner.User || who.New {
					t.Errorf("the address signs %s in, want its owner", who.User)
				}
			})
		})
	}
}

// members are the names in an answer, and everything that is not somebody's own.
func members(a harness.Answer) string {
	var names []string
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for name, value := range v {
				walk(path+"."+name, value)
			}
		case []any:
			for _, value := range v {
				walk(path+"[]", value)
			}
		case string:
			names = append(names, path)
		default:
			names = append(names, fmt.Sprintf("%s=%v", path, v))
		}
	}
	var body any
	a.JSON(&body)
	walk("", body)
	for name := range a.Header {
		names = append(names, name)
	}
	slices.Sort(names)
	return fmt.Sprint(a.Status, names)
}

func TestS017MassAssignment(t *testing.T) {
	both(t, quick, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		who := c.SignIn(ann)
		before := account(c, who.Access)
		for _, field := range []string{
			"is_phone_number_confirmed", "is_email_confirmed", "email_verified", "verified", "is_staff", "is_superuser", "role", "roles", "tenant",
			"tenant_id", "id", "user_id", "email_candidate", "phone_number_candidate", "two_factor", "two_factor_required", "acr", "disabled", "status",
			"identifiers", "created_at", "last_sign_in_at", "invited_by", "password_hash", "email", "phone", "username", "password",
		} {
			for _, value := range []any{true, "t2", []any{map[string]any{"kind": "email", "value": eve, "verified": true}}} {
				if a := c.As(who.Access).Do(http.MethodPatch, "/v1/me", form{"first_name": "X", field: value}); !a.Is(http.StatusBadRequest, "unknown_field") {
					t.Errorf("PATCH with %s: %s, want 400 unknown_field", field, a)
				}
				if slices.Contains([]string{"email", "phone", "username", "password"}, field) {
					continue
				}
				if a := signUp(c, form{"email": eve, "password": knows, field: value}); !a.Is(http.StatusBadRequest, "unknown_field") {
					t.Errorf("sign-up with %s: %s, want 400 unknown_field", field, a)
				}
			}
		}
		if after := account(c, who.Access); after != before {
			t.Errorf("the account was\n%s\nand is\n%s", before, after)
		}
		// The caller's own metadata are nothing that we believe.
		c.As(who.Access).Do(http.MethodPatch, "/v1/me", form{"metadata": map[string]string{"role": "admin", "email_verified": "true"}}).Want(http.StatusOK)
		if is := claims(t, c.SignIn(ann).Access); is.ACR != "aal1" {
			t.Errorf("%+v, want nothing of the metadata in a token", is)
		}
	})
}
