package events_test

import (
	"context"
	"errors"
	"testing"

	"github.com/countersign/countersign/adapters/memstore"
	"github.com/countersign/countersign/app/events"
	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/ports/event/eventtest"
	"github.com/countersign/countersign/ports/store"
	"github.com/countersign/countersign/ports/store/storetest"
)

func TestAPublishingStoreIsAStore(t *testing.T) {
	storetest.Run(t, func(testing.TB) store.Store {
		return events.Publish(memstore.New(), &eventtest.Recorder{}, events.Audience{})
	})
}

func TestOnlyWhatWasCommittedIsPublished(t *testing.T) {
	var told eventtest.Recorder
	s := events.Publish(memstore.New(), &told, events.Audience{})
	record := func(id string, end error) {
		err := s.Do(t.Context(), func(ctx context.Context, tx store.Tx) error {
			if err := tx.Journal().Record(ctx, event.Event{ID: id, Tenant: "default", User: "u", Type: event.UserUpdated}); err != nil {
				return err
			}
			return end
		})
		if !errors.Is(err, end) {
			t.Fatal(err)
		}
	}
	record("taken back", errors.New("no"))
	record("committed", nil)
	err := s.Settle(t.Context(), store.Settlement{Tenant: "default", Handle: "none", Events: []event.Event{{ID: "unsettled"}}})
	if !errors.Is(err, challenge.ErrNotFound) {
		t.Fatal(err)
	}
	if got := told.All(); len(got) != 1 || got[0].ID != "committed" {
		t.Errorf("published %+v", got)
	}
}
