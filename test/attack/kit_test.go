package attack_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign/countersign/test/harness"
)

// rounds is how often an attack that races is tried; all rounds must pass.
const rounds = 20

// atOnce lets codes go to one address without a pause between them.
const atOnce = "challenge: { resend_after: 0s }"

// everywhere runs an attack against one process on SQLite, and against two
// processes on one PostgreSQL.
func everywhere(t *testing.T, policy string, attack func(t *testing.T, s *harness.Server, c *harness.Client)) {
	t.Helper()
	harness.Stores(t, func(t *testing.T, store harness.Store) {
		s := harness.Start(t, harness.Options{Store: store, Policy: policy, Log: "warn"})
		if store.Name == "postgres" {
			s.Replica(t)
		}
		attack(t, s, s.Client(t))
	})
}

var people atomic.Int64

// fresh is an address that nobody has used.
func fresh() string { return fmt.Sprintf("person%04d@example.com", people.Add(1)) }

// wrong is a code that is not right; each i below a million gives another one.
func wrong(right string, i int) string {
	n, _ := strconv.Atoi(right)
	return fmt.Sprintf("%06d", (n+1+i)%1_000_000)
}

// guess answers a challenge, from any goroutine.
func guess(c *harness.Client, id, code string) (harness.Answer, error) {
	return c.Try(http.MethodPost, "/v1/challenges/"+id+"/verify", map[string]string{"code": code})
}

// volley is what came back from requests that were sent at the same moment.
type volley struct {
	answers []harness.Answer
	errors  []error
}

// fire sends n requests at the same moment.
func fire(n int, one func(i int) (harness.Answer, error)) volley {
	v := volley{make([]harness.Answer, n), make([]error, n)}
	start := make(chan struct{})
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			<-start
			v.answers[i], v.errors[i] = one(i)
		})
	}
	close(start)
	all.Wait()
	return v
}

// result is the status of an outcome or the code of a problem.
func result(a harness.Answer, err error) string {
	switch {
	case err != nil:
		return "no answer: " + err.Error()
	case a.Status == http.StatusOK:
		return a.Text("status")
	case a.Code() != "":
		return a.Code()
	}
	return "status " + strconv.Itoa(a.Status)
}

// tally counts the results.
func (v volley) tally() map[string]int {
	out := map[string]int{}
	for i, a := range v.answers {
		out[result(a, v.errors[i])]++
	}
	return out
}

// with gives the answers that have a result.
func (v volley) with(name string) (out []harness.Answer) {
	for i, a := range v.answers {
		if result(a, v.errors[i]) == name {
			out = append(out, a)
		}
	}
	return out
}

// want fails the test unless exactly these results came back.
func (v volley) want(t *testing.T, exactly map[string]int) {
	t.Helper()
	if got := v.tally(); !maps.Equal(got, exactly) {
		t.Fatalf("got %v, want %v", got, exactly)
	}
}

// wantOnly fails the test unless one result came back n times, and otherwise
// only the others that are named.
func (v volley) wantOnly(t *testing.T, name string, n int, others ...string) {
	t.Helper()
	got := v.tally()
	for key := range got {
		if key != name && !slices.Contains(others, key) {
			t.Fatalf("got %v, among which %q is unexpected", got, key)
		}
	}
	if got[name] != n {
		t.Fatalf("got %v, want %d times %s", got, n, name)
	}
}

// sessionsOf counts the sessions of whoever has the access token.
func sessionsOf(c *harness.Client, access string) int {
	list, _ := c.As(access).Get("/v1/me/sessions").Want(http.StatusOK).Get("sessions").([]any)
	return len(list)
}

// attemptsLeft is what a challenge says of itself.
func attemptsLeft(c *harness.Client, id string) int {
	return c.Get("/v1/challenges/" + id).Want(http.StatusOK).Number("attempts_left")
}

// wait is the Retry-After of an answer that must say so twice, alike.
func wait(t *testing.T, a harness.Answer) time.Duration {
	t.Helper()
	after := a.RetryAfter()
	if after < 1 || after > 3600 || a.Number("retry_after") != after {
		t.Fatalf("%s with Retry-After %q, want 1 to 3600 in header and body alike", a, a.Header.Get("Retry-After"))
	}
	return time.Duration(after) * time.Second
}

// member is somebody who has an authenticator app and is asked for it at every
// sign-in.
type member struct {
	to     string
	tokens harness.Tokens
	device harness.Device
}

// enroll makes a member. The code of the current step is used up by it.
func enroll(c *harness.Client) member {
	m := member{to: fresh()}
	m.tokens = c.SignIn(m.to)
	m.device = c.EnrollTOTP(m.tokens.Access)
	return m
}

// forget empties the inboxes: long ones take long to read.
func forget(c *harness.Client) {
	for i := range 2 {
		c.At(i).Do(http.MethodDelete, "/dev/inbox", nil).Want(http.StatusNoContent)
	}
}

// waiting makes n sign-ins of a member that wait for the second factor, each
// with a challenge to a device of the member.
func waiting(c *harness.Client, n int, one func() (pending, device string)) []string {
	asked := make([]string, n)
	for i := range asked {
		if i%5 == 0 {
			forget(c)
		}
		asked[i] = c.SecondFactor(one()).ID
	}
	return asked
}

// required asks every member for the second factor.
const required = atOnce + "\ntwo_factor: { mode: required }"

// settled moves the clock to the first half of a step, so that no step ends
// while something is tried out.
func settled(c *harness.Client) time.Time {
	if into := c.Now().Unix() % 30; into > 15 {
		c.Advance(time.Duration(31-into) * time.Second)
	}
	return c.Now()
}

// codes reads the list of recovery codes.
func codes(a harness.Answer, path string) (out []string) {
	list, _ := a.Get(path).([]any)
	for _, one := range list {
		out = append(out, fmt.Sprint(one))
	}
	return out
}
