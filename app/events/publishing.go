// Package events tells others what has happened, after it was committed.
package events

import (
	"context"

	"github.com/countersign/countersign/domain/event"
	port "github.com/countersign/countersign/ports/event"
	"github.com/countersign/countersign/ports/store"
)

// Publishing is a store that publishes the facts which its units of work record,
// as soon as they are committed. So no use case can forget to, and nothing is
// told that was taken back.
type Publishing struct {
	store.Store
	to port.Publisher
}

// Publish wraps a store.
func Publish(s store.Store, to port.Publisher) *Publishing { return &Publishing{Store: s, to: to} }

var _ store.Store = (*Publishing)(nil)

// Settle settles, and publishes what followed from it.
func (p *Publishing) Settle(ctx context.Context, s store.Settlement) error {
	err := p.Store.Settle(ctx, s)
	if err == nil {
		p.to.Publish(ctx, s.Events)
	}
	return err
}

// Do commits a unit of work, and publishes what it recorded.
func (p *Publishing) Do(ctx context.Context, fn func(ctx context.Context, tx store.Tx) error) error {
	var facts []event.Event
	err := p.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		facts = nil // it may run again
		return fn(ctx, listening{tx, &facts})
	})
	if err == nil {
		p.to.Publish(ctx, facts)
	}
	return err
}

// listening is a unit of work that remembers what is recorded.
type listening struct {
	store.Tx
	facts *[]event.Event
}

// Journal gives a journal that listens.
func (l listening) Journal() store.Journal { return journal{l.Tx.Journal(), l.facts} }

type journal struct {
	store.Journal
	facts *[]event.Event
}

// Record adds facts, and remembers them for their publication.
func (j journal) Record(ctx context.Context, facts ...event.Event) error {
	err := j.Journal.Record(ctx, facts...)
	if err == nil {
		*j.facts = append(*j.facts, facts...)
	}
	return err
}
