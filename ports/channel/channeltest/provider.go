package channeltest

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/countersign/countersign/ports/channel"
)

// trouble is one way in which a provider misbehaves.
type trouble struct {
	answer  func(http.ResponseWriter, *http.Request, *plight)
	want    func(error) bool // nil: any error, or none, as long as nothing is verified
	timeout time.Duration
	must    bool   // everything goes by the provider, so nothing works without
	typed   string // the code that is answered, if one is
}

// plight is one server in trouble.
type plight struct {
	asked     atomic.Bool   // whether anybody called
	swallowed atomic.Bool   // whether somebody read an endless answer to its end
	over      chan struct{} // closed when the server has to go
}

// troubles is how providers misbehave, and what a channel must make of it.
func troubles() map[string]trouble {
	unavailable := func(err error) bool { return errors.Is(err, channel.ErrUnavailable) }
	return map[string]trouble{
		"hangs":     {timeout: 300 * time.Millisecond, want: unavailable, answer: hang},
		"is broken": {want: unavailable, answer: echo(http.StatusInternalServerError)},
		"hangs up": {want: unavailable, answer: func(http.ResponseWriter, *http.Request, *plight) {
			panic(http.ErrAbortHandler)
		}},
		"refuses us": {answer: echo(http.StatusUnauthorized), want: func(err error) bool {
			return errors.Is(err, channel.ErrRefused)
		}},
		"is busy": {answer: busy, want: func(err error) bool {
			later, ok := errors.AsType[*channel.ThrottledError](err)
			return ok && later.After == 7*time.Second
		}},
		"talks nonsense":      {answer: nonsense},
		"says nothing":        {answer: nothing},
		"never stops talking": {answer: babble},
	}
}

func hang(_ http.ResponseWriter, req *http.Request, p *plight) {
	_, _ = io.Copy(io.Discard, req.Body) // or the server will not notice that we hang up
	select {
	case <-req.Context().Done():
	case <-p.over:
	}
}

// echo quotes what we sent, which must not end up in an error.
func echo(status int) func(http.ResponseWriter, *http.Request, *plight) {
	return func(w http.ResponseWriter, req *http.Request, _ *plight) {
		body, _ := io.ReadAll(req.Body)
		w.WriteHeader(status)
		_, _ = w.Write(body)
	}
}

func busy(w http.ResponseWriter, _ *http.Request, _ *plight) {
	w.Header().Set("Retry-After", "7")
	w.WriteHeader(http.StatusTooManyRequests)
}

func nonsense(w http.ResponseWriter, _ *http.Request, _ *plight) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, "<html>It works!</html>")
}

// nothing is an answer that can be read, and in which nothing is.
func nothing(w http.ResponseWriter, _ *http.Request, _ *plight) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, "{}")
}

// babble answers with more than anybody should read.
func babble(w http.ResponseWriter, req *http.Request, p *plight) {
	w.Header().Set("Content-Type", "application/json")
	chunk := []byte(`"` + strings.Repeat("a", 1<<16))
	for range 1 << 10 { // 64 MiB
		if _, err := w.Write(chunk); err != nil || req.Context().Err() != nil {
			return
		}
	}
	p.swallowed.Store(true)
}

func (s Suite) provider(t T) {
	good := s.open(t)
	costs := good.costs()
	switch {
	case s.Provider == nil && costs:
		t.Fatalf("Provider is missing: a channel whose Begin reaches people has one")
	case s.Provider == nil:
		t.Skipf("no HTTP provider")
	}
	cred, _ := good.enroll(t)
	var asked bool
	all := troubles()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		tr := all[name]
		if tr.timeout == 0 {
			tr.timeout = 5 * time.Second
		}
		tr.must = costs
		t.Run(name+" while we begin", func(t T) {
			s.suffer(t, tr, &asked, func(ctx context.Context, bad *rig) (channel.Verdict, error) {
				return channel.Verdict{}, bad.ask(ctx, cred)
			})
		})
		sc, o, resp := good.authenticate(t, cred)
		tr.typed = resp.Code
		if _, ok := channel.As[channel.Callback](good.ch); ok {
			tr.must = false // what was brought may be all that it takes
		}
		t.Run(name+" while we verify", func(t T) {
			s.suffer(t, tr, &asked, func(ctx context.Context, bad *rig) (channel.Verdict, error) {
				return bad.ch.Verify(ctx, sc.Challenge, o.State, resp)
			})
		})
		if _, ok := channel.As[channel.Prober](good.ch); ok {
			tr.must, tr.typed = false, "" // what a probe asks is the channel's choice
			t.Run(name+" while we probe", func(t T) { s.suffer(t, tr, &asked, probe) })
		}
	}
	if !asked {
		t.Errorf("Provider is given, but that server was never asked")
	}
}

// probe asks an open channel how its provider is.
func probe(ctx context.Context, bad *rig) (channel.Verdict, error) {
	p, _ := channel.As[channel.Prober](bad.ch) // the same channel has shown it
	return channel.Verdict{}, p.Probe(ctx)
}

// ask begins a challenge and sends what it asks for.
func (r *rig) ask(ctx context.Context, cred channel.Credential) error {
	c := r.challenge(channel.Authenticate, cred)
	o, err := r.ch.Begin(ctx, c)
	if err == nil && o.Deliver {
		err = r.deliver(ctx, c)
	}
	return err
}

// suffer makes one call while the provider is in trouble.
func (s Suite) suffer(t T, tr trouble, asked *bool, call func(context.Context, *rig) (channel.Verdict, error)) {
	p := &plight{over: make(chan struct{})}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		p.asked.Store(true)
		tr.answer(w, req, p)
	}))
	t.Cleanup(srv.Close)
	t.Cleanup(func() { close(p.over) })
	ctx, cancel := context.WithTimeout(t.Context(), tr.timeout)
	defer cancel()

	bad := s.rig().with(s.Provider(srv.URL))
	var v channel.Verdict
	err := bad.reopen(t)
	if err == nil && !within(tr.timeout+patience, func() { v, err = call(ctx, bad) }) {
		t.Fatalf("the deadline was ignored")
	}
	if !p.asked.Load() {
		if tr.must {
			t.Errorf("the provider was not asked")
		}
		t.Skipf("the provider was not asked")
	}
	*asked = true
	switch {
	case tr.must && err == nil:
		t.Errorf("no error, although there is nothing that the provider has said")
	case v.Outcome == channel.Verified:
		t.Errorf("verified, although the provider said no such thing")
	case p.swallowed.Load():
		t.Errorf("64 MiB of answer were read to the end")
	case tr.want != nil && !tr.want(err):
		t.Errorf("wrong error: %v", err)
	}
	if err != nil {
		bad.quiet(t, err)
		bad.hides(t, "error", err.Error(), tr.typed)
		bad.hides(t, "log", bad.log.String(), tr.typed)
	}
}

// quiet checks that an error, and the log, say nothing about the first
// challenge's person, code or link.
func (r *rig) quiet(t T, err error) {
	t.Helper()
	r.made.Store(0)
	c := r.challenge(channel.Authenticate, nil)
	m := r.compose(c)
	secrets := append(r.private(Scene{Challenge: c}), m.Code, m.Link, m.Text)
	r.hides(t, "error", err.Error(), secrets...)
	r.hides(t, "log", r.log.String(), secrets...)
}
