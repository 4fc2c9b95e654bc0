package storetest

import (
	"context"
	"errors"
	"time"

	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/store"
)

func thens() []behaviour {
	return []behaviour{
		{"what a caller adds to a settlement sees what was settled, and is kept with it", thenFollows},
		{"what a caller adds to a settlement may refuse all of it", thenRefuses},
		{"what a caller adds to a settlement may panic, and nothing has happened", thenPanics},
		{"what a caller adds to a settlement waits for all guards", thenComesLast},
		{"an answered challenge is collected once, and not settled", collectsAnswers},
		{"an answered challenge takes no other answer", answersOnce},
		{"a settlement puts its facts on their way", settlesFacts},
	}
}

func thenFollows(k *kit) {
	s := k.scene()
	ear := k.name("listener")
	late := event.Event{ID: k.id(), Tenant: home, User: s.ann.ID, Type: event.UserUpdated, At: s.now}
	bea := s.bea
	bea.FirstName = "Bee"
	s.whole.Facts = []store.Fact{{Listener: ear, Event: s.whole.Events[0], NextAt: s.now}}
	s.whole.Then = func(ctx context.Context, tx store.Tx) error {
		c, e1 := tx.Challenges().Get(ctx, home, s.c.Handle)
		s.same(c.Status, challenge.Verified, "the status that is seen")
		x, e2 := tx.Sessions().Get(ctx, home, s.whole.Session.ID)
		s.same(x, *s.whole.Session, "the session that is seen")
		a, e3 := tx.Users().Get(ctx, home, s.bea.ID)
		s.same(a, s.bea, "the new user who is seen")
		known, e4 := tx.Journal().Events(ctx, store.EventQuery{Tenant: home, User: s.ann.ID})
		s.same(known, s.whole.Events[:1], "the events that are seen")
		return errors.Join(e1, e2, e3, e4, tx.Users().Save(ctx, bea.User), tx.Journal().Record(ctx, late),
			tx.Journal().Queue(ctx, store.Fact{Listener: ear, Event: late, NextAt: s.now}))
	}
	s.ok(s.Settle(s.ctx, s.whole), "settle")
	s.same(s.account(bea), bea, "the new user")
	v := s.view()
	s.same(v.Events, []event.Event{late, s.whole.Events[0]}, "the events")
	s.same(v.Challenge.Status, challenge.Verified, "the status")
	first := s.wantFacts([]string{ear}, 5, s.whole.Facts[0])[0]
	s.wantDone(first, true)
	s.wantFacts([]string{ear}, 5, store.Fact{Listener: ear, Event: late})
}

func thenRefuses(k *kit) {
	s := k.scene()
	ear := k.name("listener")
	before := s.view()
	fact := store.Fact{Listener: ear, Event: s.whole.Events[0], NextAt: s.now}
	for _, refusal := range []error{errBack, user.ErrTaken, challenge.ErrExpired} {
		in := s.whole
		in.NewUser, in.Events, in.Recovery, in.Facts = nil, nil, nil, []store.Fact{fact}
		in.Then = func(ctx context.Context, tx store.Tx) error {
			own := fact
			own.Event.ID = k.id()
			if err := errors.Join(tx.Journal().Queue(ctx, own), s.changeAll(ctx, tx)); err != nil {
				return err
			}
			return refusal
		}
		s.refused(s.Settle(s.ctx, in), refusal, "settle with something that refuses")
		s.same(s.view(), before, "what is there after something refused")
		s.wantFacts([]string{ear}, 5)
	}
	s.ok(s.Settle(s.ctx, s.whole), "settle after all refusals")
}

func thenPanics(k *kit) {
	s := k.scene()
	before := s.view()
	in := s.whole
	in.Then = func(context.Context, store.Tx) error { panic("on purpose") }
	func() {
		defer func() { s.same(recover(), any("on purpose"), "the panic that came through") }()
		_ = s.Settle(s.ctx, in)
	}()
	s.same(s.view(), before, "what is there after a panic")
}

func thenComesLast(k *kit) {
	s := k.scene()
	ran := 0
	for _, guard := range s.obstacles() {
		in := s.whole
		guard[0].put(&in)
		in.Then = func(context.Context, store.Tx) error { ran++; return nil }
		s.refused(s.Settle(s.ctx, in), guard[0].want, guard[0].name)
	}
	s.same(ran, 0, "how often it ran after a refusal")
}

// answer has the right answer to c come by another way.
func (k *kit) answer(c challenge.Challenge) challenge.Challenge {
	k.Helper()
	k.do(func(tx store.Tx) (err error) {
		if c, err = tx.Challenges().Get(k.ctx, c.Tenant, c.Handle); err != nil {
			return err
		}
		if err := c.Answer(k.now, []byte("sealed verdict")); err != nil {
			return err
		}
		return tx.Challenges().Save(k.ctx, c)
	})
	return c
}

func collectsAnswers(k *kit) {
	a := k.person(home)
	c := k.ask(func(c *challenge.Challenge) { c.User, c.Decoy = a.ID, false })
	x := k.visit(a)
	collect := store.Settlement{Tenant: home, Handle: c.Handle, Answered: true, Now: k.now, Session: &x}
	k.refused(k.Settle(k.ctx, collect), challenge.ErrNotFound, "collect what nobody answered")
	k.same(k.read(c), c, "the challenge that nobody answered")
	c = k.answer(c)
	k.same(k.read(c), c, "the challenge that was answered")

	settle, foreign, late := collect, collect, collect
	settle.Answered, foreign.Tenant, late.Now = false, other, c.ExpiresAt
	k.refused(k.Settle(k.ctx, settle), challenge.ErrNotFound, "settle an answered challenge")
	k.refused(k.Settle(k.ctx, foreign), challenge.ErrNotFound, "collect another tenant's challenge")
	k.refused(k.Settle(k.ctx, late), challenge.ErrExpired, "collect when it expires")
	k.same(k.read(c), c, "the challenge that was not collected")
	_, err := k.Session(k.ctx, home, x.ID)
	k.refused(err, session.ErrNotFound, "the session of what was not collected")

	collect.Now = c.ExpiresAt.Add(-time.Microsecond)
	k.ok(k.Settle(k.ctx, collect), "collect at the last moment")
	c.Status, c.State = challenge.Verified, nil
	k.same(k.read(c), c, "the challenge that was collected")
	k.same(k.session(x).Session, x, "the session")
	k.refused(k.Settle(k.ctx, collect), challenge.ErrNotFound, "collect again")
}

func answersOnce(k *kit) {
	key := k.name("counter")
	old := k.ask(func(c *challenge.Challenge) { c.Counter = key })
	k.pass(time.Second)
	c := k.answer(k.ask(func(c *challenge.Challenge) { c.Counter = key }))
	_, err := k.Charge(k.ctx, k.pay(c))
	k.refused(err, challenge.ErrNotFound, "charge an answered challenge")
	k.same(k.read(c), c, "the answered challenge")
	k.newProbe(key).wantFailures(0)
	k.wantLive(old, 1, true) // an answered one pushes nobody
	got, err := k.Challenge(k.ctx, home, c.Handle, 1)
	k.ok(err, "read challenge")
	k.same(got.Status, challenge.Answered, "the status that is read")
}

// settlesFacts tries the shortest settlement and the longest one, as an adapter
// may take another way for each.
func settlesFacts(k *kit) {
	s := k.scene()
	ears := []string{k.name("listener"), k.name("listener")}
	for _, in := range []store.Settlement{{}, s.whole} {
		e := event.Event{ID: k.id(), Tenant: home, User: k.id(), Type: event.SessionStarted, At: s.now, Data: map[string]string{"a": "é"}}
		nobody := event.Event{ID: k.id(), Tenant: home, Type: event.AddressVerified, At: s.now}
		facts := []store.Fact{
			{Listener: ears[0], Event: e, NextAt: s.now}, {Listener: ears[1], Event: e, NextAt: s.now},
			{Listener: ears[0], Event: nobody, NextAt: s.now.Add(time.Second), Owner: "me", Leased: s.now.Add(time.Second), Fence: 1, Tries: 1},
		}
		in.Events, in.Facts = append(in.Events, e, nobody), facts
		if in.Handle == "" {
			s.settle(in)
		} else {
			s.ok(s.Settle(s.ctx, in), "settle")
		}
		for _, f := range s.wantFacts(ears, 9, facts[0], facts[1]) {
			s.wantDone(f, true)
		}
		s.pass(time.Second)
		got := s.wantFacts(ears, 9, facts[2])[0]
		s.same([]int{got.Fence, got.Tries}, []int{2, 2}, "fence and tries of one that began with a lease")
		s.wantDone(got, true)
	}
}
