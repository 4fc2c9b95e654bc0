package fiberapi_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/domain/limit"
	"github.com/countersign/countersign/domain/policy"
)

const nowhere = "/v1/challenges/AAAAAAAAAAAAAAAAAAAAAA"

// nonsense is what no code looks like: A-014.
var nonsense = []string{
	`" 123456"`, "\"\u00a0123456\"", `"\t123456"`, `"123456\n"`, `"１２３４５６"`, `"+123456"`, `"123456.0"`, `""`, `null`,
	`123456`, `true`, `["123456"]`, `{"code":"123456"}`, `"1234--56"`, `"` + strings.Repeat("1", 60_000) + `"`,
}

func TestNonsenseIsRefusedWithoutCosting(t *testing.T) {
	r := newRig(t)
	started := r.want(r.do("POST", "/v1/challenges", `{"to":"a@example.com"}`), 202)
	here := "/v1/challenges/" + started.text("id")
	for _, where := range []string{here, nowhere, "/v1/challenges/x"} {
		for _, code := range slices.Concat(nonsense, []string{`"1"`}) {
			r.want(r.do("POST", where+"/verify", `{"code":`+code+`}`), 422, "malformed_code")
		}
	}
	for _, code := range []string{`"12345"`, `"1234567"`, `"ABCDEF"`, `"0x1E240"`} { // would be codes elsewhere
		r.want(r.do("POST", here+"/verify", `{"code":`+code+`}`), 422, "malformed_code")
	}
	r.want(r.do("POST", here+"/verify", `{"code":"123456","data":{}}`), 422, "malformed_code")
	if left := r.do("GET", here, "").at("attempts_left"); left != 5.0 {
		t.Errorf("%v attempts are left", left)
	}
	code := r.post.sent[started.text("id")].code
	r.want(r.verify(started, code[:3]+" "+code[3:]), 200)
}

func TestAnAbsentCodeAsksWhetherAnythingHappened(t *testing.T) {
	r := newRig(t)
	here := "/v1/challenges/" + r.do("POST", "/v1/challenges", `{"to":"a@example.com"}`).text("id")
	for _, body := range []string{`{}`, ``} {
		if got := r.want(r.do("POST", here+"/verify", body), 200); got.text("status") != "pending" || got.at("attempts_left") != 5.0 {
			t.Errorf("polling gives %s", got.raw)
		}
	}
	r.want(r.do("POST", nowhere+"/verify", `{}`), 404, "challenge_not_found")
}

func TestAnswersComeInTheirOrder(t *testing.T) {
	r := newRig(t, func(p *policy.Policy) { p.Challenge.Attempts, p.Throttle.Free, p.Challenge.Live = 2, 3, 9 })
	wrong := func(started answer) answer {
		code := []byte(r.post.sent[started.text("id")].code)
		code[0] = '0' + (code[0]-'0'+1)%10
		return r.verify(started, string(code))
	}
	start := func() answer { return r.want(r.do("POST", "/v1/challenges", `{"to":"a@example.com"}`), 202) }
	first := start()
	if left := r.want(wrong(first), 422, "invalid_code").at("attempts_left"); left != 1.0 {
		t.Errorf("%v attempts are left", left)
	}
	r.want(wrong(first), 422, "invalid_code")
	right := r.post.sent[first.text("id")].code
	r.want(r.verify(first, right), 422, "challenge_exhausted")
	r.clock.advance(6 * time.Minute)
	r.want(r.verify(first, right), 422, "challenge_exhausted") // before expired
	second := start()
	r.want(wrong(second), 422, "invalid_code")
	r.want(wrong(second), 422, "invalid_code") // the fourth in a row
	third := start()
	locked := r.want(wrong(third), 429, "device_locked")
	if locked.header.Get("Retry-After") != "30" || locked.at("retry_after") != 30.0 {
		t.Errorf("Retry-After is %q, retry_after %v", locked.header.Get("Retry-After"), locked.at("retry_after"))
	}
	r.clock.advance(6 * time.Minute)
	r.want(r.verify(third, r.post.sent[third.text("id")].code), 410, "challenge_expired")
	r.want(r.do("POST", nowhere+"/verify", `{"code":"123456"}`), 404, "challenge_not_found")
}

func TestOneShapeOfNotFound(t *testing.T) {
	r := newRig(t)
	used := r.want(r.do("POST", "/v1/challenges", `{"to":"a@example.com"}`), 202)
	code := r.post.sent[used.text("id")].code
	other := r.verify(used, code, "Countersign-Tenant: closed")
	r.want(r.verify(used, code), 200)
	cancelled := r.want(r.do("POST", "/v1/challenges", `{"to":"b@example.com"}`), 202)
	r.want(r.do("DELETE", "/v1/challenges/"+cancelled.text("id"), ""), 204)
	unknown := r.want(r.do("POST", nowhere+"/verify", `{"code":"123456"}`), 404, "challenge_not_found")
	for name, got := range map[string]answer{
		"another tenant's": other, "used": r.verify(used, code), "cancelled": r.verify(cancelled, code), "malformed": r.do("POST", "/v1/challenges/x/verify", `{"code":"123456"}`),
	} {
		same(t, name, unknown, got, "instance")
	}
}

// same compares two answers but for the members that always differ.
func same(t *testing.T, name string, a, b answer, but ...string) {
	t.Helper()
	for _, member := range but {
		delete(a.body, member)
		delete(b.body, member)
	}
	if a.status != b.status || fmt.Sprint(a.body) != fmt.Sprint(b.body) {
		t.Errorf("%s: %d %v is not %d %v", name, b.status, b.body, a.status, a.body)
	}
	if x, y := names(a), names(b); x != y {
		t.Errorf("%s: the headers %s are not %s", name, y, x)
	}
}

func names(a answer) string { return fmt.Sprint(slices.Sorted(maps.Keys(a.header))) }

func TestNobodyLearnsWhoIsKnown(t *testing.T) {
	r := newRig(t, func(p *policy.Policy) {
		p.Challenge.Attempts, p.Challenge.Sends = 2, 2
		p.Limits.Recipient = []limit.Rule{{Max: 3, Window: time.Hour}}
	})
	// Known in the closed tenant: made while it was not known to be one.
	shut := "Countersign-Tenant: closed"
	r.seed("closed", "ada@example.com")
	life := func(to string) []answer {
		started := r.do("POST", "/v1/challenges", fmt.Sprintf(`{"to":%q}`, to), shut)
		here := "/v1/challenges/" + started.text("id")
		out := []answer{started, r.do("GET", here, "", shut), r.do("POST", here+"/resend", `{}`, shut), r.do("POST", here+"/resend", `{}`, shut)}
		for range 3 {
			out = append(out, r.verify(started, "000000", shut))
		}
		out = append(out, r.do("POST", here+"/verify", `{}`, shut), r.do("DELETE", here, "", shut), r.do("GET", here, "", shut))
		for range 2 {
			out = append(out, r.do("POST", "/v1/challenges", fmt.Sprintf(`{"to":%q}`, to), shut))
		}
		return out
	}
	known, unknown := life("ada@example.com"), life("abe@example.com")
	for i := range known {
		same(t, fmt.Sprintf("step %d", i), known[i], unknown[i], "id", "instance")
	}
	if last := known[len(known)-1]; last.status != 429 {
		t.Errorf("no limit was reached: %s", last.raw)
	}
}
