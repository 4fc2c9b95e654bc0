package storetest

import (
	"context"
	"errors"

	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/device"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/store"
)

// foreignWrites are writes by a tenant who knows all ids of another one.
func (s *scene) foreignWrites() []func(context.Context, store.Tx) error {
	c, u, d, x := s.c, s.ann.User, s.app, s.home
	c.Tenant, u.Tenant, d.Tenant, x.Tenant = other, other, other, other
	c.Attempts, u.FirstName, d.Name = 4, "Eve", "Eve's"
	x.Revoke(s.now, session.ByOwner)
	u.Status = user.Blocked
	return []func(context.Context, store.Tx) error{
		func(ctx context.Context, tx store.Tx) error { return tx.Challenges().Save(ctx, c) },
		func(ctx context.Context, tx store.Tx) error { return tx.Users().Save(ctx, u) },
		func(ctx context.Context, tx store.Tx) error { return tx.Users().Delete(ctx, other, s.ann.ID) },
		func(ctx context.Context, tx store.Tx) error { return tx.Devices().Save(ctx, d) },
		func(ctx context.Context, tx store.Tx) error { return tx.Devices().Delete(ctx, other, d.ID) },
		func(ctx context.Context, tx store.Tx) error { return tx.Sessions().Save(ctx, x) },
		func(ctx context.Context, tx store.Tx) error {
			_, err := tx.Sessions().RevokeOthers(ctx, store.RevokeOthers{Tenant: other, User: s.ann.ID, Reason: session.ByOwner, Now: s.now})
			return err
		},
	}
}

func tenants() []behaviour {
	return []behaviour{{"nothing crosses from one tenant to another", nothingCrosses}}
}

// nothingCrosses tries everything with the right ids and the wrong tenant.
// Writes may refuse or do nothing; what they aim at stays as it is.
func nothingCrosses(k *kit) {
	s := k.scene()
	before := s.view()
	_, err := k.Identify(k.ctx, other, s.ann.Identifiers[0].Contact)
	k.refused(err, user.ErrNotFound, "identify")
	_, err = k.Account(k.ctx, other, s.ann.ID)
	k.refused(err, user.ErrNotFound, "account")
	_, err = k.Challenge(k.ctx, other, s.c.Handle, 0)
	k.refused(err, challenge.ErrNotFound, "challenge")
	_, err = k.Session(k.ctx, other, s.home.ID)
	k.refused(err, session.ErrNotFound, "session")
	_, err = k.SignIn(k.ctx, other, s.half.ID)
	k.refused(err, session.ErrPendingInvalid, "sign-in")
	k.do(func(tx store.Tx) error {
		_, err := tx.Users().Get(k.ctx, other, s.ann.ID)
		k.refused(err, user.ErrNotFound, "get user")
		_, err = tx.Devices().Get(k.ctx, other, s.app.ID)
		k.refused(err, device.ErrNotFound, "get device")
		_, err = tx.Sessions().Get(k.ctx, other, s.home.ID)
		k.refused(err, session.ErrNotFound, "get session")
		_, err = tx.Challenges().Get(k.ctx, other, s.c.Handle)
		k.refused(err, challenge.ErrNotFound, "get challenge")
		devices, err := tx.Devices().List(k.ctx, other, s.ann.ID, "", 0)
		sessions, err2 := tx.Sessions().List(k.ctx, other, s.ann.ID, k.now)
		events, err3 := tx.Journal().Events(k.ctx, store.EventQuery{Tenant: other, User: s.ann.ID, Limit: 10})
		k.same(len(devices)+len(sessions)+len(events), 0, "what is listed")
		return errors.Join(err, err2, err3)
	})
	for _, write := range s.foreignWrites() {
		_ = k.Do(k.ctx, write)
	}
	k.same(s.view(), before, "what is there after writes with the wrong tenant")
}
