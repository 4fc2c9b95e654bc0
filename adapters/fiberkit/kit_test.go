package fiberkit_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/countersign/countersign/adapters/fiberkit"
)

// records is a log that may be read while it is written.
type records struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *records) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *records) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

func kit(change ...func(*fiberkit.Options)) (*fiber.App, *records) {
	log := &records{}
	n := 0
	o := fiberkit.Options{
		Log:   slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		NewID: func() string { n++; return "request-" + strconv.Itoa(n) }, Now: time.Now, Docs: "https://example.com",
	}
	for _, c := range change {
		c(&o)
	}
	return fiberkit.New(o), log
}

// problem sends a request and reads the refusal.
func problem(t *testing.T, app *fiber.App, req *http.Request) (*http.Response, fiberkit.Problem) {
	t.Helper()
	resp, err := app.Test(req, -1)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		t.Fatal(err)
	}
	var p fiberkit.Problem
	if err := json.Unmarshal(body, &p); err != nil || resp.Header.Get("Content-Type") != fiberkit.ProblemType || p.Status != resp.StatusCode {
		t.Fatalf("no problem: %d %v %s", resp.StatusCode, resp.Header, body)
	}
	return resp, p
}

// serve runs an app behind a real listener until the test ends.
func serve(t *testing.T, app *fiber.App) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- app.Listener(l) }()
	t.Cleanup(func() {
		if err := errors.Join(app.Shutdown(), <-done); err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// raw sends bytes and reads until the server closes, or for as long as wait.
func raw(t *testing.T, address, text string, wait time.Duration) string {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(wait)); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(conn)
	if timeout := net.Error(nil); err != nil && (!errors.As(err, &timeout) || !timeout.Timeout()) {
		t.Fatal(err)
	}
	return string(got)
}

func TestWhatAHandlerKeepsIsNotOverwritten(t *testing.T) {
	app, _ := kit()
	var kept []string
	app.Get("/:id", func(c *fiber.Ctx) error {
		kept = append(kept, c.Params("id"), c.Query("q"), c.Get("X-Name"), fiberkit.Bearer(c))
		return nil
	})
	address := serve(t, app)
	one := "GET /first-identity?q=first-query HTTP/1.1\r\nHost: x\r\nX-Name: first-header\r\nAuthorization: Bearer first-token\r\n\r\n"
	raw(t, address, one+strings.ReplaceAll(one, "first", "OTHER")+"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 5*time.Second)
	want := "first-identity first-query first-header first-token OTHER-identity OTHER-query OTHER-header OTHER-token"
	if got := strings.Join(kept, " "); got != want {
		t.Errorf("kept %q", got)
	}
}

func TestSmuggledRequestsAreNotServed(t *testing.T) {
	app, _ := kit()
	var hits []string
	app.Post("/open", func(c *fiber.Ctx) error { hits = append(hits, "open"); return nil })
	app.Get("/secret", func(c *fiber.Ctx) error { hits = append(hits, "secret"); return nil })
	address := serve(t, app)
	inner := "GET /secret HTTP/1.1\r\nHost: x\r\n\r\n"
	for name, text := range map[string]string{
		"length and chunks": "POST /open HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + inner,
		"chunks and length": "POST /open HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + inner,
		"folded":            "POST /open HTTP/1.1\r\nHost: x\r\ncontent-LENGTH: 4\r\ntransfer-ENCODING: Chunked\r\n\r\n0\r\n\r\n" + inner,
		"two lengths":       "POST /open HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 40\r\n\r\n" + inner,
		"bare line feed":    "POST /open HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2;x\nxx\r\n20\r\nab\r\n0\r\n\r\n" + inner + "\r\n0\r\n\r\n",
		"unknown encoding":  "POST /open HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\nContent-Length: 0\r\n\r\n" + inner,
		"spaced name":       "POST /open HTTP/1.1\r\nHost: x\r\nContent-Length : 40\r\n\r\n" + inner,
	} {
		hits = nil
		got := raw(t, address, text, 5*time.Second)
		if len(hits) > 0 || !strings.HasPrefix(got, "HTTP/1.1 400") || strings.Count(got, "HTTP/1.1") != 1 || !strings.Contains(got, "Connection: close") {
			t.Errorf("%s: served %v\n%s", name, hits, got)
		}
	}
}

func TestASlowClientIsCutOff(t *testing.T) {
	app, _ := kit(func(o *fiberkit.Options) { o.Read = 200 * time.Millisecond })
	address := serve(t, app)
	began := time.Now()
	got := raw(t, address, "POST / HTTP/1.1\r\nHost: x\r\nContent-Le", 5*time.Second)
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("it took %s", took)
	}
	if got != "" && !strings.HasPrefix(got, "HTTP/1.1 4") {
		t.Errorf("it was answered %q", got)
	}
}

func TestTooMuchIsRefused(t *testing.T) {
	app, _ := kit()
	app.Post("/", func(c *fiber.Ctx) error { return nil })
	address := serve(t, app)
	got := raw(t, address, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 65537\r\n\r\n", 5*time.Second)
	if !strings.HasPrefix(got, "HTTP/1.1 413") || !strings.Contains(got, `"code":"too_large"`) || !strings.Contains(got, "Cache-Control: no-store") ||
		!strings.Contains(got, `"instance":"request-`) {
		t.Errorf("a large body gets %q", got)
	}
	got = raw(t, address, "GET / HTTP/1.1\r\nX-Long: "+strings.Repeat("x", 8192-24), 5*time.Second)
	if !strings.HasPrefix(got, "HTTP/1.1 400") || !strings.Contains(got, `"code":"malformed_request"`) {
		t.Errorf("long headers get %q", got)
	}
}

func TestPanicsTellNothing(t *testing.T) {
	app, log := kit()
	app.Get("/", func(*fiber.Ctx) error { panic("password is hunter2") })
	app.Get("/error", func(*fiber.Ctx) error { return errors.New("dial 10.0.0.1: refused") })
	for _, path := range []string{"/", "/error"} {
		_, p := problem(t, app, httptest.NewRequest(http.MethodGet, path, nil))
		if p.Status != 500 || p.Code != "internal_error" || p.Detail != "" || strings.Contains(p.Title, "hunter2") || !strings.Contains(log.String(), p.Instance) {
			t.Errorf("%s: %+v", path, p)
		}
	}
	if !strings.Contains(log.String(), "10.0.0.1") || !strings.Contains(log.String(), "panicked") {
		t.Errorf("the log says only %s", log)
	}
}

func TestWhatIsNotServedIsAProblemToo(t *testing.T) {
	app, _ := kit()
	app.Post("/thing", func(*fiber.Ctx) error { return nil })
	resp, p := problem(t, app, httptest.NewRequest(http.MethodGet, "/nothing", nil))
	if p.Status != 404 || p.Code != "not_found" || p.Type != "https://example.com/docs/problems/not_found" || resp.Header.Get("Server") != "" {
		t.Errorf("unknown path: %+v %v", p, resp.Header)
	}
	for _, method := range []string{http.MethodGet, http.MethodDelete, http.MethodTrace} {
		resp, p := problem(t, app, httptest.NewRequest(method, "/thing", nil))
		if p.Status != 405 || p.Code != "malformed_request" || resp.Header.Get("Allow") != "POST" {
			t.Errorf("%s: %+v, Allow %q", method, p, resp.Header.Get("Allow"))
		}
	}
	for name, want := range map[string]string{"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s is %q", name, got)
		}
	}
}
