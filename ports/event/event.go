// Package event is the port through which facts leave the core: to a log, to
// subscribers, to metrics.
package event

import (
	"context"

	"github.com/countersign/countersign/domain/event"
)

// Publisher tells others what has happened. It must be safe for concurrent use.
type Publisher interface {
	// Publish is called after the facts were committed, once for each unit of
	// work, on the goroutine that made them true: it must not block, and must
	// not fail. A process that dies between commit and call publishes nothing;
	// the facts themselves are in the store.
	Publish(ctx context.Context, facts []event.Event)
}

// Publishers tells each of several, in order.
type Publishers []Publisher

// Publish tells each of them.
func (ps Publishers) Publish(ctx context.Context, facts []event.Event) {
	for _, p := range ps {
		p.Publish(ctx, facts)
	}
}

// Listener hears of facts reliably: at least once each, in the order in which
// they were recorded for a person, also after a restart. It must be safe for
// concurrent use.
type Listener interface {
	// Name is what its place in the queue is called. It lasts: facts that were
	// queued under a name wait for it.
	Name() string
	// Wants reports whether facts of this type are queued for it.
	Wants(t event.Type) bool
	// Hear takes one fact. If it fails, the fact comes again later, with the same
	// id; whoever hears it twice must notice. It must return when ctx ends.
	Hear(ctx context.Context, fact event.Event) error
}
