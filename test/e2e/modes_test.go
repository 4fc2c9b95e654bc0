package e2e_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/countersign/countersign/test/harness"
	"github.com/countersign/countersign/test/providers"
)

// Names at the carriers of these tests.
const (
	accountSID = "AC00000000000000000000000000000000"
	serviceSID = "VA00000000000000000000000000000000"
	groupSID   = "MG00000000000000000000000000000000"
	carrierKey = "293832-67745-11e5-88de-5600000c6b13"
)

// texts is Twilio's Messages, as strict as it is about what it is sent.
type texts struct {
	mu     sync.Mutex // guards the rest
	forms  []url.Values
	odd    []string // requests of another form
	script []string // answers to the next requests, "status body"; "0" hangs up
	down   bool     // no request is answered but with 503

	silence providers.Silence
}

func (x *texts) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x.mu.Lock()
	defer x.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if r.Method == http.MethodGet {
		fmt.Fprintf(w, `{"sid":%q,"status":"active"}`, accountSID)
		return
	}
	user, password, _ := r.BasicAuth()
	err := r.ParseForm()
	if err != nil || r.URL.Path != "/2010-04-01/Accounts/"+accountSID+"/Messages.json" || r.URL.RawQuery != "" || user != accountSID || password != "hush" {
		x.odd = append(x.odd, r.Method+" "+r.URL.Path)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if x.down {
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprint(w, overloaded)
		return
	}
	x.forms = append(x.forms, r.PostForm)
	if len(x.script) > 0 {
		status, body := 0, ""
		_, _ = fmt.Sscanf(x.script[0], "%d %s", &status, &body)
		x.script = x.script[1:]
		if status == 0 {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(status)
		fmt.Fprint(w, body)
		return
	}
	w.WriteHeader(http.StatusCreated)
	fmt.Fprintf(w, `{"sid":"SM%032d","status":"queued"}`, len(x.forms))
}

func (x *texts) all() []url.Values {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.Clone(x.forms)
}

func (x *texts) says(answers ...string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.script = answers
}

// overloaded is what Twilio says when it is in trouble.
const overloaded = `{"code":20503,"status":503}`

func (x *texts) fails(down bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.down = down
}

var six = regexp.MustCompile(`\b[0-9]{6}\b`)

// mode is a way for codes to reach a phone, and who checks them.
type mode struct {
	name, config string
	theirs       bool                   // the provider makes and checks codes
	read         func(to string) string // the newest code that somebody was sent; "" if none was
	sent         func() int
	fails        func(down bool)    // the provider answers with failures, or does not any more
	silence      *providers.Silence // the provider's
}

// says makes a script of what goes for down and up.
func says(say func(status int, body string), body string) func(down bool) {
	return func(down bool) {
		if say(0, ""); down {
			say(http.StatusServiceUnavailable, body)
		}
	}
}

// modes are the ways that a phone can be reached, each with a provider of its own.
func modes(t *testing.T) []mode {
	t.Helper()
	x := &texts{}
	site := httptest.NewServer(x.silence.Keeps(x))
	t.Cleanup(site.Close)
	t.Cleanup(x.silence.Break)
	t.Cleanup(func() {
		if len(x.odd) > 0 {
			t.Errorf("Twilio was asked %q", x.odd)
		}
	})
	v := (&providers.Verify{Account: accountSID, Token: "hush", Service: serviceSID}).Start()
	t.Cleanup(v.Close)
	out := []mode{{
		name: "Messages", sent: func() int { return len(x.all()) }, fails: x.fails, silence: &x.silence,
		config: fmt.Sprintf("use: twilio, twilio: { account: %s, token: hush, from: Example, api: %q }", accountSID, site.URL),
		read: func(to string) string {
			for _, form := range slices.Backward(x.all()) {
				if form.Get("To") == to {
					return six.FindString(form.Get("Body"))
				}
			}
			return ""
		},
	}, {
		name: "Verify", theirs: true, read: v.Read, sent: v.Reached, fails: says(v.Say, overloaded), silence: &v.Silence,
		config: fmt.Sprintf("use: twilio_verify, twilio_verify: { account: %s, token: hush, service: %s, api: %q }", accountSID, serviceSID, v.URL),
	}}
	for _, codes := range []string{"ours", "theirs"} {
		f := (&providers.TwoFactor{Key: carrierKey}).Start()
		t.Cleanup(f.Close)
		out = append(out, mode{
			name: "2factor, " + codes, theirs: codes == "theirs", read: f.Read, sent: f.Reached,
			fails: says(f.Say, "<html>Service Unavailable</html>"), silence: &f.Silence,
			config: fmt.Sprintf("use: twofactor, twofactor: { api_key: %s, codes: %s, api: %q }", carrierKey, codes, f.URL+"/API/V1"),
		})
	}
	return out
}

// await waits for a code to reach a phone that had got another one before.
func (m mode) await(t *testing.T, to, before string) string {
	t.Helper()
	waitFor(t, patient, "a code by "+m.name, func() bool { now := m.read(to); return now != "" && now != before })
	return m.read(to)
}

// other is a code that is not right.
func other(right string) string {
	if right == "111111" {
		return "222222"
	}
	return "111111"
}

// looks is what a client sees of an answer: everything but names, times and texts.
func looks(t *testing.T, a harness.Answer) string {
	t.Helper()
	var body map[string]any
	if err := json.Unmarshal(a.Body, &body); err != nil {
		t.Fatalf("%s: %v", a, err)
	}
	delete(body, "delivery") // what has become of it is told as it happens
	out := fmt.Sprintf("%d %s %s %v", a.Status, a.Code(), a.Text("status"), slices.Sorted(maps.Keys(body)))
	for _, name := range []string{"purpose", "channel", "destination", "prompt", "attempts_left", "sends_left", "channels_left", "detail", "title"} {
		out += fmt.Sprintf(" %s=%v", name, body[name])
	}
	return out
}

// S-118: which of the ways it is, and who checks, is nothing that a client sees.
func TestS118WhoeverChecksTheClientSeesTheSame(t *testing.T) {
	t.Parallel()
	harness.Stores(t, func(t *testing.T, store harness.Store) {
		t.Parallel()
		var want []string
		for i, m := range modes(t) {
			store := store
			if i > 0 {
				store = map[string]func() harness.Store{
					"sqlite": func() harness.Store { return harness.SQLite(t) }, "postgres": func() harness.Store { return harness.Postgres(t) },
				}[store.Name]()
			}
			s := harness.Start(t, harness.Options{Store: store, Mode: harness.Production, Policy: quick, Config: "channels: { sms: { " + m.config + " } }"})
			got := story(t, s.Client(t), m)
			if want == nil {
				want = got
			}
			for n := range want {
				if n >= len(got) || got[n] != want[n] {
					t.Errorf("step %d by %s:\n%q, want\n%q", n, m.name, got[n:min(n+1, len(got))], want[n])
				}
			}
			discreet(t, s, m)
		}
	})
}

// story is what a client sees of everything that can become of a code.
func story(t *testing.T, c *harness.Client, m mode) (seen []string) {
	t.Helper()
	note := func(a harness.Answer) harness.Answer {
		t.Helper()
		seen = append(seen, looks(t, a))
		return a
	}
	first := note(beginChecked(c)).Text("id")
	code := m.await(t, anns, "")
	note(c.Verify(first, "12ab"))
	note(c.Verify(first, other(code)))
	note(c.Get("/v1/challenges/" + first))
	note(c.Post("/v1/challenges/"+first+"/resend", nil))
	waitFor(t, patient, "the second message by "+m.name, func() bool { return m.sent() == 2 })
	code = m.read(anns) // 2factor.in makes another one
	who := note(c.Verify(first, code)).Tokens()
	note(c.Verify(first, code)) // once
	note(c.Get("/v1/challenges/" + first))

	left := note(beginChecked(c)).Text("id") // five times
	code = m.await(t, anns, code)
	for range 6 {
		note(c.Verify(left, other(code)))
	}
	note(c.Verify(left, code))

	given := note(beginChecked(c)).Text("id") // given up
	code = m.await(t, anns, code)
	c.Do(http.MethodDelete, "/v1/challenges/"+given, nil).Want(http.StatusNoContent)
	note(c.Verify(given, code))

	const number = "+31687654321" // for what it was asked for
	device := note(c.As(who.Access).Post("/v1/me/devices", form{"channel": "sms", "to": number}).Want(http.StatusCreated))
	theirs := m.await(t, number, "")
	sign := note(beginChecked(c)).Text("id")
	code = m.await(t, anns, code)
	if code != theirs {
		note(c.Verify(sign, theirs))
		note(c.Verify(device.Text("challenge.id"), code))
	}
	note(c.Verify(device.Text("challenge.id"), theirs))
	note(c.Verify(sign, code))
	return seen
}

// discreet looks for what must be nowhere: numbers and keys in the log, codes in the
// log and at rest. One code may be in a database by chance, as six digits of a time.
func discreet(t *testing.T, s *harness.Server, m mode) {
	t.Helper()
	log, stored := s.Log(), dump(t, s.Options.Store)
	if !strings.Contains(stored, anns) {
		t.Error("the dump does not even have ann's number: it is no dump")
	}
	for what, secret := range map[string]string{"number": anns[1:], "other number": "31687654321", "token": "hush", "key": carrierKey} {
		if strings.Contains(log, secret) {
			t.Errorf("%s: the %s is in the log", m.name, what)
		}
	}
	inLog, atRest := 0, 0
	for _, to := range []string{anns, "+31687654321"} {
		word := regexp.MustCompile(`\b` + m.read(to) + `\b`)
		if word.MatchString(log) {
			inLog++
		}
		if word.MatchString(stored) {
			atRest++
		}
	}
	if inLog > 1 || atRest > 1 {
		t.Errorf("%s: %d codes are in the log, %d at rest", m.name, inLog, atRest)
	}
}

// S-118, C-180: what Twilio is asked, and what becomes of its answers.
func TestS118WhatTwilioIsAsked(t *testing.T) {
	t.Parallel()
	harness.Stores(t, func(t *testing.T, store harness.Store) {
		t.Parallel()
		x := &texts{}
		site := httptest.NewServer(x)
		t.Cleanup(site.Close)
		config := fmt.Sprintf("channels: { sms: { use: twilio, twilio: { account: %s, token: hush, from: Example, service: %s, api: %q } } }", accountSID, groupSID, site.URL)
		s := harness.Start(t, harness.Options{Store: store, Mode: harness.Production, Policy: quick, Config: config})
		c := s.Client(t)
		becomes := func(state string, n int) url.Values {
			t.Helper()
			id := beginChecked(c).Text("id")
			waitFor(t, patient, "a message that is "+state, func() bool { return delivery(c, id) == state })
			if got := x.all(); len(got) != n {
				t.Fatalf("Twilio was asked %d times, want %d", len(got), n)
			}
			return x.all()[n-1]
		}
		sent := becomes("sent", 1)
		if sent.Get("To") != anns || sent.Get("MessagingServiceSid") != groupSID || sent.Has("From") || !six.MatchString(sent.Get("Body")) {
			t.Errorf("Twilio was sent %v", sent)
		}
		x.says(`400 {"code":21211,"message":"to+31612345678","status":400}`)
		becomes("failed", 2)
		x.says(`503 {"code":20503,"status":503}`)
		again := becomes("sent", 4)
		x.says("0")
		becomes("sent", 6)
		x.says(`201 {"sid":"SM00000000000000000000000000000000","status":"failed","error_code":21610}`)
		becomes("failed", 7)
		if all := x.all(); all[2].Get("Body") != again.Get("Body") {
			t.Error("the second attempt says something else")
		}
		if len(x.odd) > 0 {
			t.Errorf("Twilio was asked %q", x.odd)
		}
		if log := s.Log(); strings.Contains(log, anns[1:]) || strings.Contains(log, six.FindString(again.Get("Body"))) {
			t.Error("a number or a code is in the log")
		}
	})
}
