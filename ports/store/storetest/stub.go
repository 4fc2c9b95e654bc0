package storetest

import (
	"testing"

	"github.com/countersign/countersign/ports/store"
)

func directories() []behaviour { return nil }
func people() []behaviour      { return nil }
func devices() []behaviour     { return nil }
func sessions() []behaviour    { return nil }
func journals() []behaviour    { return nil }
func units() []behaviour       { return nil }
func roundTrips() []behaviour  { return nil }
func tenants() []behaviour     { return nil }
func outboxes() []behaviour    { return nil }
func purges() []behaviour      { return nil }

func agrees(t *testing.T, s store.Store) {}

// RunConcurrency runs the races.
func RunConcurrency(t *testing.T, openPair func(t testing.TB) (a, b store.Store)) { t.Helper() }
