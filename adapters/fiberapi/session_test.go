package fiberapi_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
)

// signIn starts and answers a sign-in challenge.
func (r *rig) signIn(to string, header ...string) answer {
	r.t.Helper()
	started := r.want(r.do("POST", "/v1/challenges", fmt.Sprintf(`{"to":%q}`, to), header...), 202)
	return r.want(r.verify(started, r.post.sent[started.text("id")].code, header...), 200)
}

func (r *rig) verify(started answer, code string, header ...string) answer {
	r.t.Helper()
	id := started.text("id")
	if id == "" {
		id = started.text("challenge", "id")
	}
	return r.do("POST", "/v1/challenges/"+id+"/verify", fmt.Sprintf(`{"code":%q}`, code), header...)
}

// app is an authenticator app that has scanned the QR code.
func (r *rig) appCode(enrolled answer) func() string {
	r.t.Helper()
	show, _ := enrolled.at("challenge", "prompt", "show").([]any)
	if len(show) != 1 {
		r.t.Fatalf("nothing to scan in %s", enrolled.raw)
	}
	uri := must(url.Parse(show[0].(string)))(r.t)
	return func() string {
		r.clock.advance(30 * time.Second) // each code is good once
		return must(totp.GenerateCode(uri.Query().Get("secret"), r.clock.Now()))(r.t)
	}
}

// withApp signs somebody in and binds an authenticator app.
func (r *rig) withApp(to string) (access string, code func() string, confirmed answer) {
	r.t.Helper()
	access = r.signIn(to).text("access_token")
	enrolled := r.want(r.do("POST", "/v1/me/devices", `{"channel":"totp","name":"Phone"}`, bearer(access)), 201)
	code = r.appCode(enrolled)
	confirmed = r.want(r.verify(enrolled, code()), 200)
	return access, code, confirmed
}

// stepUp renews the proof with a device.
func (r *rig) stepUp(access, device, code string) string {
	r.t.Helper()
	asked := r.want(r.do("POST", "/v1/challenges", fmt.Sprintf(`{"purpose":"step_up","device_id":%q}`, device), bearer(access)), 202)
	return r.want(r.verify(asked, code), 200).text("access_token")
}

func TestTheWholeLifeOfAnAccount(t *testing.T) {
	r := newRig(t)
	in := r.signIn("Ada@Example.com", "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0")
	if in.text("status") != "signed_in" || in.at("new_user") != true || in.text("token_type") != "Bearer" {
		t.Fatalf("not signed in as somebody new: %s", in.raw)
	}
	renewed := r.want(r.do("POST", "/v1/tokens/refresh", fmt.Sprintf(`{"refresh_token":%q}`, in.text("refresh_token"))), 200)
	access := renewed.text("access_token")
	me := r.want(r.do("GET", "/v1/me", "", bearer(access)), 200)
	if ids := fmt.Sprint(me.at("identifiers")); ids != "[map[kind:email value:ada@example.com verified:true]]" {
		t.Errorf("identifiers are %s", ids)
	}

	enrolled := r.want(r.do("POST", "/v1/me/devices", `{"channel":"totp"}`, bearer(access)), 201)
	if !strings.HasPrefix(enrolled.text("challenge", "prompt", "qr_svg"), "<svg") || !strings.Contains(string(enrolled.raw), "&issuer=Example") {
		t.Errorf("no picture, or an unreadable URI: %s", enrolled.raw)
	}
	code := r.appCode(enrolled)
	confirmed := r.want(r.verify(enrolled, code()), 200)
	device := confirmed.text("device", "id")
	if codes, _ := confirmed.at("recovery_codes").([]any); confirmed.text("status") != "device_confirmed" || len(codes) != 10 {
		t.Fatalf("no recovery codes with the first device: %s", confirmed.raw)
	}
	access = r.stepUp(access, device, code())
	r.want(r.do("PATCH", "/v1/me/two-factor", `{"required":true}`, bearer(access)), 200)
	sheet := r.want(r.do("POST", "/v1/me/recovery-codes", `{}`, bearer(access)), 201)

	wait := r.signIn("ada@example.com")
	if wait.text("status") != "factor_required" || wait.text("access_token") != "" {
		t.Fatalf("one factor was enough: %s", wait.raw)
	}
	second := fmt.Sprintf(`{"purpose":"second_factor","device_id":%q}`, device)
	asked := r.want(r.do("POST", "/v1/challenges", second, bearer(wait.text("pending_token"))), 202)
	done := r.want(r.verify(asked, code()), 200)
	if done.text("status") != "signed_in" {
		t.Fatalf("two factors were not enough: %s", done.raw)
	}
	about := r.want(r.do("POST", "/v1/tokens/introspect", fmt.Sprintf(`{"token":%q}`, done.text("access_token"))), 200)
	if about.at("active") != true || about.text("acr") != "aal2" || about.text("iss") != publicURL {
		t.Errorf("introspection says %s", about.raw)
	}
	if len(sheet.at("codes").([]any)) != 10 {
		t.Errorf("a sheet has %s", sheet.raw)
	}
	r.farewell(done.text("access_token"), device, code)
}

// farewell takes the account apart again.
func (r *rig) farewell(access, device string, code func() string) {
	r.t.Helper()
	mine := "/v1/me/devices/" + device
	r.clock.advance(6 * time.Minute)
	refused := r.want(r.do("DELETE", mine, "", bearer(access)), 401, "insufficient_user_authentication")
	header := refused.header.Get("WWW-Authenticate")
	if !strings.Contains(header, `error="insufficient_user_authentication"`) || !strings.Contains(header, `acr_values="aal2", max_age=300`) {
		r.t.Errorf("WWW-Authenticate is %q", header)
	}
	access = r.stepUp(access, device, code())
	r.want(r.do("DELETE", mine, "", bearer(access)), 409, "last_device")
	if named := r.want(r.do("PATCH", mine, `{"name":"Old phone"}`, bearer(access)), 200); named.text("name") != "Old phone" {
		r.t.Errorf("renamed to %s", named.raw)
	}
	r.want(r.do("PATCH", "/v1/me/two-factor", `{"required":false}`, bearer(access)), 200)
	r.want(r.do("DELETE", mine, "", bearer(access)), 204)
	left := r.want(r.do("GET", "/v1/me/devices", "", bearer(access)), 200)
	if len(left.at("devices").([]any)) != 0 {
		r.t.Errorf("devices that are left: %s", left.raw)
	}
	all := r.want(r.do("GET", "/v1/me/sessions", "", bearer(access)), 200).at("sessions").([]any)
	if len(all) != 2 || all[0].(map[string]any)["current"] != true {
		r.t.Fatalf("sessions are %v", all)
	}
	if other := all[1].(map[string]any)["client"]; other != "Firefox on Linux" {
		r.t.Errorf("the first session came from %v", other)
	}
	r.want(r.do("DELETE", "/v1/me/sessions", "", bearer(access)), 204)
	r.want(r.do("DELETE", "/v1/me/sessions/"+all[1].(map[string]any)["id"].(string), "", bearer(access)), 404, "not_found")
	r.want(r.do("DELETE", "/v1/me", "", bearer(access)), 401, "insufficient_user_authentication") // what the device proved went with it
	asked := r.want(r.do("POST", "/v1/challenges", `{"purpose":"step_up","to":"ada@example.com"}`, bearer(access)), 202)
	access = r.want(r.give(asked.text("id")), 200).text("access_token")
	r.want(r.do("DELETE", "/v1/me", "", bearer(access)), 204)
	r.want(r.do("GET", "/v1/me", "", bearer(access)), 401)
	if again := r.signIn("ada@example.com"); again.at("new_user") != true {
		r.t.Errorf("somebody who was deleted came back: %s", again.raw)
	}
}
