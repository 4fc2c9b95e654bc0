package fiberapi_test

import (
	"context"
	"strings"
	"testing"

	"github.com/countersign/countersign/app/invitations"
	"github.com/countersign/countersign/domain/apikey"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/invitation"
	"github.com/countersign/countersign/domain/policy"
	"github.com/countersign/countersign/domain/tenant"
	"github.com/countersign/countersign/ports/store"
)

// token is the token of an invitation, as its message would carry it.
func (r *rig) token(id string) string {
	r.t.Helper()
	var i invitation.Invitation
	err := r.store.Do(r.t.Context(), func(ctx context.Context, tx store.Tx) (err error) {
		i, err = tx.Invitations().Get(ctx, tenant.Default, id)
		if err != nil {
			i, err = tx.Invitations().Get(ctx, "closed", id)
		}
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return r.tokens.Token(i)
}

func closed(p *policy.Policy) { p.SignUp.Allowed = false }

func TestSomebodyIsInvitedAndComesIn(t *testing.T) {
	r := newRig(t)
	me := r.signIn("ada@example.com")
	mine := bearer(me.text("access_token"))
	made := r.want(r.do("POST", "/v1/invitations", `{"email":"Grace@Example.com","expires_in":3600}`, mine), 201)
	if made.text("destination") != "g••@example.com" || made.text("status") != "open" || made.text("invited_by") != me.text("user", "id") ||
		made.text("expires_at") != "2026-11-20T13:00:00Z" || strings.Contains(string(made.raw), "csi_") {
		t.Errorf("made %s", made.raw)
	}
	token := r.token(made.text("id"))
	in := r.want(r.do("POST", "/v1/invitations/accept", `{"token":"`+token+`","username":"grace","first_name":"Grace","password":"a fine sentence"}`), 200)
	if in.text("status") != "signed_in" || in.at("new_user") != true || in.text("user", "username") != "grace" || in.text("user", "first_name") != "Grace" {
		t.Errorf("came in as %s", in.raw)
	}
	r.want(r.do("GET", "/v1/me", "", bearer(in.text("access_token"))), 200)
	r.want(r.do("POST", "/v1/invitations/accept", `{"token":"`+token+`"}`), 410, "invitation_expired")
	r.want(r.do("POST", "/v1/invitations/accept", `{"token":"`+token[:len(token)-2]+`AA"}`), 404, "not_found")
	r.want(r.do("POST", "/v1/invitations/accept", `{"token":"`+token+`"}`, "Countersign-Tenant: closed"), 404, "not_found")
	r.want(r.do("POST", "/v1/invitations/accept", `{}`), 422, "invalid_request")
	list := r.want(r.do("GET", "/v1/invitations", "", mine), 200)
	one, _ := list.at("invitations").([]any)[0].(map[string]any)
	if one["status"] != "accepted" || one["accepted_at"] == nil || one["user_id"] != nil {
		t.Errorf("the inviter sees %s", list.raw)
	}
}

func TestInvitationsAreOnesOwn(t *testing.T) {
	r := newRig(t)
	ada, eve := bearer(r.signIn("ada@example.com").text("access_token")), bearer(r.signIn("eve@example.com").text("access_token"))
	admin, shop := bearer(r.key(apikey.Admin)), bearer(r.key(apikey.Verify))
	var ids []string
	for _, who := range []string{"a1", "a2", "a3"} {
		ids = append(ids, r.want(r.do("POST", "/v1/invitations", `{"email":"`+who+`@example.com"}`, ada), 201).text("id"))
	}
	r.want(r.do("POST", "/v1/invitations", `{"phone":"+447400123456"}`, admin), 201)
	if got := r.want(r.do("GET", "/v1/invitations", "", eve), 200); len(got.at("invitations").([]any)) != 0 {
		t.Errorf("eve sees %s", got.raw)
	}
	page := r.want(r.do("GET", "/v1/invitations?limit=2", "", ada), 200)
	rest := r.want(r.do("GET", "/v1/invitations?limit=2&after="+page.text("next"), "", ada), 200)
	if len(page.at("invitations").([]any)) != 2 || len(rest.at("invitations").([]any)) != 1 || rest.at("next") != nil {
		t.Errorf("pages: %s, %s", page.raw, rest.raw)
	}
	all := r.want(r.do("GET", "/v1/invitations", "", admin), 200)
	if len(all.at("invitations").([]any)) != 4 || !strings.Contains(string(all.raw), "+447400123456") {
		t.Errorf("the operator sees %s", all.raw)
	}
	r.want(r.do("DELETE", "/v1/invitations/"+ids[0], "", eve), 404, "not_found")
	r.want(r.do("DELETE", "/v1/invitations/x", "", ada), 404, "not_found")
	r.want(r.do("DELETE", "/v1/invitations/"+ids[0], "", ada), 204)
	r.want(r.do("POST", "/v1/invitations/accept", `{"token":"`+r.token(ids[0])+`"}`), 410, "invitation_expired")
	r.want(r.do("DELETE", "/v1/invitations/"+ids[1], "", admin), 204)
	for _, call := range []string{"GET", "POST"} {
		r.want(r.do(call, "/v1/invitations", map[string]string{"POST": `{"email":"x@example.com"}`}[call], shop), 403, "forbidden")
		r.want(r.do(call, "/v1/invitations", map[string]string{"POST": `{"email":"x@example.com"}`}[call]), 401, "unauthenticated")
	}
	r.want(r.do("GET", "/v1/invitations?after=x", "", ada), 422, "invalid_request")
	r.want(r.do("POST", "/v1/invitations", `{"email":"x@example.com","expires_in":1}`, ada), 422, "invalid_request")
	r.want(r.do("POST", "/v1/invitations", `{"email":"x@example.com","return_to":"https://evil.example/"}`, ada), 422, "invalid_request")
}

func TestInvitingCanBeSwitchedOff(t *testing.T) {
	r := newRig(t, func(p *policy.Policy) { p.SignUp.Invite = false })
	r.want(r.do("POST", "/v1/invitations", `{"email":"x@example.com"}`, bearer(r.signIn("ada@example.com").text("access_token"))), 403, "invite_not_allowed")
	r.want(r.do("POST", "/v1/invitations", `{"email":"x@example.com"}`, bearer(r.key(apikey.Admin))), 201)
}

func TestTheLinkOfAnInvitationIsAPageWithAButton(t *testing.T) {
	r := newRig(t, closed)
	admin := bearer(r.key(apikey.Admin))
	id := r.want(r.do("POST", "/v1/invitations", `{"email":"grace@example.com"}`, admin), 201).text("id")
	path := "/l/" + r.token(id)
	html := "Accept: text/html"
	for range 2 { // looking changes nothing
		page := r.want(r.do("GET", path, "", html), 200)
		if !strings.Contains(string(page.raw), "g••@example.com") || !strings.Contains(string(page.raw), "<button") || strings.Contains(string(page.raw), "<input") {
			t.Fatalf("the page is %s", page.raw)
		}
	}
	done := r.want(r.do("POST", path, "", html), 200)
	if !strings.Contains(string(done.raw), "You are in") || strings.Contains(string(done.raw), "csr_") || strings.Contains(string(done.raw), "<button") {
		t.Errorf("the page is %s", done.raw)
	}
	if page := r.want(r.do("GET", path, "", html), 410); !strings.Contains(string(page.raw), "no longer good") {
		t.Errorf("the page is %s", page.raw)
	}
	r.want(r.do("GET", path, ""), 410, "invitation_expired")
	r.want(r.do("GET", path[:len(path)-2]+"AA", ""), 404, "not_found")
	if got := r.signIn("grace@example.com"); got.at("new_user") != false {
		t.Errorf("whoever accepted is not there: %s", got.raw)
	}
}

func TestTheLinkOfAnInvitationFindsItsTenant(t *testing.T) {
	r := newRig(t)
	var id string
	made, err := r.invite("closed")
	if err != nil {
		t.Fatal(err)
	}
	id = made.ID
	got := r.want(r.do("POST", "/l/"+r.token(id), "", "Accept: application/json"), 200)
	if got.text("status") != "signed_in" || claims(t, got.text("access_token"))["tid"] != "closed" {
		t.Errorf("got %s", got.raw)
	}
}

func TestThePageAsksForAUserName(t *testing.T) {
	r := newRig(t, closed, func(p *policy.Policy) { p.SignUp.Required = []contact.Kind{contact.Username} })
	admin := bearer(r.key(apikey.Admin))
	path := func(address string) string {
		return "/l/" + r.token(r.want(r.do("POST", "/v1/invitations", `{"email":"`+address+`","return_to":"/welcome"}`, admin), 201).text("id"))
	}
	first, second := path("grace@example.com"), path("ada@example.com")
	form, html := "Content-Type: application/x-www-form-urlencoded", "Accept: text/html"
	if page := r.want(r.do("GET", first, "", html), 200); !strings.Contains(string(page.raw), `name="username"`) {
		t.Errorf("the page is %s", page.raw)
	}
	for _, body := range []string{"", "username=x", "username=%20", "%zz"} {
		if page := r.want(r.do("POST", first, body, html, form), 422); !strings.Contains(string(page.raw), `role="alert"`) {
			t.Errorf("%q: the page is %s", body, page.raw)
		}
	}
	sent := r.want(r.do("POST", first, "username=Grace", html, form), 303)
	if to := sent.header.Get("Location"); to != "/welcome" || len(sent.raw) != 0 && strings.Contains(string(sent.raw), "cs") {
		t.Errorf("sent on to %q with %s", to, sent.raw)
	}
	r.want(r.do("POST", second, "username=grace", html, form), 409)
	r.want(r.do("POST", second, "username=ada", html, form), 303)
}

func TestThePageDoesNotAskForWhatHasToBeProven(t *testing.T) {
	r := newRig(t, func(p *policy.Policy) { p.SignUp.Required = []contact.Kind{contact.Email, contact.Phone} })
	id := r.want(r.do("POST", "/v1/invitations", `{"email":"grace@example.com"}`, bearer(r.key(apikey.Admin))), 201).text("id")
	path := "/l/" + r.token(id)
	if page := r.want(r.do("GET", path, "", "Accept: text/html"), 200); strings.Contains(string(page.raw), "<button") || !strings.Contains(string(page.raw), "More is needed") {
		t.Errorf("the page is %s", page.raw)
	}
	r.want(r.do("POST", path, "", "Accept: text/html"), 422)
	ask := r.want(r.do("POST", "/v1/invitations/accept", `{"token":"`+r.token(id)+`"}`), 200)
	if ask.text("status") != "identifier_required" {
		t.Fatalf("got %s", ask.raw)
	}
	waiting := bearer(ask.text("pending_token"))
	sms := r.want(r.do("POST", "/v1/sign-in/complete", `{"phone":"+447400123456"}`, waiting), 200)
	if in := r.want(r.give(sms.text("id")), 200); in.text("status") != "signed_in" || in.at("new_user") != true {
		t.Errorf("got %s", in.raw)
	}
	r.want(r.do("POST", "/v1/invitations/accept", `{"token":"`+r.token(id)+`"}`), 410, "invitation_expired")
}

func TestInvitersNamesAreOnlyText(t *testing.T) {
	r := newRig(t)
	me := bearer(r.signIn("ada@example.com").text("access_token"))
	r.want(r.do("PATCH", "/v1/me", `{"first_name":"<b>Ada","last_name":"`+strings.Repeat("y", 90)+`"}`, me), 200)
	id := r.want(r.do("POST", "/v1/invitations", `{"email":"grace@example.com"}`, me), 201).text("id")
	page := string(r.want(r.do("GET", "/l/"+r.token(id), "", "Accept: text/html"), 200).raw)
	if strings.Contains(page, "<b>") || !strings.Contains(page, "Ada") || strings.Contains(page, strings.Repeat("y", 61)) {
		t.Errorf("the page is %s", page)
	}
}

func TestKeysAreMadeListedAndEnded(t *testing.T) {
	r := newRig(t)
	admin := bearer(r.key(apikey.Admin))
	made := r.want(r.do("POST", "/v1/admin/api-keys", `{"name":"shop two","scopes":["verify"],"expires_in":3600}`, admin), 201)
	shop, id := bearer(made.text("key")), made.text("api_key", "id")
	r.want(r.do("POST", "/v1/challenges", `{"purpose":"verify","to":"ada@example.com"}`, shop), 202)
	list := r.want(r.do("GET", "/v1/admin/api-keys", "", admin), 200)
	if strings.Contains(string(list.raw), "csk_") || !strings.Contains(string(list.raw), `"name":"shop two"`) {
		t.Errorf("the list is %s", list.raw)
	}
	for name, body := range map[string]string{
		"no name": `{"name":"","scopes":["verify"]}`, "no scope": `{"name":"x","scopes":[]}`, "another scope": `{"name":"x","scopes":["all"]}`,
		"too short": `{"name":"x","scopes":["verify"],"expires_in":1}`,
	} {
		if got := r.do("POST", "/v1/admin/api-keys", body, admin); got.status != 422 {
			t.Errorf("%s: %d %s", name, got.status, got.raw)
		}
	}
	r.want(r.do("GET", "/v1/admin/api-keys", "", shop), 403, "forbidden")
	r.want(r.do("GET", "/v1/admin/api-keys", "", bearer(r.signIn("ada@example.com").text("access_token"))), 401, "invalid_token")
	r.want(r.do("GET", "/v1/admin/api-keys", ""), 401, "unauthenticated")
	r.want(r.do("DELETE", "/v1/admin/api-keys/x", "", admin), 404, "not_found")
	r.want(r.do("DELETE", "/v1/admin/api-keys/"+id, "", admin), 204)
	r.want(r.do("POST", "/v1/challenges", `{"purpose":"verify","to":"ada@example.com"}`, shop), 401, "invalid_token")
}

// invite makes an invitation of a tenant, as the command line does.
func (r *rig) invite(slug string) (invitation.Invitation, error) {
	return r.api.Invitations.Invite(r.t.Context(), invitations.Wish{Tenant: slug, By: "cli", Email: "grace@example.com"})
}
