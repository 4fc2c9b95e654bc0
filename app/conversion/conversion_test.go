package conversion_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign/countersign/adapters/memstore"
	"github.com/countersign/countersign/app/conversion"
	"github.com/countersign/countersign/app/tenants"
	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/limit"
	"github.com/countersign/countersign/domain/policy"
	"github.com/countersign/countersign/domain/tenant"
	"github.com/countersign/countersign/ports/meter"
	"github.com/countersign/countersign/ports/store"
	"github.com/countersign/countersign/ports/system/systemtest"
)

// watched counts the questions to storage, and can fail.
type watched struct {
	store.Store

	asked atomic.Int64
	fails error
}

func (w *watched) Windows(ctx context.Context, keys ...string) ([]limit.Window, error) {
	w.asked.Add(1)
	if w.fails != nil {
		return nil, w.fails
	}
	return w.Store.Windows(ctx, keys...)
}

type rig struct {
	*conversion.Breaker
	t      *testing.T
	store  *watched
	clock  *systemtest.Clock
	log    *strings.Builder
	number int
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, store: &watched{Store: memstore.New()}, clock: systemtest.NewClock(time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)), log: &strings.Builder{}}
	t.Cleanup(func() { _ = r.store.Close() })
	off := policy.Default()
	off.Limits.Conversion = limit.Conversion{}
	book := tenants.NewBook(tenants.Entry{Tenant: tenant.Tenant{Slug: "t2"}, Policy: policy.Default()}, tenants.Entry{Tenant: tenant.Tenant{Slug: "off"}, Policy: off})
	r.Breaker = conversion.New(conversion.Needs{
		Store: r.store, Tenants: book, Clock: r.clock, IDs: &systemtest.IDs{}, Meter: meter.Nothing{}, Log: slog.New(slog.NewTextHandler(r.log, nil)),
	})
	return r
}

// text is a challenge to another number of a range.
func (r *rig) text(where string) challenge.Challenge {
	r.number++
	return challenge.Challenge{
		Tenant: tenant.Default, Kind: contact.Phone, Destination: fmt.Sprintf("%s%04d", where, r.number), Delivery: challenge.Sent, CreatedAt: r.clock.Now(),
	}
}

// goes pays for n messages and reports how many may go out.
func (r *rig) goes(n int, c func() challenge.Challenge) (out int) {
	r.t.Helper()
	for range n {
		ok, err := r.Pay(r.t.Context(), c())
		if err != nil {
			r.t.Fatal(err)
		}
		if ok {
			out++
		}
	}
	return out
}

func (r *rig) events() []event.Event {
	r.t.Helper()
	var out []event.Event
	err := r.store.Do(r.t.Context(), func(ctx context.Context, tx store.Tx) (err error) {
		out, err = tx.Journal().Events(ctx, store.EventQuery{Tenant: tenant.Default})
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}

const here, there = "+44740012", "+44740013"

func TestARangeThatDoesNotAnswerIsStoppedForAWhile(t *testing.T) {
	r := newRig(t)
	to := func(where string) func() challenge.Challenge {
		return func() challenge.Challenge { return r.text(where) }
	}
	if n := r.goes(30, to(here)); n != 20 {
		t.Fatalf("%d messages go out, want 20", n)
	}
	if n := r.goes(20, to(there)); n != 20 {
		t.Errorf("%d messages go to another range, want 20", n)
	}
	elsewhere := func() challenge.Challenge {
		c := r.text(here)
		c.Tenant = "t2"
		return c
	}
	if n := r.goes(20, elsewhere); n != 20 {
		t.Errorf("%d messages of another tenant go out, want 20", n)
	}
	all := r.events()
	if len(all) != 1 || all[0].Type != event.RangeBlocked || all[0].User != "" || all[0].Data["range"] != here || all[0].Data["answered"] != "0" || all[0].Data["until"] != "2030-01-01T13:00:00Z" {
		t.Errorf("the events are %+v, want one that says what was blocked", all)
	}
	if said := r.log.String(); strings.Count(said, "WARN") != 1 || strings.Contains(said, here+"0") {
		t.Errorf("the log says %s", said)
	}
	r.clock.Advance(time.Hour - time.Second)
	if n := r.goes(1, to(here)); n != 0 {
		t.Error("a message goes out before the block ends")
	}
	r.clock.Advance(time.Second)
	if n := r.goes(21, to(here)); n != 20 || len(r.events()) != 2 {
		t.Errorf("%d messages go out after the block, and there are %d events; want 20 and 2", n, len(r.events()))
	}
}

func TestRightAnswersKeepARangeOpen(t *testing.T) {
	r := newRig(t)
	first := r.text(here)
	to := func() challenge.Challenge { return r.text(here) }
	r.goes(1, func() challenge.Challenge { return first })
	r.goes(18, to)
	r.clock.Advance(9 * time.Minute) // the answers are late, and count where their messages do
	for range 2 {
		r.Answered(t.Context(), first)
	}
	first.CreatedAt = r.clock.Now()
	if n := r.goes(5, func() challenge.Challenge { return first }); n != 2 {
		t.Errorf("%d more messages go out, want 2: 21 of which 2 were answered is less than a tenth", n)
	}
}

func TestWhatWasNotSentIsGivenBack(t *testing.T) {
	r := newRig(t)
	for range 50 {
		c := r.text(here)
		if ok, err := r.Pay(t.Context(), c); !ok || err != nil {
			t.Fatalf("%v, %v", ok, err)
		}
		r.GiveBack(t.Context(), c)
	}
}

func TestReplicasCountTogether(t *testing.T) {
	r := newRig(t)
	var went atomic.Int64
	var all sync.WaitGroup
	for range 60 {
		c := r.text(here)
		all.Go(func() {
			ok, err := r.Pay(t.Context(), c)
			if err != nil {
				t.Error(err)
			}
			if ok {
				went.Add(1)
			}
		})
	}
	all.Wait()
	if went.Load() != 20 || len(r.events()) != 1 {
		t.Errorf("%d went out and %d events say that no more do, want 20 and 1", went.Load(), len(r.events()))
	}
}

func TestWhatIsNotCountedCostsNothing(t *testing.T) {
	r := newRig(t)
	for name, change := range map[string]func(c *challenge.Challenge){
		"mail":           func(c *challenge.Challenge) { c.Kind, c.Destination = contact.Email, "ada@example.com" },
		"a decoy":        func(c *challenge.Challenge) { c.Decoy = true },
		"no destination": func(c *challenge.Challenge) { c.Destination = "" },
		"switched off":   func(c *challenge.Challenge) { c.Tenant = "off" },
	} {
		n := r.goes(30, func() challenge.Challenge {
			c := r.text(here)
			change(&c)
			return c
		})
		if asked := r.store.asked.Load(); n != 30 || asked != 0 {
			t.Errorf("%s: %d go out after %d questions, want 30 and none", name, n, asked)
		}
	}
}

func TestNothingGoesOutThatCannotBeCounted(t *testing.T) {
	r := newRig(t)
	r.store.fails = store.ErrUnavailable
	if ok, err := r.Pay(t.Context(), r.text(here)); ok || !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("%v, %v", ok, err)
	}
}
