package fiberapi_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/policy"
	"github.com/countersign/countersign/domain/tenant"
	"github.com/countersign/countersign/ports/message"
	"github.com/countersign/countersign/ports/store"
)

// claim signs in by a code, and says who signed up.
func (r *rig) claim(to, claim string) answer {
	r.t.Helper()
	started := r.want(r.do("POST", "/v1/challenges", fmt.Sprintf(`{"to":%q}`, to)), 202)
	return r.do("POST", "/v1/challenges/"+started.text("id")+"/verify", fmt.Sprintf(`{"code":%q,"claim":%q}`, r.post.sent[started.text("id")].code, claim))
}

// form is what somebody says.
func form(name, email, phone, password string) string {
	return fmt.Sprintf(`{"username":%q,"email":%q,"phone":%q,"password":%q}`, name, email, phone, password)
}

const (
	annsMail     = "ann@example.com"
	mallorysCell = "+447400123456"
)

// Somebody says that an address is theirs before its owner comes. They are in the
// same house: nothing but the claim tells one from the other.
func TestProofBeatsSaying(t *testing.T) {
	for _, used := range []bool{false, true} {
		r := newRig(t)
		mallory := r.want(r.signUp(form("mallory", annsMail, mallorysCell, secret)), 201)
		if used {
			r.want(r.byPassword("mallory", secret), 200)
		}
		r.clock.advance(time.Minute)
		in := r.signIn(annsMail)
		if theirs := in.text("user", "id") == mallory.text("user", "id"); theirs == used || in.at("new_user") != used {
			t.Errorf("used %v: ann is %s", used, in.raw)
		}
		r.want(r.byPassword(annsMail, secret), 401)
		if got := r.byPassword("mallory", secret); used != (got.status == 200) {
			t.Errorf("used %v: mallory is answered %d", used, got.status)
		}
		if told := r.told(message.PasswordForgotten); used == (len(told) == 1) {
			t.Errorf("used %v: told %v", used, told)
		}
		if phone := r.want(r.claim(mallorysCell, mallory.text("claim")), 200); phone.text("user", "id") == in.text("user", "id") {
			t.Errorf("used %v: by the phone that was claimed along with it mallory is ann", used)
		}
		if me := r.want(r.do("GET", "/v1/me", "", bearer(in.text("access_token"))), 200); strings.Contains(string(me.raw), mallorysCell) {
			t.Errorf("used %v: ann has mallory's phone: %s", used, me.raw)
		}
	}
}

// Whoever signs up says of several addresses that they are theirs, proves the one
// that is, and waits for the owner of the other.
func TestWhoProvedOneAddressHasNotTheOther(t *testing.T) {
	r := newRig(t, func(p *policy.Policy) { p.Identity.AutoSend = true })
	first := r.want(r.signUp(form("mallory", annsMail, mallorysCell, secret)), 201)
	ids := func(made answer) (mail, phone string) {
		for _, c := range made.at("challenges").([]any) {
			one := c.(map[string]any)
			if one["channel"] == "sms" {
				phone = one["id"].(string)
			} else {
				mail = one["id"].(string)
			}
		}
		return mail, phone
	}
	_, phone := ids(first)
	r.want(r.give(phone), 200)
	ann := r.signIn(annsMail)
	if ann.text("user", "id") == first.text("user", "id") {
		t.Fatal("ann is let into an account whose owner has proven a phone")
	}
	r.want(r.do("DELETE", "/v1/me", "", bearer(ann.text("access_token"))), 204)

	r = newRig(t, func(p *policy.Policy) { p.Identity.AutoSend = true })
	second := r.want(r.signUp(form("mallory", annsMail, mallorysCell, secret)), 201)
	mail, phone := ids(second)
	sms := r.want(r.do("POST", "/v1/challenges", fmt.Sprintf(`{"to":%q}`, mallorysCell)), 202).text("id")
	r.clock.advance(time.Second)
	ann = r.signIn(annsMail)
	if ann.text("user", "id") != second.text("user", "id") {
		t.Fatalf("ann is %s", ann.raw)
	}
	for what, a := range map[string]answer{"the phone": r.give(phone), "the address": r.give(mail), "a sign-in by the phone": r.give(sms)} {
		if a.status != 404 {
			t.Errorf("%s, asked before ann came, is answered %d: %s", what, a.status, a.raw)
		}
	}
	if in := r.signIn(mallorysCell); in.text("user", "id") == ann.text("user", "id") {
		t.Error("mallory is ann")
	}
	var dropped []string
	err := r.store.Do(t.Context(), func(ctx context.Context, tx store.Tx) error {
		all, err := tx.Journal().Events(ctx, store.EventQuery{Tenant: tenant.Default, User: second.text("user", "id")})
		for _, e := range all {
			if e.Type == event.IdentifierRemoved {
				dropped = append(dropped, e.Data["kind"]+" "+e.Data["why"])
			}
		}
		return err
	})
	if err != nil || fmt.Sprint(dropped) != "[phone not_proven]" {
		t.Errorf("recorded: %q, %v", dropped, err)
	}
}

func TestWhoSignedUpKeepsWhatTheySaid(t *testing.T) {
	for what, tune := range map[string]func(*policy.Policy){
		"at once": func(*policy.Policy) {}, "deferred": func(p *policy.Policy) { p.Identity.Defer = true },
	} {
		r := newRig(t, tune)
		r.want(r.signUp(form("mallory", annsMail, "+447400123457", another)), 201) // somebody else was faster
		r.clock.advance(time.Minute)
		ann := r.want(r.signUp(form("ann", annsMail, mallorysCell, secret)), 201)
		in := r.want(r.claim(annsMail, ann.text("claim")), 200)
		if in.text("user", "id") != ann.text("user", "id") {
			t.Fatalf("%s: ann is %s", what, in.raw)
		}
		r.want(r.byPassword(annsMail, secret), 200)
		r.want(r.byPassword(annsMail, another), 401)
		r.want(r.byPassword("mallory", another), 200)
		if in = r.want(r.claim(mallorysCell, ann.text("claim")), 200); in.text("user", "id") != ann.text("user", "id") {
			t.Errorf("%s: by her phone ann is %s", what, in.raw)
		}
		me := fmt.Sprint(r.do("GET", "/v1/me", "", bearer(in.text("access_token"))).at("identifiers"))
		if strings.Count(me, "verified:true") != 2 || strings.Contains(me, "pending") {
			t.Errorf("%s: ann has %s", what, me)
		}
	}
}

func TestAClaimIsGoodForNothingElse(t *testing.T) {
	r := newRig(t)
	made := r.want(r.signUp(form("mallory", annsMail, mallorysCell, secret)), 201)
	claim := made.text("claim")
	if other := r.want(r.claim("bob@example.com", claim), 200); other.text("user", "id") == made.text("user", "id") {
		t.Error("an address that nobody had claimed leads to the account")
	}
	for what, no := range map[string]string{"nonsense": "x", "changed": claim[:len(claim)-1] + "_", "another kind": "csr" + claim[3:], "none": ""} {
		r := newRig(t)
		r.want(r.signUp(form("mallory", annsMail, mallorysCell, secret)), 201)
		r.want(r.claim(annsMail, no), 200)
		if got := r.byPassword(annsMail, secret); got.status != 401 {
			t.Errorf("%s: the password of the form is answered %d", what, got.status)
		}
	}
	ann := r.signIn(annsMail) // takes the account over, with the claim to it
	r.want(r.do("POST", "/v1/me/identifiers", fmt.Sprintf(`{"kind":"phone","value":%q}`, mallorysCell), bearer(ann.text("access_token"))), 202)
	if in := r.want(r.claim(mallorysCell, claim), 200); in.text("user", "id") == ann.text("user", "id") {
		t.Error("what was said before the owner came still counts")
	}
	id, err := r.store.Identify(t.Context(), tenant.Default, contact.Contact{Kind: contact.Email, Value: annsMail})
	if err != nil || id.ID != ann.text("user", "id") {
		t.Errorf("the address is %s's, %v", id.ID, err)
	}
	for _, path := range []string{"/v1/me", "/v1/me/sessions"} {
		r.want(r.do("GET", path, "", bearer(claim)), 401)
	}
	r.want(r.do("POST", "/v1/tokens/refresh", fmt.Sprintf(`{"refresh_token":%q}`, claim)), 401)
}

// Whoever only claimed an address is blocked, and its owner is not.
func TestBlockingAClaimantLeavesTheAddressToItsOwner(t *testing.T) {
	r := newRig(t)
	mallory := r.want(r.signUp(form("mallory", annsMail, mallorysCell, secret)), 201)
	r.block(annsMail) // the claimant
	ann := r.signIn(annsMail)
	if ann.text("user", "id") == mallory.text("user", "id") || ann.at("new_user") != true {
		t.Errorf("ann is %s", ann.raw)
	}
	r.want(r.byPassword("mallory", secret), 401)
	r.block(annsMail)
	asked := r.want(r.do("POST", "/v1/challenges", fmt.Sprintf(`{"to":%q}`, annsMail)), 202)
	if r.post.sent[asked.text("id")].code != "" {
		t.Error("a code went to somebody who is blocked")
	}
}

// The owner of an address that another one uses must have what all new users must.
func TestWhoTakesAnAddressBackIsNew(t *testing.T) {
	r := newRig(t, func(p *policy.Policy) { p.SignUp.Required = []contact.Kind{contact.Phone} })
	r.want(r.signUp(form("mallory", annsMail, mallorysCell, secret)), 201)
	r.want(r.completed(r.byPassword("mallory", secret), mallorysCell), 200)
	got := r.want(r.claim(annsMail, ""), 200)
	if got.text("status") != "identifier_required" || fmt.Sprint(got.at("missing")) != "[phone]" {
		t.Fatalf("ann is answered %s", got.raw)
	}
	in := r.want(r.completed(got, "+447400123499"), 200)
	if in.text("status") != "signed_in" || in.at("new_user") != true || in.text("user", "username") != "" {
		t.Errorf("ann is %s", in.raw)
	}
	r.want(r.byPassword("mallory", secret), 200)
	r.want(r.byPassword(annsMail, secret), 401)
}

// completed adds the phone that a sign-in waits for.
func (r *rig) completed(waits answer, phone string) answer {
	r.t.Helper()
	asked := r.want(r.do("POST", "/v1/sign-in/complete", fmt.Sprintf(`{"phone":%q}`, phone), bearer(waits.text("pending_token"))), 200)
	return r.give(asked.text("id"))
}
