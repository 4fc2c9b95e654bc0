package store

import (
	"context"
	"time"

	"github.com/countersign/countersign/domain/event"
)

// Feed is the durable queue of facts for those who listen: webhooks, subscribers
// in this process. A fact is queued, for each listener by itself, in the unit of
// work that records it.
type Feed interface {
	// ClaimFacts leases facts that are due and that nobody has leased: for each
	// listener and user at most the oldest one that is queued (by id), and none
	// while another one of theirs is leased, so that nobody hears of a person's
	// second fact before the first is done with; facts of nobody are not held up
	// by each other. Oldest first (by when they are due, then by id), at most
	// c.Max. It counts a try and raises the fence.
	ClaimFacts(ctx context.Context, c ClaimFacts) ([]Fact, error)
	// FinishFact says what became of one: done with, or put back until RetryAt.
	// Somebody whose fence is old is ignored: it reports false.
	FinishFact(ctx context.Context, f FinishFact) (bool, error)
	// FactsWaiting tells what is queued for each listener that anything is queued
	// for, ordered by name.
	FactsWaiting(ctx context.Context) ([]FactsWaiting, error)
}

// FactsWaiting is what is queued for a listener, leased or not.
type FactsWaiting struct {
	Listener string
	Depth    int
	Oldest   time.Time // when the first of them happened
}

// Fact is an event on its way to one listener.
type Fact struct {
	Listener string // its name, which lasts
	Event    event.Event
	Tries    int
	NextAt   time.Time // not before
	Owner    string
	Leased   time.Time // until when; exclusive
	Fence    int
}

// ClaimFacts is somebody who can deliver facts.
type ClaimFacts struct {
	Listeners []string // those that are known here; facts of others wait
	Owner     string
	Lease     time.Duration
	Max       int
	Now       time.Time
}

// FinishFact is what became of a fact.
type FinishFact struct {
	Listener string
	Event    string // id
	Fence    int
	Done     bool      // heard, or given up
	RetryAt  time.Time // if not
}
