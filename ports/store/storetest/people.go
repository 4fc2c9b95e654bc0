package storetest

import (
	"context"
	"errors"
	"time"

	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/device"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/password"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/store"
)

func directories() []behaviour {
	return []behaviour{
		{"people are found by each of their identifiers, by exact bytes", findsPeople},
		{"a session tells how many second factors its user has", countsFactors},
		{"an identifier is proven once, and only its owner's", provesIdentifiers},
	}
}

func people() []behaviour {
	return []behaviour{
		{"an identifier belongs to one user of a tenant", identifiersAreUnique},
		{"saving a person keeps their identifiers", savesPeople},
		{"a deleted person is gone with everything but events", deletesPeople},
	}
}

func findsPeople(k *kit) {
	a := k.stranger(home)
	k.another(&a, contact.Phone, "+44770090"+k.id()[32:])
	k.another(&a, contact.Username, k.name("ann"))
	k.do(func(tx store.Tx) error { return tx.Users().Add(k.ctx, a) })
	for _, i := range a.Identifiers {
		got, err := k.Identify(k.ctx, home, i.Contact)
		k.ok(err, "identify")
		k.same(got, a, "the account, with identifiers in the order in which they were made")
	}
	k.same(k.account(a), a, "the account by id")
	name := a.Identifiers[2].Value
	for _, c := range []contact.Contact{
		{}, {Kind: contact.Username, Value: "A" + name[1:]}, {Kind: contact.Username, Value: name + " "},
		{Kind: contact.Email, Value: name}, {Kind: contact.Username, Value: name[:4] + "%"},
	} {
		_, err := k.Identify(k.ctx, home, c)
		k.refused(err, user.ErrNotFound, "identify by another text")
	}
	_, err := k.Account(k.ctx, home, k.id())
	k.refused(err, user.ErrNotFound, "an unknown id")
	_, err = k.Session(k.ctx, home, k.id())
	k.refused(err, session.ErrNotFound, "an unknown session")
	_, err = k.SignIn(k.ctx, home, k.id())
	k.refused(err, session.ErrPendingInvalid, "an unknown sign-in")
}

func countsFactors(k *kit) {
	a := k.person(home)
	s := k.signedIn(a)
	k.same(k.session(s).Devices, 0, "second factors of somebody without devices")
	k.addDevice(k.app(a))
	pending, backup := k.app(a), k.app(a)
	pending.Status, backup.Backup = device.Pending, true
	k.addDevice(pending)
	k.addDevice(backup)
	k.addDevice(k.app(k.person(home)))
	k.addDevice(k.app(a))
	got := k.session(s)
	k.same(got.Devices, 2, "second factors: neither unproven ones nor recovery codes")
	k.same(got.User, k.account(a).User, "the session's user")
}

func provesIdentifiers(k *kit) {
	a, b := k.person(home), k.person(home)
	prove := func(who user.Account, what user.Identifier) {
		c := k.ask(func(c *challenge.Challenge) { c.User = who.ID })
		k.ok(k.Settle(k.ctx, store.Settlement{Tenant: home, Handle: c.Handle, Now: k.now, Verify: &what.Contact}), "settle")
	}
	prove(b, a.Identifiers[0])
	k.same(k.account(a), a, "an identifier that somebody else proved")
	prove(a, a.Identifiers[0])
	a.Identifiers[0].VerifiedAt = k.now
	k.pass(time.Hour)
	prove(a, a.Identifiers[0])
	k.same(k.account(a), a, "an identifier that was proven twice")
	k.same(k.account(b), b, "another account")
}

func identifiersAreUnique(k *kit) {
	a := k.person(home)
	thief := k.stranger(home)
	k.another(&thief, contact.Username, k.name("thief"))
	k.another(&thief, a.Identifiers[0].Kind, a.Identifiers[0].Value)
	err := k.Do(k.ctx, func(ctx context.Context, tx store.Tx) error { return tx.Users().Add(ctx, thief) })
	k.refused(err, user.ErrTaken, "add a person with a taken identifier")
	_, err = k.Account(k.ctx, home, thief.ID)
	k.refused(err, user.ErrNotFound, "the person who was refused")
	_, err = k.Identify(k.ctx, home, thief.Identifiers[1].Contact)
	k.refused(err, user.ErrNotFound, "a free identifier of the person who was refused")

	twin := k.stranger(other)
	k.another(&twin, a.Identifiers[0].Kind, a.Identifiers[0].Value)
	k.do(func(tx store.Tx) error { return tx.Users().Add(k.ctx, twin) })
	got, err := k.Identify(k.ctx, home, a.Identifiers[0].Contact)
	k.ok(err, "identify")
	k.same(got.ID, a.ID, "whose identifier it is here")
	got, err = k.Identify(k.ctx, other, a.Identifiers[0].Contact)
	k.ok(err, "identify")
	k.same(got.ID, twin.ID, "whose identifier it is in the other tenant")
}

func savesPeople(k *kit) {
	a := k.person(home)
	a.Status, a.FirstName, a.LastName, a.Locale, a.TwoFactor = user.Blocked, "", "Ünal", "de", true
	a.Metadata, a.LastSignIn, a.InvitedBy, a.ResetAt, a.Tentative = nil, k.now, "", k.now.Add(time.Second), true
	u := a.User
	k.do(func(tx store.Tx) error { return tx.Users().Save(k.ctx, u) })
	k.same(k.account(a), a, "the account after saving")
	k.do(func(tx store.Tx) error {
		got, err := tx.Users().Get(k.ctx, home, a.ID)
		k.same(got, a, "the account in a unit of work")
		return err
	})
}

// deletesPeople has somebody leave while their challenge waits for an answer.
func deletesPeople(k *kit) {
	s := k.scene()
	s.do(func(tx store.Tx) error { return tx.Journal().Record(k.ctx, s.whole.Events[0]) })
	bystander := s.person(home)
	kept := s.signedIn(bystander)
	keptDevice := s.addDevice(s.kit.app(bystander))
	keptChange := s.kit.change(bystander, contact.Phone)
	keptPassword := password.Record{Tenant: home, User: bystander.ID, Hash: "$kept", ChangedAt: s.now}
	s.do(func(tx store.Tx) error {
		return errors.Join(tx.Changes().Put(k.ctx, keptChange), tx.Passwords().Put(k.ctx, keptPassword))
	})
	s.do(func(tx store.Tx) error { return tx.Users().Delete(k.ctx, home, s.ann.ID) })

	_, err := k.Account(k.ctx, home, s.ann.ID)
	k.refused(err, user.ErrNotFound, "the account")
	_, err = k.Identify(k.ctx, home, s.ann.Identifiers[0].Contact)
	k.refused(err, user.ErrNotFound, "the identifier")
	_, err = k.Session(k.ctx, home, s.home.ID)
	k.refused(err, session.ErrNotFound, "the session")
	_, err = k.rotate(s.home, 1)
	k.refused(err, session.ErrNotFound, "the session's token")
	_, err = k.SignIn(k.ctx, home, s.half.ID)
	k.refused(err, session.ErrPendingInvalid, "the sign-in")
	_, err = k.password(s.ann)
	k.refused(err, password.ErrNone, "the password")
	k.same(len(k.changes(s.ann)), 0, "how many changes are left")
	k.do(func(tx store.Tx) error {
		list, err := tx.Devices().List(k.ctx, home, s.ann.ID, "", 0)
		k.same(len(list), 0, "how many devices are left")
		events, err2 := tx.Journal().Events(k.ctx, store.EventQuery{Tenant: home, User: s.ann.ID, Limit: 10})
		k.same(events, []event.Event{s.whole.Events[0]}, "the events")
		_, gone := tx.Devices().Get(k.ctx, home, s.app.ID)
		k.refused(gone, device.ErrNotFound, "the device")
		_, gone = tx.Sessions().Get(k.ctx, home, s.home.ID)
		k.refused(gone, session.ErrNotFound, "the session in a unit of work")
		if err == nil {
			err = err2
		}
		return err
	})
	_, err = k.Charge(k.ctx, k.pay(s.c))
	k.refused(err, challenge.ErrNotFound, "charge the challenge of somebody who left")
	x := s.visit(s.ann)
	err = k.Settle(k.ctx, store.Settlement{Tenant: home, Handle: s.c.Handle, Now: k.now, Session: &x})
	k.refused(err, challenge.ErrNotFound, "settle the challenge of somebody who left")
	k.same(k.session(kept).Session, kept, "a bystander's session")
	k.same(k.device(keptDevice), keptDevice, "a bystander's device")
	k.same(k.changes(bystander), []user.Change{keptChange}, "a bystander's changes")
	_, err = k.password(bystander)
	k.ok(err, "a bystander's password")
	again := k.stranger(home)
	again.Identifiers = nil
	k.another(&again, s.ann.Identifiers[0].Kind, s.ann.Identifiers[0].Value)
	k.do(func(tx store.Tx) error { return tx.Users().Add(k.ctx, again) })
}
