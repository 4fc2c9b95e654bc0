package fiberkit_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"

	"github.com/countersign/countersign/adapters/fiberkit"
)

const page = "https://app.example.com"

func shared(o *fiberkit.Options) { o.Origins = []string{"http://localhost:3000", page} }

// from sends a request as a page of an origin would.
func from(t *testing.T, app *fiber.App, method, origin string, headers ...string) *http.Response {
	t.Helper()
	req := httptest.NewRequest(method, "/thing", nil)
	req.Header.Set("Origin", origin)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := app.Test(req, -1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp
}

// allows lists what an answer lets other origins do.
func allows(resp *http.Response) (out []string) {
	for name, v := range resp.Header {
		if strings.HasPrefix(name, "Access-Control-") {
			out = append(out, name+": "+strings.Join(v, ";"))
		}
	}
	return out
}

func TestPagesOfListedOriginsMayCall(t *testing.T) {
	app, _ := kit(shared)
	calls := 0
	app.Post("/thing", func(c *fiber.Ctx) error { calls++; return c.SendString("done") })
	for _, origin := range []string{page, "http://localhost:3000"} {
		asked := from(t, app, http.MethodOptions, origin, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization")
		for name, want := range map[string]string{
			"Access-Control-Allow-Origin": origin, "Access-Control-Allow-Methods": "GET, POST, PUT, PATCH, DELETE", "Access-Control-Max-Age": "600",
			"Access-Control-Allow-Headers": "Authorization, Content-Type, Countersign-Tenant, Idempotency-Key",
			"Vary":                         "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
		} {
			if got := asked.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q", origin, name, got)
			}
		}
		if asked.StatusCode != http.StatusNoContent || calls != 0 {
			t.Errorf("%s: a question is answered %d and did %d things", origin, asked.StatusCode, calls)
		}
		done := from(t, app, http.MethodPost, origin)
		if calls != 1 || done.StatusCode != http.StatusOK || done.Header.Get("Access-Control-Allow-Origin") != origin || done.Header.Get("Vary") != "Origin" ||
			done.Header.Get("Access-Control-Expose-Headers") != "Retry-After, WWW-Authenticate, Idempotent-Replay" {
			t.Errorf("%s: %d %v", origin, done.StatusCode, done.Header)
		}
		calls = 0
		if refused := from(t, app, http.MethodDelete, origin); refused.StatusCode != http.StatusMethodNotAllowed || refused.Header.Get("Access-Control-Allow-Origin") != origin {
			t.Errorf("%s may not read why it is refused: %d %v", origin, refused.StatusCode, refused.Header)
		}
		for _, resp := range []*http.Response{asked, done} {
			if resp.Header.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("%s may use cookies", origin)
			}
		}
	}
}

func TestPagesOfOtherOriginsMayNot(t *testing.T) {
	app, _ := kit(shared)
	app.Post("/thing", func(c *fiber.Ctx) error { return nil })
	for _, origin := range []string{"https://app.example.com.evil.test", "http://app.example.com", "https://app.example.com:8443", "https://APP.example.com", "null", "*", ""} {
		for _, method := range []string{http.MethodOptions, http.MethodPost} {
			resp := from(t, app, method, origin, "Access-Control-Request-Method", "POST")
			if got := allows(resp); got != nil || resp.Header.Get("Vary") != "Origin" {
				t.Errorf("%s %q: %v, Vary %q", method, origin, got, resp.Header.Get("Vary"))
			}
			if method == http.MethodOptions && resp.StatusCode != http.StatusMethodNotAllowed {
				t.Errorf("%q: a question is answered %d", origin, resp.StatusCode)
			}
		}
	}
}

func TestWithoutOriginsNothingIsShared(t *testing.T) {
	app, _ := kit()
	app.Post("/thing", func(c *fiber.Ctx) error { return nil })
	for _, method := range []string{http.MethodOptions, http.MethodPost} {
		resp := from(t, app, method, page, "Access-Control-Request-Method", "POST")
		if got := allows(resp); got != nil || resp.Header.Get("Vary") != "" {
			t.Errorf("%s: %v, Vary %q", method, got, resp.Header.Get("Vary"))
		}
	}
}
