package harness_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

func TestAServerLivesThroughACrash(t *testing.T) {
	harness.Stores(t, func(t *testing.T, store harness.Store) {
		s := harness.Start(t, harness.Options{Store: store})
		c := s.Client(t)
		before := c.SignIn("user@example.com")
		s.Kill()
		if _, err := c.Try(http.MethodGet, "/healthz", nil); err == nil {
			t.Fatal("the server answers after it was killed")
		}
		s.Restart()
		c.As(before.Access).Get("/v1/me").Want(http.StatusOK)
		if !strings.Contains(s.Log(), "serving") {
			t.Errorf("the log of both lives does not say that anything was served: %q", s.Log())
		}
	})
}

func TestReplicasShareUsersAndClocks(t *testing.T) {
	s := harness.Start(t, harness.Options{Store: harness.Postgres(t)})
	s.Replica(t)
	c := s.Client(t)
	asked := c.At(1).StartChallenge("user@example.com")
	code := c.Code("user@example.com")
	c.Advance(299 * time.Second)
	c.At(0).Verify(asked.ID, code).Tokens()
	late := c.At(1).StartChallenge("user@example.com")
	code = c.Code("user@example.com")
	c.Advance(301 * time.Second)
	c.At(0).Verify(late.ID, code).WantCode(http.StatusGone, "challenge_expired")
}

// RFC 6238, appendix B; the last six of its eight digits.
func TestCodesOfTheRFC(t *testing.T) {
	const secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ" // "12345678901234567890"
	for at, want := range map[int64]string{59: "287082", 1111111109: "081804", 1234567890: "005924", 20000000000: "353130"} {
		if got := harness.TOTP(secret, time.Unix(at, 0)); got != want {
			t.Errorf("at %d: %s, want %s", at, got, want)
		}
	}
}

func TestTimesAreCompared(t *testing.T) {
	takes := func(name string, d time.Duration) harness.Timed {
		return harness.Timed{Name: name, Make: func() func() {
			return func() {
				for began := time.Now(); time.Since(began) < d; { // not a timer, which is late when the machine is busy
				}
			}
		}}
	}
	like := harness.Alike{Each: 11, Rounds: 3, Tolerance: 0.2}
	if said := like.Compare(takes("one", time.Millisecond), takes("other", time.Millisecond)); said != "" {
		t.Errorf("what takes equally long does not: %s", said)
	}
	said := like.Compare(takes("quick", time.Millisecond), takes("slow", 2*time.Millisecond))
	if !strings.Contains(said, "quick: ") || !strings.Contains(said, "slow: ") || !strings.Contains(said, "medians of 33") {
		t.Errorf("what takes twice as long does not: %q", said)
	}
}
