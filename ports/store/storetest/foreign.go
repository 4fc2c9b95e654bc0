package storetest

import (
	"context"
	"errors"

	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/device"
	"github.com/countersign/countersign/domain/invitation"
	"github.com/countersign/countersign/domain/password"
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

// foreignFurniture are the same for what scene.furnish adds.
func (s *scene) foreignFurniture() []func(context.Context, store.Tx) error {
	mail, change, password, guest, key, half := s.ann.Identifiers[0], s.change, s.password, s.guest, s.key, s.half
	mail.Tenant, change.Tenant, password.Tenant, guest.Tenant, key.Tenant, half.Tenant = other, other, other, other, other, other
	mail.VerifiedAt, change.NewAt, password.Hash, guest.UsedAt, key.RevokedAt, half.UsedAt = s.now, s.now, "$eve", s.now, s.now, s.now
	return []func(context.Context, store.Tx) error{
		func(ctx context.Context, tx store.Tx) error { return tx.Identifiers().Put(ctx, mail) },
		func(ctx context.Context, tx store.Tx) error { return tx.Identifiers().Delete(ctx, other, mail.Contact) },
		func(ctx context.Context, tx store.Tx) error { return tx.Changes().Put(ctx, change) },
		func(ctx context.Context, tx store.Tx) error {
			return tx.Changes().Delete(ctx, other, s.ann.ID, change.Kind)
		},
		func(ctx context.Context, tx store.Tx) error { return tx.Passwords().Put(ctx, password) },
		func(ctx context.Context, tx store.Tx) error { return tx.Passwords().Delete(ctx, other, s.ann.ID) },
		func(ctx context.Context, tx store.Tx) error { return tx.Invitations().Save(ctx, guest) },
		func(ctx context.Context, tx store.Tx) error { return tx.Keys().Save(ctx, key) },
		func(ctx context.Context, tx store.Tx) error { return tx.Rules().Delete(ctx, other, s.entry.ID) },
		func(ctx context.Context, tx store.Tx) error { return tx.SignIns().Save(ctx, half) },
	}
}

// foreignReads looks for what scene.furnish adds, in another tenant.
func (s *scene) foreignReads(tx store.Tx) error {
	_, err := tx.Identifiers().Find(s.ctx, other, s.ann.Identifiers[0].Contact)
	s.refused(err, user.ErrNotFound, "find identifier")
	_, err = tx.Changes().Get(s.ctx, other, s.ann.ID, s.change.Kind)
	s.refused(err, user.ErrNothing, "get change")
	_, err = tx.Passwords().Get(s.ctx, other, s.ann.ID)
	s.refused(err, password.ErrNone, "get password")
	_, err = tx.Invitations().Get(s.ctx, other, s.guest.ID)
	s.refused(err, invitation.ErrNotFound, "get invitation")
	_, err = tx.SignIns().Get(s.ctx, other, s.half.ID)
	s.refused(err, session.ErrPendingInvalid, "get sign-in")
	changes, e1 := tx.Changes().List(s.ctx, other, s.ann.ID)
	guests, e2 := tx.Invitations().List(s.ctx, store.InvitationQuery{Tenant: other, Inviter: s.ann.ID})
	keys, e3 := tx.Keys().List(s.ctx, other)
	rules, e4 := tx.Rules().List(s.ctx, other)
	found, e5 := tx.Users().Find(s.ctx, store.UserQuery{Tenant: other, Text: s.ann.ID})
	s.same(len(changes)+len(guests)+len(keys)+len(rules)+len(found), 0, "what is listed")
	return errors.Join(e1, e2, e3, e4, e5)
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
	k.do(s.foreignReads)
	for _, write := range append(s.foreignWrites(), s.foreignFurniture()...) {
		_ = k.Do(k.ctx, write)
	}
	_, err = k.Identify(k.ctx, other, s.ann.Identifiers[0].Contact)
	k.refused(err, user.ErrNotFound, "identify by an identifier that names another tenant's user")
	k.same(s.view(), before, "what is there after writes with the wrong tenant")
}
