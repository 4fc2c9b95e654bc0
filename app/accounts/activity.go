package accounts

import (
	"context"

	"github.com/countersign/countersign/app/sessions"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/ports/store"
)

// Activity lists what has happened to the caller's account, newest first: at most
// limit of it, and only what came before the fact named before ("": from the newest).
func (s *Service) Activity(ctx context.Context, c sessions.Caller, before string, limit int) (out []event.Event, err error) {
	err = s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		out, err = tx.Journal().Events(ctx, store.EventQuery{Tenant: c.Tenant, User: c.User.ID, Before: before, Limit: limit})
		return err
	})
	return out, err
}
