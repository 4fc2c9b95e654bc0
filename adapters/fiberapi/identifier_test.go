package fiberapi_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/domain/limit"
	"github.com/countersign/countersign/domain/policy"
	"github.com/countersign/countersign/ports/message"
)

// wish asks for an identifier, and gives the handles of its challenges.
func (r *rig) wish(access, kind, value string) (answer, []string) {
	r.t.Helper()
	got := r.want(r.do("POST", "/v1/me/identifiers", fmt.Sprintf(`{"kind":%q,"value":%q}`, kind, value), bearer(access)), 202)
	var handles []string
	for _, c := range got.at("challenges").([]any) {
		handles = append(handles, c.(map[string]any)["id"].(string))
	}
	return got, handles
}

func (r *rig) identifiers(access string) string {
	r.t.Helper()
	return fmt.Sprint(r.want(r.do("GET", "/v1/me", "", bearer(access)), 200).at("identifiers"))
}

// S-076, S-077, S-079
func TestAProvenAddressIsReplacedWhenBothAgree(t *testing.T) {
	r := newRig(t)
	access := r.signIn("a@example.com").text("access_token")
	other := r.signIn("a@example.com").text("access_token")
	asked, handles := r.wish(access, "email", "B@example.com")
	if len(handles) != 2 || r.post.sent[handles[0]].to != "b@example.com" || r.post.sent[handles[1]].to != "a@example.com" ||
		r.post.sent[handles[0]].code == r.post.sent[handles[1]].code {
		t.Fatalf("asked: %s, sent %v", asked.raw, r.post.sent)
	}
	const waits = "[map[kind:email pending_value:b@example.com value:a@example.com verified:true]]"
	if ids := r.identifiers(access); ids != waits || fmt.Sprint([]any{asked.at("identifier")}) != waits {
		t.Errorf("while it waits: %s", ids)
	}
	first := r.want(r.give(handles[1]), 200)
	if first.text("status") != "identifier_pending" || fmt.Sprint(first.at("waiting_for")) != "[new]" || r.identifiers(access) != waits {
		t.Errorf("one agreed: %s", first.raw)
	}
	r.clock.advance(time.Second)
	done := r.want(r.give(handles[0]), 200)
	if done.text("status") != "identifier_changed" || r.identifiers(access) != "[map[kind:email value:b@example.com verified:true]]" {
		t.Errorf("both agreed: %s", done.raw)
	}
	r.want(r.do("GET", "/v1/me", "", bearer(other)), 401, "token_revoked")
	if told := r.told(message.IdentifierChanged); len(told) != 1 || told[0].To.Value != "a@example.com" {
		t.Errorf("told: %v", told)
	}
	if in := r.signIn("b@example.com"); in.at("new_user") != false {
		t.Error("the new address leads elsewhere")
	}
}

// S-080, S-083, and what a request that is refused leaves alone.
func TestAskingAgainStartsOver(t *testing.T) {
	r := newRig(t)
	access := r.signIn("a@example.com").text("access_token")
	r.want(r.do("DELETE", "/v1/me/identifiers/email/pending", "", bearer(access)), 409, "nothing_pending")
	r.want(r.do("DELETE", "/v1/me/identifiers/fax/pending", "", bearer(access)), 404, "not_found")
	_, old := r.wish(access, "email", "b@example.com")
	_, handles := r.wish(access, "email", "c@example.com")
	for _, h := range old {
		r.want(r.give(h), 404, "challenge_not_found")
	}
	r.want(r.do("POST", "/v1/me/identifiers", `{"kind":"email","value":"@"}`, bearer(access)), 422, "invalid_request")
	for _, h := range handles {
		r.want(r.give(h), 200)
	}
	_, handles = r.wish(access, "email", "d@example.com")
	if got, none := r.wish(access, "email", "C@Example.com"); len(none) != 0 || got.at("identifier", "pending_value") != nil {
		t.Errorf("the address that is there: %s", got.raw)
	}
	r.want(r.give(handles[0]), 404, "challenge_not_found")
	r.wish(access, "email", "d@example.com")
	r.want(r.do("DELETE", "/v1/me/identifiers/email/pending", "", bearer(access)), 204)
	if ids := r.identifiers(access); strings.Contains(ids, "d@") {
		t.Errorf("still waits: %s", ids)
	}
}

func TestSomebodyElsesAddressIsAnsweredAlike(t *testing.T) {
	r := newRig(t)
	r.signIn("bob@example.com")
	access := r.signIn("a@example.com").text("access_token")
	see := func(value string) string {
		got, handles := r.wish(access, "email", value)
		text := string(got.raw)
		for _, h := range handles {
			text = strings.ReplaceAll(text, h, "-")
		}
		return strings.ReplaceAll(text+r.identifiers(access), value, "-")
	}
	if x, y := strings.ReplaceAll(see("bob@example.com"), "b••", "e••"), see("eve@example.com"); x != y {
		t.Errorf("known:\n%s\nfresh:\n%s", x, y)
	}
	_, handles := r.wish(access, "email", "bob@example.com")
	if r.post.sent[handles[0]].code != "" {
		t.Error("a code went to somebody who did not ask")
	}
	r.want(r.do("POST", "/v1/challenges/"+handles[0]+"/verify", `{"code":"000000"}`), 422, "invalid_code")
}

func TestUserNamesCountAtOnce(t *testing.T) {
	r := newRig(t)
	r.want(r.signUp(`{"username":"taken","password":"`+secret+`"}`), 201)
	access := r.signIn("a@example.com").text("access_token")
	for _, name := range []string{"Ada", "ada", "lovelace"} {
		if got, handles := r.wish(access, "username", name); len(handles) != 0 || got.text("identifier", "value") != strings.ToLower(name) {
			t.Errorf("%s: %s", name, got.raw)
		}
	}
	if ids := r.identifiers(access); !strings.Contains(ids, "lovelace") || strings.Contains(ids, "ada") {
		t.Errorf("names are %s", ids)
	}
	r.want(r.do("POST", "/v1/me/identifiers", `{"kind":"username","value":"taken"}`, bearer(access)), 409, "identity_taken")
	if !strings.Contains(r.identifiers(access), "lovelace") {
		t.Error("a name was lost")
	}
	r.clock.advance(6 * time.Minute)
	r.want(r.do("POST", "/v1/me/identifiers", `{"kind":"username","value":"other"}`, bearer(access)), 401, "insufficient_user_authentication")
}

func TestTheLastWayToSignInStays(t *testing.T) {
	r := newRig(t)
	access := r.signIn("a@example.com").text("access_token")
	remove := func(kind string) answer { return r.do("DELETE", "/v1/me/identifiers/"+kind, "", bearer(access)) }
	r.wish(access, "username", "ada")
	r.want(remove("email"), 409, "last_login_method")
	r.want(remove("phone"), 404, "not_found")
	r.want(r.do("PUT", "/v1/me/password", `{"new_password":"`+secret+`"}`, bearer(access)), 204)
	r.want(remove("email"), 204)
	r.want(remove("username"), 409, "last_login_method")
	if ids := r.identifiers(access); ids != "[map[kind:username value:ada verified:false]]" {
		t.Errorf("left: %s", ids)
	}
	if in := r.signIn("a@example.com"); in.at("new_user") != true {
		t.Error("an address that was removed still leads there")
	}
}

func TestAnAccountIsNoLicenceToWriteToEverybody(t *testing.T) {
	r := newRig(t, func(p *policy.Policy) { p.Limits.Address = []limit.Rule{{Max: 3, Window: time.Hour}} })
	access := r.signIn("a@example.com").text("access_token")
	for i := range 2 {
		r.wish(access, "phone", fmt.Sprintf("+44740012345%d", i))
	}
	r.want(r.do("POST", "/v1/me/identifiers", `{"kind":"phone","value":"+447400123459"}`, bearer(access)), 429, "rate_limited")
	if ids := r.identifiers(access); !strings.Contains(ids, "+447400123451") {
		t.Errorf("a request that was refused changed something: %s", ids)
	}
}

func TestAnAddressOfADeviceBecomesAnIdentifier(t *testing.T) {
	r := newRig(t)
	access := r.signIn("a@example.com").text("access_token")
	enrolled := r.want(r.do("POST", "/v1/me/devices", `{"channel":"sms","to":"+447400123456"}`, bearer(access)), 201)
	if strings.Contains(r.identifiers(access), "+44") {
		t.Error("before it was proven")
	}
	r.want(r.give(enrolled.text("challenge", "id")), 200)
	if ids := r.identifiers(access); !strings.Contains(ids, "map[kind:phone value:+447400123456 verified:true]") {
		t.Errorf("identifiers are %s", ids)
	}
	enrolled = r.want(r.do("POST", "/v1/me/devices", `{"channel":"sms","to":"+447400123457"}`, bearer(access)), 201)
	r.want(r.give(enrolled.text("challenge", "id")), 200)
	if ids := r.identifiers(access); !strings.Contains(ids, "+447400123456") || strings.Contains(ids, "+447400123457") {
		t.Errorf("a second one replaced the first: %s", ids)
	}
	eve := r.signIn("eve@example.com").text("access_token")
	enrolled = r.want(r.do("POST", "/v1/me/devices", `{"channel":"sms","to":"+447400123456"}`, bearer(eve)), 201)
	r.want(r.give(enrolled.text("challenge", "id")), 200)
	if ids := r.identifiers(eve); strings.Contains(ids, "+44") {
		t.Errorf("somebody else's: %s", ids)
	}
}

func TestPeopleSeeWhatHappenedToTheirAccount(t *testing.T) {
	r := newRig(t)
	r.signIn("bob@example.com")
	access := r.signIn("a@example.com", "User-Agent: curl/8").text("access_token")
	r.clock.advance(time.Second)
	r.want(r.do("PUT", "/v1/me/password", `{"new_password":"`+secret+`"}`, bearer(access)), 204)
	r.clock.advance(time.Second)
	r.byPassword("a@example.com", another)
	var types []string
	page := r.want(r.do("GET", "/v1/me/activity?limit=2", "", bearer(access)), 200)
	for {
		for _, e := range page.at("events").([]any) {
			types = append(types, e.(map[string]any)["type"].(string))
		}
		if page.text("next") == "" {
			break
		}
		page = r.want(r.do("GET", "/v1/me/activity?limit=2&before="+page.text("next"), "", bearer(access)), 200)
	}
	if got := strings.Join(types, " "); !strings.HasPrefix(got, "sign_in.failed password.changed ") || strings.Count(got, "session.started") != 1 || strings.Count(got, "user.created") != 1 {
		t.Errorf("what happened: %s", got)
	}
	all := r.do("GET", "/v1/me/activity", "", bearer(access))
	if !strings.Contains(string(all.raw), `"channel":"email","client":"curl"`) || strings.Contains(string(all.raw), "example.com") {
		t.Errorf("what happened: %s", all.raw)
	}
	r.want(r.do("GET", "/v1/me/activity?before=x", "", bearer(access)), 422, "invalid_request")
	r.want(r.do("GET", "/v1/me/activity?limit=0", "", bearer(access)), 422, "invalid_request")
}

func TestNamesThatAreNotUsedAreRefused(t *testing.T) {
	r := newRig(t, func(p *policy.Policy) { p.Identity.Profile = []string{policy.LastName} })
	access := r.signIn("a@example.com").text("access_token")
	got := r.want(r.do("PATCH", "/v1/me", `{"first_name":"Ada","last_name":"L"}`, bearer(access)), 422, "invalid_request")
	if codes := codesOf(got); fmt.Sprint(codes) != "map[/first_name:[not_allowed]]" {
		t.Errorf("refused: %v", codes)
	}
	r.want(r.do("PATCH", "/v1/me", `{"first_name":null,"last_name":"L"}`, bearer(access)), 200)
}

func TestWhatWasBegunBeforeIsWorthlessAfterwards(t *testing.T) {
	for name, act := range map[string]func(r *rig, access, device string){
		"other sessions end": func(r *rig, access, _ string) { r.want(r.do("DELETE", "/v1/me/sessions", "", bearer(access)), 204) },
		"the second factor is switched on": func(r *rig, access, _ string) {
			r.want(r.do("PATCH", "/v1/me/two-factor", `{"required":true}`, bearer(access)), 200)
		},
		"a device is removed": func(r *rig, access, device string) {
			r.want(r.do("DELETE", "/v1/me/devices/"+device, "", bearer(access)), 204)
		},
		"a password is chosen": func(r *rig, access, _ string) {
			r.want(r.do("PUT", "/v1/me/password", `{"new_password":"`+secret+`"}`, bearer(access)), 204)
		},
	} {
		r := newRig(t)
		access, code, confirmed := r.withApp("a@example.com")
		device := confirmed.text("device", "id")
		access = r.stepUp(access, device, code())
		before := r.want(r.do("POST", "/v1/challenges", `{"to":"a@example.com"}`), 202)
		r.clock.advance(time.Second)
		act(r, access, device)
		r.clock.advance(time.Second)
		if got := r.give(before.text("id")); got.text("code") != "challenge_not_found" {
			t.Errorf("%s: %s", name, got.raw)
		}
		r.want(r.give(r.do("POST", "/v1/challenges", `{"to":"a@example.com"}`).text("id")), 200)
	}
}
