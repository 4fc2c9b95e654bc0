package janitor

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/countersign/countersign/domain/device"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/store"
)

// people is how many accounts are looked at in a batch.
const people = 50

// sweepIdle removes accounts that a form made and of which nothing came in the
// time that their tenant gives them. The others are looked at only once: whoever
// has proven an address or signed in is tentative no more.
func (j *Janitor) sweepIdle(ctx context.Context) (total int, err error) {
	for _, tenant := range j.Tenants.Slugs() {
		keep := j.Tenants.Policy(tenant).SignUp.KeepIdle
		for more := keep > 0; more; {
			var n, gone int
			n, gone, err = j.sweepTenant(ctx, store.UserQuery{Tenant: tenant, Tentative: j.Clock.Now().Add(-keep), Limit: people})
			total += gone
			if err != nil {
				return total, err
			}
			if more = n == people; !more {
				continue
			}
			if err := rest(ctx); err != nil {
				return total, err
			}
		}
	}
	return total, nil
}

// sweepTenant looks at one batch of a tenant's people: how many there were, and
// how many of them are gone.
func (j *Janitor) sweepTenant(ctx context.Context, q store.UserQuery) (n, gone int, err error) {
	var all []user.Account
	err = j.Store.Do(ctx, func(ctx context.Context, tx store.Tx) (err error) {
		all, err = tx.Users().Find(ctx, q)
		return err
	})
	for _, a := range all {
		if err != nil {
			break
		}
		var removed bool
		if removed, err = j.judge(ctx, a.User); removed {
			gone++
		}
	}
	return len(all), gone, err
}

// judge removes one account with all that is theirs, or notes that it stays. It
// is read again and locked: whoever proves an address or signs in at the same
// moment has done so before, and it stays, or finds nothing.
func (j *Janitor) judge(ctx context.Context, u user.User) (gone bool, err error) {
	err = j.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		gone = false
		now, err := tx.Users().Get(ctx, u.Tenant, u.ID)
		if errors.Is(err, user.ErrNotFound) || err == nil && !now.Tentative {
			return nil // another replica was here
		}
		if err != nil {
			return err
		}
		bound, err := tx.Devices().List(ctx, u.Tenant, u.ID, "", 0)
		if err != nil {
			return err
		}
		proven := func(d store.Device) bool { return d.Status != device.Pending } // an operator may have brought one in
		if !now.Idle() || slices.ContainsFunc(bound, proven) {
			now.Tentative = false
			return tx.Users().Save(ctx, now.User)
		}
		if err := tx.Journal().Record(ctx, event.Event{
			ID: j.IDs.New(), Tenant: u.Tenant, User: u.ID, Type: event.UserDeleted, At: j.Clock.Now(), Data: map[string]string{"reason": "idle"},
		}); err != nil {
			return err
		}
		gone = true
		return tx.Users().Delete(ctx, u.Tenant, u.ID)
	})
	return gone && err == nil, err
}

// rest lets others have their turn.
func rest(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(breath):
		return nil
	}
}
