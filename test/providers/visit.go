package providers

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/channel/channeltest"
)

// Watch is what a provider looks at to know the time: the real time, until it was
// set after a clock. It is safe for concurrent use.
type Watch struct {
	clock atomic.Pointer[channeltest.Clock]
}

// Set goes by a clock from now on.
func (w *Watch) Set(c *channeltest.Clock) { w.clock.Store(c) }

// Now is the time.
func (w *Watch) Now() time.Time {
	if c := w.clock.Load(); c != nil {
		return c.Now()
	}
	return time.Now()
}

// Visit plays a person in a conformance test who is sent to the provider, says
// yes, and comes back.
func (p *OIDC) Visit(tb testing.TB, s channeltest.Scene) channel.Response {
	tb.Helper()
	p.Watch.Set(s.Clock)
	back, err := p.Consent(s.Prompt.URL)
	if err != nil {
		tb.Fatal(err)
	}
	in := channel.Inbound{Method: http.MethodGet, Query: back}
	if p.FormPost {
		in = channel.Inbound{Method: http.MethodPost, Body: []byte(back.Encode())}
	}
	return bring(tb, s, in)
}

// bring hands a return to the channel.
func bring(tb testing.TB, s channeltest.Scene, in channel.Inbound) channel.Response {
	tb.Helper()
	cb, ok := channel.As[channel.Callback](s.Channel)
	if !ok {
		tb.Fatal("the channel has no callback")
	}
	handle, r, err := cb.Receive(tb.Context(), in)
	if err != nil || handle != s.Challenge.Handle {
		tb.Fatalf("the return is not recognised: %v", err)
	}
	return r
}

// Lost plays a person who comes back with a code of nobody.
func Lost(testing.TB, channeltest.Scene) channel.Response {
	return channel.Response{Data: []byte(`{"code":"made-up"}`)}
}
