package storetest

import (
	"errors"
	"slices"
	"time"

	"github.com/countersign/countersign/domain/apikey"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/invitation"
	"github.com/countersign/countersign/domain/limit"
	"github.com/countersign/countersign/domain/rule"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/ports/store"
)

func books() []behaviour {
	return []behaviour{
		{"invitations are kept, and listed newest first, page by page", listsInvitations},
		{"keys of programs are kept, and found whatever their tenant", keepsKeys},
		{"rules are listed by tenant and removed", keepsRules},
		{"a sign-in that waits keeps every field", keepsSignIns},
		{"a counter is read and cleared", clearsCounters},
		{"events are read by tenant, and between two of them", pagesEvents},
	}
}

// invite makes an invitation, without storing it.
func (k *kit) invite(tenant, inviter string) invitation.Invitation {
	return invitation.Invitation{
		Contact: contact.Contact{Kind: contact.Email, Value: k.name("guest") + "@example.com"}, ID: k.id(), Tenant: tenant,
		Inviter: inviter, By: "user " + inviter, Locale: "de", ReturnTo: "/in", CreatedAt: k.now, ExpiresAt: k.now.Add(invitation.DefaultLife),
	}
}

func listsInvitations(k *kit) {
	tenant, ann := k.name("tenant"), k.id()
	var all, hers []invitation.Invitation // newest first
	for n := range 5 {
		inviter := []string{ann, ""}[n%2]
		i := k.invite(tenant, inviter)
		k.do(func(tx store.Tx) error { return tx.Invitations().Add(k.ctx, i) })
		all = append([]invitation.Invitation{i}, all...)
		if inviter == ann {
			hers = append([]invitation.Invitation{i}, hers...)
		}
		elsewhere := k.invite(k.name("tenant"), ann)
		k.do(func(tx store.Tx) error { return tx.Invitations().Add(k.ctx, elsewhere) })
	}
	list := func(inviter, before string, limit int, want []invitation.Invitation) {
		k.Helper()
		k.do(func(tx store.Tx) error {
			got, err := tx.Invitations().List(k.ctx, store.InvitationQuery{Tenant: tenant, Inviter: inviter, Before: before, Limit: limit})
			k.same(got, want, "the invitations")
			return err
		})
	}
	list("", "", 0, all)
	list("", "", 2, all[:2])
	list("", all[1].ID, 2, all[2:4])
	list("", all[4].ID, 2, nil)
	list(ann, "", 9, hers)
	list(ann, hers[0].ID, 9, hers[1:])

	used, back := all[0], all[1]
	k.ok(used.Accept(k.id(), k.now), "accept")
	k.ok(back.Revoke(k.now), "take back")
	k.do(func(tx store.Tx) error {
		err := errors.Join(tx.Invitations().Save(k.ctx, used), tx.Invitations().Save(k.ctx, back))
		got, err2 := tx.Invitations().Get(k.ctx, tenant, used.ID)
		k.same(got, used, "the invitation that was accepted")
		got, err3 := tx.Invitations().Get(k.ctx, tenant, back.ID)
		k.same(got, back, "the invitation that was taken back")
		_, gone := tx.Invitations().Get(k.ctx, tenant, k.id())
		k.refused(gone, invitation.ErrNotFound, "an unknown invitation")
		k.refused(tx.Invitations().Save(k.ctx, k.invite(tenant, "")), invitation.ErrNotFound, "save an unknown invitation")
		return errors.Join(err, err2, err3)
	})
}

// key makes a key of a program, without storing it.
func (k *kit) key(tenant string) apikey.Key {
	return apikey.Key{
		ID: k.id(), Tenant: tenant, Name: "Zoë's script", Scopes: apikey.Scopes(), Hash: []byte{0, 1, 255},
		CreatedAt: k.now, ExpiresAt: k.now.Add(time.Hour),
	}
}

func keepsKeys(k *kit) {
	tenant := k.name("tenant")
	bare := apikey.Key{ID: k.id(), Tenant: tenant, CreatedAt: k.now}
	all := []apikey.Key{bare, k.key(tenant)}
	elsewhere := k.key(k.name("tenant"))
	for _, x := range []apikey.Key{all[1], bare, elsewhere} {
		k.do(func(tx store.Tx) error { return tx.Keys().Add(k.ctx, x) })
	}
	all[1].RevokedAt, all[1].LastUsedAt, all[1].ExpiresAt, all[1].Scopes = k.now, k.now, time.Time{}, []apikey.Scope{apikey.Verify}
	k.do(func(tx store.Tx) error {
		err := tx.Keys().Save(k.ctx, all[1])
		list, err2 := tx.Keys().List(k.ctx, tenant)
		k.same(list, all, "the keys of a tenant")
		got, err3 := tx.Keys().Get(k.ctx, elsewhere.ID)
		k.same(got, elsewhere, "a key of whatever tenant")
		_, unknown := tx.Keys().Get(k.ctx, k.id())
		k.refused(unknown, apikey.ErrNotFound, "an unknown key")
		k.refused(tx.Keys().Save(k.ctx, k.key(tenant)), apikey.ErrNotFound, "save an unknown key")
		return errors.Join(err, err2, err3)
	})
	for _, x := range append(all, elsewhere) {
		got, err := k.Key(k.ctx, x.ID)
		k.ok(err, "read key")
		k.same(got, x, "the key")
	}
	_, err := k.Key(k.ctx, k.id())
	k.refused(err, apikey.ErrNotFound, "read an unknown key")
}

// entry makes a line of a block list, without storing it.
func (k *kit) entry(tenant string) rule.Entry {
	return rule.Entry{
		ID: k.id(), Tenant: tenant, List: rule.Block, Subject: rule.Email, Pattern: `@mailinator\.(com|net)$`,
		Reason: "Wegwerf-Adressen: ½ aller Anmeldungen", By: "cli", CreatedAt: k.now, ExpiresAt: k.now.Add(time.Hour),
	}
}

func keepsRules(k *kit) {
	tenant := k.name("tenant")
	all := []rule.Entry{k.entry(tenant), k.entry(tenant), k.entry(k.name("tenant"))}
	all[1].List, all[1].Subject, all[1].Pattern, all[1].ExpiresAt = rule.Allow, rule.IP, "192.0.2.0/24", time.Time{}
	for _, e := range []rule.Entry{all[2], all[1], all[0]} {
		k.do(func(tx store.Tx) error { return tx.Rules().Add(k.ctx, e) })
	}
	list := func(tenant string) (got []rule.Entry) {
		k.do(func(tx store.Tx) (err error) {
			got, err = tx.Rules().List(k.ctx, tenant)
			return err
		})
		return got
	}
	k.same(list(tenant), all[:2], "the rules of a tenant")
	ours := slices.DeleteFunc(list(""), func(e rule.Entry) bool { return e.ID < all[0].ID })
	k.same(ours, all, "the rules of all tenants, oldest first")
	k.do(func(tx store.Tx) error { return tx.Rules().Delete(k.ctx, tenant, all[0].ID) })
	k.refusedIn(rule.ErrNotFound, "remove a rule again", func(tx store.Tx) error { return tx.Rules().Delete(k.ctx, tenant, all[0].ID) })
	k.same(list(tenant), all[1:2], "the rules that are left")
}

func keepsSignIns(k *kit) {
	x := k.half(k.person(home))
	x.User, x.Step, x.NewUser, x.Evidence = "", session.Complete, true, nil
	x.Draft = &session.Draft{
		Proven:    []contact.Contact{{Kind: contact.Email, Value: "zoe@example.com"}, {Kind: contact.Phone, Value: "+447700900123"}},
		FirstName: "Zoë", LastName: "O'Neill", Locale: "de", Username: "zoe", Invited: k.id(), Channel: "email",
	}
	k.do(func(tx store.Tx) error { return tx.SignIns().Add(k.ctx, x) })
	got, err := k.SignIn(k.ctx, home, x.ID)
	k.ok(err, "read sign-in")
	k.same(got, x, "the sign-in that was added")
	k.do(func(tx store.Tx) error {
		got, err := tx.SignIns().Get(k.ctx, home, x.ID)
		k.same(got, x, "the sign-in in a unit of work")
		x.User, x.Step, x.Draft, x.UsedAt = k.id(), session.Reset, &session.Draft{}, k.now
		return errors.Join(err, tx.SignIns().Save(k.ctx, x))
	})
	got, err = k.SignIn(k.ctx, home, x.ID)
	k.ok(err, "read sign-in")
	k.same(got, x, "the sign-in that was saved")
	k.same(got.Draft != nil, true, "whether an empty draft is still a draft")
	k.refusedIn(session.ErrPendingInvalid, "get an unknown sign-in", func(tx store.Tx) error {
		_, err := tx.SignIns().Get(k.ctx, home, k.id())
		return err
	})
	x.ID = k.id()
	k.refusedIn(session.ErrPendingInvalid, "save an unknown sign-in", func(tx store.Tx) error { return tx.SignIns().Save(k.ctx, x) })
	k.settle(store.Settlement{SignIn: &x})
	got, err = k.SignIn(k.ctx, home, x.ID)
	k.ok(err, "read sign-in")
	k.same(got, x, "the sign-in that followed from a settlement")
}

func clearsCounters(k *kit) {
	c, bystander := k.ask(), k.ask()
	read := func(key string) (n limit.Counter) {
		k.do(func(tx store.Tx) (err error) {
			n, err = tx.Counters().Read(k.ctx, key)
			return err
		})
		return n
	}
	k.same(read(c.Counter), limit.Counter{}, "a counter that is not there")
	in, theirs := k.pay(c), k.pay(bystander)
	in.Throttle = limit.Throttle{Factor: time.Minute, Cap: time.Minute}
	k.charge(in)
	k.charge(theirs)
	k.same(read(c.Counter), limit.Counter{Failures: 1, LockedUntil: k.now.Add(time.Minute)}, "the counter")
	for range 2 {
		k.do(func(tx store.Tx) error { return tx.Counters().Clear(k.ctx, c.Counter) })
		k.same(read(c.Counter), limit.Counter{}, "a counter that was cleared")
	}
	k.charge(in)
	k.same(read(bystander.Counter), limit.Counter{Failures: 1}, "another counter")
}

func pagesEvents(k *kit) {
	tenant, ann := k.name("tenant"), k.id()
	var all []event.Event // newest first
	for n := range 6 {
		e := event.Event{ID: k.id(), Tenant: tenant, User: []string{ann, "", k.id()}[n%3], Type: event.UserUpdated, At: k.now}
		foreign := event.Event{ID: k.id(), Tenant: k.name("tenant"), User: ann, Type: event.UserUpdated, At: k.now}
		k.do(func(tx store.Tx) error { return tx.Journal().Record(k.ctx, e, foreign) })
		all = append([]event.Event{e}, all...)
	}
	read := func(q store.EventQuery, want ...event.Event) {
		k.Helper()
		q.Tenant = tenant
		k.do(func(tx store.Tx) error {
			got, err := tx.Journal().Events(k.ctx, q)
			k.same(got, want, "the events")
			return err
		})
	}
	read(store.EventQuery{}, all...)
	read(store.EventQuery{Limit: 2}, all[:2]...)
	read(store.EventQuery{Before: all[1].ID, Limit: 2}, all[2:4]...)
	read(store.EventQuery{After: all[3].ID}, all[:3]...)
	read(store.EventQuery{After: all[4].ID, Before: all[1].ID}, all[2:4]...)
	read(store.EventQuery{After: all[0].ID})
	read(store.EventQuery{User: ann}, all[2], all[5])
	read(store.EventQuery{User: ann, Before: all[2].ID}, all[5])
	read(store.EventQuery{User: ann, After: all[5].ID, Limit: 9}, all[2])
}
