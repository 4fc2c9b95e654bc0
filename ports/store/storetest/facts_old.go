package storetest

import (
	"time"

	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/ports/store"
)

func forgottenFacts() []behaviour {
	return []behaviour{{"what waits for listeners is counted, and purged when nobody takes it", forgetsFacts}}
}

func (k *kit) wantWaiting(want ...store.FactsWaiting) {
	k.Helper()
	got, err := k.FactsWaiting(k.ctx)
	k.ok(err, "count facts")
	k.same(got, want, "what waits")
}

func forgetsFacts(k *kit) {
	k.wantWaiting()
	queue := func(listener string) event.Event {
		e := event.Event{ID: k.id(), Tenant: home, Type: event.RuleAdded, At: k.now}
		k.do(func(tx store.Tx) error {
			return tx.Journal().Queue(k.ctx, store.Fact{Listener: listener, Event: e, NextAt: k.now})
		})
		return e
	}
	old := queue("b")
	k.pass(time.Hour)
	young := queue("b")
	other := queue("a")
	k.wantWaiting(store.FactsWaiting{Listener: "a", Depth: 1, Oldest: other.At}, store.FactsWaiting{Listener: "b", Depth: 2, Oldest: old.At})
	k.same(k.purge(store.Horizon{Facts: young.At}), 1, "how many rows went")
	k.wantWaiting(store.FactsWaiting{Listener: "a", Depth: 1, Oldest: other.At}, store.FactsWaiting{Listener: "b", Depth: 1, Oldest: young.At})
}
