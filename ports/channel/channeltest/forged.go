package channeltest

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign/ports/channel"
)

// errand is what was brought to a Callback while Respond played, and what the
// channel made of it.
type errand struct {
	in     channel.Inbound
	handle string
	resp   channel.Response
}

// overheard is the channel as Respond gets it: what is brought to it is noted, so
// that the kit knows what a genuine request is.
type overheard struct {
	channel.Channel

	callback channel.Callback
	rig      *rig
}

// Unwrap lets As find everything else.
func (o overheard) Unwrap() any { return o.Channel }

func (o overheard) Receive(ctx context.Context, in channel.Inbound) (string, channel.Response, error) {
	h, resp, err := o.callback.Receive(ctx, in)
	if err == nil {
		o.rig.mu.Lock()
		defer o.rig.mu.Unlock()
		o.rig.brought = append(o.rig.brought, errand{in, h, resp})
	}
	return h, resp, err
}

// heard is the channel, overheard if anything can be brought to it.
func (r *rig) heard() channel.Channel {
	if cb, ok := channel.As[channel.Callback](r.ch); ok {
		return overheard{r.ch, cb, r}
	}
	return r.ch
}

// errandOf is what was brought for a challenge last.
func (r *rig) errandOf(handle string) (errand, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range slices.Backward(r.brought) {
		if e.handle == handle {
			return e, true
		}
	}
	return errand{}, false
}

// forger changes what is brought for challenges of one purpose.
type forger struct {
	*rig

	t       T
	purpose channel.Purpose
	cred    channel.Credential
	genuine channel.Verdict // on what is not forged
	nudge   bool            // all that is brought is that something has happened: Verify finds out what
}

// forged brings requests that the messenger has not sent, and answers with data
// that Receive has not given: clients may send data too, and Verify cannot see
// where it comes from.
func (s Suite) forged(t T) {
	r := s.open(t)
	if _, ok := channel.As[channel.Callback](r.ch); !ok {
		t.Skipf("no callback")
	}
	var brought bool
	for _, p := range []channel.Purpose{channel.Enroll, channel.Authenticate} {
		f := &forger{rig: r, t: t, purpose: p}
		if p == channel.Authenticate {
			f.cred, _ = r.enroll(t)
		}
		brought = f.forge() || brought
	}
	if !brought {
		t.Errorf("Respond brings nothing to the Callback: give the provider's request to the Receive of Scene.Channel, or nobody knows whether forged ones are refused")
	}
}

// forge reports whether anything is brought for the purpose.
func (f *forger) forge() bool {
	sc, o, e, ok := f.scene()
	if !ok {
		return false
	}
	if f.genuine = f.judge(sc, o, e.resp); f.genuine.Outcome != channel.Verified {
		return true // the ceremony has said so
	}
	sc, o, _, _ = f.scene()
	f.nudge = f.judge(sc, o, channel.Response{}).Outcome == channel.Verified
	telling := slices.DeleteFunc(slices.Sorted(maps.Keys(e.in.Header)), silent)
	for _, name := range telling {
		f.header(name)
	}
	switch {
	case f.nudge:
		return true
	case len(telling) == 0:
		f.request(e)
	}
	f.data(e)
	return true
}

// scene plays the next challenge up to where something was brought.
func (f *forger) scene() (Scene, channel.Opening, errand, bool) {
	f.clock.Advance(time.Minute)
	sc, o := f.begin(f.t, f.challenge(f.purpose, f.cred))
	f.Respond(f.t, sc)
	e, ok := f.errandOf(sc.Challenge.Handle)
	return sc, o, e, ok
}

// judge is the verdict; what cannot be judged is not believed.
func (f *forger) judge(sc Scene, o channel.Opening, resp channel.Response) channel.Verdict {
	v, err := f.ch.Verify(f.t.Context(), sc.Challenge, o.State, resp)
	if err != nil {
		return channel.Verdict{}
	}
	return v
}

// harmless reports whether a verdict says no more than the genuine one: the same
// device, and the same person but for the name.
func (f *forger) harmless(v channel.Verdict) bool {
	return v.Ref != "" && v.Ref == f.genuine.Ref && asserted(v) == asserted(f.genuine)
}

func asserted(v channel.Verdict) channel.Identity {
	if v.Identity == nil {
		return channel.Identity{}
	}
	i := *v.Identity
	i.Username, i.Name, i.FirstName, i.LastName, i.Locale = "", "", "", "", ""
	return i
}

// silent reports whether a header says nothing about who sends.
func silent(name string) bool {
	name = http.CanonicalHeaderKey(name)
	return strings.HasPrefix(name, "Accept") || slices.Contains(strings.Fields(
		"Connection Content-Encoding Content-Length Content-Type Host Traceparent Tracestate User-Agent"), name)
}

// header brings the request with one header gone, another, and nearly the same.
func (f *forger) header(name string) {
	f.t.Helper()
	for _, how := range []struct {
		what   string
		change func([]string) []string
	}{
		{"without its", func([]string) []string { return nil }},
		{"with another", func(v []string) []string { return each(v, func(s string) string { return lastWord(s, otherText) }) }},
		{"with nearly the right", func(v []string) []string { return each(v, func(s string) string { return lastWord(s, nearlyText) }) }},
	} {
		sc, o, e, ok := f.scene()
		if !ok {
			continue
		}
		in := e.in
		in.Header = maps.Clone(in.Header)
		if values := how.change(in.Header[name]); values == nil {
			delete(in.Header, name)
		} else {
			in.Header[name] = values
		}
		h, resp, err := f.receive(in)
		switch {
		case errors.Is(err, channel.ErrForged):
		case err != nil:
			f.t.Errorf("%s: a request %s %s is not ErrForged, but: %v", f.purpose, how.what, name, err)
		case h == e.handle && f.judge(sc, o, resp).Outcome == channel.Verified:
			f.t.Errorf("%s: a request %s %s is believed, so anybody can bring one: Receive has to return ErrForged (or leave that header out of what Respond brings, if it says nothing)", f.purpose, how.what, name)
		}
	}
}

func (f *forger) receive(in channel.Inbound) (string, channel.Response, error) {
	cb, _ := channel.As[channel.Callback](f.ch) // forged has looked
	return cb.Receive(f.t.Context(), in)
}

// request changes one part after the other of a request whose headers say nothing:
// what shows that it is genuine must be in the query or in the body.
func (f *forger) request(first errand) {
	f.t.Helper()
	refused := false
	for _, at := range leaves(unfold(first.in)) {
		sc, o, e, ok := f.scene()
		if !ok {
			continue
		}
		h, resp, err := f.receive(fold(e.in, changed(unfold(e.in), at, other)))
		if err != nil || h != e.handle {
			refused = refused || errors.Is(err, channel.ErrForged)
			continue
		}
		v := f.judge(sc, o, resp)
		refused = refused || v.Outcome != channel.Verified
		if v.Outcome == channel.Verified && !f.harmless(v) {
			f.t.Errorf("%s: a request with another %s is believed, and nothing shows who has sent it: Receive has to return ErrForged", f.purpose, at)
		}
	}
	if !refused {
		f.t.Errorf("%s: nothing in a request shows who has sent it: Receive has to return ErrForged", f.purpose)
	}
}

// data answers as clients may: with what Receive gives, changed in one place, and
// without what else is in it.
func (f *forger) data(first errand) {
	f.t.Helper()
	if len(first.resp.Data) == 0 {
		return
	}
	tree, ok := parsed(first.resp.Data)
	if !ok {
		f.t.Errorf("%s: the data that Receive gives is no JSON", f.purpose)
		return
	}
	all := leaves(tree)
	seals := slices.DeleteFunc(slices.Clone(all), func(at place) bool { return !opaque(lookUp(tree, at), first.handle) })
	if len(seals) == 0 {
		f.t.Errorf("%s: the data that Receive gives has nothing in it that a client could not write (16 characters or more): seal it, because Verify cannot tell it from what clients send", f.purpose)
	}
	refused, told := false, len(seals) == 0
	for _, at := range all {
		for _, forge := range forgeries(at, seals) {
			sc, o, e, _ := f.scene()
			mine, ok := parsed(e.resp.Data)
			if !ok {
				continue
			}
			raw, err := json.Marshal(forge(mine))
			if err != nil {
				f.t.Fatalf("write data: %v", err)
			}
			v := f.judge(sc, o, channel.Response{Code: e.resp.Code, Data: raw})
			refused = refused || v.Outcome != channel.Verified
			if v.Outcome == channel.Verified && !f.harmless(v) {
				f.t.Errorf("%s: Verify believes data with another %s: clients may send data too, so Receive has to seal it, and Verify to look at the seal", f.purpose, at)
				told = true
				break
			}
		}
	}
	if !refused && !told {
		f.t.Errorf("%s: Verify believes the data that Receive gives whatever is in it", f.purpose)
	}
}

// forgeries are what is done to data about one place in it.
func forgeries(at place, seals []place) []func(any) any {
	list := []func(any) any{
		func(v any) any { return changed(v, at, other) },
		func(v any) any { return changed(v, at, nearly) },
		func(v any) any { return changed(v, at, gone) },
	}
	for _, seal := range seals {
		if !slices.Equal(seal, at) {
			list = append(list, func(v any) any { return changed(changed(v, at, other), seal, gone) })
		}
	}
	return list
}
