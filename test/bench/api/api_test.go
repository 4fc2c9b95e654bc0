package api

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// serve answers every request with one status and body, and tells what it was asked.
func serve(t *testing.T, status int, body string) (*Client, *http.Request, *string) {
	t.Helper()
	var seen http.Request
	var got string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		seen, got = *r, string(raw)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	c := New(strings.TrimPrefix(server.URL, "http://"))
	t.Cleanup(c.Close)
	return c, &seen, &got
}

func TestStartSaysWhomToAskAndWhereTheClientIs(t *testing.T) {
	c, seen, body := serve(t, 202, `{"id":"abc","status":"pending","prompt":{"kind":"enter_code","length":6}}`)
	got, err := c.Start(Wish{To: "a@bench.example", From: "10.1.2.3", Bearer: "tok"})
	if err != nil || got.ID != "abc" {
		t.Fatalf("got %+v, %v", got, err)
	}
	if seen.URL.Path != "/v1/challenges" || seen.Method != http.MethodPost || seen.Header.Get("Content-Type") != "application/json" ||
		seen.Header.Get("X-Forwarded-For") != "10.1.2.3" || seen.Header.Get("Authorization") != "Bearer tok" || *body != `{"to":"a@bench.example"}` {
		t.Errorf("asked %s %s %v %s", seen.Method, seen.URL.Path, seen.Header, *body)
	}
}

func TestAnAnswerOfAnotherShapeIsAnError(t *testing.T) {
	for _, body := range []string{
		`{"id":"","status":"pending","prompt":{"kind":"enter_code","length":6}}`,
		`{"id":"x","status":"exhausted","prompt":{"kind":"enter_code","length":6}}`,
		`{"id":"x","status":"pending","prompt":{"kind":"wait"}}`, `{}`, `nonsense`,
	} {
		c, _, _ := serve(t, 202, body)
		if _, err := c.Start(Wish{To: "a@bench.example"}); err == nil {
			t.Errorf("%s was accepted as a challenge", body)
		}
	}
	for _, body := range []string{
		`{"status":"factor_required","pending_token":"p","devices":[{"id":"d"}]}`,
		`{"status":"signed_in","access_token":"a.b","refresh_token":"r","session_id":"s"}`,
		`{"status":"signed_in","access_token":"a.b.c","session_id":"s"}`,
	} {
		c, _, _ := serve(t, 200, body)
		if _, err := c.Verify(Answer{ID: "x", Code: "123456", Want: "signed_in"}); err == nil {
			t.Errorf("%s was accepted as a sign-in", body)
		}
	}
}

func TestARefusalIsTold(t *testing.T) {
	c, _, _ := serve(t, 422, `{"status":422,"code":"invalid_code","detail":"No.","attempts_left":3}`)
	_, err := c.Verify(Answer{ID: strings.Repeat("s", 40), Code: "123456", Want: "signed_in"})
	p, ok := Refused(err)
	if !ok || p.Status != 422 || p.Code != "invalid_code" || p.AttemptsLeft == nil || *p.AttemptsLeft != 3 {
		t.Fatalf("got %v", err)
	}
	if strings.Contains(err.Error(), "sss") {
		t.Errorf("the challenge's handle is in the error: %v", err)
	}
	c, _, _ = serve(t, 500, `<html>`)
	if p, ok := Refused(c.Ready()); !ok || p.Status != 500 || p.Code != "unexpected_answer" {
		t.Errorf("got %v", p)
	}
}

func TestSecretIsReadFromWhatIsShown(t *testing.T) {
	c, _, _ := serve(t, 201, `{"device":{"id":"d","channel":"totp"},"challenge":{"id":"c","status":"pending",
		"prompt":{"kind":"enter_code","length":6,"show":["otpauth://totp/B:a?issuer=B&secret=JBSWY3DP"]}}}`)
	e, err := c.Enroll("tok", "")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := e.Secret(); err != nil || got != "JBSWY3DP" {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := (Enrollment{}).Secret(); err == nil {
		t.Error("a secret was read from nothing")
	}
}
