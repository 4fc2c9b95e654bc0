package fiberapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/store"
)

// seed adds somebody with a proven e-mail address.
func (r *rig) seed(tenant, email string) {
	r.t.Helper()
	now := r.clock.Now()
	u := user.User{ID: "01900000-0000-7000-8000-000000000001", Tenant: tenant, Status: user.Active, CreatedAt: now}
	err := r.store.Do(r.t.Context(), func(ctx context.Context, tx store.Tx) error {
		return tx.Users().Add(ctx, user.Account{User: u, Identifiers: []user.Identifier{{
			Contact: contact.Contact{Kind: contact.Email, Value: email}, Tenant: tenant, User: u.ID, VerifiedAt: now, CreatedAt: now,
		}}})
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

// refused is a request that will not do, and what it hears.
type refused struct {
	method, path, body string
	header             []string
	status             int
	code, field        string
}

func refusedChallenges(me string) []refused {
	return []refused{
		{"POST", "/v1/challenges", `{}`, nil, 422, "invalid_request", "/to field_required"},
		{"POST", "/v1/challenges", `{"to":"not an address"}`, nil, 422, "invalid_request", "/to"},
		{"POST", "/v1/challenges", `{"to":"a@example.com","purpose":"verify"}`, nil, 401, "unauthenticated", ""},
		{"POST", "/v1/challenges", `{"to":"a@example.com","purpose":"enroll"}`, nil, 422, "invalid_request", "/purpose unknown_value"},
		{"POST", "/v1/challenges", `{"to":"a@example.com","purpose":"approve","detail":[{"label":"a","value":"b"}]}`, nil, 401, "unauthenticated", ""},
		{"POST", "/v1/challenges", `{"to":"a@example.com"}`, []string{bearer("csk_x")}, 401, "invalid_token", ""},
		{"POST", "/v1/challenges", `{"to":"a@example.com","device_id":"x"}`, nil, 400, "ambiguous_destination", ""},
		{"POST", "/v1/challenges", `{"to":"a@example.com","channel":"pigeon"}`, nil, 400, "not_configured", ""},
		{"POST", "/v1/challenges", `{"to":"a@example.com","channel":"sms"}`, nil, 422, "invalid_request", "/channel invalid_channel"},
		{"POST", "/v1/challenges", `{"to":"a@example.com","detail":[]}`, nil, 422, "invalid_request", "/detail not_allowed"},
		{"POST", "/v1/challenges", `{"to":"a@example.com","return_to":"x"}`, nil, 422, "invalid_request", "/return_to invalid_return_to"},
		{"POST", "/v1/challenges", `{"to":"a@example.com","metadata":{"":"x"}}`, nil, 422, "invalid_request", "/metadata invalid_metadata"},
		{"POST", "/v1/sign-in/complete", `{}`, nil, 401, "unauthenticated", ""},
		{"POST", "/v1/sign-in/complete", `{}`, []string{me}, 401, "invalid_pending_token", ""},
		{"POST", "/v1/password-resets", `{}`, nil, 422, "invalid_request", "/identifier field_required"},
		{"POST", "/v1/password-resets", `{"identifier":"a@b@c"}`, nil, 422, "invalid_request", "/identifier invalid_email"},
		{"GET", "/l/x", "", nil, 404, "challenge_not_found", ""},
		{"POST", "/v1/challenges", `{"to":"a@example.com","to":"b@example.com"}`, nil, 400, "malformed_request", "/to duplicate"},
		{"POST", "/v1/challenges", `{"to":1}`, nil, 400, "malformed_request", "/to wrong_type"},
		{"POST", "/v1/challenges", `{"to":"a@example.com"}`, []string{"Content-Type: text/plain"}, 415, "unsupported_media_type", ""},
		{"POST", "/v1/challenges", `{"to":"a@example.com"}`, []string{"Content-Encoding: gzip"}, 415, "unsupported_media_type", ""},
		{"POST", "/v1/challenges", `{"to":"a@example.com"}`, []string{"Countersign-Tenant: nope"}, 400, "tenant_unknown", ""},
		{"POST", "/v1/challenges", `{"to":"a@example.com"}`, []string{bearer("nonsense")}, 401, "invalid_token", ""},
		{"POST", "/v1/challenges", `{"to":"a@example.com"}`, []string{bearer("csp_nonsense")}, 401, "invalid_pending_token", ""},
		{"POST", "/v1/challenges", `{"to":"a@example.com"}`, []string{"Authorization: Basic eDp5"}, 401, "invalid_token", ""},
		{"POST", "/v1/challenges", `{"purpose":"second_factor","device_id":"x"}`, nil, 401, "unauthenticated", ""},
		{"POST", "/v1/challenges", `{"purpose":"step_up","to":"b@example.com"}`, []string{me}, 422, "invalid_request", "/to not_yours"},
		{"POST", nowhere + "/verify", `{"link_token":"x"}`, nil, 404, "challenge_not_found", ""},
		{"POST", nowhere + "/verify", `{"link_token":"x","code":"123456"}`, nil, 422, "malformed_code", ""},
		{"POST", nowhere + "/verify", `{"data":[]}`, nil, 400, "malformed_request", ""},
	}
}

func refusedOthers(me string) []refused {
	const id = "01900000-0000-7000-8000-00000000000f"
	return []refused{
		{"GET", "/v1/me", "", nil, 401, "unauthenticated", ""},
		{"GET", "/v1/me", "", []string{"Authorization: Basic eDp5"}, 401, "unauthenticated", ""},
		{"GET", "/v1/me", "", []string{bearer("csp_x")}, 401, "invalid_token", ""},
		{"GET", "/v1/me", "", []string{me, "Countersign-Tenant: closed"}, 401, "invalid_token", ""},
		{"GET", "/v1/me/devices?limit=0", "", []string{me}, 422, "invalid_request", "?limit out_of_range"},
		{"GET", "/v1/me/devices?limit=1e9", "", []string{me}, 422, "invalid_request", "?limit"},
		{"GET", "/v1/me/devices?after=%27", "", []string{me}, 422, "invalid_request", "?after"},
		{"PATCH", "/v1/me/devices/" + id, `{"name":"x"}`, []string{me}, 404, "not_found", ""},
		{"PATCH", "/v1/me/devices/1", `{"name":"x"}`, []string{me}, 404, "not_found", ""},
		{"DELETE", "/v1/me/devices/..%2f", "", []string{me}, 404, "not_found", ""},
		{"DELETE", "/v1/me/sessions/" + id, "", []string{me}, 404, "not_found", ""},
		{"DELETE", "/v1/me/sessions/1", "", []string{me}, 404, "not_found", ""},
		{"POST", "/v1/me/devices", `{}`, []string{me}, 422, "invalid_request", "/channel field_required"},
		{"POST", "/v1/me/devices", `{"channel":"recovery"}`, []string{me}, 400, "not_configured", ""},
		{"POST", "/v1/me/devices", `{"channel":"sms"}`, []string{me}, 422, "invalid_request", "/to field_required"},
		{"POST", "/v1/me/recovery-codes", `{}`, []string{me}, 409, "no_device", ""},
		{"PATCH", "/v1/me/two-factor", `{}`, []string{me}, 422, "invalid_request", "/required field_required"},
		{"PATCH", "/v1/me/two-factor", `{"required":true}`, []string{me}, 409, "no_device", ""},
		{"PATCH", "/v1/me", `{"verified":true}`, []string{me}, 400, "unknown_field", "/verified"},
		{"PATCH", "/v1/me", `{"first_name":7}`, []string{me}, 400, "malformed_request", ""},
		{"PATCH", "/v1/me", `{"first_name":"` + strings.Repeat("x", 101) + `"}`, []string{me}, 422, "invalid_request", "/first_name invalid_name"},
		{"POST", "/v1/tokens/refresh", `{}`, nil, 422, "invalid_request", "/refresh_token field_required"},
		{"POST", "/v1/tokens/refresh", `{"refresh_token":"csr_x"}`, nil, 401, "invalid_token", ""},
		{"POST", "/v1/tokens/introspect", `{}`, nil, 422, "invalid_request", "/token field_required"},
		{"GET", "/v1/nothing", "", nil, 404, "not_found", ""},
		{"PUT", "/v1/me", `{}`, []string{me}, 405, "malformed_request", ""},
	}
}

func TestRequestsThatWillNotDo(t *testing.T) {
	r := newRig(t)
	me := bearer(r.signIn("ada@example.com").text("access_token"))
	for _, c := range append(refusedChallenges(me), refusedOthers(me)...) {
		got := r.do(c.method, c.path, c.body, c.header...)
		if got.status != c.status || got.text("code") != c.code || !strings.Contains(fields(got), c.field) {
			t.Errorf("%s %s %s: got %d %s, want %d %s %s", c.method, c.path, c.body, got.status, got.raw, c.status, c.code, c.field)
		}
		if got.header.Get("Content-Type") != "application/problem+json" || got.header.Get("Cache-Control") != "no-store" ||
			got.text("type") != publicURL+"/docs/problems/"+c.code || got.text("instance") == "" || got.at("status") != float64(c.status) {
			t.Errorf("%s %s: no proper problem: %v %s", c.method, c.path, got.header, got.raw)
		}
	}
}

// fields writes what is wrong with which part: "/to field_required".
func fields(a answer) string {
	var all struct {
		Fields []struct{ Pointer, Code string }
	}
	_ = json.Unmarshal(a.raw, &all)
	var b strings.Builder
	for _, f := range all.Fields {
		b.WriteString(f.Pointer + " " + f.Code + "\n")
	}
	return b.String()
}

func TestARepetitionIsAnsweredAlike(t *testing.T) {
	r := newRig(t)
	named := "Idempotency-Key: k1"
	first := r.want(r.do("POST", "/v1/challenges", `{"to":"a@example.com"}`, named), 202)
	again := r.want(r.do("POST", "/v1/challenges", `{"to":"a@example.com"}`, named), 202)
	if string(first.raw) != string(again.raw) || again.header.Get("Idempotent-Replay") != "true" || first.header.Get("Idempotent-Replay") != "" {
		t.Errorf("the repetition got %v %s", again.header, again.raw)
	}
	r.want(r.do("POST", "/v1/challenges", `{"to":"b@example.com"}`, named), 409, "idempotency_conflict")
	if plain := r.do("POST", "/v1/challenges", `{"to":"a@example.com"}`); plain.text("id") == first.text("id") {
		t.Error("a request without a key was answered from memory")
	}
	wrong := fmt.Sprintf(`{"code":%q}`, "00000"+string('0'+(r.post.sent[first.text("id")].code[5]-'0'+1)%10))
	here := "/v1/challenges/" + first.text("id")
	for range 3 {
		if got := r.want(r.do("POST", here+"/verify", wrong, named), 422, "invalid_code"); got.at("attempts_left") != 4.0 || got.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("a repeated wrong answer got %v %s", got.header, got.raw)
		}
	}
	r.want(r.do("POST", "/v1/challenges", `{"to":"a@example.com"}`, "Idempotency-Key: "+strings.Repeat("k", 256)), 400, "malformed_request")
	r.clock.advance(25 * time.Hour)
	if later := r.want(r.do("POST", "/v1/challenges", `{"to":"a@example.com"}`, named), 202); later.text("id") == first.text("id") {
		t.Error("an answer was kept for more than a day")
	}
}

func TestWhoAnswersWithWhatIsNotMixedUp(t *testing.T) {
	r := newRig(t)
	ada, abe := r.signIn("ada@example.com").text("access_token"), r.signIn("abe@example.com").text("access_token")
	body, named := `{"channel":"totp"}`, "Idempotency-Key: same"
	first := r.want(r.do("POST", "/v1/me/devices", body, bearer(ada), named), 201)
	other := r.want(r.do("POST", "/v1/me/devices", body, bearer(abe), named), 201)
	if first.text("device", "id") == other.text("device", "id") {
		t.Error("two people share one answer, with its secret")
	}
}

func TestARefusalThatAnotherTryMayChangeIsNotKept(t *testing.T) {
	r := newRig(t)
	access, code, confirmed := r.withApp("ada@example.com")
	r.clock.advance(6 * time.Minute)
	named := "Idempotency-Key: k"
	r.want(r.do("POST", "/v1/me/recovery-codes", `{}`, bearer(access), named), 401, "insufficient_user_authentication")
	access = r.stepUp(access, confirmed.text("device", "id"), code())
	r.want(r.do("POST", "/v1/me/recovery-codes", `{}`, bearer(access), named), 201)
}

func TestReadinessNamesWhatIsDownAndNotWhy(t *testing.T) {
	r := newRig(t)
	if got := r.want(r.do("GET", "/readyz", ""), 200); got.text("checks", "storage") != "ok" {
		t.Errorf("ready says %s", got.raw)
	}
	r.down = errors.New("dial tcp 10.0.0.1: refused")
	got := r.want(r.do("GET", "/readyz", ""), 503, "not_ready")
	if !strings.Contains(fields(got), "/checks/storage unavailable") || strings.Contains(string(got.raw), "10.0.0.1") || got.header.Get("Retry-After") == "" {
		t.Errorf("not ready says %s", got.raw)
	}
	if !strings.Contains(r.log.String(), "10.0.0.1") {
		t.Error("the log does not say why")
	}
}
