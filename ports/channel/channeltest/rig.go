package channeltest

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign/countersign/ports/channel"
)

// rig is one open channel with a small core around it.
type rig struct {
	Suite
	env     channel.Env
	codes   Codes
	clock   *Clock
	log     *journal
	secrets []string // what the configuration hides
	ch      channel.Channel
	ref     string // what the device called itself when it was enrolled
	made    atomic.Int64
	closing sync.Once

	mu      sync.Mutex // guards the rest
	inbox   []channel.Message
	brought []errand // what came to the channel's Callback while the person was played
}

// start is when every rig's clock starts: in the middle of a 30-second step.
func start() time.Time { return time.Date(2026, time.March, 14, 15, 9, 40, 0, time.UTC) }

// rig prepares a core without opening the channel.
func (s Suite) rig() *rig {
	r := &rig{Suite: s, clock: NewClock(start()), log: &journal{}}
	r.codes = Codes{channel.Shape{Length: 6, Alphabet: channel.Digits}}
	r.env = channel.Env{
		Instance: "kit",
		Brand:    "Example",
		Origin:   "https://login.example.com",
		Log:      slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		HTTP:     &http.Client{Transport: &http.Transport{}, Timeout: 10 * time.Second},
		Now:      r.clock.Now,
		Random:   rand.Reader,
		Codes:    r.codes,
	}
	return r
}

// open prepares a core and opens the channel in it.
func (s Suite) open(tb testing.TB) *rig {
	tb.Helper()
	r := s.rig()
	if err := r.reopen(tb); err != nil {
		tb.Fatalf("open: %v", err)
	}
	return r
}

// reopen opens the channel. It is for checks that change the core first.
func (r *rig) reopen(tb testing.TB) error {
	tb.Helper()
	ch, err := r.Plugin.Open(tb.Context(), decoder(r.Config, &r.secrets), r.env)
	if err != nil {
		return err
	}
	r.ch = ch
	tb.Cleanup(func() { r.close(tb) })
	return nil
}

// close shuts the channel down as the host would.
func (r *rig) close(tb testing.TB) {
	tb.Helper()
	r.closing.Do(func() {
		if c, ok := channel.As[channel.Closer](r.ch); ok {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			if err := c.Close(ctx); err != nil {
				tb.Errorf("close: %v", err)
			}
		}
		r.env.HTTP.CloseIdleConnections()
	})
}

// challenge makes a question. Every one has its own handle.
func (r *rig) challenge(p channel.Purpose, cred channel.Credential) channel.Challenge {
	n := r.made.Add(1)
	c := channel.Challenge{
		Handle: handle(n), Round: 1, Purpose: p, Subject: "0191d1b5-7a33-7e20-8f5e-2b8d1f0a7c11", Label: "ann.q.person",
		Address: r.Address, Credential: bytes.Clone(cred), Locale: "en",
		Callback: "https://login.example.com/callback/kit", ExpiresAt: r.clock.Now().Add(5 * time.Minute),
	}
	if r.described().Address == channel.Account && p == channel.Authenticate {
		c.Address = r.ref
	}
	return c
}

// begin opens c and delivers what it asks for.
func (r *rig) begin(tb testing.TB, c channel.Challenge) (Scene, channel.Opening) {
	tb.Helper()
	o, err := r.ch.Begin(tb.Context(), c)
	if err != nil {
		tb.Fatalf("begin %s: %v", c.Purpose, err)
	}
	checkPrompt(tb, o.Prompt)
	if o.Deliver {
		if err := r.deliver(tb.Context(), c); err != nil {
			tb.Fatalf("send: %v", err)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return Scene{Challenge: c, Prompt: o.Prompt, Inbox: append([]channel.Message(nil), r.inbox...), Channel: r.heard(), Clock: r.clock}, o
}

// deliver does what the core's dispatcher does.
func (r *rig) deliver(ctx context.Context, c channel.Challenge) error {
	s, ok := channel.As[channel.Sender](r.ch)
	if !ok {
		return fmt.Errorf("the opening asks for a delivery, but the channel has no Sender")
	}
	m := r.compose(c)
	if _, err := s.Send(ctx, m); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.inbox = append(r.inbox, m)
	return nil
}

// compose writes the message that carries a code.
func (r *rig) compose(c channel.Challenge) channel.Message {
	code := r.codes.Code(c)
	return channel.Message{
		Key: fmt.Sprintf("kit-%d-%d", r.made.Load(), c.Round), To: c.Address, Locale: c.Locale,
		Subject: "Your Example code", Text: "Your code is " + code + ".", HTML: "<p>Your code is <b>" + code + "</b>.</p>",
		Code: code, Link: "https://login.example.com/l/" + handle(-r.made.Load()),
	}
}

// verify judges a response that must be judged without error.
func (r *rig) verify(tb testing.TB, c channel.Challenge, s channel.State, resp channel.Response) channel.Verdict {
	tb.Helper()
	v, err := r.ch.Verify(tb.Context(), c, s, resp)
	if err != nil {
		tb.Fatalf("verify: %v", err)
	}
	return v
}

// enroll binds a device and returns its credential. What was answered to prove
// it is returned too.
func (r *rig) enroll(tb testing.TB) (channel.Credential, channel.Response) {
	tb.Helper()
	sc, o := r.begin(tb, r.challenge(channel.Enroll, nil))
	resp := r.Respond(tb, sc)
	v := r.verify(tb, sc.Challenge, o.State, resp)
	if v.Outcome != channel.Verified {
		tb.Fatalf("enroll: the right response was %s (%s)", v.Outcome, v.Reason)
	}
	r.ref = v.Ref
	return v.Credential, resp
}

// authenticate opens a challenge for a device and answers it rightly, a minute
// after whatever happened before, so that time-based codes have changed.
func (r *rig) authenticate(tb testing.TB, cred channel.Credential) (Scene, channel.Opening, channel.Response) {
	tb.Helper()
	r.clock.Advance(time.Minute)
	sc, o := r.begin(tb, r.challenge(channel.Authenticate, cred))
	return sc, o, r.Respond(tb, sc)
}
