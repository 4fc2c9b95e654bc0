// Package storetest proves that a store.Store keeps the promises of the port.
// Run drives an adapter and the pure domain with the same random calls and
// compares; then it checks, one behaviour at a time, what a model cannot see.
// RunConcurrency runs the races that an attacker would run.
//
// An adapter may rely on this: ids are UUIDs in the order in which things are
// made, strings hold no NUL byte, windows allow at least one, and times lie
// between the years 2000 and 2100.
package storetest

import (
	"slices"
	"sync/atomic"
	"testing"

	"github.com/countersign/countersign/ports/store"
)

// behaviour is one named promise.
type behaviour struct {
	name  string
	check func(*kit)
}

// Run checks the stores that open returns. Each call of open returns an empty
// store and sees to its end by itself.
func Run(t *testing.T, open func(t testing.TB) store.Store) {
	t.Helper()
	t.Run("the store and the domain agree on random calls", func(t *testing.T) { agrees(t, open(t)) })
	ids := &atomic.Int64{}
	t.Run("one store", func(t *testing.T) { each(t, open(t), ids, sharing()) })
	for _, b := range alone() {
		t.Run(b.name, func(t *testing.T) { b.check(newKit(t, open(t), ids)) })
	}
}

// each checks behaviours that do not disturb one another on one store.
func each(t *testing.T, s store.Store, ids *atomic.Int64, all []behaviour) {
	for _, b := range all {
		t.Run(b.name, func(t *testing.T) { b.check(newKit(t, s, ids)) })
	}
}

// sharing lists the behaviours that look only at what they made themselves.
func sharing() []behaviour {
	var all []behaviour
	for _, part := range [][]behaviour{
		starts(), charges(), settles(), thens(), rotates(), directories(),
		people(), identities(), devices(), sessions(), books(), journals(), feeds(), units(), roundTrips(), tenants(),
	} {
		all = append(all, part...)
	}
	return all
}

// alone lists the behaviours that need a store of their own.
func alone() []behaviour {
	return slices.Concat(outboxes(), notices(), named(), purges(), forgottenFacts())
}
