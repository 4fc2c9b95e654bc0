// Package janitor deletes what nobody can need any more.
package janitor

import (
	"context"
	"log/slog"
	"time"

	"github.com/countersign/countersign/app/tenants"
	"github.com/countersign/countersign/domain/device"
	"github.com/countersign/countersign/ports/store"
	"github.com/countersign/countersign/ports/system"
)

// How long things are kept after their end, and how gently they go.
const (
	keepChallenges = 24 * time.Hour
	keepSessions   = 30 * 24 * time.Hour
	keepCounters   = 180 * 24 * time.Hour // failures in a row are forgotten only after half a year of silence
	keepWindows    = time.Hour
	keepEvents     = 400 * 24 * time.Hour
	keepFacts      = 7 * 24 * time.Hour  // those who listen are given three days; what is left is for listeners that are no more
	keepWaiting    = 30 * 24 * time.Hour // operators still see what ran out lately
	batch          = 500
	pause          = time.Minute
	breath         = 50 * time.Millisecond // between batches, so that others get their turn
)

// Needs is what the janitor is made of.
type Needs struct {
	Store   store.Store
	Tenants *tenants.Book
	Clock   system.Clock
	IDs     system.IDs
	Log     *slog.Logger
}

// Janitor deletes in small batches.
type Janitor struct{ Needs }

// New makes a janitor.
func New(n Needs) *Janitor { return &Janitor{n} }

// Run deletes once a minute what is old. It returns when ctx ends.
func (j *Janitor) Run(ctx context.Context) {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if _, err := j.Sweep(ctx); err != nil && ctx.Err() == nil {
			j.Log.Error("old rows could not be deleted", "error", err)
		}
	}
}

// Sweep deletes all that is old now and says how many rows and accounts went.
func (j *Janitor) Sweep(ctx context.Context) (int, error) {
	rows, err := j.sweepRows(ctx)
	if err != nil {
		return rows, err
	}
	accounts, err := j.sweepIdle(ctx)
	return rows + accounts, err
}

func (j *Janitor) sweepRows(ctx context.Context) (int, error) {
	now := j.Clock.Now()
	horizon := store.Horizon{
		Challenges: now.Add(-keepChallenges), Sessions: now.Add(-keepSessions), Counters: now.Add(-keepCounters),
		Windows: now.Add(-keepWindows), Events: now.Add(-keepEvents), Facts: now.Add(-keepFacts),
		Waiting: now.Add(-keepWaiting), Unproven: now.Add(-device.ProofLife), Batch: batch,
	}
	total := 0
	for {
		n, err := j.Store.Purge(ctx, horizon)
		total += n
		if err != nil || n < batch {
			return total, err
		}
		if err := rest(ctx); err != nil {
			return total, err
		}
	}
}
