package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/test/harness"
)

// How long requests may take that ask a provider which says nothing: it is given
// up after five seconds. Messages of ours are given up after ten.
const (
	given = 5 * time.Second
	sent  = 10 * time.Second
	slack = 4 * time.Second // of a machine that has much to do
)

// outages runs a scenario for each provider in each kind of trouble, on each
// database; there is silence on SQLite only. Break begins the trouble, mend ends it.
func outages(t *testing.T, pause string, which func(m mode, silent bool) bool, scenario func(t *testing.T, o outage)) {
	t.Helper()
	t.Parallel()
	harness.Stores(t, func(t *testing.T, store harness.Store) {
		t.Parallel()
		for _, kind := range []string{"down", "silent"} {
			for _, m := range modes(t) {
				if !which(m, kind == "silent") || kind == "silent" && store.Name != "sqlite" { // waiting takes long, and is the same everywhere
					continue
				}
				t.Run(m.name+" "+kind, func(t *testing.T) {
					t.Parallel()
					policy := "sign_up: { auto_create: false }\nthrottle: { free: 1 }\nchallenge: { resend_after: " + pause + " }\n"
					config := "channels: { sms: { " + m.config + " } }"
					o := outage{m: m, silent: kind == "silent", breaks: func() { m.fails(true) }, mends: func() { m.fails(false) }}
					if o.silent {
						o.breaks, o.mends = m.silence.Fall, m.silence.Break
					}
					o.s = harness.Start(t, harness.Options{Store: alike(t, store), Mode: harness.Production, Policy: policy, Config: config})
					o.c = o.s.Client(t)
					scenario(t, o)
				})
			}
		}
	})
}

// alike is a new database of the same kind.
func alike(t *testing.T, like harness.Store) harness.Store {
	t.Helper()
	if like.Name == "postgres" {
		return harness.Postgres(t)
	}
	return harness.SQLite(t)
}

// outage is a server whose provider can be in trouble.
type outage struct {
	m             mode
	s             *harness.Server
	c             *harness.Client
	silent        bool // the trouble is that nothing is answered
	breaks, mends func()
}

// request is one that may go out together with others.
type request func() (harness.Answer, error)

func (o outage) post(path string, body any) request {
	return func() (harness.Answer, error) { return o.c.Try(http.MethodPost, "/v1/challenges"+path, body) }
}

func (o outage) start(to string) request        { return o.post("", form{"to": to}) }
func (o outage) again(id string) request        { return o.post("/"+id+"/resend", nil) }
func (o outage) answer(id, code string) request { return o.post("/"+id+"/verify", answer(code)) }

// unanswered makes requests at once, each of which has to fail because nobody at
// the provider answers: in good time, and saying when to come back.
func (o outage) unanswered(t *testing.T, what string, requests ...request) []harness.Answer {
	t.Helper()
	began := time.Now()
	all := together(t, len(requests), func(i int) (harness.Answer, error) { return requests[i]() })
	if took := time.Since(began); took > given+slack || o.silent && took < given-time.Second {
		t.Errorf("%s took %s, want the provider to be given up after %s", what, took, given)
	}
	for _, a := range all {
		if !a.Is(http.StatusServiceUnavailable, "delivery_unavailable") || a.RetryAfter() < 1 || a.Number("retry_after") != a.RetryAfter() || a.Get("attempts_left") != nil {
			t.Errorf("%s: %s with Retry-After %q, want delivery_unavailable", what, a, a.Header.Get("Retry-After"))
		}
	}
	return all
}

// S-118: an outage of a provider that checks codes takes nothing from anybody: no
// attempt, no message, no pause, and no challenge that can still be answered.
func TestS118AnOutageOfWhoeverChecksTakesNothing(t *testing.T) {
	outages(t, "7s", func(m mode, _ bool) bool { return m.theirs }, func(t *testing.T, o outage) {
		const number = "+31687654321" // of somebody else
		known(o.c, anns, number)
		start := func(to string) harness.Answer { return o.c.Post("/v1/challenges", form{"to": to}) }
		first := start(anns).Want(http.StatusAccepted)
		id, code := first.Text("id"), o.m.await(t, anns, "")
		is := func() harness.Answer { return o.c.Get("/v1/challenges/" + id) }
		whole := looks(t, is())

		o.breaks()
		o.unanswered(t, "a start and an answer", o.start(number), o.answer(id, code))
		for n := 0; !o.silent && n < 7; n++ { // more than there are attempts
			o.unanswered(t, "another answer", o.answer(id, code))
		}
		o.mends()
		start(number).Want(http.StatusAccepted) // although messages have a pause between them
		waitFor(t, patient, "another message may be asked for", func() bool { return is().Number("resend_after") == 0 })
		o.breaks()
		o.unanswered(t, "sending again", o.again(id))
		o.mends()
		if now := is(); looks(t, now) != whole || now.Text("delivery") != first.Text("delivery") || now.Number("resend_after") != 0 {
			t.Errorf("after the outage: %s, want it to be as it was:\n%s", now, whole)
		}
		o.c.Verify(id, other(code)).WantCode(http.StatusUnprocessableEntity, "invalid_code") // which is free, if no other was
		o.c.Verify(id, code).Tokens()
		start(anns).Want(http.StatusAccepted)
		if n := len(o.m.silence.GivenUp()); o.silent && n != 3 {
			t.Errorf("%d requests were given up, want 3", n)
		}
	})
}

// known makes somebody of each number, who may sign in by a code to it.
func known(c *harness.Client, numbers ...string) {
	for i, number := range numbers {
		c.Post("/v1/users", form{"username": fmt.Sprint("somebody", i), "phone": number, "password": "quite a long walk"}).Want(http.StatusCreated)
	}
}

// S-118, A-037: whoever is not there fares in an outage like whoever is.
func TestS118AnOutageTellsNothingOfWhoIsThere(t *testing.T) {
	outages(t, "2s", func(m mode, silent bool) bool { return m.theirs && (!silent || m.name == "Verify") }, func(t *testing.T, o outage) {
		const nobodys = "+31687654321"
		known(o.c, anns)
		start := func(to string) harness.Answer { return o.c.Post("/v1/challenges", form{"to": to}) }
		there, not := start(anns).Want(http.StatusAccepted).Text("id"), start(nobodys).Want(http.StatusAccepted).Text("id")
		alike := func(what string, somebodys, nobodys request) {
			t.Helper()
			real, decoy := o.unanswered(t, what+" of somebody", somebodys)[0], o.unanswered(t, what+" of nobody", nobodys)[0]
			if one, other := looks(t, real), looks(t, decoy); one != other || real.RetryAfter() != decoy.RetryAfter() {
				t.Errorf("%s: somebody sees\n%s, nobody\n%s", what, one, other)
			}
		}
		waitFor(t, 2*patient, "another message may be asked for", func() bool { return o.c.Get("/v1/challenges/"+not).Number("resend_after") == 0 })
		o.breaks()
		if !o.silent {
			alike("an answer", o.answer(there, "000000"), o.answer(not, "000000"))
			alike("a start", o.start(anns), o.start(nobodys))
		}
		alike("sending again", o.again(there), o.again(not))
		if one, other := o.c.Get("/v1/challenges/"+there), o.c.Get("/v1/challenges/"+not); one.Text("delivery") != other.Text("delivery") || one.Number("sends_left") != other.Number("sends_left") || one.Number("attempts_left") != other.Number("attempts_left") {
			t.Errorf("after the outage somebody has %s, nobody %s", one, other)
		}
		if n := o.m.sent(); n != 1 {
			t.Errorf("%d messages went out, want one to whoever is there", n)
		}
	})
}

// S-118, D4: messages of ours wait until their carrier is back. A carrier that says
// nothing is given up in good time and asked again, with the same code.
func TestS118AnOutageOfTheCarrierDelaysTheMessage(t *testing.T) {
	outages(t, "30s", func(m mode, silent bool) bool { return !m.theirs && (!silent || m.name == "Messages") }, func(t *testing.T, o outage) {
		known(o.c, anns)
		o.breaks()
		a := ask(t, o.c, anns)
		id := a.Text("id")
		o.c.Verify(id, "12ab").WantCode(http.StatusUnprocessableEntity, "malformed_code")
		if o.silent {
			waitFor(t, 3*patient, "a message is given up", func() bool { return len(o.m.silence.GivenUp()) == 1 })
			if took := o.m.silence.GivenUp()[0]; took > sent+slack || took < sent-time.Second {
				t.Errorf("a message was given up after %s, want %s", took, sent)
			}
		}
		if now := o.c.Get("/v1/challenges/" + id); now.Text("delivery") != "queued" || looks(t, now) != strings.Replace(looks(t, a), "202", "200", 1) {
			t.Errorf("in the outage: %s, want it to be queued", now)
		}
		o.mends()
		code := o.m.await(t, anns, "")
		waitFor(t, patient, "the message is sent", func() bool { return delivery(o.c, id) == "sent" })
		if n := o.m.sent(); n != 1 || o.c.Get("/v1/challenges/"+id).Number("attempts_left") != 5 {
			t.Errorf("%d messages were taken: %s", n, o.c.Get("/v1/challenges/"+id))
		}
		o.c.Verify(id, code).Tokens()
	})
}
