package fiberdev_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/countersign/countersign/adapters/fiberdev"
	"github.com/countersign/countersign/adapters/fiberkit"
	"github.com/countersign/countersign/adapters/system"
	"github.com/countersign/countersign/plugins/devinbox"
	"github.com/countersign/countersign/ports/channel"
)

// inbox shows that the plugin's inbox fits.
type inbox struct{ *devinbox.Inbox }

func message(m devinbox.Message) fiberdev.Message {
	return fiberdev.Message{
		Seq: m.Seq, Channel: m.Channel, To: m.To, Code: m.Code, Link: m.Link, Subject: m.Subject, Text: m.Text, HTML: m.HTML, Locale: m.Locale, At: m.At,
	}
}

func (b inbox) List(f fiberdev.Filter) []fiberdev.Message {
	out := []fiberdev.Message{}
	for _, m := range b.Inbox.List(devinbox.Filter(f)) {
		out = append(out, message(m))
	}
	return out
}

func (b inbox) Latest(ctx context.Context, f fiberdev.Filter) (fiberdev.Message, error) {
	m, err := b.Inbox.Latest(ctx, devinbox.Filter(f))
	return message(m), err
}

func (b inbox) Chaos(id string) fiberdev.Chaos { return fiberdev.Chaos(b.Inbox.Chaos(id)) }

func (b inbox) SetChaos(id string, c fiberdev.Chaos) error {
	return b.Inbox.SetChaos(id, devinbox.Chaos(c))
}

type rig struct {
	t     *testing.T
	app   *fiber.App
	box   *devinbox.Inbox
	clock *system.Movable
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, box: devinbox.New(), clock: &system.Movable{}}
	r.app = fiberkit.New(fiberkit.Options{Log: slog.New(slog.DiscardHandler), NewID: system.NewIDs(nil).New, Now: r.clock.Now})
	err := fiberdev.Mount(r.app, fiberdev.Needs{Inbox: inbox{r.box}, Clock: r.clock, Channels: []string{"email", "sms"}, Brand: "Example"})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rig) put(to, code string) {
	r.box.Put("email", channel.Message{To: to, Code: code, Subject: code + " is your code", Text: "Code " + code, HTML: "<p>" + code + "</p><script>alert(1)</script>"}, r.clock.Now())
}

func (r *rig) do(method, path, body string, header ...string) (*http.Response, string) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, "http://localhost:8080"+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	if strings.HasPrefix(body, "{") {
		req.Header.Set("Content-Type", "application/json")
	} else if body != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	resp, err := r.app.Test(req, -1)
	if err != nil {
		r.t.Fatal(err)
	}
	raw, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		r.t.Fatal(err)
	}
	return resp, string(raw)
}

func (r *rig) want(status int, method, path, body string, header ...string) string {
	r.t.Helper()
	resp, got := r.do(method, path, body, header...)
	if resp.StatusCode != status {
		r.t.Fatalf("%s %s %s: %d %s, want %d", method, path, body, resp.StatusCode, got, status)
	}
	return got
}

func TestTheNewestMessageIsFound(t *testing.T) {
	r := newRig(t)
	r.put("ann@example.com", "111111")
	r.put("ann@example.com", "222222")
	r.put("bob@example.com", "333333")
	r.box.Put("sms", channel.Message{To: "+447400123456", Code: "444444", Text: "x"}, r.clock.Now())
	for path, code := range map[string]string{
		"?to=ann@example.com": "222222", "?to=%2B447400123456": "444444", "?to=+447400123456": "444444", "?channel=email": "333333", "": "444444",
	} {
		var m fiberdev.Message
		if err := json.Unmarshal([]byte(r.want(200, "GET", "/dev/inbox/latest"+path, "")), &m); err != nil || m.Code != code {
			t.Errorf("latest%s is %+v, %v", path, m, err)
		}
	}
	var list []fiberdev.Message
	if err := json.Unmarshal([]byte(r.want(200, "GET", "/dev/inbox.json?to=ann@example.com", "")), &list); err != nil || len(list) != 2 || list[0].Code != "222222" {
		t.Errorf("the list is %v, %v", list, err)
	}
	r.want(204, "DELETE", "/dev/inbox", "")
	if got := r.want(200, "GET", "/dev/inbox.json", ""); got != "[]" {
		t.Errorf("after clearing: %s", got)
	}
	if got := r.want(404, "GET", "/dev/inbox/latest?wait=1ms", ""); !strings.Contains(got, `"code":"not_found"`) {
		t.Errorf("nothing there: %s", got)
	}
}

func TestNoticesHaveNoCode(t *testing.T) {
	r := newRig(t)
	r.put("ann@example.com", "111111")
	r.box.Put("email", channel.Message{
		To: "ann@example.com", Subject: "You are invited", Text: "Come in.", HTML: "<p>Come in.", Link: "https://example.com/i#t",
	}, r.clock.Now())
	r.box.Put("sms", channel.Message{To: "+447400123456", Text: "Your <b>password</b> was changed."}, r.clock.Now())
	for path, want := range map[string]string{
		"?to=ann@example.com":             `"code":"","link":"https://example.com/i#t","subject":"You are invited","text":"Come in."`,
		"?to=ann@example.com&kind=notice": `"code":"","link":"https://example.com/i#t"`,
		"?kind=code":                      `"code":"111111"`,
		"?to=+447400123456":               `"code":"","link":"","subject":"","text":"Your`,
	} {
		if got := r.want(200, "GET", "/dev/inbox/latest"+path, ""); !strings.Contains(got, want) {
			t.Errorf("latest%s is %s, want %s", path, got, want)
		}
	}
	r.want(404, "GET", "/dev/inbox/latest?to=%2B447400123456&kind=code", "")
	r.want(422, "GET", "/dev/inbox/latest?kind=notices", "")
	page := r.want(200, "GET", "/dev/inbox?m=2", "")
	for _, want := range []string{">You are invited</span>", `<a href="https://example.com/i#t"`, "Your &lt;b&gt;password", `src="/dev/inbox/messages/2"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not show %s", want)
		}
	}
	if strings.Count(page, "data-copy=") != 1 {
		t.Error("a code to copy, and there is none")
	}
}

func TestWaitingEndsWithTheMessage(t *testing.T) {
	r := newRig(t)
	got := make(chan string)
	go func() {
		_, body := r.do("GET", "/dev/inbox/latest?to=ann@example.com&wait=20s", "")
		got <- body
	}()
	r.put("ann@example.com", "123456")
	if body := <-got; !strings.Contains(body, "123456") {
		t.Errorf("got %s", body)
	}
}

func TestTheClockMoves(t *testing.T) {
	r := newRig(t)
	r.want(200, "POST", "/dev/clock", `{"advance":"11m"}`)
	if got := r.want(200, "GET", "/dev/clock", ""); !strings.Contains(got, `"offset":"11m0s"`) {
		t.Errorf("the clock shows %s", got)
	}
	for _, body := range []string{`{}`, `{"advance":"soon"}`, `{"advance":"1m","reset":true}`, `{"advance":"999999h"}`} {
		r.want(422, "POST", "/dev/clock", body)
	}
	r.want(400, "POST", "/dev/clock", `{"forward":"1m"}`)
	r.want(200, "POST", "/dev/clock", `{"reset":true}`)
	if by := r.clock.Offset(); by != 0 {
		t.Errorf("still %s off", by)
	}
}

func TestChaosIsSwitchedOn(t *testing.T) {
	r := newRig(t)
	r.want(200, "POST", "/dev/chaos", `{"channel":"sms","fail_percent":30,"delay":"2s","status":429}`)
	if got := r.box.Chaos("sms"); got != (devinbox.Chaos{FailPercent: 30, Delay: 2 * time.Second, Status: 429}) {
		t.Errorf("the chaos is %+v", got)
	}
	for _, body := range []string{`{"channel":"pigeon"}`, `{"channel":"sms","fail_percent":101}`, `{"channel":"sms","delay":"2"}`, `{"channel":"sms","status":200}`} {
		r.want(422, "POST", "/dev/chaos", body)
	}
	if page := r.want(200, "GET", "/dev/inbox", ""); !strings.Contains(page, "sms 30 %") {
		t.Error("the page does not warn of it")
	}
}

func TestFormsOfOtherSitesAreRefused(t *testing.T) {
	r := newRig(t)
	r.put("ann@example.com", "123456")
	for _, from := range []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site", "Origin: https://evil.example", "Origin: null", "X-Nothing: 1"} {
		r.want(403, "POST", "/dev/clock", "advance=10m", from)
		r.want(403, "POST", "/dev/chaos", "channel=sms&fail_percent=100", from)
		r.want(403, "POST", "/dev/inbox/clear", "x=1", from)
	}
	if r.clock.Offset() != 0 || len(r.box.List(devinbox.Filter{})) != 1 || r.box.Chaos("sms").FailPercent != 0 {
		t.Error("another site's form had an effect")
	}
	for _, own := range []string{"Sec-Fetch-Site: same-origin", "Origin: http://localhost:8080"} {
		r.want(303, "POST", "/dev/clock", "advance=10m", own)
		r.want(303, "POST", "/dev/chaos", "channel=sms&fail_percent=100&delay=1s&status=503", own)
	}
	r.want(422, "POST", "/dev/chaos", "channel=sms&fail_percent=many", "Sec-Fetch-Site: same-origin")
	r.want(303, "POST", "/dev/inbox/clear", "x=1", "Sec-Fetch-Site: same-origin")
	if r.clock.Offset() != 20*time.Minute || len(r.box.List(devinbox.Filter{})) != 0 || r.box.Chaos("sms").FailPercent != 100 {
		t.Error("our own form had no effect")
	}
}

func TestMessagesAreShownInACage(t *testing.T) {
	r := newRig(t)
	r.put("ann@example.com", `<img src=x onerror=alert(1)>`)
	resp, page := r.do("GET", "/dev/inbox", "")
	if strings.Contains(page, "<img") || strings.Contains(page, "<script>alert") || !strings.Contains(page, "&lt;img") {
		t.Error("the page runs what stands in a message")
	}
	policy := resp.Header.Get("Content-Security-Policy")
	if strings.Contains(policy, "unsafe") || !strings.HasPrefix(policy, "default-src 'none'; style-src 'sha256-") {
		t.Errorf("the page's policy is %q", policy)
	}
	resp, _ = r.do("GET", "/dev/inbox/messages/1", "")
	if policy := resp.Header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "sandbox; default-src 'none';") {
		t.Errorf("the message's policy is %q", policy)
	}
	for _, seq := range []string{"2", "x", "-1", "9223372036854775808"} {
		r.want(404, "GET", "/dev/inbox/messages/"+seq, "")
	}
}

func TestThePageListsAndOpens(t *testing.T) {
	r := newRig(t)
	if page := r.want(200, "GET", "/dev/inbox", ""); !strings.Contains(page, "http://localhost:8080/v1/challenges") {
		t.Error("an empty inbox does not say how to fill it")
	}
	for i := range 105 {
		r.put(fmt.Sprintf("p%d@example.com", i), "123456")
	}
	page := r.want(200, "GET", "/dev/inbox?m=50", "")
	if !strings.Contains(page, "5 older messages are not listed") || !strings.Contains(page, `src="/dev/inbox/messages/50"`) {
		t.Error("the wrong part is shown")
	}
	r.want(200, "GET", "/dev/inbox?m=nonsense", "")
	r.want(422, "GET", "/dev/inbox.json?since=yesterday", "")
	r.want(200, "GET", "/dev/inbox.json?since=2026-01-31T12:00:00+01:00&after=3", "")
	r.want(422, "GET", "/dev/inbox.json?after=x", "")
}
