package fiberapi_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/countersign/countersign/domain/apikey"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/policy"
	"github.com/countersign/countersign/domain/tenant"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/message"
	"github.com/countersign/countersign/ports/store"
)

const (
	secret  = "staple horse 9!"
	another = "battery lamp 4?"
)

// withPassword signs somebody in by a code and gives them a password.
func (r *rig) withPassword(to string) (access string) {
	r.t.Helper()
	access = r.signIn(to).text("access_token")
	r.want(r.do("PUT", "/v1/me/password", fmt.Sprintf(`{"new_password":%q}`, secret), bearer(access)), 204)
	return access
}

func (r *rig) byPassword(who, what string, header ...string) answer {
	r.t.Helper()
	return r.do("POST", "/v1/sign-in/password", fmt.Sprintf(`{"identifier":%q,"password":%q}`, who, what), header...)
}

func TestWhateverDoesNotConvinceIsOneAnswer(t *testing.T) {
	r := newRig(t)
	r.withPassword("ada@example.com")
	r.signIn("nopassword@example.com")
	if in := r.want(r.byPassword(" ADA@example.com", secret), 200); in.text("status") != "signed_in" {
		t.Fatalf("a right password gives %s", in.raw)
	}
	var first []byte
	for _, who := range []string{"ada@example.com", "nobody@example.com", "nopassword@example.com", "x", "a@b", "\u200b", "+19995550123"} {
		got := r.want(r.byPassword(who, another), 401, "invalid_credentials")
		if got.at("attempts_left") != nil || got.header.Get("Retry-After") != "" {
			t.Errorf("%q: %s", who, got.raw)
		}
		body := bytes.ReplaceAll(got.raw, []byte(got.text("instance")), nil)
		if first == nil {
			first = body
		}
		if !bytes.Equal(body, first) || bytes.Contains(got.raw, []byte(another)) {
			t.Errorf("%q is answered otherwise: %s", who, got.raw)
		}
	}
	r.want(r.byPassword("ada@example.com", secret, "Countersign-Tenant: closed"), 401, "invalid_credentials")
	r.block("ada@example.com")
	r.want(r.byPassword("ada@example.com", secret), 401, "invalid_credentials")
	got := r.want(r.do("POST", "/v1/sign-in/password", `{}`), 422, "invalid_request")
	if fields, _ := got.at("fields").([]any); len(fields) != 2 {
		t.Errorf("both are missing: %s", got.raw)
	}
}

// block takes somebody's right to sign in.
func (r *rig) block(who string) {
	r.t.Helper()
	account := must(r.store.Identify(r.t.Context(), tenant.Default, contact.Contact{Kind: contact.Email, Value: who}))(r.t)
	account.User.Status = user.Blocked
	if err := r.store.Do(r.t.Context(), func(ctx context.Context, tx store.Tx) error { return tx.Users().Save(ctx, account.User) }); err != nil {
		r.t.Fatal(err)
	}
}

// told gives the notices of a kind that were queued so far.
func (r *rig) told(kind message.Kind) (out []store.Notice) {
	r.t.Helper()
	more := must(r.store.Claim(r.t.Context(), store.Claim{Owner: "test", Lease: 1000 * time.Hour, Max: 1000, Now: r.clock.Now()}))(r.t)
	r.notices = append(r.notices, more...)
	for _, p := range r.notices {
		if p.Notice != nil && p.Notice.Kind == string(kind) {
			out = append(out, *p.Notice)
		}
	}
	return out
}

func TestWrongPasswordsArePaidForWhoeverIsNamed(t *testing.T) {
	r := newRig(t, func(p *policy.Policy) { p.Throttle.Free = 2 })
	r.withPassword("ada@example.com")
	for _, who := range []string{"ada@example.com", "nobody@example.com"} {
		for range 3 {
			r.want(r.byPassword(who, another), 401, "invalid_credentials")
		}
		r.want(r.byPassword(who, secret), 429, "device_locked")
	}
	r.clock.advance(time.Minute)
	r.want(r.byPassword("ada@example.com", secret), 200)
	r.want(r.byPassword("ada@example.com", another), 401, "invalid_credentials")
	r.want(r.byPassword("ada@example.com", secret), 200)
}

func TestASecondFactorMayComeAlong(t *testing.T) {
	r := newRig(t)
	access := r.withPassword("ada@example.com")
	enrolled := r.want(r.do("POST", "/v1/me/devices", `{"channel":"totp"}`, bearer(access)), 201)
	code, device := r.appCode(enrolled), enrolled.text("device", "id")
	sheet := r.want(r.verify(enrolled, code()), 200)
	both := func(code, device string) answer {
		return r.do("POST", "/v1/sign-in/password", fmt.Sprintf(`{"identifier":"ada@example.com","password":%q,"code":%q,"device_id":%q}`, secret, code, device))
	}
	// it is looked at also where none is due
	r.want(both("000000", device), 401, "invalid_credentials")
	access = r.stepUp(access, device, code())
	r.want(r.do("PATCH", "/v1/me/two-factor", `{"required":true}`, bearer(access)), 200)

	waits := r.want(r.byPassword("ada@example.com", secret), 200)
	if waits.text("status") != "factor_required" || waits.text("access_token") != "" {
		t.Fatalf("a password was enough: %s", waits.raw)
	}
	in := r.want(both(code(), device), 200)
	about := r.do("POST", "/v1/tokens/introspect", fmt.Sprintf(`{"token":%q}`, in.text("access_token")))
	if about.text("acr") != "aal2" || fmt.Sprint(about.at("amr")) != "[mfa otp pwd]" {
		t.Errorf("both together are %s", about.raw)
	}
	var recovery string
	for _, d := range waits.at("devices").([]any) {
		if m := d.(map[string]any); m["channel"] == "recovery" {
			recovery, _ = m["id"].(string)
		}
	}
	r.want(both(sheet.at("recovery_codes").([]any)[0].(string), recovery), 200)
	for _, wrong := range [][2]string{{"000000", device}, {"x", device}, {"000000", "01890000-0000-7000-8000-000000000000"}, {"000000", "x"}} {
		r.want(both(wrong[0], wrong[1]), 401, "invalid_credentials")
	}
	r.want(r.do("POST", "/v1/sign-in/password", `{"identifier":"a","password":"b","code":"123456"}`), 422, "invalid_request")
}

func TestAChangedPasswordEndsWhatWasBegunWithTheOldOne(t *testing.T) {
	r := newRig(t)
	access := r.withPassword("ada@example.com")
	other := r.want(r.byPassword("ada@example.com", secret), 200).text("access_token")
	change := func(body string) answer { return r.do("PUT", "/v1/me/password", body, bearer(access)) }
	for body, code := range map[string]string{
		`{"new_password":"short"}`:                                   "password_too_short",
		`{"new_password":"P@ssw0rd1"}`:                               "password_too_common",
		`{"new_password":"8027461539"}`:                              "password_entirely_numeric",
		`{"new_password":"ada@example.com"}`:                         "password_too_similar",
		`{"new_password":""}`:                                        "field_required",
		`{"current_password":"no","new_password":"` + another + `"}`: "invalid_password",
	} {
		got := r.want(change(body), 422, "invalid_request")
		if !bytes.Contains(got.raw, []byte(`"`+code+`"`)) || bytes.Contains(got.raw, []byte("P@ssw0rd1")) || bytes.Contains(got.raw, []byte("8027461539")) {
			t.Errorf("%s gives %s", body, got.raw)
		}
	}
	r.want(r.do("GET", "/v1/me", "", bearer(other)), 200)
	r.want(change(fmt.Sprintf(`{"current_password":%q,"new_password":%q}`, secret, another)), 204)
	r.want(r.do("GET", "/v1/me", "", bearer(other)), 401, "token_revoked")
	r.want(r.do("GET", "/v1/me", "", bearer(access)), 200)
	r.want(r.byPassword("ada@example.com", secret), 401, "invalid_credentials")
	r.want(r.byPassword("ada@example.com", another), 200)
	if told := r.told(message.PasswordChanged); len(told) != 2 || told[1].To.Value != "ada@example.com" {
		t.Errorf("notices: %v", told)
	}
	r.clock.advance(6 * time.Minute)
	r.want(change(fmt.Sprintf(`{"current_password":%q,"new_password":%q}`, another, secret)), 401, "insufficient_user_authentication")
}

func TestAForgottenPasswordIsChosenAnewOnce(t *testing.T) {
	r := newRig(t)
	access := r.withPassword("ada@example.com")
	allowed := func() answer {
		asked := r.want(r.do("POST", "/v1/password-resets", `{"identifier":"ada@example.com"}`), 202)
		return r.want(r.verify(asked, r.post.sent[asked.text("id")].code), 200)
	}
	r.clock.advance(time.Second)
	first, second := allowed(), allowed()
	choose := func(token string) answer {
		return r.do("PUT", "/v1/password", fmt.Sprintf(`{"new_password":%q}`, another), bearer(token))
	}
	r.want(r.do("GET", "/v1/me", "", bearer(first.text("pending_token"))), 401)
	r.want(r.do("PUT", "/v1/password", `{"new_password":"password1"}`, bearer(first.text("pending_token"))), 422, "invalid_request")
	r.clock.advance(time.Second)
	r.want(choose(first.text("pending_token")), 204)
	r.want(choose(first.text("pending_token")), 401, "invalid_pending_token")
	r.want(choose(second.text("pending_token")), 401, "invalid_pending_token")
	r.want(choose(access), 401, "invalid_pending_token")
	r.want(r.do("GET", "/v1/me", "", bearer(access)), 401, "token_revoked")
	r.want(r.byPassword("ada@example.com", another), 200)
}

func TestWhereCodesAreNotSentToStrangersAPasswordHelps(t *testing.T) {
	r := newRig(t, func(p *policy.Policy) { p.Challenge.Anonymous = false })
	access := r.signIn("ada@example.com", bearer(r.key(apikey.Verify))).text("access_token")
	r.want(r.do("PUT", "/v1/me/password", fmt.Sprintf(`{"new_password":%q}`, secret), bearer(access)), 204)
	ask := func(password string) answer {
		return r.do("POST", "/v1/challenges", fmt.Sprintf(`{"to":"ada@example.com","password":%q}`, password))
	}
	r.want(r.do("POST", "/v1/challenges", `{"to":"ada@example.com"}`), 401, "unauthorized_otp_request")
	r.want(ask(another), 401, "invalid_credentials")
	asked := r.want(ask(secret), 202)
	r.want(r.verify(asked, r.post.sent[asked.text("id")].code), 200)
	r.want(r.do("POST", "/v1/challenges", `{"purpose":"reset_password","to":"ada@example.com","password":"x"}`), 422, "invalid_request")
}

func TestPasswordsCanBeSwitchedOff(t *testing.T) {
	r := newRig(t, func(p *policy.Policy) { p.Password.Enabled = false })
	access := r.signIn("ada@example.com").text("access_token")
	r.want(r.byPassword("ada@example.com", secret), 400, "not_configured")
	r.want(r.do("PUT", "/v1/me/password", fmt.Sprintf(`{"new_password":%q}`, secret), bearer(access)), 400, "not_configured")
}
