package attack_test

import (
	"maps"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/countersign/countersign/test/harness"
)

// Leases last 30 s; the queue is looked into every second.
const (
	takeover = 35 * time.Second
	promptly = 5 * time.Second
	hands    = 16 // messages that one process sends at a time
)

// sober is a pool that leaves connections to the other tests that run now.
var sober = []string{"COUNTERSIGN_DATABASE_CONNECTIONS=6"}

// startAll asks for a code to each of n fresh addresses, all at once.
func startAll(t *testing.T, c *harness.Client, n int) (addresses []string, ids map[string]string) {
	t.Helper()
	ids = map[string]string{}
	for range n {
		addresses = append(addresses, fresh())
	}
	v := fire(n, func(i int) (harness.Answer, error) {
		return c.Try(http.MethodPost, "/v1/challenges", map[string]string{"to": addresses[i]})
	})
	for i, a := range v.answers {
		if v.errors[i] != nil || a.Status != http.StatusAccepted {
			t.Fatalf("%s %v", a, v.errors[i])
		}
		ids[addresses[i]] = a.Text("id")
	}
	return addresses, ids
}

func TestF001NothingIsLostThatWasAcknowledgedBeforeACrash(t *testing.T) {
	t.Parallel()
	harness.Stores(t, func(t *testing.T, store harness.Store) {
		t.Parallel()
		mails := openSink(t, "127.0.0.1:0")
		s := harness.Start(t, harness.Options{Store: store, Mode: harness.Production, SMTP: mails.address, Env: sober})
		mails.hold()
		var all []string
		ids := map[string]string{}
		const kills, each = 3, 40
		for range kills {
			addresses, more := startAll(t, s.Client(t), each)
			s.Kill()
			all = append(all, addresses...)
			maps.Copy(ids, more)
			s.Restart()
		}
		mails.release()
		ready := time.Now()
		got := mails.await(t, takeover, all...)
		soon, c := 0, s.Client(t)
		for _, to := range all {
			if len(got[to]) != 1 {
				t.Errorf("%d letters to one person, want 1: none was taken before", len(got[to]))
			}
			if got[to][0].at.Sub(ready) <= promptly {
				soon++
			}
			c.Verify(ids[to], got[to][0].code).Tokens()
		}
		t.Logf("%d of %d within %s, all within %s", soon, len(all), promptly, time.Since(ready).Round(time.Millisecond))
		if soon < len(all)-kills*hands { // those that none of the killed had in hand
			t.Errorf("only %d of %d letters came within %s", soon, len(all), promptly)
		}
	})
}

func TestF002AMessageSentTwiceIsTheSameMessage(t *testing.T) {
	t.Parallel()
	harness.Stores(t, func(t *testing.T, store harness.Store) {
		t.Parallel()
		mails := openSink(t, "127.0.0.1:0")
		s := harness.Start(t, harness.Options{Store: store, Mode: harness.Production, SMTP: mails.address, Env: sober})
		mails.hold()
		addresses, ids := startAll(t, s.Client(t), 8)
		var once sync.Once
		mails.onTaken(func() { once.Do(s.Kill) }) // the provider has it, the server never hears so
		mails.release()
		if _, ok := s.Wait(10 * time.Second); !ok {
			t.Fatal("no letter was taken")
		}
		before := mails.by()
		s.Restart()
		began := time.Now()
		twice := awaitSecond(t, mails, addresses, before)
		t.Logf("%d of %d were taken before the crash; all again after %s", len(before), len(addresses), time.Since(began).Round(time.Millisecond))
		c := s.Client(t)
		for _, to := range addresses {
			letters := twice[to]
			if len(letters) > 2 {
				t.Errorf("%d letters to one person, want at most one more than was on its way", len(letters))
			}
			for _, l := range letters {
				if l.id != letters[0].id || l.code != letters[0].code {
					t.Error("the second letter has another Message-ID or another code")
				}
			}
			c.Verify(ids[to], letters[0].code).Tokens()
			c.Verify(ids[to], letters[0].code).WantCode(http.StatusNotFound, "challenge_not_found")
		}
	})
}

// awaitSecond waits until everybody has a letter, and a second one if the first
// came before the crash.
func awaitSecond(t *testing.T, mails *sink, addresses []string, before map[string][]letter) map[string][]letter {
	t.Helper()
	for deadline := time.Now().Add(takeover); ; time.Sleep(20 * time.Millisecond) {
		got, due := mails.by(), 0
		for _, to := range addresses {
			if len(got[to]) < len(before[to])+1 {
				due++
			}
		}
		if due == 0 {
			return got
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d letters were not sent again within %s", due, len(addresses), takeover)
		}
	}
}

func TestF004AStoppedReplicaLosesItsLeases(t *testing.T) {
	t.Parallel()
	store, keys := harness.Postgres(t), harness.NewKeys(t)
	ours, theirs := openSink(t, "127.0.0.1:0"), openSink(t, "127.0.0.1:0")
	o := harness.Options{Store: store, Mode: harness.Production, SMTP: ours.address, Keys: keys, Env: sober}
	stopped := harness.Start(t, o)
	o.SMTP = theirs.address
	other := harness.Start(t, o)
	ours.hold()
	addresses, ids := startAll(t, stopped.Client(t), 8)
	stopped.Signal(syscall.SIGSTOP)
	t.Cleanup(func() { stopped.Signal(syscall.SIGCONT) })
	began := time.Now()
	ours.release()
	got := theirs.await(t, takeover, addresses...)
	t.Logf("taken over after %s", time.Since(began).Round(time.Millisecond))
	stopped.Signal(syscall.SIGCONT)
	c := other.Client(t)
	quiet := time.NewTimer(6 * time.Second) // longer than the pause between two looks and the first back-off
	<-quiet.C
	late := ours.by()
	for _, to := range addresses {
		if n := len(theirs.by()[to]); n != 1 || len(late[to]) > 1 {
			t.Errorf("%d letters from the one that took over and %d from the one that was stopped, want 1 and at most 1", n, len(late[to]))
		}
		for _, l := range late[to] {
			if l.id != got[to][0].id || l.code != got[to][0].code {
				t.Error("the letter that was on its way has another Message-ID or another code")
			}
		}
		if state := c.Get("/v1/challenges/" + ids[to]).Text("delivery"); state != "sent" {
			t.Errorf("delivery is %q, want what the one that took over has marked", state)
		}
		c.Verify(ids[to], got[to][0].code).Tokens()
	}
}
