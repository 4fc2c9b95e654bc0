package e2e_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign/ports/signature"
	"github.com/countersign/countersign/test/harness"
)

const hookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// hook is somebody who is told by webhooks, always at the same address.
type hook struct {
	t       *testing.T
	address string

	mu     sync.Mutex // guards the rest
	server *httptest.Server
	got    []told
}

// told is one webhook.
type told struct {
	ID, Type string
	User     string
	body     string
}

// initial is whether an address was confirmed for the first time.
func (w told) initial(t *testing.T) string {
	t.Helper()
	var b struct{ Data struct{ Initial string } }
	if err := json.Unmarshal([]byte(w.body), &b); err != nil {
		t.Fatal(err)
	}
	return b.Data.Initial
}

func newHook(t *testing.T) *hook {
	t.Helper()
	h := &hook{t: t, address: harness.FreeAddress(t)}
	h.start()
	t.Cleanup(h.stop)
	return h
}

// ServeHTTP believes what is signed, and keeps it.
func (h *hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = signature.Verify(hookSecret, r.Header, body, time.Now())
	}
	var b struct {
		Type string
		Data struct {
			ID, Type string
			User     string `json:"user_id"`
		}
	}
	if err == nil {
		err = json.Unmarshal(body, &b)
	}
	if err != nil || b.Data.ID != r.Header.Get(signature.ID) || b.Data.Type != b.Type {
		h.t.Errorf("a webhook that is not to be believed: %v %s", err, body)
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.got = append(h.got, told{b.Data.ID, b.Type, b.Data.User, string(body)})
	w.WriteHeader(http.StatusNoContent)
}

func (h *hook) start() {
	h.t.Helper()
	l, err := net.Listen("tcp", h.address)
	if err != nil {
		h.t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(h)
	_ = s.Listener.Close()
	s.Listener = l
	s.Start()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.server = s
}

func (h *hook) stop() {
	h.mu.Lock()
	s := h.server
	h.server = nil
	h.mu.Unlock()
	if s != nil {
		s.Close()
	}
}

// heard is what came for a person, what came again left out. Whether a message
// that was on its way when the process died counts as failed is not our story.
func (h *hook) heard(user string) (ids, types []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, w := range h.got {
		if w.User == user && w.Type != "delivery.failed" && !slices.Contains(ids, w.ID) {
			ids, types = append(ids, w.ID), append(types, w.Type)
		}
	}
	return ids, types
}

func (h *hook) config(extra string) string {
	return fmt.Sprintf("webhooks: [ { name: hook, url: \"http://%s/hooks\", secret: %s%s } ]", h.address, hookSecret, extra)
}

// hooked runs a scenario on each database, with a server that tells a hook.
func hooked(t *testing.T, extra string, scenario func(t *testing.T, s *harness.Server, c *harness.Client, h *hook)) {
	t.Helper()
	t.Parallel()
	harness.Stores(t, func(t *testing.T, store harness.Store) {
		t.Parallel()
		h := newHook(t)
		s := harness.Start(t, harness.Options{Store: store, Policy: quick, Config: h.config(extra)})
		scenario(t, s, s.Client(t), h)
	})
}

// recorded is what the database knows of a person, in order.
func recorded(t *testing.T, s *harness.Server, user string) []string {
	t.Helper()
	return column(t, database(t, s.Options.Store), "SELECT id FROM events WHERE user_id = '"+user+"' AND type <> 'delivery.failed' ORDER BY id")
}

func TestWebhooksTellEverythingInOrderThroughOutagesAndCrashes(t *testing.T) {
	hooked(t, "", func(t *testing.T, s *harness.Server, c *harness.Client, h *hook) {
		user := claims(t, c.SignIn(ann).Access).Sub
		waitFor(t, patient, "the first sign-in is told", func() bool {
			_, types := h.heard(user)
			return slices.Contains(types, "session.started")
		})
		before, _ := h.heard(user)

		h.stop() // nobody there
		c.SignIn(ann)
		waitFor(t, patient, "telling failed", func() bool { return strings.Contains(s.Log(), "was not told of an event") })
		c.SignIn(ann)
		s.Kill() // and then we are not there either
		all := recorded(t, s, user)
		if len(all) < len(before)+2 {
			t.Fatalf("recorded %d events after %d, want two sign-ins more", len(all), len(before))
		}
		h.start()
		s.Restart()
		waitFor(t, time.Minute, "everything is told", func() bool { // a lease of the process that died lasts half a minute
			ids, _ := h.heard(user)
			return len(ids) >= len(all)
		})
		if ids, types := h.heard(user); !slices.Equal(ids, all) {
			t.Errorf("told %q (%q), recorded %q", ids, types, all)
		}
		waitFor(t, patient, "nothing is queued any more", func() bool {
			return column(t, database(t, s.Options.Store), "SELECT count(*) FROM facts")[0] == "0"
		})
		h.mu.Lock()
		defer h.mu.Unlock()
		for _, w := range h.got {
			if strings.Contains(w.body, ann) {
				t.Errorf("an address is in %s", w.body)
			}
		}
	})
}

func TestWebhooksAreToldWhatTheyAskedFor(t *testing.T) {
	hooked(t, ", events: [user.*]", func(t *testing.T, s *harness.Server, c *harness.Client, h *hook) {
		first, second := claims(t, c.SignIn(ann).Access).Sub, claims(t, c.SignIn(bob).Access).Sub
		for _, user := range []string{first, second} {
			waitFor(t, patient, "the new account is told", func() bool {
				_, types := h.heard(user)
				return slices.Contains(types, "user.created")
			})
			if _, types := h.heard(user); slices.ContainsFunc(types, func(of string) bool { return !strings.HasPrefix(of, "user.") }) {
				t.Errorf("told %q", types)
			}
		}
	})
}

func TestProductionTellsNobodyAtHome(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.yaml")
	text := "webhooks: [ { url: http://127.0.0.1/h, secret: " + hookSecret + ", events: [sesion.started] } ]\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got := run(t, nil, "config", "validate", "--config", file)
	for _, want := range []string{"webhooks[0].url: is not https", `Did you mean "session.started"?`} {
		if got.code != 3 || !strings.Contains(got.err, want) || strings.Contains(got.err, hookSecret) {
			t.Errorf("exit code %d, no %q in:\n%s", got.code, want, got.err)
		}
	}
}
