package fiberapi_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/ports/message"
)

func TestASpentRefreshTokenEndsTheSession(t *testing.T) {
	r := newRig(t)
	in := r.signIn("ada@example.com", "User-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0")
	spend := func(token string) answer {
		return r.do("POST", "/v1/tokens/refresh", fmt.Sprintf(`{"refresh_token":%q}`, token))
	}
	second := r.want(spend(in.text("refresh_token")), 200)
	if again := r.want(spend(in.text("refresh_token")), 200); again.text("refresh_token") != second.text("refresh_token") {
		t.Error("a lost answer is not given again")
	}
	r.clock.advance(11 * time.Second)
	r.want(spend(in.text("refresh_token")), 401, "token_revoked")
	r.want(spend(second.text("refresh_token")), 401, "token_revoked")
	r.want(spend(in.text("refresh_token")), 401, "token_revoked")
	told := r.told(message.SessionCopied)
	if len(told) != 1 || told[0].To.Value != "ada@example.com" || told[0].Data["client"] != "Firefox on Windows" || len(told[0].Data) != 1 {
		t.Errorf("the owner was told %+v", told)
	}
	gone := r.want(r.do("GET", "/v1/me", "", bearer(second.text("access_token"))), 401, "token_revoked")
	if h := gone.header.Get("WWW-Authenticate"); h != `Bearer error="invalid_token"` {
		t.Errorf("WWW-Authenticate is %q", h)
	}
}

func TestRevocationSaysNothing(t *testing.T) {
	r := newRig(t)
	in := r.signIn("ada@example.com")
	form := "Content-Type: application/x-www-form-urlencoded"
	r.want(r.do("POST", "/v1/tokens/revoke", `{"token":"nonsense","token_type_hint":"access_token"}`), 204)
	r.want(r.do("POST", "/v1/tokens/revoke", "token="+in.text("refresh_token")+"&client_id=x", form), 204)
	r.want(r.do("POST", "/v1/tokens/revoke", "token="+in.text("refresh_token"), form), 204)
	r.want(r.do("POST", "/v1/tokens/revoke", "token=a&token=b", form), 400, "malformed_request")
	r.want(r.do("GET", "/v1/me", "", bearer(in.text("access_token"))), 401, "token_revoked")
	about := r.want(r.do("POST", "/v1/tokens/introspect", "token="+in.text("access_token"), form), 200)
	if string(about.raw) != `{"active":false}` {
		t.Errorf("introspection of a dead token says %s", about.raw)
	}
	r.want(r.do("POST", "/v1/challenges", "to=a@example.com", form), 415, "unsupported_media_type")
}

func TestIntrospectionTellsTokensApart(t *testing.T) {
	r := newRig(t)
	in := r.signIn("ada@example.com")
	ask := func(token string) answer {
		return r.want(r.do("POST", "/v1/tokens/introspect", fmt.Sprintf(`{"token":%q}`, token)), 200)
	}
	access, refresh := ask(in.text("access_token")), ask(in.text("refresh_token"))
	if access.text("token_type") != "Bearer" || refresh.text("token_type") != "refresh_token" {
		t.Errorf("token types are %s and %s", access.raw, refresh.raw)
	}
	if access.text("sid") != in.text("session_id") || access.text("tid") != "default" || access.text("acr") != "aal1" || access.text("jti") == "" ||
		access.at("exp").(float64)-access.at("iat").(float64) != 600 || access.at("auth_time") != float64(r.clock.Now().Unix()) {
		t.Errorf("introspection says %s", access.raw)
	}
}

func TestTheHostDecidesWhoseUsersItIs(t *testing.T) {
	r := newRig(t)
	r.seed("closed", "ada@example.com")
	for _, host := range []string{"closed.example.com", "CLOSED.example.com", "plain.example.com:8080"} {
		if d := r.do("GET", "/v1/discovery", "", "Host: "+host); d.text("tenant") != "closed" || d.at("sign_up", "allowed") != false {
			t.Errorf("%s belongs to %s", host, d.raw)
		}
	}
	if d := r.do("GET", "/v1/discovery", "", "Host: closed.example.com.evil.example"); d.text("tenant") != "default" {
		t.Errorf("a stranger's host belongs to %s", d.raw)
	}
	in := r.signIn("ada@example.com", "Host: closed.example.com")
	if in.at("new_user") != false {
		t.Errorf("the tenant's user is new: %s", in.raw)
	}
	r.want(r.do("GET", "/v1/me", "", bearer(in.text("access_token"))), 401, "invalid_token")
}

func TestMessagesAreWrittenInTheReadersLanguage(t *testing.T) {
	r := newRig(t)
	for _, c := range []struct{ body, header, want string }{
		{`{"to":"a@example.com","locale":"de-CH"}`, "Accept-Language: fr", "de"},
		{`{"to":"b@example.com"}`, "Accept-Language: de-AT,en;q=0.5", "de"},
		{`{"to":"c@example.com","locale":"tlh"}`, "Accept-Language: de", "en"},
		{`{"to":"d@example.com"}`, "X-Nothing: 1", ""},
	} {
		started := r.want(r.do("POST", "/v1/challenges", c.body, c.header), 202)
		if got := r.post.sent[started.text("id")].locale; got != c.want {
			t.Errorf("%s with %s is written in %q", c.body, c.header, got)
		}
	}
}

func TestDevicesComeInPages(t *testing.T) {
	r := newRig(t)
	access, code, confirmed := r.withApp("ada@example.com")
	access = r.stepUp(access, confirmed.text("device", "id"), code())
	for i := range 3 {
		r.clock.advance(time.Second)
		r.want(r.do("POST", "/v1/me/devices", fmt.Sprintf(`{"channel":"sms","to":"+4474001234%02d","name":"p%d"}`, i+56, i), bearer(access)), 201)
	}
	var seen []string
	next := ""
	for range 9 {
		page := r.want(r.do("GET", "/v1/me/devices?limit=2&after="+next, "", bearer(access)), 200)
		for _, d := range page.at("devices").([]any) {
			seen = append(seen, d.(map[string]any)["name"].(string))
		}
		if next = page.text("next"); next == "" {
			break
		}
	}
	if fmt.Sprint(seen) != "[Phone p0 p1 p2]" {
		t.Errorf("pages hold %v", seen)
	}
	all := r.do("GET", "/v1/me/devices", "", bearer(access)).at("devices").([]any)
	if d := all[1].(map[string]any); d["destination"] != "+447400123456" || d["confirmed"] != false || d["last_used_at"] != nil {
		t.Errorf("a device that waits looks like %v", d)
	}
	if confirmed.text("device", "last_used_at") == "" {
		t.Errorf("a device that was used looks like %s", confirmed.raw)
	}
}

func TestOnlyThoseWhoAreSignedInSeeAddresses(t *testing.T) {
	r := newRig(t)
	access := r.signIn("ada@example.com").text("access_token")
	added := r.want(r.do("POST", "/v1/me/devices", `{"channel":"sms","to":"07400 123456"}`, bearer(access)), 201)
	phone := r.want(r.verifyText(added), 200).text("device", "id")
	access = r.signIn("ada@example.com").text("access_token")
	again := r.want(r.do("POST", "/v1/me/devices/"+phone+"/challenge", ``, bearer(access)), 202)
	access = r.want(r.verify(again, r.post.sent[again.text("id")].code), 200).text("access_token")
	r.want(r.do("PATCH", "/v1/me/two-factor", `{"required":true}`, bearer(access)), 200)
	wait := r.signIn("ada@example.com")
	if wait.text("status") != "factor_required" || strings.Contains(string(wait.raw), "123456") || !strings.Contains(string(wait.raw), "+44 •••• ••• 56") {
		t.Errorf("whoever knows one factor sees %s", wait.raw)
	}
}

func (r *rig) verifyText(enrolled answer) answer {
	return r.verify(enrolled, r.post.sent[enrolled.text("challenge", "id")].code)
}

func TestARecoveryCodeStandsIn(t *testing.T) {
	r := newRig(t)
	access, code, confirmed := r.withApp("ada@example.com")
	access = r.stepUp(access, confirmed.text("device", "id"), code())
	r.want(r.do("PATCH", "/v1/me/two-factor", `{"required":true}`, bearer(access)), 200)
	wait := r.signIn("ada@example.com")
	sheet := ""
	for _, d := range wait.at("devices").([]any) {
		if m := d.(map[string]any); m["channel"] == "recovery" {
			sheet = m["id"].(string)
		}
	}
	asked := r.want(r.do("POST", "/v1/challenges", fmt.Sprintf(`{"purpose":"second_factor","device_id":%q}`, sheet), bearer(wait.text("pending_token"))), 202)
	codes := confirmed.at("recovery_codes").([]any)
	in := r.want(r.verify(asked, codes[0].(string)), 200)
	left := r.want(r.do("GET", "/v1/me/two-factor", "", bearer(in.text("access_token"))), 200)
	if left.at("recovery_codes_left") != 9.0 || left.at("devices") != 1.0 || left.at("required") != true {
		t.Errorf("afterwards it stands like %s", left.raw)
	}
}

func TestNamesAreEmptiedByNull(t *testing.T) {
	r := newRig(t)
	me := bearer(r.signIn("ada@example.com").text("access_token"))
	r.want(r.do("PATCH", "/v1/me", `{"first_name":"Ada","last_name":"L","metadata":{"a":"1","b":"2"}}`, me), 200)
	got := r.want(r.do("PATCH", "/v1/me", `{"first_name":null,"metadata":{"a":null}}`, me), 200)
	if got.text("first_name") != "" || got.text("last_name") != "L" || fmt.Sprint(got.at("metadata")) != "map[b:2]" {
		t.Errorf("afterwards: %s", got.raw)
	}
}

func TestNoSecretIsLogged(t *testing.T) {
	r := newRig(t)
	access, code, confirmed := r.withApp("ada@example.com")
	r.want(r.do("POST", "/v1/tokens/introspect", fmt.Sprintf(`{"token":%q}`, access)), 200)
	started := r.want(r.do("POST", "/v1/challenges", `{"to":"ada@example.com"}`), 202)
	r.verify(started, "000000")
	r.down = errTest
	r.do("GET", "/readyz", "")
	secrets := []string{access, code(), started.text("id"), "ada@example.com", r.post.sent[started.text("id")].code}
	raw, err := json.Marshal(confirmed.at("recovery_codes"))
	if err != nil {
		t.Fatal(err)
	}
	secrets = append(secrets, strings.Split(strings.Trim(string(raw), `[]"`), `","`)...)
	if r.log.Len() == 0 {
		t.Fatal("nothing was logged at all")
	}
	for _, s := range secrets {
		if strings.Contains(r.log.String(), s) {
			t.Errorf("the log holds %q", s)
		}
	}
}
