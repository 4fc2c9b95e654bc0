package attack_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/test/harness"
)

// awaitDelivery waits until a challenge says how its message fared.
func awaitDelivery(t *testing.T, c *harness.Client, id, want string, patience time.Duration) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		a := c.Get("/v1/challenges/" + id).Want(http.StatusOK)
		if a.Text("delivery") == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after %s: %s, want delivery %q", patience, a, want)
		}
	}
}

func TestF005APoisonousMessageHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	harness.Stores(t, func(t *testing.T, store harness.Store) {
		t.Parallel()
		mails := openSink(t, "127.0.0.1:0")
		mails.refuse = func(to string) bool { return strings.HasPrefix(to, "poison") }
		s := harness.Start(t, harness.Options{Store: store, Mode: harness.Production, SMTP: mails.address, Env: sober})
		c := s.Client(t)
		poison := map[string]string{}
		for i := range 20 {
			to := "poison" + string(rune('a'+i)) + "@example.com"
			poison[to] = c.Post("/v1/challenges", map[string]string{"to": to}).Want(http.StatusAccepted).Text("id")
		}
		asked := time.Now()
		addresses, _ := startAll(t, c, 40)
		got := mails.await(t, promptly, addresses...)
		var took []time.Duration
		for _, to := range addresses {
			took = append(took, got[to][0].at.Sub(asked))
		}
		slices.Sort(took)
		if p95 := took[len(took)*95/100]; p95 > 2*time.Second {
			t.Errorf("95 %% of the others came within %s, want 2s", p95)
		}
		for to, id := range poison {
			awaitDelivery(t, c, id, "failed", promptly)
			if n := mails.refusals(to); n < 1 || n > 4 {
				t.Errorf("the poisonous message was tried %d times, want at most 4", n)
			}
			c.Post("/v1/challenges", map[string]string{"to": to}).Want(http.StatusAccepted) // its cool-down was given back
		}
	})
}

// refusals is how often a recipient was refused.
func (s *sink) refusals(to string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refused[to]
}

func TestF005AChannelInTroubleLeavesOthersAlone(t *testing.T) {
	t.Parallel()
	harness.Stores(t, func(t *testing.T, store harness.Store) {
		t.Parallel()
		c := harness.Start(t, harness.Options{Store: store, Env: sober}).Client(t)
		c.Chaos("email", 100, 0, http.StatusUnprocessableEntity)
		to := fresh()
		bad := c.StartChallenge(to)
		began := time.Now()
		c.SignIn("+447400123456")
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("a text message took %s while mail was in trouble", took)
		}
		awaitDelivery(t, c, bad.ID, "failed", promptly)
		c.Chaos("email", 0, 0, 0)
		c.SignIn(to)
	})
}

func TestF006NothingIsSentAfterItsCodeHasRunOut(t *testing.T) {
	everywhere(t, "", func(t *testing.T, _ *harness.Server, c *harness.Client) {
		c.Chaos("email", 100, 0, http.StatusServiceUnavailable)
		addresses, ids := startAll(t, c, 40)
		c.Advance(5*time.Minute + time.Second)
		alive, live := startAll(t, c, 10)
		c.Chaos("email", 0, 0, 0)
		back := time.Now()
		for _, to := range alive {
			c.AwaitMessages(to, 1)
		}
		if took := time.Since(back); took > promptly {
			t.Errorf("the live codes came after %s, want %s", took, promptly)
		}
		for _, to := range alive {
			c.Verify(live[to], c.Messages(to)[0].Code).Tokens()
		}
		for _, to := range addresses {
			if state := c.Get("/v1/challenges/" + ids[to]).Text("status"); state != "expired" {
				t.Fatalf("status is %q, want expired", state)
			}
			awaitDelivery(t, c, ids[to], "failed", promptly)
			if n := len(c.Messages(to)); n != 0 {
				t.Fatalf("%d messages were sent after the code had run out", n)
			}
		}
	})
}

func TestF008RequestsAreAnsweredWhileTheMailServerIsDown(t *testing.T) {
	t.Parallel()
	harness.Stores(t, func(t *testing.T, store harness.Store) {
		t.Parallel()
		address := harness.FreeAddress(t)
		s := harness.Start(t, harness.Options{Store: store, Mode: harness.Production, SMTP: address, Env: sober})
		c := s.Client(t)
		var addresses []string
		ids := map[string]string{}
		for range 20 {
			to, began := fresh(), time.Now()
			a := c.Post("/v1/challenges", map[string]string{"to": to}).Want(http.StatusAccepted)
			if took := time.Since(began); took > time.Second {
				t.Errorf("asking took %s", took)
			}
			addresses, ids[to] = append(addresses, to), a.Text("id")
		}
		c.Get("/readyz").Want(http.StatusOK)
		if state := c.Get("/v1/challenges/" + ids[addresses[0]]).Text("delivery"); state != "queued" {
			t.Errorf("delivery is %q while the mail server is down, want queued", state)
		}
		mails := openSink(t, address)
		got := mails.await(t, takeover, addresses...)
		for _, to := range addresses {
			if len(got[to]) != 1 {
				t.Errorf("%d letters to one person, want 1", len(got[to]))
			}
			c.Verify(ids[to], got[to][0].code).Tokens()
		}
	})
}
