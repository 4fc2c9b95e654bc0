package fiberapi_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/countersign/countersign/app/keys"
	"github.com/countersign/countersign/domain/apikey"
	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/policy"
	"github.com/countersign/countersign/domain/tenant"
)

// key makes an API key.
func (r *rig) key(scopes ...apikey.Scope) string {
	r.t.Helper()
	_, text, err := r.programs.Create(r.t.Context(), keys.Wish{Tenant: tenant.Default, Name: "shop", Scopes: scopes, By: "test"})
	if err != nil {
		r.t.Fatal(err)
	}
	return text
}

// claims reads a JWS without checking it.
func claims(t *testing.T, jws string) map[string]any {
	t.Helper()
	parts := strings.Split(jws, ".")
	raw, err := base64.RawURLEncoding.DecodeString(parts[len(parts)/2])
	out := map[string]any{}
	if err != nil || json.Unmarshal(raw, &out) != nil {
		t.Fatalf("no JWS: %s", jws)
	}
	return out
}

func (r *rig) right(id string) string {
	r.t.Helper()
	r.post.mu.Lock()
	defer r.post.mu.Unlock()
	code := r.post.sent[id].code
	if code == "" {
		r.t.Fatalf("nothing was sent for %s", id)
	}
	return code
}

// give answers a challenge with the code that was sent.
func (r *rig) give(id string, header ...string) answer {
	r.t.Helper()
	return r.do("POST", "/v1/challenges/"+id+"/verify", `{"code":"`+r.right(id)+`"}`, header...)
}

func TestAnAddressIsVerifiedForAProgram(t *testing.T) {
	r := newRig(t)
	shop := bearer(r.key(apikey.Verify))
	ask := r.want(r.do("POST", "/v1/challenges", `{"purpose":"verify","to":"Ada@Example.com","metadata":{"order":"7"}}`, shop), 202)
	id := ask.text("id")
	browser := r.want(r.give(id), 200)
	if browser.text("status") != "verified" || browser.text("destination") != "a••@example.com" {
		t.Errorf("whoever holds the handle sees %s", browser.raw)
	}
	said := claims(t, browser.text("receipt"))
	if said["destination"] != "ada@example.com" || said["purpose"] != "verify" || said["tid"] != "default" {
		t.Errorf("the receipt says %v", said)
	}
	again := r.want(r.do("POST", "/v1/challenges", `{"purpose":"verify","to":"ada@example.com"}`, shop), 202).text("id")
	if got := r.want(r.give(again, shop), 200); got.text("destination") != "ada@example.com" {
		t.Errorf("the program sees %s", got.raw)
	}
	other := bearer(r.key(apikey.Verify))
	third := r.want(r.do("POST", "/v1/challenges", `{"purpose":"verify","to":"ada@example.com"}`, shop), 202).text("id")
	if got := r.want(r.give(third, other), 200); got.text("destination") == "ada@example.com" {
		t.Error("another program sees the whole address")
	}
	if _, err := r.store.Identify(t.Context(), tenant.Default, contact.Contact{Kind: contact.Email, Value: "ada@example.com"}); err == nil {
		t.Error("verifying an address made an account")
	}
	r.want(r.do("POST", "/v1/challenges", `{"purpose":"verify","to":"adalovelace"}`, shop), 422, "invalid_request")
}

func TestATransactionIsApprovedAsItWasShown(t *testing.T) {
	r := newRig(t)
	me := bearer(r.signIn("ada@example.com").text("access_token"))
	facts := `[{"label":"Amount","value":"120.00 EUR"},{"label":"Payee","value":"X"}]`
	ask := func() string {
		return r.want(r.do("POST", "/v1/challenges", `{"purpose":"approve","to":"ada@example.com","detail":`+facts+`}`, me), 202).text("id")
	}
	id := ask()
	got := r.want(r.do("POST", "/v1/challenges/"+id+"/verify", `{"code":"`+r.right(id)+`","detail":`+facts+`}`), 200)
	said := claims(t, got.text("receipt"))
	want := challenge.DetailHash([]challenge.Fact{{Label: "Amount", Value: "120.00 EUR"}, {Label: "Payee", Value: "X"}})
	if got.text("status") != "approved" || said["sub"] == "" || said["detail_sha256"] != base64.RawURLEncoding.EncodeToString(want) {
		t.Errorf("got %s with %v, want the hash %x", got.raw, said, want)
	}
	for _, other := range []string{
		`[{"label":"Amount","value":"120.01 EUR"},{"label":"Payee","value":"X"}]`, `[{"label":"Amount","value":"120.00 EUR"},{"label":"Payee","value":"Y"}]`,
		`[{"label":"Amount","value":"120.00 EUR"}]`, `[{"label":"Payee","value":"X"},{"label":"Amount","value":"120.00 EUR"}]`, `[]`,
	} {
		id := ask()
		r.want(r.do("POST", "/v1/challenges/"+id+"/verify", `{"code":"`+r.right(id)+`","detail":`+other+`}`), 422, "invalid_request")
		r.want(r.give(id), 404, "challenge_not_found")
	}
	for _, bad := range []string{`[]`, `[{"label":"","value":"x"}]`, `[{"label":"a","value":"b\nc"}]`, `[{"label":"a","value":"\u202eb"}]`} {
		r.want(r.do("POST", "/v1/challenges", `{"purpose":"approve","to":"ada@example.com","detail":`+bad+`}`, me), 422, "invalid_request")
	}
}

// follow opens or follows a link like a browser.
func (r *rig) follow(method, link string, header ...string) answer {
	r.t.Helper()
	return r.do(method, strings.TrimPrefix(link, publicURL), "", append([]string{"Accept: text/html"}, header...)...)
}

func TestOnlyTheBrowserThatAskedFollowsALink(t *testing.T) {
	r := newRig(t)
	ask := r.want(r.do("POST", "/v1/challenges", `{"to":"ada@example.com","return_to":"/orders/7"}`), 202)
	id, link := ask.text("id"), r.post.sent[ask.text("id")].link
	cookie, _, _ := strings.Cut(ask.header.Get("Set-Cookie"), ";")
	mine := "Cookie: " + cookie
	for range 2 {
		if page := r.follow("GET", link, mine); page.status != 200 || !strings.Contains(string(page.raw), "<button") {
			t.Fatalf("the page says %d %s", page.status, page.raw)
		}
		r.follow("HEAD", link, mine)
	}
	if page := r.follow("GET", link); page.status != 200 || strings.Contains(string(page.raw), "<button") || strings.Contains(string(page.raw), "ada") {
		t.Errorf("another browser sees %s", page.raw)
	}
	if page := r.follow("POST", link); page.status != 403 {
		t.Errorf("another browser may follow it: %d", page.status)
	}
	broken := link[:len(link)-2] + "AA"
	if page := r.follow("POST", broken, mine); page.status != 404 {
		t.Errorf("a link that was tampered with gives %d", page.status)
	}
	if page := r.follow("GET", link, mine); page.status != 200 {
		t.Errorf("after a refusal the page of a good link is answered %d", page.status)
	}
	if done := r.follow("POST", link, mine); done.status != 303 || done.header.Get("Location") != "/orders/7" {
		t.Fatalf("following gives %d to %q", done.status, done.header.Get("Location"))
	}
	if again := r.follow("POST", link, mine); again.status != 410 {
		t.Errorf("following twice gives %d", again.status)
	}
	r.want(r.give(id), 404, "challenge_not_found")
	if got := r.want(r.do("GET", "/v1/challenges/"+id, ""), 200); got.text("status") != "pending" {
		t.Errorf("before it is collected it is %q", got.text("status"))
	}
	got := r.want(r.do("POST", "/v1/challenges/"+id+"/verify", `{}`), 200)
	if got.text("status") != "signed_in" || got.text("access_token") == "" {
		t.Errorf("whoever asked collects %s", got.raw)
	}
	r.want(r.do("POST", "/v1/challenges/"+id+"/verify", `{}`), 404, "challenge_not_found")
}

func TestALinkIsWorthNothingToOthersAndForeverDead(t *testing.T) {
	r := newRig(t)
	ask := r.want(r.do("POST", "/v1/challenges", `{"to":"ada@example.com"}`), 202)
	link := r.post.sent[ask.text("id")].link
	token := link[strings.LastIndex(link, "/")+1:]
	other := r.want(r.do("POST", "/v1/challenges", `{"to":"eve@example.com"}`), 202).text("id")
	r.want(r.do("POST", "/v1/challenges/"+other+"/verify", `{"link_token":"`+token+`"}`), 404, "challenge_not_found")
	r.want(r.do("POST", "/v1/challenges/"+ask.text("id")+"/verify", `{"link_token":"`+token+`"}`, "Countersign-Tenant: closed"), 404, "challenge_not_found")
	got := r.want(r.do("POST", "/v1/challenges/"+ask.text("id")+"/verify", `{"link_token":"`+token+`"}`), 200)
	if got.text("status") != "signed_in" {
		t.Fatalf("got %s", got.raw)
	}
	r.want(r.do("POST", "/v1/challenges/"+ask.text("id")+"/verify", `{"link_token":"`+token+`"}`), 410, "link_used")
	late := r.want(r.do("POST", "/v1/challenges", `{"to":"bob@example.com"}`), 202)
	link = r.post.sent[late.text("id")].link
	r.clock.advance(policy.Default().Challenge.Life)
	r.want(r.do("GET", strings.TrimPrefix(link, publicURL), ""), 410, "link_expired")
}

func TestAScriptIsGivenTheOutcomeOfALink(t *testing.T) {
	r := newRig(t)
	ask := r.want(r.do("POST", "/v1/challenges", `{"to":"ada@example.com","return_to":"/x"}`), 202)
	link := strings.TrimPrefix(r.post.sent[ask.text("id")].link, publicURL)
	cookie, _, _ := strings.Cut(ask.header.Get("Set-Cookie"), ";")
	r.want(r.do("POST", link, "", "Accept: application/json"), 403, "forbidden")
	got := r.want(r.do("POST", link, "", "Accept: application/json", "Cookie: "+cookie), 200)
	if got.text("status") != "signed_in" || got.text("return_to") != "/x" {
		t.Errorf("got %s", got.raw)
	}
}

func TestNewUsersProveWhatTheyMustHave(t *testing.T) {
	r := newRig(t, func(p *policy.Policy) { p.SignUp.Required = []contact.Kind{contact.Phone, contact.Username} })
	ask := r.want(r.do("POST", "/v1/challenges", `{"to":"ada@example.com"}`), 202).text("id")
	got := r.want(r.give(ask), 200)
	if got.text("status") != "identifier_required" || fmt.Sprint(got.at("missing")) != "[phone username]" {
		t.Fatalf("got %s", got.raw)
	}
	pending := bearer(got.text("pending_token"))
	r.want(r.do("GET", "/v1/me", "", pending), 401)
	got = r.want(r.do("POST", "/v1/sign-in/complete", `{"phone":"+31612345678","first_name":"Ada"}`, pending), 200)
	if got.text("status") != "pending" || got.text("channel") != "sms" {
		t.Fatalf("got %s", got.raw)
	}
	got = r.want(r.give(got.text("id")), 200)
	if got.text("status") != "identifier_required" || fmt.Sprint(got.at("missing")) != "[username]" {
		t.Fatalf("got %s", got.raw)
	}
	got = r.want(r.do("POST", "/v1/sign-in/complete", `{"username":"ada"}`, pending), 200)
	if got.text("status") != "signed_in" || got.at("new_user") != true {
		t.Fatalf("got %s", got.raw)
	}
	r.want(r.do("POST", "/v1/sign-in/complete", `{"username":"ada2"}`, pending), 401, "invalid_pending_token")
	me := r.want(r.do("GET", "/v1/me", "", bearer(got.text("access_token"))), 200)
	if me.text("first_name") != "Ada" || me.text("username") != "ada" || len(me.at("identifiers").([]any)) != 3 {
		t.Errorf("they are %s", me.raw)
	}
}

func TestARememberedBrowserIsNotAskedTwice(t *testing.T) {
	r := newRig(t)
	access, code, confirmed := r.withApp("ada@example.com")
	device := confirmed.text("device", "id")
	r.want(r.do("PATCH", "/v1/me/two-factor", `{"required":true}`, bearer(r.stepUp(access, device, code()))), 200)
	pending := bearer(r.signIn("ada@example.com").text("pending_token"))
	ask := r.want(r.do("POST", "/v1/challenges", `{"purpose":"second_factor","device_id":"`+device+`"}`, pending), 202).text("id")
	got := r.want(r.do("POST", "/v1/challenges/"+ask+"/verify", `{"code":"`+code()+`","remember_browser":true}`), 200)
	trusted := got.text("trusted_browser")
	if trusted == "" || got.at("trusted_expires_in") == nil {
		t.Fatalf("got %s", got.raw)
	}
	first := func(token string) answer {
		id := r.want(r.do("POST", "/v1/challenges", `{"to":"ada@example.com"}`), 202).text("id")
		return r.want(r.do("POST", "/v1/challenges/"+id+"/verify", `{"code":"`+r.right(id)+`","trusted_browser":"`+token+`"}`), 200)
	}
	if in := first(trusted); in.text("status") != "signed_in" || claims(t, in.text("access_token"))["acr"] != "aal1" {
		t.Errorf("a remembered browser gets %s", in.raw)
	}
	for name, token := range map[string]string{"none": "", "edited": trusted[:len(trusted)-2] + "AA", "made up": "cst_" + strings.Repeat("A", 71)} {
		if in := first(token); in.text("status") != "factor_required" {
			t.Errorf("%s: got %s", name, in.raw)
		}
	}
	bob := r.want(r.do("POST", "/v1/challenges", `{"to":"bob@example.com"}`), 202).text("id")
	alone := r.want(r.do("POST", "/v1/challenges/"+bob+"/verify", `{"trusted_browser":"`+trusted+`"}`), 200)
	if alone.text("status") != "pending" {
		t.Errorf("alone it gives %s", alone.raw)
	}
	r.clock.advance(policy.Default().TwoFactor.Remember)
	if in := first(trusted); in.text("status") != "factor_required" {
		t.Errorf("a month later it gets %s", in.raw)
	}
}

func TestALinkFindsItsTenant(t *testing.T) {
	r := newRig(t)
	r.seed("closed", "ada@example.com")
	ask := r.want(r.do("POST", "/v1/challenges", `{"to":"ada@example.com"}`, "Countersign-Tenant: closed"), 202)
	link := strings.TrimPrefix(r.post.sent[ask.text("id")].link, publicURL)
	cookie, _, _ := strings.Cut(ask.header.Get("Set-Cookie"), ";")
	if page := r.follow("GET", link, "Cookie: "+cookie); page.status != 200 || !strings.Contains(string(page.raw), "<button") {
		t.Errorf("where all tenants are reached it gives %d %s", page.status, page.raw)
	}
	plain := r.want(r.do("POST", "/v1/challenges", `{"to":"bob@example.com"}`), 202)
	other := strings.TrimPrefix(r.post.sent[plain.text("id")].link, publicURL)
	r.want(r.do("GET", other, "", "Host: closed.example.com"), 404, "challenge_not_found")
	got := r.want(r.do("POST", link, "", "Accept: application/json", "Cookie: "+cookie, "Host: closed.example.com"), 200)
	if got.text("status") != "signed_in" || claims(t, got.text("access_token"))["tid"] != "closed" {
		t.Errorf("got %s", got.raw)
	}
}
