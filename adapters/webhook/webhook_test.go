package webhook_test

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"go.uber.org/goleak"

	"github.com/countersign/countersign/adapters/system"
	"github.com/countersign/countersign/adapters/webhook"
	"github.com/countersign/countersign/domain/event"
	port "github.com/countersign/countersign/ports/event"
	"github.com/countersign/countersign/ports/signature"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	older = "whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("o", 24)))
	newer = "whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("n", 64)))
	fact  = event.Event{
		ID: "0199-1", Tenant: "default", User: "ann", Type: event.IdentifierVerified, At: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC),
		Data: map[string]string{"kind": "phone", "initial": "no"},
	}
)

func endpoint(t *testing.T, change func(o *webhook.Options)) *webhook.Endpoint {
	t.Helper()
	o := webhook.Options{
		Name: "hook", URL: "https://example.com", Secret: newer, Events: []string{"*"}, AllowPrivate: true,
		Clock: system.Clock{}, Log: slog.New(slog.DiscardHandler),
	}
	change(&o)
	e, err := webhook.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

// receiver is an endpoint that answers as the test says, and counts requests.
func receiver(t *testing.T, answer http.HandlerFunc, change func(o *webhook.Options)) (*webhook.Endpoint, *atomic.Int32) {
	t.Helper()
	hits := &atomic.Int32{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hits.Add(1)
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	return endpoint(t, func(o *webhook.Options) {
		o.URL = s.URL + "/hooks?token=sesame"
		if change != nil {
			change(o)
		}
	}), hits
}

func status(n int, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(n)
	}
}

func TestOneEventIsOneSignedRequest(t *testing.T) {
	var head http.Header
	var method, path string
	var body []byte
	e, _ := receiver(t, func(_ http.ResponseWriter, r *http.Request) {
		head, method, path = r.Header, r.Method, r.URL.Path
		body, _ = io.ReadAll(r.Body)
	}, func(o *webhook.Options) { o.Secret = newer + "\n" + older + "\n" })
	if err := e.Hear(t.Context(), fact); err != nil {
		t.Fatal(err)
	}
	const want = `{"type":"identifier.verified","timestamp":"2026-01-02T03:04:05.000006Z","data":{"at":"2026-01-02T03:04:05.000006Z","id":"0199-1","initial":"no","kind":"phone","tenant":"default","type":"identifier.verified","user_id":"ann"}}`
	if string(body) != want {
		t.Errorf("sent %s\nwant %s", body, want)
	}
	if method != http.MethodPost || path != "/hooks" || head.Get("Content-Type") != "application/json" || head.Get("webhook-id") != "0199-1" {
		t.Errorf("%s %s %v", method, path, head)
	}
	for _, secret := range []string{older, newer} { // while it is being replaced, both
		if err := signature.Verify(secret, head, body, time.Now()); err != nil {
			t.Error(err)
		}
		reference, err := standard.NewWebhook(secret)
		if err != nil {
			t.Fatal(err)
		}
		if err := reference.Verify(body, head); err != nil {
			t.Error(err)
		}
	}
}

func TestWhatAFactSaysNeverStandsForWhatItIs(t *testing.T) {
	var got struct{ Data map[string]string }
	e, _ := receiver(t, func(_ http.ResponseWriter, r *http.Request) { _ = json.NewDecoder(r.Body).Decode(&got) }, nil)
	odd := fact
	odd.User, odd.Data = "", map[string]string{"id": "x", "tenant": "x", "type": "x", "at": "x", "user_id": "x", "kind": "\"</script>\u2028"}
	if err := e.Hear(t.Context(), odd); err != nil {
		t.Fatal(err)
	}
	user, has := got.Data["user_id"]
	if has || got.Data["id"] != fact.ID || got.Data["tenant"] != "default" || got.Data["type"] != "identifier.verified" || got.Data["kind"] != odd.Data["kind"] {
		t.Errorf("got %q %v", user, got.Data)
	}
}

func TestAnswersAreJudged(t *testing.T) {
	soon := time.Now().Add(90 * time.Second).UTC().Format(http.TimeFormat)
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		says   string        // "" for success
		later  time.Duration // about
	}{
		"200":                 {answer: status(200)},
		"204":                 {answer: status(204)},
		"299":                 {answer: status(299)},
		"400":                 {answer: status(400), says: "answered 400"},
		"500":                 {answer: status(500), says: "answered 500"},
		"503 and a minute":    {answer: status(503, "Retry-After", "60"), says: "answered 503", later: time.Minute},
		"429 and a date":      {answer: status(429, "Retry-After", soon), says: "answered 429", later: 90 * time.Second},
		"503 and ages":        {answer: status(503, "Retry-After", "999999999999"), says: "answered 503", later: 24 * time.Hour},
		"503 and nonsense":    {answer: status(503, "Retry-After", "soon"), says: "answered 503"},
		"503 and the past":    {answer: status(503, "Retry-After", "-5"), says: "answered 503"},
		"a great answer":      {answer: func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 1<<20)) }},
		"a great head":        {answer: status(200, "X-Great", strings.Repeat("x", 1<<17)), says: "cannot be told"},
		"an answer cut short": {answer: func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) }, says: "cannot be told"},
	} {
		e, hits := receiver(t, c.answer, nil)
		err := e.Hear(t.Context(), fact)
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
		var after time.Duration
		if later, ok := errors.AsType[*port.LaterError](err); ok {
			after = later.After
		}
		if after < c.later-3*time.Second || after > c.later {
			t.Errorf("%s: put off by %s, want %s", name, after, c.later)
		}
		if hits.Load() > 2 { // net/http itself repeats a request whose connection was lost before an answer
			t.Errorf("%s: %d requests", name, hits.Load())
		}
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	var elsewhere atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	defer other.Close()
	for _, n := range []int{301, 302, 303, 307, 308} {
		e, _ := receiver(t, status(n, "Location", other.URL), nil)
		if err := e.Hear(t.Context(), fact); err == nil || !strings.Contains(err.Error(), fmt.Sprint(n)) {
			t.Errorf("%d: %v", n, err)
		}
	}
	if elsewhere.Load() != 0 {
		t.Error("a redirect was followed")
	}
}

func TestAnEndpointThatIsGoneIsSwitchedOff(t *testing.T) {
	var log strings.Builder
	e, hits := receiver(t, status(http.StatusGone), func(o *webhook.Options) { o.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	for range 3 {
		err := e.Hear(t.Context(), fact)
		if later, ok := errors.AsType[*port.LaterError](err); !ok || later.After < time.Minute {
			t.Errorf("got %v", err)
		}
	}
	if hits.Load() != 1 || strings.Count(log.String(), "switched off") != 1 || strings.Contains(log.String(), "sesame") {
		t.Errorf("%d requests; the log says %s", hits.Load(), &log)
	}
}

func TestAnEndpointThatHangsIsLeft(t *testing.T) {
	release := make(chan struct{})
	for name, answer := range map[string]http.HandlerFunc{
		"no answer": func(http.ResponseWriter, *http.Request) { <-release },
		"no end": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
			_ = http.NewResponseController(w).Flush()
			<-release
		},
	} {
		e, _ := receiver(t, answer, nil)
		e.Hurry(50 * time.Millisecond)
		if err := e.Hear(t.Context(), fact); err == nil {
			t.Errorf("%s passed for a yes", name)
		}
	}
	close(release)
}

func TestGarbageAndSilenceAreFailuresThatTellNothing(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = http.ReadRequest(bufio.NewReader(c))
			_, _ = fmt.Fprint(c, strings.Repeat("\x00\x1bnonsense", 1000), "\r\n\r\n")
			_ = c.Close()
		}
	}()
	e := endpoint(t, func(o *webhook.Options) { o.URL = "http://" + l.Addr().String() + "/?token=sesame" })
	heard := e.Hear(t.Context(), fact)
	_ = l.Close()
	<-done
	refused := e.Hear(t.Context(), fact)
	for _, err := range []error{heard, refused} {
		if err == nil || strings.Contains(err.Error(), "sesame") || len(err.Error()) > 300 {
			t.Errorf("got %v", err)
		}
	}
}

func TestOnlyWhatWasAskedForIsWanted(t *testing.T) {
	e := endpoint(t, func(o *webhook.Options) { o.Events = []string{"user.*", "session.started"} })
	for of, want := range map[event.Type]bool{
		event.UserCreated: true, event.SessionStarted: true, event.SessionRevoked: false, event.DeviceEnrolled: false,
	} {
		if e.Wants(of) != want {
			t.Errorf("%s: %v", of, !want)
		}
	}
}

func TestBadOptionsAreRefusedWithoutTheirSecrets(t *testing.T) {
	for _, o := range []webhook.Options{
		{URL: "http://example.com/?token=sesame", Secret: newer}, {URL: "https://example.com/?token=sesame", Secret: "sesame"},
		{URL: "https://example.com/?token=sesame", Secret: newer + " sesame"},
	} {
		if _, err := webhook.New(o); err == nil || strings.Contains(err.Error(), "sesame") {
			t.Errorf("got %v", err)
		}
	}
}

func TestNamesLast(t *testing.T) {
	const a = "example.com-4e44084b" // if this changes, what waits in the queue is lost
	for _, same := range []string{"https://Example.com/hooks?token=sesame", "https://example.com/hooks?token=sesame"} {
		if got := webhook.DefaultName(same); got != a {
			t.Errorf("the name is %s", got)
		}
	}
	if got := webhook.DefaultName("https://[::1]:8443/ä"); !strings.HasPrefix(got, "1-") || strings.ContainsAny(got, ":[]ä") {
		t.Errorf("an odd host is called %s", got)
	}
	for _, other := range []string{"https://example.com/hooks", "https://example.com:444/hooks?token=sesame", "https://example.org/hooks?token=sesame"} {
		if webhook.DefaultName(other) == a {
			t.Errorf("%s has the same name", other)
		}
	}
}
