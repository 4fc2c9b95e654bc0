package channeltest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/countersign/countersign/ports/channel"
)

// policy checks that the prompt of a code channel is the deployment's, whoever
// asks: otherwise it would tell a known person from an unknown one.
func (s Suite) policy(t T) {
	r := s.rig()
	r.codes = Codes{channel.Shape{Length: 9, Alphabet: channel.Crockford}}
	r.env.Codes = r.codes
	if err := r.reopen(t); err != nil {
		t.Fatalf("open: %v", err)
	}
	c := r.challenge(channel.Authenticate, nil)
	o, err := r.ch.Begin(t.Context(), c)
	if err != nil || !o.Deliver {
		t.Skipf("the channel does not send the deployment's codes")
	}
	if o.Prompt.Length != 9 || o.Prompt.Alphabet != channel.Crockford {
		t.Errorf("the policy says 9 characters of crockford, the prompt says %d of %s", o.Prompt.Length, o.Prompt.Alphabet)
	}
	c.Subject = ""
	stranger, err := r.ch.Begin(t.Context(), c)
	if err != nil {
		t.Fatalf("begin for a stranger: %v", err)
	}
	if !reflect.DeepEqual(stranger, o) {
		t.Errorf("a stranger can be told from somebody we know by the opening")
	}
}

// resend asks for a second message to the same challenge.
func (s Suite) resend(t T) {
	r := s.open(t)
	cred, _ := r.enroll(t)
	r.clock.Advance(time.Minute)
	c := r.challenge(channel.Authenticate, cred)
	sc, first := r.begin(t, c)
	var early channel.Response
	if first.Deliver {
		early = r.Respond(t, sc)
	}
	c.Round = 2
	sc, second := r.begin(t, c)
	if second.Deliver != first.Deliver || second.Prompt.Kind != first.Prompt.Kind {
		t.Errorf("the second round asks for something else than the first")
	}
	if first.Deliver {
		if v := r.verify(t, c, second.State, early); v.Outcome != channel.Verified {
			t.Errorf("the code of the first message stopped working when it was sent again")
		}
	}
	if v := r.verify(t, c, second.State, r.Respond(t, sc)); v.Outcome != channel.Verified {
		t.Errorf("the right response to the second round was %s (%s)", v.Outcome, v.Reason)
	}
}

func (s Suite) concurrent(t T) {
	r := s.open(t)
	cred, _ := r.enroll(t)
	sc, opening, resp := r.authenticate(t, cred)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			c := r.challenge(channel.Authenticate, cred)
			if r.costs() { // the provider may keep one code for an address
				c.Address = neighbour(c.Address, i)
			}
			o, err := r.ch.Begin(t.Context(), c)
			if err != nil {
				t.Errorf("begin: %v", err)
				return
			}
			if _, err := r.ch.Verify(t.Context(), c, o.State, channel.Response{Code: "0"}); err != nil {
				t.Errorf("verify: %v", err)
			}
			if o.Deliver {
				if err := r.deliver(t.Context(), c); err != nil {
					t.Errorf("send: %v", err)
				}
			}
		})
	}
	wg.Wait()
	if v := r.verify(t, sc.Challenge, opening.State, resp); v.Outcome != channel.Verified {
		t.Errorf("other people's challenges made a right response %s (%s)", v.Outcome, v.Reason)
	}
}

// neighbour is where somebody else can be reached.
func neighbour(address string, i int) string {
	switch {
	case strings.Contains(address, "@"):
		return fmt.Sprintf("n%d%s", i, address)
	case len(address) > 2 && address[0] == '+':
		return fmt.Sprintf("%s%02d", address[:len(address)-2], i)
	}
	return address
}

// within runs f and reports whether it returned in time.
func within(d time.Duration, f func()) bool {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
		return true
	case <-time.After(d):
		return false
	}
}

// patience is how long a call may take after its context has ended.
const patience = 2 * time.Second

func (s Suite) cancelled(t T) {
	r := s.open(t)
	cred, _ := r.enroll(t)
	sc, o := r.begin(t, r.challenge(channel.Authenticate, cred))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	calls := map[string]func() error{
		"Begin": func() error {
			_, err := r.ch.Begin(ctx, r.challenge(channel.Authenticate, cred))
			return err
		},
		"Verify": func() error {
			_, err := r.ch.Verify(ctx, sc.Challenge, o.State, channel.Response{Code: "000000"})
			return err
		},
	}
	if sender, ok := channel.As[channel.Sender](r.ch); ok {
		calls["Send"] = func() error {
			if _, err := sender.Send(ctx, r.compose(sc.Challenge)); err != nil {
				return err
			}
			t.Errorf("Send took a message although nobody waits for it")
			return nil
		}
	}
	if p, ok := channel.As[channel.Prober](r.ch); ok {
		calls["Probe"] = func() error { return p.Probe(ctx) }
	}
	for name, call := range calls {
		var err error
		if !within(patience, func() { err = call() }) {
			t.Errorf("%s ignores a cancelled context", name)
			continue
		}
		if err != nil {
			r.hides(t, "error of "+name, err.Error(), r.private(sc)...)
		}
	}
}

func (s Suite) garbage(t T) {
	r := s.open(t)
	cb, ok := channel.As[channel.Callback](r.ch)
	if !ok {
		t.Skipf("no callback")
	}
	for _, in := range inbounds() {
		h, _, err := cb.Receive(t.Context(), in)
		switch {
		case err == nil && h == "":
			t.Errorf("%s %s: accepted without a handle", in.Method, in.Body)
		case err == nil:
			t.Errorf("%s %s: accepted", in.Method, in.Body)
		case errors.Is(err, channel.ErrUnavailable), errors.Is(err, channel.ErrRefused):
			t.Errorf("%s %s: blamed on the provider: %v", in.Method, in.Body, err)
		}
	}
}

// hearsay brings reports on deliveries that no carrier has sent.
func (s Suite) hearsay(t T) {
	r := s.open(t)
	tr, ok := channel.As[channel.Tracker](r.ch)
	if !ok {
		t.Skipf("no reports")
	}
	for _, in := range inbounds() {
		got, err := tr.Track(t.Context(), in)
		if !errors.Is(err, channel.ErrForged) || len(got) > 0 {
			t.Errorf("%s %s: %d reports believed, %v", in.Method, in.Body, len(got), err)
		}
	}
}

// inbounds are requests that nobody has sent.
func inbounds() []channel.Inbound {
	list := []channel.Inbound{{}, {Method: "GET"}, {Query: url.Values{"state": {"x"}}}, {Method: "GET", Query: url.Values{"code": {"x"}, "state": {""}}}}
	for _, body := range []string{"", "{", "[]", "null", `{"handle":""}`, `{"handle":null}`, `{"update_id":1}`, "a=b&c", "\xff\xfe"} {
		list = append(list, channel.Inbound{Method: "POST", Body: json.RawMessage(body)})
	}
	return list
}

// parseQuery reads what can be read of a query.
func parseQuery(text string) url.Values {
	values, err := url.ParseQuery(text)
	if err != nil {
		return url.Values{}
	}
	return values
}
