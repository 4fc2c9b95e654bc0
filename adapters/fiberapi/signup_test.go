package fiberapi_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/limit"
	"github.com/countersign/countersign/domain/policy"
	"github.com/countersign/countersign/domain/rule"
	"github.com/countersign/countersign/domain/tenant"
	"github.com/countersign/countersign/ports/message"
	"github.com/countersign/countersign/ports/store"
)

func (r *rig) signUp(body string, header ...string) answer {
	r.t.Helper()
	return r.do("POST", "/v1/users", body, header...)
}

// codes are the codes of the fields of a refusal, by pointer.
func codesOf(a answer) map[string][]string {
	out := map[string][]string{}
	fields, _ := a.at("fields").([]any)
	for _, f := range fields {
		m := f.(map[string]any)
		p := m["pointer"].(string)
		out[p] = append(out[p], m["code"].(string))
	}
	return out
}

func TestSigningUpMakesAUserWhoHasProvenNothing(t *testing.T) {
	r := newRig(t)
	made := r.want(r.signUp(`{"username":"Ada","email":"Ada@Example.com","phone":"+44 7400 123456","first_name":"Ada","password":"`+secret+`"}`), 201)
	if ids := fmt.Sprint(made.at("user", "identifiers")); ids != "[map[kind:email value:ada@example.com verified:false] "+
		"map[kind:phone value:+447400123456 verified:false] map[kind:username value:ada verified:false]]" {
		t.Errorf("identifiers are %s", ids)
	}
	if bytes.Contains(made.raw, []byte("token")) || bytes.Contains(made.raw, []byte(secret)) || len(r.post.sent) != 0 {
		t.Errorf("too much is told or sent: %s", made.raw)
	}
	r.want(r.byPassword("ada@example.com", secret), 401, "invalid_credentials") // nobody has proven it
	in := r.want(r.byPassword("ada", secret), 200)
	if in.text("user", "id") != made.text("user", "id") {
		t.Error("somebody else is signed in")
	}
	r.want(r.claim("ada@example.com", made.text("claim")), 200)
	r.want(r.byPassword("ada@example.com", secret), 200)
}

// Accounts that somebody made by proving something are nobody's business later.
func TestOnlyAFormMakesAccountsThatAreTentative(t *testing.T) {
	r := newRig(t)
	tentative := func(id string) bool {
		a, err := r.store.Account(t.Context(), tenant.Default, id)
		if err != nil {
			t.Fatal(err)
		}
		return a.Tentative
	}
	if id := r.want(r.signUp(`{"username":"ada","password":"`+secret+`"}`), 201).text("user", "id"); !tentative(id) {
		t.Error("an account that a form made is not looked at again")
	}
	if id := r.signIn("grace@example.com").text("user", "id"); tentative(id) {
		t.Error("an account that a proof made is looked at again")
	}
}

func TestWhatWillNotDoIsSaidAtOnce(t *testing.T) {
	r := newRig(t, func(p *policy.Policy) {
		p.SignUp.Required = []contact.Kind{contact.Phone}
		p.Identity.Profile = []string{policy.FirstName}
	})
	for body, want := range map[string]map[string][]string{
		`{}`: {"/phone": {"field_required"}},
		`{"email":"a@","phone":"12","username":"-","password":"12345","first_name":"` + strings.Repeat("x", 101) + `","last_name":"L"}`: {
			"/email": {"invalid_email"}, "/phone": {"invalid_phone_number"}, "/username": {"invalid_username"}, "/first_name": {"invalid_name"},
			"/last_name": {"not_allowed"}, "/password": {"password_too_short", "password_too_common", "password_entirely_numeric"},
		},
		`{"email":"@b","phone":"+447400123456","password":"+447400123456"}`: {"/email": {"invalid_email"}, "/password": {"password_too_similar"}},
	} {
		got := r.want(r.signUp(body), 422, "invalid_request")
		if codes := codesOf(got); !maps.EqualFunc(codes, want, slices.Equal) {
			t.Errorf("%s gives %v, want %v", body, codes, want)
		}
	}
	for _, member := range []string{"is_staff", "email_verified", "tenant", "id", "role", "two_factor"} {
		r.want(r.signUp(fmt.Sprintf(`{"email":"a@example.com",%q:true}`, member)), 400, "unknown_field")
	}
	shy := newRig(t)
	for body, pointer := range map[string]string{`{}`: "/email", `{"username":"ada"}`: "/password"} {
		if codes := codesOf(shy.want(shy.signUp(body), 422)); codes[pointer] == nil {
			t.Errorf("%s gives %v", body, codes)
		}
	}
	shy.want(shy.signUp(`{"email":"a@example.com"}`, "Countersign-Tenant: closed"), 403, "signup_not_allowed")
}

// alike is an answer without what is another one each time.
func alike(a answer, names ...string) string {
	text := string(a.raw)
	for _, m := range []string{a.text("user", "id"), a.text("user", "created_at"), a.text("claim")} {
		text = strings.ReplaceAll(text, m, "-")
	}
	for i := 0; i+1 < len(names); i += 2 {
		text = strings.ReplaceAll(text, names[i], names[i+1])
	}
	return text
}

// S-016, and what could be found out by asking twice.
func TestSigningUpDoesNotTellWhoIsKnown(t *testing.T) {
	r := newRig(t)
	r.withPassword("bob@example.com")
	r.clock.advance(time.Minute)
	form := func(n int, email string) string {
		return fmt.Sprintf(`{"email":%q,"username":"user%d","password":%q}`, email, n, another)
	}
	known, fresh := r.want(r.signUp(form(1, "bob@example.com")), 201), r.want(r.signUp(form(2, "eve@example.com")), 201)
	if x, y := alike(known, "user1", "user2", "bob@", "eve@"), alike(fresh); x != y {
		t.Errorf("known:\n%s\nfresh:\n%s", x, y)
	}
	r.want(r.byPassword("bob@example.com", secret), 200)
	r.want(r.byPassword("bob@example.com", another), 401)
	if told := r.told(message.SignUpAttempt); len(told) != 1 || told[0].To.Value != "bob@example.com" {
		t.Errorf("told: %v", told)
	}
	r.want(r.signUp(form(1, "x@example.com")), 409, "identity_taken") // whatever became of the address
	r.want(r.signUp(form(2, "x@example.com")), 409, "identity_taken")
	see := func(n int, names ...string) string {
		access := r.want(r.byPassword(fmt.Sprintf("user%d", n), another), 200).text("access_token")
		var out string
		for _, step := range [][3]string{
			{"DELETE", "/v1/me/identifiers/email/pending", ""},
			{"POST", "/v1/me/identifiers", `{"kind":"email","value":"next@example.com"}`},
			{"GET", "/v1/me", ""},
			{"DELETE", "/v1/me/identifiers/email/pending", ""},
			{"GET", "/v1/me", ""},
			{"DELETE", "/v1/me/identifiers/email", ""},
			{"GET", "/v1/me", ""},
		} {
			got := r.do(step[0], step[1], step[2], bearer(access))
			out += fmt.Sprint(got.status, got.at("identifiers"), got.at("identifier"), got.text("code"), "\n")
		}
		for i := 0; i+1 < len(names); i += 2 {
			out = strings.ReplaceAll(out, names[i], names[i+1])
		}
		return out
	}
	if x, y := see(1, "user1", "user2", "bob@", "eve@"), see(2); x != y {
		t.Errorf("known:\n%s\nfresh:\n%s", x, y)
	}
}

func TestCodesGoOutAtOnceAndEachProvesItsOwn(t *testing.T) {
	r := newRig(t, func(p *policy.Policy) { p.Identity.AutoSend = true })
	r.signIn("bob@example.com")
	body := func(email string) string {
		return fmt.Sprintf(`{"email":%q,"phone":"+447400123456","password":%q}`, email, secret)
	}
	made := r.want(r.signUp(body("ada@example.com")), 201)
	asked := made.at("challenges").([]any)
	id := func(i int) string { return asked[i].(map[string]any)["id"].(string) }
	if len(asked) != 2 || r.post.sent[id(0)].code == r.post.sent[id(1)].code {
		t.Fatalf("asked: %s", made.raw)
	}
	answer := func(i int, code string) answer {
		return r.do("POST", "/v1/challenges/"+id(i)+"/verify", fmt.Sprintf(`{"code":%q}`, code))
	}
	r.want(answer(0, r.post.sent[id(1)].code), 422, "invalid_code")
	done := r.want(answer(0, r.post.sent[id(0)].code), 200)
	if done.text("status") != "identifier_changed" || done.at("identifier", "verified") != true {
		t.Errorf("proven: %s", done.raw)
	}
	r.want(r.byPassword("ada@example.com", secret), 200)
	r.want(r.byPassword("+447400123456", secret), 401)

	dup := r.want(r.signUp(body("bob@example.com")), 201)
	if got := dup.at("challenges").([]any); len(got) != 2 {
		t.Fatalf("asked: %s", dup.raw)
	} else if sent := r.post.sent[got[0].(map[string]any)["id"].(string)]; sent.code != "" {
		t.Error("a code went to somebody who did not ask")
	}
}

// S-007
func TestManyMayWaitForOneAddress(t *testing.T) {
	r := newRig(t, func(p *policy.Policy) { p.Identity.Defer, p.Identity.AutoSend = true, true })
	wait := func(name string) string {
		made := r.want(r.signUp(fmt.Sprintf(`{"username":%q,"email":"x@example.com","password":%q}`, name, secret)), 201)
		if ids := fmt.Sprint(made.at("user", "identifiers")); !strings.Contains(ids, "pending_value:x@example.com") {
			t.Errorf("waits as %s", ids)
		}
		return made.at("challenges").([]any)[0].(map[string]any)["id"].(string)
	}
	john, jane := wait("john"), wait("jane")
	r.want(r.do("POST", "/v1/challenges/"+jane+"/verify", fmt.Sprintf(`{"code":%q}`, r.post.sent[john].code)), 422, "invalid_code")
	r.want(r.give(john), 200)
	r.want(r.give(jane), 409, "identity_taken")
	in := r.want(r.byPassword("x@example.com", secret), 200)
	if in.text("status") != "signed_in" {
		t.Errorf("john: %s", in.raw)
	}
	me := r.do("GET", "/v1/me", "", bearer(r.byPassword("jane", secret).text("access_token")))
	if ids := fmt.Sprint(me.at("identifiers")); strings.Contains(ids, "x@example.com") {
		t.Errorf("jane has %s", ids)
	}
}

func TestMachinesAreAnsweredAndNothingIsMade(t *testing.T) {
	r := newRig(t, func(p *policy.Policy) { p.Rules.Honeypot, p.Identity.AutoSend = "website", true })
	form := `{"email":"a@example.com","website":%q}`
	person := r.want(r.signUp(fmt.Sprintf(form, ""), "Host: localhost"), 201)
	machine := r.want(r.signUp(fmt.Sprintf(strings.ReplaceAll(form, "a@", "b@"), "http://spam.example"), "Host: localhost"), 201)
	if x, y := slices.Sorted(maps.Keys(person.body)), slices.Sorted(maps.Keys(machine.body)); !slices.Equal(x, y) {
		t.Errorf("a person gets %v, a machine %v", x, y)
	}
	if _, err := r.store.Identify(t.Context(), tenant.Default, contact.Contact{Kind: contact.Email, Value: "b@example.com"}); err == nil {
		t.Error("a machine has an account")
	}
	r.want(r.signUp(`{"email":"c@example.com"}`), 403, "destination_blocked")
	r.want(r.do("POST", "/v1/challenges", `{"to":"c@example.com"}`), 403, "destination_blocked")
}

func TestSigningUpHasItsPrice(t *testing.T) {
	r := newRig(t, func(p *policy.Policy) {
		p.Limits.Address = []limit.Rule{{Max: 3, Window: time.Hour}}
		line, err := rule.Compile(rule.Block, rule.Email, `@mailinator\.`)
		if err != nil {
			panic(err)
		}
		p.Rules.Book = rule.NewBook(line)
	})
	r.want(r.signUp(`{"email":"a@mailinator.com"}`), 403, "destination_blocked")
	r.want(r.signUp(`{"username":"ada","password":"`+secret+`"}`), 201)
	for range 2 { // trying names is not free
		r.want(r.signUp(`{"username":"ada","password":"`+secret+`"}`), 409, "identity_taken")
	}
	r.want(r.signUp(`{"username":"eve","password":"`+secret+`"}`), 429, "rate_limited")
	err := r.store.Do(t.Context(), func(ctx context.Context, tx store.Tx) error {
		all, err := tx.Users().Find(ctx, store.UserQuery{Tenant: tenant.Default, Limit: 10})
		if len(all) != 1 {
			t.Errorf("%d users", len(all))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
