package storetest

import (
	"errors"
	"slices"
	"time"

	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/device"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/invitation"
	"github.com/countersign/countersign/domain/limit"
	"github.com/countersign/countersign/domain/rule"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/store"
)

func purges() []behaviour {
	return []behaviour{
		{"a purge takes what ended before its horizon, and nothing else", purgesOld},
		{"a purge takes what nobody waits for any more", purgesWaiting},
		{"a purge takes devices that were never proven", purgesUnproven},
		{"a purge takes at most one batch of a kind", purgesInBatches},
		{"a purge without a horizon takes nothing", purgesNothing},
	}
}

func (k *kit) purge(h store.Horizon) int {
	k.Helper()
	if h.Batch == 0 {
		h.Batch = 100
	}
	n, err := k.Purge(k.ctx, h)
	k.ok(err, "purge")
	return n
}

func (k *kit) wantChallenge(c challenge.Challenge, want bool) {
	k.Helper()
	_, err := k.Challenge(k.ctx, c.Tenant, c.Handle, 0)
	k.same(err == nil, want, "whether the challenge is there")
}

// purgesOld makes two of everything, an hour apart, and purges between them.
func purgesOld(k *kit) {
	type pair struct {
		c     challenge.Challenge
		s     session.Session
		p     session.SignIn
		once  store.Once
		w     limit.Charge
		count string
		probe probe
	}
	a := k.person(home)
	hour := limit.Rule{Max: 5, Window: time.Hour}
	build := func() (x pair) {
		x.once = store.Once{Key: k.name("once"), ForgetAt: k.now.Add(time.Hour)}
		x.s, x.p = k.visit(a), k.half(a)
		x.s.ExpiresAt = k.now.Add(time.Hour)
		x.p.ExpiresAt = k.now.Add(time.Hour)
		e := event.Event{ID: k.id(), Tenant: home, User: a.ID, Type: event.SessionStarted, At: k.now}
		k.settle(store.Settlement{Session: &x.s, SignIn: &x.p, Once: &x.once, Events: []event.Event{e}})
		x.c = k.ask(func(c *challenge.Challenge) { c.ExpiresAt = k.now.Add(time.Hour) })
		x.w, x.count = limit.Charge{Rule: hour, Key: k.name("window")}, x.c.Counter
		in := k.pay(x.c)
		in.Windows = []limit.Charge{x.w}
		k.charge(in)
		x.probe = k.newProbe(x.count)
		return x
	}
	old := build()
	k.pass(time.Hour)
	young := build()
	between := k.now.Add(30 * time.Minute) // after the old ones ended, before the young ones do
	n := k.purge(store.Horizon{Challenges: between, Sessions: between, Windows: between, Counters: k.now, Events: k.now})
	k.same(n >= 6, true, "whether at least one row of each kind went")

	k.wantChallenge(old.c, false)
	k.wantChallenge(young.c, true)
	old.probe.wantFailures(0)
	young.probe.wantFailures(1)
	k.wantTaken(young.w, 1)
	_, err := k.Session(k.ctx, home, old.s.ID)
	k.refused(err, session.ErrNotFound, "the old session")
	k.same(k.session(young.s).Session, young.s, "the young session")
	_, err = k.SignIn(k.ctx, home, old.p.ID)
	k.refused(err, session.ErrPendingInvalid, "the old sign-in")
	_, err = k.SignIn(k.ctx, home, young.p.ID)
	k.ok(err, "the young sign-in")
	k.settle(store.Settlement{Once: &old.once})
	c := k.ask()
	err = k.Settle(k.ctx, store.Settlement{Tenant: home, Handle: c.Handle, Now: k.now, Once: &young.once})
	k.refused(err, store.ErrOnce, "the young once-key")
	k.do(func(tx store.Tx) error {
		events, err := tx.Journal().Events(k.ctx, store.EventQuery{Tenant: home, User: a.ID, Limit: 10})
		k.same(len(events), 1, "how many events are left")
		return err
	})
}

// purgesWaiting makes two of everything that waits, an hour apart.
func purgesWaiting(k *kit) {
	a := k.person(home)
	build := func(kind contact.Kind) (user.Change, invitation.Invitation, rule.Entry) {
		c, i, e, stays := k.change(a, kind), k.invite(home, ""), k.entry(home), k.entry(home)
		c.ExpiresAt, i.ExpiresAt, e.ExpiresAt, stays.ExpiresAt = k.now, k.now, k.now, time.Time{}
		k.do(func(tx store.Tx) error {
			return errors.Join(tx.Changes().Put(k.ctx, c), tx.Invitations().Add(k.ctx, i), tx.Rules().Add(k.ctx, e), tx.Rules().Add(k.ctx, stays))
		})
		return c, i, e
	}
	build(contact.Email)
	k.pass(time.Hour)
	c, i, e := build(contact.Phone)
	k.same(k.purge(store.Horizon{Waiting: k.now}), 3, "how many rows went")
	k.same(k.changes(a), []user.Change{c}, "the changes that are left")
	k.do(func(tx store.Tx) error {
		guests, err := tx.Invitations().List(k.ctx, store.InvitationQuery{Tenant: home})
		k.same(guests, []invitation.Invitation{i}, "the invitations that are left")
		rules, err2 := tx.Rules().List(k.ctx, home)
		k.same(len(rules), 3, "how many rules are left: the young one, and those that stay")
		k.same(slices.ContainsFunc(rules, func(x rule.Entry) bool { return x.ID == e.ID }), true, "whether the young one is left")
		return errors.Join(err, err2)
	})
}

// purgesUnproven makes devices of every status before and after the horizon.
func purgesUnproven(k *kit) {
	a := k.person(home)
	var left []store.Device
	build := func(old bool) {
		for _, status := range []device.Status{device.Pending, device.Active, device.Linked} {
			d := k.app(a)
			if d.Status = status; !old || status != device.Pending {
				left = append(left, d)
			}
			k.addDevice(d)
		}
	}
	build(true)
	k.pass(time.Hour)
	horizon := k.now
	build(false)
	k.same(k.purge(store.Horizon{Unproven: horizon}), 1, "how many rows went")
	k.do(func(tx store.Tx) error {
		got, err := tx.Devices().List(k.ctx, home, a.ID, "", 0)
		k.same(got, left, "the devices that are left")
		return err
	})
}

func purgesInBatches(k *kit) {
	var all []challenge.Challenge
	for range 5 {
		all = append(all, k.ask(func(c *challenge.Challenge) { c.Delivery = challenge.NoDelivery }))
	}
	h := store.Horizon{Challenges: k.now.Add(time.Hour), Batch: 2}
	for _, want := range []int{2, 2, 1, 0} {
		k.same(k.purge(h), want, "how many rows went")
	}
	for _, c := range all {
		k.wantChallenge(c, false)
	}
}

func purgesNothing(k *kit) {
	s := k.scene()
	before := s.view()
	k.same(k.purge(store.Horizon{}), 0, "how many rows went")
	k.same(s.view(), before, "what is left")
}
