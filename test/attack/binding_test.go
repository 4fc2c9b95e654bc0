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

func TestA026ACodeIsGoodForItsOwnChallengeOnly(t *testing.T) {
	apart(t, harness.Options{Policy: patient}, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		to := fresh()
		c.SignIn(to)
		var all []open
		for len(all) < 3 {
			all = append(all, asks(t, c, "sign_in", to, start(c.As(""), map[string]any{"to": to})))
		}
		wantDistinct(t, all)
		left := map[string]int{}
		for _, at := range all {
			left[at.id] = 10
		}
		for i, at := range all {
			for n, with := range all {
				if at == with || at.code == with.code {
					continue
				}
				left[at.id]--
				a := c.At(i+n).Verify(at.id, with.code).WantCode(http.StatusUnprocessableEntity, "invalid_code")
				if a.Number("attempts_left") != left[at.id] {
					t.Errorf("%s, want attempts_left %d", a, left[at.id])
				}
				for _, o := range all {
					if n := attemptsLeft(c.At(i), o.id); n != left[o.id] {
						t.Errorf("attempts_left of a challenge is %d, want %d: another one was answered", n, left[o.id])
					}
				}
			}
		}
		for i, o := range all {
			c.At(i).Verify(o.id, o.code).Tokens()
		}
	})
}

// oneAddress opens a challenge for each purpose, all of one person to one address.
func oneAddress(t *testing.T, c *harness.Client, to string) []open {
	t.Helper()
	me := c.As(c.SignIn(to).Access)
	detail := []map[string]string{{"label": "Amount", "value": "120.00 EUR"}}
	var all []open
	add := func(name, leadsTo string, ask func() harness.Answer) {
		o := asks(t, c, name, to, ask)
		o.leadsTo = leadsTo
		all = append(all, o)
	}
	add("sign_in", "signed_in", start(c.As(""), map[string]any{"to": to}))
	add("step_up", "signed_in", start(me, map[string]any{"purpose": "step_up", "to": to}))
	add("verify", "verified", start(c.As(""), map[string]any{"purpose": "verify", "to": to}))
	add("approve", "approved", start(me, map[string]any{"purpose": "approve", "to": to, "detail": detail}))
	add("reset_password", "password_reset_allowed", func() harness.Answer {
		return c.As("").Post("/v1/password-resets", map[string]string{"identifier": to})
	})
	return all
}

func TestA028ACodeIsGoodForItsPurposeOnly(t *testing.T) {
	apart(t, harness.Options{Policy: patient}, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		to := fresh()
		all := oneAddress(t, c, to)
		wantDistinct(t, all)
		for i, at := range all {
			for n, with := range all {
				if at == with || at.code == with.code {
					continue
				}
				if a := c.At(i+n).Verify(at.id, with.code); !a.Is(http.StatusUnprocessableEntity, "invalid_code") {
					t.Errorf("the code for %s at %s: %s, want invalid_code", with.name, at.name, a)
				}
			}
		}
		l := byLink(t, c, to)
		for _, at := range all {
			refused(t, "the link of a sign-in at "+at.name, c.Post("/v1/challenges/"+at.id+"/verify", map[string]string{"link_token": l.token}))
		}
		got := map[string]string{}
		for _, o := range all {
			a := c.Verify(o.id, o.code).Want(http.StatusOK)
			if a.Text("status") != o.leadsTo {
				t.Errorf("the code for %s at its own challenge: %s, want %s", o.name, a, o.leadsTo)
			}
			for _, name := range []string{"receipt", "pending_token"} {
				if token := a.Text(name); token != "" {
					got[o.name] = token
				}
			}
		}
		if len(got) != 3 {
			t.Fatalf("tokens of %v, want those of verify, approve and reset_password", got)
		}
		for from, token := range got {
			wantInactive(t, c, "what came of "+from, token)
			for what, a := range map[string]harness.Answer{
				"an access token":     c.As(token).Get("/v1/me"),
				"a refresh token":     c.As("").Post("/v1/tokens/refresh", map[string]string{"refresh_token": token}),
				"a newcomer's token":  c.As(token).Post("/v1/sign-in/complete", map[string]string{"username": "mallory"}),
				"a link":              c.Post("/v1/challenges/"+l.id+"/verify", map[string]string{"link_token": token}),
				"a second factor's":   c.As(token).Post("/v1/challenges", map[string]string{"purpose": "second_factor", "device_id": "0190a1b2-0000-7000-8000-000000000000"}),
				"an invitation":       c.Post("/v1/invitations/accept", map[string]string{"token": token}),
				"a remembered device": c.Post("/v1/challenges/"+l.id+"/verify", map[string]string{"code": wrong(l.code, 0), "trusted_browser": token}),
			} {
				refused(t, "what came of "+from+" as "+what, a)
			}
			if from != "reset_password" {
				refused(t, "what came of "+from+" as a reset", choose(c, token, another))
			}
		}
		choose(c, got["reset_password"], another).Want(http.StatusNoContent)
	})
}

// anonymous is an answer without what is another one each time.
func anonymous(a harness.Answer) string {
	var body map[string]any
	if json.Unmarshal(a.Body, &body) != nil {
		return fmt.Sprintf("%d %q", a.Status, a.Body)
	}
	delete(body, "instance")
	text, _ := json.Marshal(body)
	return fmt.Sprintf("%d %s", a.Status, text)
}

func TestA029NothingCrossesTenants(t *testing.T) {
	apart(t, harness.Options{Policy: patient, Config: tenants}, func(t *testing.T, s *harness.Server, c *harness.Client) {
		to := fresh()
		here, there := c.SignIn(to), elsewhere(c).SignIn(to)
		if here.User == there.User {
			t.Fatal("one person in two tenants")
		}
		known := append(oneAddress(t, c, to), byLink(t, c, to).open)
		unknown := strings.Repeat("A", 22)
		for _, o := range known {
			for _, try := range []func(id string) harness.Answer{
				func(id string) harness.Answer { return elsewhere(c).Get("/v1/challenges/" + id) },
				func(id string) harness.Answer { return elsewhere(c).Verify(id, o.code) },
				func(id string) harness.Answer { return elsewhere(c).Verify(id, wrong(o.code, 1)) },
				func(id string) harness.Answer { return elsewhere(c).Post("/v1/challenges/"+id+"/verify", "{}") },
				func(id string) harness.Answer { return elsewhere(c).Post("/v1/challenges/"+id+"/resend", "{}") },
				func(id string) harness.Answer {
					return elsewhere(c).Do(http.MethodDelete, "/v1/challenges/"+id, nil)
				},
			} {
				a, b := try(o.id), try(unknown)
				a.WantCode(http.StatusNotFound, "challenge_not_found")
				if anonymous(a) != anonymous(b) {
					t.Errorf("%s: another tenant's is %s, an unknown one %s", o.name, anonymous(a), anonymous(b))
				}
			}
			if n := attemptsLeft(c, o.id); n != 10 {
				t.Errorf("%s: attempts_left is %d after another tenant's answers, want 10", o.name, n)
			}
		}
		pending := forgotten(t, c, to)
		l := byLink(t, c, to)
		key := operate(t, s, "apikey", "new", "--name", "shop", "--scope", "admin")
		for what, a := range map[string]harness.Answer{
			"an access token":  elsewhere(c).As(here.Access).Get("/v1/me"),
			"a refresh token":  elsewhere(c).Post("/v1/tokens/refresh", map[string]string{"refresh_token": here.Refresh}),
			"a pending token":  choose(elsewhere(c), pending, knows),
			"a link":           elsewhere(l.browser).With("Accept", "application/json").Post("/l/"+l.token, nil),
			"an admin key":     elsewhere(c).As(key).Get("/v1/admin/api-keys"),
			"somebody's login": elsewhere(c).As(there.Access).Do(http.MethodDelete, "/v1/me/sessions/"+here.Session, nil),
		} {
			refused(t, what+" at another tenant", a)
		}
		elsewhere(c).Post("/v1/tokens/revoke", map[string]string{"token": here.Refresh}).Want(http.StatusNoContent)
		c.As(here.Access).Get("/v1/me").Want(http.StatusOK)
		l.follow("application/json").Tokens()
		for _, o := range known { // and all is as it was where they belong
			if a := c.Verify(o.id, o.code).Want(http.StatusOK); o.leadsTo != "" && a.Text("status") != o.leadsTo {
				t.Errorf("%s at its own tenant: %s, want %s", o.name, a, o.leadsTo)
			}
		}
		choose(c, pending, knows).Want(http.StatusNoContent)
	})
}

func TestA032WhatIsApprovedIsWhatWasShown(t *testing.T) {
	type facts []map[string]string
	fact := func(label, value string) map[string]string { return map[string]string{"label": label, "value": value} }
	shown := facts{fact("Amount", "120.00 EUR"), fact("Payee", "Ann's Café")}
	apart(t, harness.Options{Policy: patient}, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		to := fresh()
		who := c.SignIn(to)
		ask := func(detail facts) open {
			return asks(t, c, "approve", to, start(c.As(who.Access), map[string]any{"purpose": "approve", "to": to, "detail": detail}))
		}
		answer := func(o open, detail string) harness.Answer {
			return c.As("").Post("/v1/challenges/"+o.id+"/verify", `{"code":"`+o.code+`"`+detail+`}`)
		}
		hash := func(a harness.Answer) any { return claim(t, a.Want(http.StatusOK).Text("receipt"), "detail_sha256") }
		written, err := json.Marshal(shown)
		if err != nil {
			t.Fatal(err)
		}
		first := ask(shown)
		for _, f := range shown {
			if m := c.Messages(to)[0]; !strings.Contains(m.Text, f["label"]) || !strings.Contains(m.Text, f["value"]) || m.Link != "" {
				t.Errorf("the message does not show %v, or has a link: %s", f, m.Text)
			}
		}
		want := hash(answer(first, ""))
		reordered := `,"detail":[{"value":"120.00 EUR","label":"Amount"},{"value":"Ann's Caf\u00e9","label":"Payee"}]`
		for _, same := range []string{`,"detail":` + string(written), reordered} {
			if got := hash(answer(ask(shown), same)); got != want || got == nil {
				t.Errorf("the hash of equal facts is %v, want %v", got, want)
			}
		}
		for name, other := range map[string]facts{
			"another amount": {fact("Amount", "120.01 EUR"), shown[1]}, "another payee": {shown[0], fact("Payee", "Mallory")},
			"one more": {shown[0], shown[1], fact("Note", "x")}, "one less": {shown[0]}, "none": {}, "another order": {shown[1], shown[0]},
			"a label of another": {fact("Payee", "120.00 EUR"), fact("Amount", "Ann's Café")}, "a space": {fact("Amount", "120.00 EUR "), shown[1]},
			"moved letters": {fact("Amount1", "20.00 EUR"), shown[1]},
		} {
			text, err := json.Marshal(other)
			if err != nil {
				t.Fatal(err)
			}
			o := ask(shown)
			refused(t, name, answer(o, `,"detail":`+string(text)))
			if a := answer(o, ""); !a.Is(http.StatusNotFound, "challenge_not_found") {
				t.Errorf("%s, then the right code: %s, want the challenge dead", name, a)
			}
			if len(other) == 0 || name == "a space" {
				continue // nobody can ask for that, or it means the same
			}
			if got := hash(answer(ask(other), "")); got == want {
				t.Errorf("%s has the hash of what was shown", name)
			}
		}
		o := ask(shown)
		answer(o, `,"detail":[{"label":"Amount","value":"120.00 EUR","currency":"EUR"}]`).WantCode(http.StatusBadRequest, "unknown_field")
		hash(answer(o, ""))
	})
}

// privileges are members that nobody may set, whatever they send.
var privileges = []string{
	"verified", "is_verified", "email_verified", "phone_verified", "roles", "role", "is_admin", "acr", "amr", "scope", "scopes", "tenant", "tenant_id", "tid",
	"disabled", "status", "user_id", "sub", "id", "session_id", "new_user", "two_factor_required", "confirmed", "attempts_left", "decoy", "password_hash", "invited_by",
}

func TestA034NobodySetsWhatIsNotTheirs(t *testing.T) {
	apart(t, harness.Options{Policy: patient}, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		to := fresh()
		who := c.SignIn(to)
		me := c.As(who.Access)
		account := func() (out string) {
			for _, path := range []string{"/v1/me", "/v1/me/devices", "/v1/me/two-factor", "/v1/me/sessions"} {
				out += string(me.Get(path).Want(http.StatusOK).Body) + "\n"
			}
			return out
		}
		before := account()
		asked := asks(t, c, "sign_in", to, start(c.As(""), map[string]any{"to": to}))
		for _, r := range []struct {
			method, path string
			body         map[string]any
			by           *harness.Client
		}{
			{http.MethodPatch, "/v1/me", map[string]any{"first_name": "X"}, me},
			{http.MethodPatch, "/v1/me/two-factor", map[string]any{"required": false}, me},
			{http.MethodPost, "/v1/me/identifiers", map[string]any{"kind": "email", "value": fresh()}, me},
			{http.MethodPost, "/v1/me/devices", map[string]any{"channel": "totp"}, me},
			{http.MethodPost, "/v1/users", map[string]any{"email": fresh(), "password": knows}, c.As("")},
			{http.MethodPost, "/v1/challenges", map[string]any{"to": to}, c.As("")},
			{http.MethodPost, "/v1/challenges/" + asked.id + "/verify", map[string]any{"code": asked.code}, c.As("")},
			{http.MethodPost, "/v1/sign-in/password", map[string]any{"identifier": to, "password": knows}, c.As("")},
			{http.MethodPost, "/v1/password-resets", map[string]any{"identifier": to}, c.As("")},
			{http.MethodPost, "/v1/tokens/refresh", map[string]any{"refresh_token": who.Refresh}, c.As("")},
			{http.MethodPost, "/v1/invitations", map[string]any{"email": fresh()}, me},
		} {
			for i, name := range privileges {
				for _, value := range []any{true, map[string]any{"set": []any{"admin"}}} {
					r.body[name] = value
					if a := r.by.At(i).Do(r.method, r.path, r.body); !a.Is(http.StatusBadRequest, "unknown_field") {
						t.Errorf("%s with %s: %s, want 400 unknown_field", r.path, name, a)
					}
					delete(r.body, name)
				}
			}
		}
		nested := `{"kind":"email","value":"` + fresh() + `","identifier":{"verified":true}}`
		refused(t, "nested in an identifier", me.Post("/v1/me/identifiers", nested))
		for _, path := range []string{"/v2/me", "/v0/me", "/me", "/api/v1/me", "/V1/me", "/v1/users/" + who.User, "/v1/admin/users/" + who.User} {
			if a := me.Do(http.MethodPatch, path, map[string]any{"verified": true}); a.Status != http.StatusNotFound && a.Status != http.StatusMethodNotAllowed && a.Status != http.StatusUnauthorized && a.Status != http.StatusForbidden {
				t.Errorf("%s, want no such door", a)
			}
		}
		if after := account(); after != before {
			t.Errorf("the account was\n%s\nand is\n%s", before, after)
		}
		me.Do(http.MethodPatch, "/v1/me", map[string]any{"metadata": map[string]string{"acr": "aal2", "roles": "admin", "tid": "t2"}}).Want(http.StatusOK)
		in := c.Verify(asked.id, asked.code).Tokens()
		if acr, tid, roles := claim(t, in.Access, "acr"), claim(t, in.Access, "tid"), claim(t, in.Access, "roles"); acr != "aal1" || tid != "default" || roles != nil {
			t.Errorf("the token says acr %v, tid %v, roles %v, want aal1, default and none", acr, tid, roles)
		}
	})
}

// The resource is what weakens an account that asks for a second factor.
func TestA035AnOldOrWeakProofOpensNothing(t *testing.T) {
	apart(t, harness.Options{Policy: patient + "tokens: { access: 1h }\n"}, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		to := fresh()
		old := c.SignIn(to) // a session from before, of level 1
		p := c.Secure(to)
		resource := func(access string) harness.Answer {
			return c.At(1).As(access).Post("/v1/me/recovery-codes", nil)
		}
		insufficient := func(what, access string) {
			t.Helper()
			a := resource(access).WantCode(http.StatusUnauthorized, "insufficient_user_authentication")
			h := a.Header.Get("WWW-Authenticate")
			for _, part := range []string{"Bearer ", `error="insufficient_user_authentication"`, `acr_values="aal2"`, "max_age=300"} {
				if !strings.Contains(h, part) {
					t.Errorf("%s: WWW-Authenticate is %q, want %s in it", what, h, part)
				}
			}
		}
		insufficient("level 1", old.Access)
		resource(p.Access).Want(http.StatusCreated)
		byMail := asks(t, c, "step_up", to, start(c.As(old.Access), map[string]any{"purpose": "step_up", "to": to}))
		got := c.Verify(byMail.id, byMail.code).Tokens()
		if acr := claim(t, got.Access, "acr"); acr != "aal1" {
			t.Errorf("acr is %v after mail, and mail again, want aal1", acr)
		}
		insufficient("fresh, by mail only", got.Access)
		c.Advance(301 * time.Second)
		insufficient("301 s old", p.Access)
		link := byLink(t, c, to)
		if a := link.follow("application/json").Want(http.StatusOK); a.Text("status") != "factor_required" {
			t.Errorf("a one-time link: %s, want factor_required", a)
		}
		insufficient("after a one-time link", p.Access)
		refused(t, "with the token of half a sign-in", resource(c.FirstFactor(to)))
		resource(c.Fresh(p).Access).Want(http.StatusCreated)
	})
}
