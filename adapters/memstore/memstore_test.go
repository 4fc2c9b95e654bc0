package memstore_test

import (
	"testing"

	"github.com/countersign/countersign/adapters/memstore"
	"github.com/countersign/countersign/ports/store"
	"github.com/countersign/countersign/ports/store/storetest"
)

func TestMemstoreKeepsThePromisesOfTheStore(t *testing.T) {
	storetest.Run(t, func(testing.TB) store.Store { return memstore.New() })
}

func TestMemstoreWinsItsRaces(t *testing.T) {
	storetest.RunConcurrency(t, func(testing.TB) (a, b store.Store) {
		s := memstore.New()
		return s, s
	})
}
