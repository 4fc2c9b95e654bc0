package memstore

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/countersign/countersign/ports/store"
)

func (st *state) queue(facts []store.Fact) {
	for _, f := range facts {
		st.facts.put(join(f.Listener, f.Event.ID), f)
	}
}

// ownerOfFact lets the facts of one person that one listener waits for be found.
func ownerOfFact(f store.Fact) string {
	if f.Event.User == "" {
		return ""
	}
	return join(f.Listener, f.Event.Tenant, f.Event.User)
}

// ClaimFacts leases facts that are due, for each listener and user at most the
// oldest one that is queued.
func (s *Store) ClaimFacts(ctx context.Context, in store.ClaimFacts) ([]store.Fact, error) {
	return read(ctx, s, "claim facts", func(st *state) ([]store.Fact, error) {
		in.Now = kept(in.Now)
		due := st.facts.pick(func(f store.Fact) bool {
			return slices.Contains(in.Listeners, f.Listener) && !in.Now.Before(f.NextAt) && !in.Now.Before(f.Leased) && st.isNext(f, in.Now)
		})
		slices.SortFunc(due, func(a, b store.Fact) int {
			return cmp.Or(a.NextAt.Compare(b.NextAt), cmp.Compare(a.Event.ID, b.Event.ID), cmp.Compare(a.Listener, b.Listener))
		})
		due = due[:max(0, min(len(due), in.Max))]
		for i := range due {
			f := &due[i]
			f.Tries++
			f.Fence++
			f.Owner, f.Leased = in.Owner, kept(in.Now.Add(in.Lease))
			st.facts.put(join(f.Listener, f.Event.ID), *f)
		}
		return due, nil
	})
}

// isNext reports whether a fact is the oldest of its person, and no other one is
// leased: that one is younger then, and was committed before this one.
func (st *state) isNext(f store.Fact, now time.Time) bool {
	owner := ownerOfFact(f)
	return owner == "" || !slices.ContainsFunc(st.facts.of(owner), func(o store.Fact) bool {
		return o.Event.ID < f.Event.ID || o.Event.ID > f.Event.ID && now.Before(o.Leased)
	})
}

// FinishFact says what became of a fact, unless somebody else has it by now.
func (s *Store) FinishFact(ctx context.Context, in store.FinishFact) (bool, error) {
	return read(ctx, s, "finish fact", func(st *state) (bool, error) {
		key := join(in.Listener, in.Event)
		f, ok := st.facts.get(key)
		if !ok || f.Fence != in.Fence {
			return false, nil
		}
		if in.Done {
			st.facts.remove(key)
			return true, nil
		}
		f.Owner, f.Leased, f.NextAt = "", time.Time{}, in.RetryAt
		st.facts.put(key, f)
		return true, nil
	})
}

// FactsWaiting counts what is queued for each listener.
func (s *Store) FactsWaiting(ctx context.Context) ([]store.FactsWaiting, error) {
	return read(ctx, s, "count facts", func(st *state) ([]store.FactsWaiting, error) {
		sums := map[string]store.FactsWaiting{}
		for _, f := range st.facts.rows {
			w, ok := sums[f.Listener]
			if !ok || f.Event.At.Before(w.Oldest) {
				w.Oldest = f.Event.At
			}
			w.Listener = f.Listener
			w.Depth++
			sums[f.Listener] = w
		}
		return slices.SortedFunc(maps.Values(sums), func(a, b store.FactsWaiting) int { return cmp.Compare(a.Listener, b.Listener) }), nil
	})
}
