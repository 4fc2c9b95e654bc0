package fiberkit_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/countersign/countersign/adapters/fiberkit"
	"github.com/countersign/countersign/domain/fault"
)

func TestEveryKindHasItsStatus(t *testing.T) {
	for kind, want := range map[fault.Kind]int{
		fault.Malformed: 400, fault.Unauthenticated: 401, fault.Forbidden: 403, fault.NotFound: 404, fault.Conflict: 409, fault.Gone: 410,
		fault.TooLarge: 413, fault.Unsupported: 415, fault.Invalid: 422, fault.Throttled: 429, fault.Unavailable: 503, "": 500, "new": 500,
	} {
		app, _ := kit()
		app.Get("/", func(*fiber.Ctx) error {
			return fmt.Errorf("wrapped: %w", fault.New(kind, "code", "Text.").Because(errors.New("cause")))
		})
		resp, p := problem(t, app, httptest.NewRequest(http.MethodGet, "/", nil))
		if p.Status != want || p.Code != "code" || p.Title != "Text." || p.Detail != "" {
			t.Errorf("%s: %+v, want %d", kind, p, want)
		}
		if got := resp.Header.Get("WWW-Authenticate"); (got != "") != (want == 401) {
			t.Errorf("%s: WWW-Authenticate is %q", kind, got)
		}
	}
}

func TestWaitsAreWholeSecondsAndNeverZero(t *testing.T) {
	for after, want := range map[time.Duration]int{0: 1, time.Millisecond: 1, time.Second: 1, 1001 * time.Millisecond: 2, time.Hour: 3600} {
		app, _ := kit()
		app.Get("/", func(*fiber.Ctx) error { return fault.New(fault.Throttled, "cooldown", "Wait.").Retry(after) })
		resp, p := problem(t, app, httptest.NewRequest(http.MethodGet, "/", nil))
		if p.RetryAfter != want || resp.Header.Get("Retry-After") != fmt.Sprint(want) {
			t.Errorf("%s: retry_after %d, Retry-After %q", after, p.RetryAfter, resp.Header.Get("Retry-After"))
		}
	}
}

func TestMembersAreThereWhenTheyApply(t *testing.T) {
	app, _ := kit()
	app.Get("/none", func(*fiber.Ctx) error { return fault.New(fault.Invalid, "invalid_code", "No.").WithLeft(0) })
	app.Get("/field", func(*fiber.Ctx) error {
		return fault.New(fault.Invalid, "invalid_request", "No.").With(fault.Field{Pointer: "/to", Code: "c", Detail: "d"})
	})
	if _, p := problem(t, app, httptest.NewRequest(http.MethodGet, "/none", nil)); p.AttemptsLeft == nil || *p.AttemptsLeft != 0 || p.Fields != nil || p.RetryAfter != 0 {
		t.Errorf("nothing left: %+v", p)
	}
	if _, p := problem(t, app, httptest.NewRequest(http.MethodGet, "/field", nil)); p.AttemptsLeft != nil || p.Fields[0] != (fiberkit.Field{Pointer: "/to", Code: "c", Detail: "d"}) {
		t.Errorf("a field: %+v", p)
	}
}

func TestTheClientIsTheNearestHopThatNobodyVouchesFor(t *testing.T) {
	r := fiberkit.NewResolver([]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")})
	for _, c := range []struct{ peer, forwarded, client, key string }{
		{"203.0.113.9", "", "203.0.113.9", "203.0.113.9"},
		{"203.0.113.9", "198.51.100.1", "203.0.113.9", "203.0.113.9"}, // spoofed
		{"10.0.0.1", "", "10.0.0.1", "10.0.0.1"},
		{"10.0.0.1", "198.51.100.1", "198.51.100.1", "198.51.100.1"},
		{"10.0.0.1", "1.1.1.1, 198.51.100.1", "198.51.100.1", "198.51.100.1"}, // the client wrote the first
		{"10.0.0.1", "1.1.1.1, 198.51.100.1, 10.0.0.2", "198.51.100.1", "198.51.100.1"},
		{"10.0.0.1", "10.0.0.3,10.0.0.2", "10.0.0.3", "10.0.0.3"},
		{"10.0.0.1", "198.51.100.1, nonsense", "10.0.0.1", "10.0.0.1"},
		{"10.0.0.1", "198.51.100.1:4711", "198.51.100.1", "198.51.100.1"},
		{"10.0.0.1", "[2001:db8:1:2:3::4]:4711", "2001:db8:1:2:3::4", "2001:db8:1:2::/64"},
		{"10.0.0.1", "2001:db8:1:2:ffff::4%eth0", "2001:db8:1:2:ffff::4", "2001:db8:1:2::/64"},
		{"10.0.0.1", "::ffff:198.51.100.1", "198.51.100.1", "198.51.100.1"},
		{"::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1", "198.51.100.1"},
		{"fd00::1", "198.51.100.1", "198.51.100.1", "198.51.100.1"},
		{"2001:db8::1", "198.51.100.1", "2001:db8::1", "2001:db8::/64"},
	} {
		app := fiber.New()
		request := &fasthttp.RequestCtx{}
		request.Init(&request.Request, fasthttpAddr(c.peer), nil)
		if c.forwarded != "" {
			request.Request.Header.Set("X-Forwarded-For", c.forwarded)
		}
		f := app.AcquireCtx(request)
		if got := r.Client(f).String(); got != c.client {
			t.Errorf("%s for %q: the client is %s, want %s", c.peer, c.forwarded, got, c.client)
		}
		if got := r.Key(f); got != c.key {
			t.Errorf("%s for %q: the key is %s, want %s", c.peer, c.forwarded, got, c.key)
		}
		app.ReleaseCtx(f)
	}
}

func TestBearerTokensAreRead(t *testing.T) {
	app, _ := kit()
	got := ""
	app.Get("/", func(c *fiber.Ctx) error { got = fiberkit.Bearer(c); return nil })
	for header, want := range map[string]string{"Bearer x": "x", "bearer x": "x", "BEARER  x ": "x", "Basic x": "", "Bearer": "", "": "", "x": ""} {
		req := httptest.NewRequest(http.MethodGet, "/", nil)
		req.Header.Set("Authorization", header)
		resp, err := app.Test(req, -1)
		if err != nil {
			t.Fatal(err)
		}
		if resp.Body.Close(); got != want {
			t.Errorf("%q is read as %q", header, got)
		}
	}
}
