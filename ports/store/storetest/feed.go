package storetest

import (
	"context"
	"slices"
	"time"

	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/ports/store"
)

func feeds() []behaviour {
	return []behaviour{
		{"facts are claimed oldest first, when they are due, by those who know their listener", claimsFacts},
		{"a listener hears of a person's facts one at a time", oneFactAtATime},
		{"an older fact that comes late waits for the younger one", lateFactsWait},
		{"a lease of a fact ends, and its fence with it", fencesFacts},
		{"a fact that was put back comes again, and holds up the next", putsFactsBack},
		{"facts of a unit of work that fails are not queued", undoesFacts},
	}
}

// fact makes a fact that is due now.
func (k *kit) fact(listener, user string) store.Fact {
	e := event.Event{ID: k.id(), Tenant: home, User: user, Type: event.UserUpdated, At: k.now, Data: map[string]string{"n": k.name("n")}}
	return store.Fact{Listener: listener, Event: e, NextAt: k.now}
}

// queue puts facts on their way.
func (k *kit) queue(facts ...store.Fact) {
	k.Helper()
	k.do(func(tx store.Tx) error { return tx.Journal().Queue(k.ctx, facts...) })
}

// wantFacts claims for half a minute and checks which facts that gets.
func (k *kit) wantFacts(listeners []string, most int, want ...store.Fact) []store.Fact {
	k.Helper()
	got, err := k.ClaimFacts(k.ctx, store.ClaimFacts{Listeners: listeners, Owner: "replica-1", Lease: 30 * time.Second, Max: most, Now: k.now})
	k.ok(err, "claim facts")
	name := func(f store.Fact) string { return f.Listener + " " + f.Event.ID }
	var had, wanted []string
	for _, f := range got {
		had = append(had, name(f))
	}
	for _, f := range want {
		wanted = append(wanted, name(f))
	}
	if !slices.Equal(had, wanted) {
		k.Fatalf("the facts that were claimed: got %v, want %v", had, wanted)
	}
	return got
}

// wantDone says that a fact is done with, and checks whether that counts.
func (k *kit) wantDone(f store.Fact, want bool) {
	k.Helper()
	done, err := k.FinishFact(k.ctx, store.FinishFact{Listener: f.Listener, Event: f.Event.ID, Fence: f.Fence, Done: true})
	k.ok(err, "finish fact")
	k.same(done, want, "whether a finish counts")
}

func (k *kit) putBack(f store.Fact, until time.Time, want bool) {
	k.Helper()
	done, err := k.FinishFact(k.ctx, store.FinishFact{Listener: f.Listener, Event: f.Event.ID, Fence: f.Fence, RetryAt: until})
	k.ok(err, "put fact back")
	k.same(done, want, "whether putting back counts")
}

func claimsFacts(k *kit) {
	mine, theirs := k.name("listener"), k.name("listener")
	later := k.fact(mine, k.id())
	later.NextAt = k.now.Add(time.Second)
	a, b, c := k.fact(mine, k.id()), k.fact(mine, k.id()), k.fact(theirs, k.id())
	first := k.fact(mine, k.id())
	first.NextAt = k.now.Add(-time.Second)
	k.queue(b, a, first, later, c)
	k.wantFacts(nil, 9)
	k.wantFacts([]string{k.name("listener")}, 9)
	k.wantFacts([]string{mine}, 0)
	got := k.wantFacts([]string{mine}, 2, first, a)
	a.Tries, a.Fence, a.Owner, a.Leased = 1, 1, "replica-1", k.now.Add(30*time.Second)
	k.same(got[1], a, "the fact that was claimed")
	k.wantFacts([]string{mine, theirs}, 9, b, c)
	k.pass(time.Second - time.Microsecond)
	k.wantFacts([]string{mine, theirs}, 9)
	k.pass(time.Microsecond)
	k.wantFacts([]string{theirs, mine}, 9, later)
}

func oneFactAtATime(k *kit) {
	ears, ann := []string{k.name("listener"), k.name("listener")}, k.id()
	a1, a2, a3 := k.fact(ears[0], ann), k.fact(ears[0], ann), k.fact(ears[0], ann)
	a2.NextAt = k.now.Add(-time.Hour) // that it is due for longer does not help it
	elsewhere, foreign := k.fact(ears[1], ann), k.fact(ears[0], ann)
	foreign.Event.Tenant = other
	n1, n2 := k.fact(ears[0], ""), k.fact(ears[0], "")
	k.queue(a3, a2, a1, elsewhere, foreign, n1, n2)
	got := k.wantFacts(ears, 9, a1, elsewhere, foreign, n1, n2)
	k.wantFacts(ears, 9)
	k.wantDone(got[0], true)
	k.wantDone(got[0], false)
	got = k.wantFacts(ears, 9, a2)
	k.wantFacts(ears, 9)
	k.wantDone(got[0], true)
	k.wantFacts(ears, 9, a3)
}

// lateFactsWait: units of work do not commit in the order of their events.
func lateFactsWait(k *kit) {
	ear, ann := []string{k.name("listener")}, k.id()
	older, younger := k.fact(ear[0], ann), k.fact(ear[0], ann)
	k.queue(younger)
	got := k.wantFacts(ear, 9, younger)
	k.queue(older)
	k.wantFacts(ear, 9)
	k.pass(30*time.Second - time.Microsecond)
	k.wantFacts(ear, 9)
	k.pass(time.Microsecond)
	first := k.wantFacts(ear, 9, older) // the other lease is over
	k.wantDone(got[0], true)
	k.wantDone(first[0], true)
	k.wantFacts(ear, 9)
}

func fencesFacts(k *kit) {
	ear := []string{k.name("listener")}
	f := k.fact(ear[0], k.id())
	k.queue(f)
	first := k.wantFacts(ear, 1, f)[0]
	k.pass(30*time.Second - time.Microsecond)
	k.wantFacts(ear, 1)
	k.pass(time.Microsecond)
	second := k.wantFacts(ear, 1, f)[0]
	k.same([]int{second.Fence, second.Tries}, []int{first.Fence + 1, 2}, "fence and tries of the second owner")
	k.wantDone(first, false)
	k.putBack(first, k.now, false)
	k.wantFacts(ear, 1)
	foreign := second
	foreign.Listener = k.name("listener")
	k.wantDone(foreign, false)
	k.pass(time.Hour) // the lease is over, but nobody else has the fact
	k.wantDone(second, true)
	k.wantDone(second, false)
	k.wantFacts(ear, 1)
}

func putsFactsBack(k *kit) {
	ear, ann := []string{k.name("listener")}, k.id()
	f, next := k.fact(ear[0], ann), k.fact(ear[0], ann)
	k.queue(f, next)
	got := k.wantFacts(ear, 9, f)[0]
	k.putBack(got, k.now.Add(time.Minute), true)
	k.pass(time.Minute - time.Microsecond)
	k.wantFacts(ear, 9)
	k.pass(time.Microsecond)
	got = k.wantFacts(ear, 9, f)[0]
	f.NextAt, f.Tries, f.Fence, f.Owner, f.Leased = k.now, 2, 2, "replica-1", k.now.Add(30*time.Second)
	k.same(got, f, "the fact that comes again")
	k.wantDone(got, true)
	k.wantFacts(ear, 9, next)
}

func undoesFacts(k *kit) {
	ear := []string{k.name("listener")}
	err := k.Do(k.ctx, func(ctx context.Context, tx store.Tx) error {
		k.ok(tx.Journal().Queue(ctx, k.fact(ear[0], ""), k.fact(ear[0], "")), "queue")
		k.ok(tx.Journal().Queue(ctx), "queue nothing")
		return errBack
	})
	k.refused(err, errBack, "the unit of work")
	k.wantFacts(ear, 9)
}
