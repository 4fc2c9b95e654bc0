package storetest

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/countersign/countersign/ports/store"
)

// telling is what racers know of who is told what.
type telling struct {
	mu    sync.Mutex
	now   map[string]bool     // people who are being told something
	heard map[string][]string // ids by person, in the order in which they were told
	clash string              // a person who was told two facts at once
	total int
	moved chan struct{} // closed when something new may be claimed
}

func newTelling() *telling {
	return &telling{now: map[string]bool{}, heard: map[string][]string{}, moved: make(chan struct{})}
}

func (t *telling) begin(f store.Fact) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.now[f.Event.User] {
		t.clash = f.Event.User
	}
	t.now[f.Event.User] = true
	t.heard[f.Event.User] = append(t.heard[f.Event.User], f.Event.ID)
	t.total++
}

func (t *telling) end(f store.Fact) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.now[f.Event.User] = false
}

// move wakes who found nothing to claim.
func (t *telling) move() {
	t.mu.Lock()
	defer t.mu.Unlock()
	close(t.moved)
	t.moved = make(chan struct{})
}

func (t *telling) told() (total int, moved <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.total, t.moved
}

// tell claims and finishes facts until all of them were told. Whoever finds
// nothing waits for the others, as servers do: asking again at once would keep
// a file locked that somebody needs who has a fact to finish.
func (r *race) tell(s store.Store, listener string, t *telling, all int) error {
	defer t.move()
	for {
		total, moved := t.told()
		if total >= all {
			return nil
		}
		got, err := s.ClaimFacts(r.ctx, store.ClaimFacts{Listeners: []string{listener}, Owner: "racer", Lease: time.Hour, Max: 3, Now: r.now})
		if err != nil {
			return err
		}
		if len(got) == 0 {
			select {
			case <-moved:
			case <-r.ctx.Done():
				return r.ctx.Err()
			}
		}
		for _, f := range got {
			t.begin(f)
		}
		runtime.Gosched()
		for _, f := range got {
			t.end(f)
			if _, err := s.FinishFact(r.ctx, store.FinishFact{Listener: f.Listener, Event: f.Event.ID, Fence: f.Fence, Done: true}); err != nil {
				return err
			}
			t.move()
		}
	}
}

func (r *race) check(t *telling, all int) {
	r.Helper()
	r.same(t.clash, "", "somebody who was told two facts at once")
	r.same(t.total, all, "how often a fact was told")
}

func factsApart(r *race) {
	ear := r.name("listener")
	people := []string{r.id(), r.id(), r.id()}
	const each = 12
	for range each {
		for _, id := range people {
			r.queue(r.fact(ear, id))
		}
	}
	t := newTelling()
	won := r.run(8, nil, func(_ int, s store.Store) error { return r.tell(s, ear, t, each*len(people)) })
	r.same(won, 8, "how many claimers came through")
	r.check(t, each*len(people))
	for _, ids := range t.heard {
		r.same(slices.IsSorted(ids), true, "whether facts were told in order")
	}
}

// lateFactsApart queues facts of one person, the newest first, while others claim.
func lateFactsApart(r *race) {
	ear, ann := r.name("listener"), r.id()
	const writers, each = 2, 15
	all := make([]store.Fact, writers*each)
	for i := range all {
		all[len(all)-1-i] = r.fact(ear, ann)
	}
	t := newTelling()
	won := r.run(writers+6, nil, func(i int, s store.Store) error {
		if i >= writers {
			return r.tell(s, ear, t, len(all))
		}
		for n := range each {
			f := all[n*writers+i]
			err := s.Do(r.ctx, func(ctx context.Context, tx store.Tx) error { return tx.Journal().Queue(ctx, f) })
			if err != nil {
				return err
			}
			t.move()
		}
		return nil
	})
	r.same(won, writers+6, "how many racers came through")
	r.check(t, len(all))
}
