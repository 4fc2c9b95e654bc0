package fiberapi_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/device"
	"github.com/countersign/countersign/domain/policy"
	"github.com/countersign/countersign/domain/tenant"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/store"
)

const annsCell = "+31612345678"

func mustHave(kinds ...contact.Kind) func(*policy.Policy) {
	return func(p *policy.Policy) { p.SignUp.Required = kinds }
}

// lacks fails unless somebody is not let in yet for the lack of kinds, and gives
// the header of their pending sign-in.
func (r *rig) lacks(got answer, kinds string) string {
	r.t.Helper()
	r.want(got, 200)
	if got.text("status") != "identifier_required" || fmt.Sprint(got.at("missing")) != kinds || got.at("access_token") != nil || got.at("user") != nil {
		r.t.Fatalf("got %s, want %s to be missing", got.raw, kinds)
	}
	return bearer(got.text("pending_token"))
}

// change changes what is stored.
func (r *rig) change(fn func(context.Context, store.Tx) error) {
	r.t.Helper()
	if err := r.store.Do(r.t.Context(), fn); err != nil {
		r.t.Fatal(err)
	}
}

// adds gives and proves an address that was missing.
func (r *rig) adds(pending, field, value string) answer {
	r.t.Helper()
	ask := r.want(r.do("POST", "/v1/sign-in/complete", fmt.Sprintf(`{%q:%q}`, field, value), pending), 200)
	if ask.text("status") != "pending" {
		r.t.Fatalf("got %s, want a challenge", ask.raw)
	}
	return r.give(ask.text("id"))
}

// isIn fails unless somebody is signed in to an account, all of it proven.
func (r *rig) isIn(got answer, id, identifiers string) {
	r.t.Helper()
	r.want(got, 200)
	if got.text("status") != "signed_in" || id != "" && got.text("user", "id") != id {
		r.t.Fatalf("got %s, want %s to be signed in", got.raw, id)
	}
	me := r.want(r.do("GET", "/v1/me", "", bearer(got.text("access_token"))), 200)
	if all := fmt.Sprint(me.at("identifiers")); all != identifiers {
		r.t.Errorf("their identifiers are %s, want %s", all, identifiers)
	}
}

const (
	mailOfAnn = "map[kind:email value:" + annsMail + " verified:true]"
	cellOfAnn = "map[kind:phone value:" + annsCell + " verified:true]"
	nameOfAnn = "map[kind:username value:ann verified:false]"
)

func TestWhoSignedUpByAFormIsInOnceTheyHaveProvenWhatTheyMust(t *testing.T) {
	r := newRig(t, mustHave(contact.Email, contact.Phone))
	made := r.want(r.signUp(form("ann", annsMail, annsCell, secret)), 201)
	pending := r.lacks(r.byPassword("ann", secret), "[email phone]")
	r.want(r.do("GET", "/v1/me", "", pending), 401)
	pending = r.lacks(r.adds(pending, "email", annsMail), "[phone]")
	r.lacks(r.claim(annsMail, made.text("claim")), "[phone]") // the password stays, as they show that it was they
	r.isIn(r.adds(pending, "phone", annsCell), made.text("user", "id"), "["+mailOfAnn+" "+cellOfAnn+" "+nameOfAnn+"]")
	r.want(r.do("POST", "/v1/sign-in/complete", `{"first_name":"Ann"}`, pending), 401, "invalid_pending_token")
	r.isIn(r.byPassword(annsMail, secret), made.text("user", "id"), "["+mailOfAnn+" "+cellOfAnn+" "+nameOfAnn+"]")
	r.change(func(ctx context.Context, tx store.Tx) error {
		all, err := tx.Changes().List(ctx, tenant.Default, made.text("user", "id"))
		if len(all) != 0 {
			t.Errorf("%d claims wait still", len(all))
		}
		return err
	})
}

func TestWhoWaitsForOneProofMayBringTheOtherByACode(t *testing.T) {
	r := newRig(t, mustHave(contact.Email, contact.Phone))
	made := r.want(r.signUp(form("ann", annsMail, annsCell, secret)), 201)
	r.lacks(r.claim(annsMail, made.text("claim")), "[phone]")
	r.lacks(r.claim(annsMail, made.text("claim")), "[phone]") // again: it is still so
	r.isIn(r.claim(annsCell, made.text("claim")), made.text("user", "id"), "["+mailOfAnn+" "+cellOfAnn+" "+nameOfAnn+"]")
}

func TestWhoGetsAnAccountThatAnotherPreparedProvesTheRestThemselves(t *testing.T) {
	r := newRig(t, mustHave(contact.Email, contact.Phone))
	made := r.want(r.signUp(form("mallory", annsMail, mallorysCell, secret)), 201)
	hers := r.lacks(r.byPassword("mallory", secret), "[email phone]")
	hers = r.lacks(r.adds(hers, "phone", mallorysCell), "[email]")
	r.clock.now = r.clock.now.Add(time.Second)
	pending := r.lacks(r.claim(annsMail, ""), "[phone]")
	ask := r.want(r.do("POST", "/v1/sign-in/complete", `{"email":"mallory@example.com"}`, hers), 200)
	r.want(r.give(ask.text("id")), 401, "invalid_pending_token")
	r.want(r.byPassword("mallory", secret), 401, "invalid_credentials")
	r.isIn(r.adds(pending, "phone", annsCell), made.text("user", "id"), "["+mailOfAnn+" "+cellOfAnn+" map[kind:username value:mallory verified:false]]")
}

func TestANameThatIsMissingIsChosenOnTheWayIn(t *testing.T) {
	r := newRig(t, mustHave(contact.Username))
	r.want(r.signUp(`{"username":"ann","password":"`+secret+`"}`), 201)
	made := r.want(r.signUp(`{"username":"nameless","email":"`+annsMail+`","password":"`+secret+`"}`), 201)
	r.change(func(ctx context.Context, tx store.Tx) error { // it was made before names were required
		return tx.Identifiers().Delete(ctx, tenant.Default, contact.Contact{Kind: contact.Username, Value: "nameless"})
	})
	pending := r.lacks(r.claim(annsMail, made.text("claim")), "[username]")
	r.want(r.do("POST", "/v1/sign-in/complete", `{"username":"ann"}`, pending), 409, "identity_taken")
	got := r.want(r.do("POST", "/v1/sign-in/complete", `{"username":"ann2","first_name":"Ann"}`, pending), 200)
	r.isIn(got, made.text("user", "id"), "["+mailOfAnn+" map[kind:username value:ann2 verified:false]]")
	if got.text("user", "first_name") != "Ann" {
		t.Errorf("they are %s", got.raw)
	}
}

func TestAnAddressThatSomebodyElseHasProvenBringsNobodyIn(t *testing.T) {
	r := newRig(t, mustHave(contact.Email, contact.Phone))
	made := r.want(r.signUp(form("ann", annsMail, annsCell, secret)), 201)
	r.lacks(r.claim(annsMail, made.text("claim")), "[phone]")
	r.isIn(r.claim(annsCell, made.text("claim")), "", "["+mailOfAnn+" "+cellOfAnn+" "+nameOfAnn+"]")
	r.want(r.signUp(form("bea", "bea@example.com", "+447400654321", secret)), 201)
	pending := r.lacks(r.byPassword("bea", secret), "[email phone]")
	pending = r.lacks(r.adds(pending, "phone", annsCell), "[email]") // they hold it, whatever it is worth
	r.want(r.adds(pending, "email", "bea@example.com"), 409, "identity_taken")
	r.lacks(r.byPassword("bea", secret), "[email phone]")
}

func TestASecondFactorStandsInForNothingThatIsRequired(t *testing.T) {
	r := newRig(t, mustHave(contact.Phone), func(p *policy.Policy) { p.TwoFactor.Mode = policy.Required })
	made := r.want(r.signUp(`{"username":"ann","phone":"`+annsCell+`","password":"`+secret+`"}`), 201)
	d := device.Device{ // that an operator brought in
		ID: "01a00000-0000-7000-8000-000000000002", Tenant: tenant.Default, User: made.text("user", "id"), Channel: "sms", Address: annsCell,
		Status: device.Active, CreatedAt: r.clock.now,
	}
	r.change(func(ctx context.Context, tx store.Tx) error { return tx.Devices().Add(ctx, d) })
	wait := r.want(r.byPassword("ann", secret), 200)
	if wait.text("status") != "factor_required" {
		t.Fatalf("got %s", wait.raw)
	}
	ask := r.want(r.do("POST", "/v1/challenges", `{"purpose":"second_factor","device_id":"`+d.ID+`"}`, bearer(wait.text("pending_token"))), 202)
	pending := r.lacks(r.give(ask.text("id")), "[phone]")
	r.isIn(r.adds(pending, "phone", annsCell), made.text("user", "id"), "["+cellOfAnn+" "+nameOfAnn+"]")
}

func TestWhoIsInIsNotAskedForWhatIsRequiredLater(t *testing.T) {
	r := newRig(t, mustHave(contact.Phone))
	mail := contact.Contact{Kind: contact.Email, Value: annsMail}
	who := user.User{ID: "01a00000-0000-7000-8000-000000000001", Tenant: tenant.Default, Status: user.Active, CreatedAt: r.clock.now, LastSignIn: r.clock.now}
	r.change(func(ctx context.Context, tx store.Tx) error {
		return tx.Users().Add(ctx, user.Account{User: who, Identifiers: []user.Identifier{{Contact: mail, VerifiedAt: r.clock.now, CreatedAt: r.clock.now}}})
	})
	r.isIn(r.signIn(annsMail), who.ID, "["+mailOfAnn+"]")
}
