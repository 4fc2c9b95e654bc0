package fiberapi_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"github.com/countersign/countersign/adapters/argon2"
	"github.com/countersign/countersign/adapters/keyring"
	"github.com/countersign/countersign/adapters/textnorm"
	"github.com/countersign/countersign/domain/apikey"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/limit"
	domain "github.com/countersign/countersign/domain/password"
	"github.com/countersign/countersign/domain/policy"
	"github.com/countersign/countersign/domain/tenant"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/message"
	"github.com/countersign/countersign/ports/password"
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

// hasher is as quick as may be.
func hasher(t *testing.T, ring *keyring.Ring, passes uint32) *argon2.Hasher {
	t.Helper()
	return must(argon2.New(argon2.Config{Random: rand.Reader, Normalize: textnorm.NFKC, Pepper: ring, Cost: argon2.Cost{Memory: 8, Passes: passes, Lanes: 1}}))(t)
}

// moody is a hasher that has no time while busy.
type moody struct {
	*argon2.Hasher
	busy *bool
}

func (m moody) Compare(ctx context.Context, h domain.Hash, text string) (same, stale bool, err error) {
	if *m.busy {
		return false, false, password.ErrBusy
	}
	return m.Hasher.Compare(ctx, h, text)
}

func (m moody) Hash(ctx context.Context, text string) (domain.Hash, error) {
	if *m.busy {
		return "", password.ErrBusy
	}
	return m.Hasher.Hash(ctx, text)
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
	account.Status = user.Blocked
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
	third := allowed() // and in the same moment
	r.want(choose(third.text("pending_token")), 204)
	r.want(choose(third.text("pending_token")), 401, "invalid_pending_token")
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

func TestWhoeverHasNoTimeTakesNoMoney(t *testing.T) {
	r := newRig(t, func(p *policy.Policy) {
		p.Throttle.Free, p.Limits.Address, p.Limits.AddressFailures = 0, []limit.Rule{{Max: 3, Window: time.Hour}}, []limit.Rule{{Max: 1, Window: time.Hour}}
	})
	r.withPassword("ada@example.com") // costs one
	r.busy = true
	for range 4 {
		for _, who := range []string{"ada@example.com", "nobody@example.com"} {
			if got := r.want(r.byPassword(who, secret), 503, "storage_unavailable"); got.header.Get("Retry-After") == "" {
				t.Error("when to come back is not said")
			}
		}
		r.want(r.signUp(`{"username":"ada","password":"`+another+`"}`), 503, "storage_unavailable")
	}
	r.busy = false
	r.want(r.byPassword("ada@example.com", secret), 200)
}

func TestAWeakHashIsMadeAnewWhenThePasswordIsAtHand(t *testing.T) {
	r := newRig(t)
	r.withPassword("ada@example.com")
	account := must(r.store.Identify(t.Context(), tenant.Default, contact.Contact{Kind: contact.Email, Value: "ada@example.com"}))(t)
	kept := func() (out domain.Record) {
		t.Helper()
		if err := r.store.Do(t.Context(), func(ctx context.Context, tx store.Tx) (err error) {
			out, err = tx.Passwords().Get(ctx, tenant.Default, account.ID)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return out
	}
	first := kept()
	r.want(r.byPassword("ada@example.com", secret), 200)
	if kept().Hash != first.Hash {
		t.Error("a good hash was made anew")
	}
	weak := first
	weak.Hash = must(hasher(t, r.ring, 1).Hash(t.Context(), secret))(t)
	if err := r.store.Do(t.Context(), func(ctx context.Context, tx store.Tx) error { return tx.Passwords().Put(ctx, weak) }); err != nil {
		t.Fatal(err)
	}
	r.want(r.byPassword("ada@example.com", another), 401)
	if kept().Hash != weak.Hash {
		t.Error("a wrong password changed the hash")
	}
	r.want(r.byPassword("ada@example.com", secret), 200)
	if now := kept(); now.Hash == weak.Hash || !now.ChangedAt.Equal(first.ChangedAt) {
		t.Error("a weak hash stays as it was")
	}
	r.want(r.byPassword("ada@example.com", secret), 200)
}
