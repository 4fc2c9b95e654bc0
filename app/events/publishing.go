// Package events tells others what has happened, after it was committed.
package events

import (
	"context"
	"errors"
	"slices"

	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/session"
	port "github.com/countersign/countersign/ports/event"
	"github.com/countersign/countersign/ports/store"
)

// Publishing is a store that publishes the facts which its units of work record,
// as soon as they are committed, and queues them in the same unit of work for
// those who listen. So no use case can forget to, nothing is told that was taken
// back, and nothing is lost that was not.
type Publishing struct {
	store.Store
	to       port.Publisher
	audience Audience
}

// Audience is who hears of facts reliably. The zero value is nobody, and costs
// nothing.
type Audience struct {
	Listeners []port.Listener
	// Queued is called after a commit that queued something. It must not block.
	Queued func()
}

// Publish wraps a store.
func Publish(s store.Store, to port.Publisher, a Audience) *Publishing {
	if a.Queued == nil {
		a.Queued = func() {}
	}
	return &Publishing{Store: s, to: to, audience: a}
}

var _ store.Store = (*Publishing)(nil)

// Settle settles, and publishes what followed from it.
func (p *Publishing) Settle(ctx context.Context, s store.Settlement) error {
	waiting := p.audience.facts(s.Events)
	if len(waiting) > 0 {
		s.Facts = append(slices.Clip(s.Facts), waiting...)
	}
	var later heard
	if then := s.Then; then != nil {
		s.Then = func(ctx context.Context, tx store.Tx) error {
			later = heard{} // it may run again
			return then(ctx, listening{tx, p.audience, &later})
		}
	}
	if err := p.Store.Settle(ctx, s); err != nil {
		return err
	}
	facts := s.Events
	if len(later.facts) > 0 {
		facts = append(slices.Clip(facts), later.facts...)
	}
	p.tell(ctx, heard{facts, len(waiting) > 0 || later.queued})
	return nil
}

// Rotate rotates, and publishes what followed from the end of a session.
func (p *Publishing) Rotate(ctx context.Context, in store.Rotate) (store.Signed, error) {
	var later heard
	if then := in.Then; then != nil {
		in.Then = func(ctx context.Context, tx store.Tx, ended store.Signed) error {
			later = heard{} // it may run again
			return then(ctx, listening{tx, p.audience, &later}, ended)
		}
	}
	out, err := p.Store.Rotate(ctx, in)
	if errors.Is(err, session.ErrReused) { // else it was taken back, if it ran at all
		p.tell(ctx, later)
	}
	return out, err
}

// Do commits a unit of work, and publishes what it recorded.
func (p *Publishing) Do(ctx context.Context, fn func(ctx context.Context, tx store.Tx) error) error {
	var now heard
	err := p.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		now = heard{} // it may run again
		return fn(ctx, listening{tx, p.audience, &now})
	})
	if err == nil {
		p.tell(ctx, now)
	}
	return err
}

// heard is what a unit of work has recorded.
type heard struct {
	facts  []event.Event
	queued bool // for somebody
}

func (p *Publishing) tell(ctx context.Context, h heard) {
	p.to.Publish(ctx, h.facts)
	if h.queued {
		p.audience.Queued()
	}
}

// facts is what has to be queued when events are recorded: each once for
// everybody who wants it.
func (a Audience) facts(events []event.Event) []store.Fact {
	var out []store.Fact
	for _, l := range a.Listeners {
		for _, e := range events {
			if l.Wants(e.Type) {
				out = append(out, store.Fact{Listener: l.Name(), Event: e, NextAt: e.At})
			}
		}
	}
	return out
}

// listening is a unit of work that hears what is recorded.
type listening struct {
	store.Tx
	audience Audience
	heard    *heard
}

// Journal gives a journal that listens.
func (l listening) Journal() store.Journal { return journal{l.Tx.Journal(), l} }

type journal struct {
	store.Journal
	unit listening
}

// Record adds facts, queues them, and remembers them for their publication.
func (j journal) Record(ctx context.Context, facts ...event.Event) error {
	if err := j.Journal.Record(ctx, facts...); err != nil {
		return err
	}
	h := j.unit.heard
	h.facts = append(h.facts, facts...)
	waiting := j.unit.audience.facts(facts)
	if len(waiting) == 0 {
		return nil
	}
	h.queued = true
	return j.Queue(ctx, waiting...)
}
