// Package eventtest is the conformance suite for publishers of events, and a
// publisher that remembers.
package eventtest

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign/domain/event"
	port "github.com/countersign/countersign/ports/event"
)

// Subject is a publisher with a way to see what it has told.
type Subject struct {
	port.Publisher
	// Told lists the ids of the events that have arrived, in order of arrival.
	Told func() []string
}

// Run checks what the core relies on.
func Run(t *testing.T, open func(t testing.TB) Subject) {
	t.Run("facts arrive in order", func(t *testing.T) {
		s := open(t)
		s.Publish(t.Context(), []event.Event{fact("1"), fact("2")})
		s.Publish(t.Context(), []event.Event{fact("3")})
		if got := s.Told(); len(got) != 3 || got[0] != "1" || got[1] != "2" || got[2] != "3" {
			t.Errorf("told %q", got)
		}
	})
	t.Run("nothing is nothing", func(t *testing.T) {
		s := open(t)
		s.Publish(t.Context(), nil)
		if got := s.Told(); len(got) != 0 {
			t.Errorf("told %q", got)
		}
	})
	t.Run("a context that has ended stops nobody", func(t *testing.T) {
		s := open(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		s.Publish(ctx, []event.Event{fact("1")}) // it has happened all the same
		if got := s.Told(); len(got) != 1 {
			t.Errorf("told %q", got)
		}
	})
	t.Run("many at once", func(t *testing.T) {
		s := open(t)
		var all sync.WaitGroup
		for i := range 32 {
			all.Go(func() { s.Publish(t.Context(), []event.Event{fact(strconv.Itoa(i))}) })
		}
		all.Wait()
		seen := map[string]bool{}
		for _, id := range s.Told() {
			seen[id] = true
		}
		if len(seen) != 32 {
			t.Errorf("%d of 32 facts arrived whole", len(seen))
		}
	})
}

func fact(id string) event.Event {
	return event.Event{
		ID: id, Tenant: "default", User: "u", Type: event.SessionStarted,
		At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Data: map[string]string{"session": "s"},
	}
}

// Recorder is a publisher that remembers. The zero value is ready.
type Recorder struct {
	mu  sync.Mutex // guards all
	all []event.Event
}

// Publish remembers the facts.
func (r *Recorder) Publish(_ context.Context, facts []event.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, facts...)
}

// All is what was published so far.
func (r *Recorder) All() []event.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]event.Event(nil), r.all...)
}
