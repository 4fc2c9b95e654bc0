package storetest

import (
	"context"
	"errors"
	"math"
	"strings"
	"time"

	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/limit"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/store"
)

func units() []behaviour {
	return []behaviour{
		{"a unit of work that fails makes nothing happen", undoesFailures},
		{"a unit of work that panics makes nothing happen and panics on", undoesPanics},
		{"a unit of work reads what it wrote", readsItsWrites},
		{"a refused window in a unit of work charges none of them", takesAllOrNone},
		{"a refund undoes a charge and unlocks", refunds},
		{"a cancelled context stops everything", stops},
	}
}

func roundTrips() []behaviour {
	return []behaviour{
		{"a challenge keeps every field", keepsChallenges},
		{"text and bytes come back as they were", keepsText},
		{"times come back in UTC to the microsecond", keepsTimes},
		{"callers share no memory with the store", sharesNothing},
	}
}

// changeAll writes something of every kind.
func (s *scene) changeAll(ctx context.Context, tx store.Tx) error {
	u, c, d, x := s.ann.User, s.c, s.app, s.home
	u.FirstName, c.Attempts, d.Name = "Other", 1, "Other"
	x.Revoke(s.now, session.SignedOut)
	_, err := tx.Sessions().RevokeOthers(ctx, store.RevokeOthers{Tenant: home, User: s.ann.ID, Reason: session.ByOwner, Now: s.now})
	w := limit.Charge{Rule: limit.Rule{Max: 99, Window: time.Hour}, Key: s.paid.Key}
	return errors.Join(
		err, s.changeFurniture(ctx, tx), tx.Users().Save(ctx, u), tx.Users().Add(ctx, s.bea), tx.Challenges().Save(ctx, c),
		tx.Devices().Save(ctx, d), tx.Devices().Delete(ctx, home, s.sheet.ID), tx.Sessions().Save(ctx, x),
		tx.Challenges().Take(ctx, []limit.Charge{w}, s.now), tx.Challenges().Refund(ctx, s.c.Counter, nil, s.now),
		tx.Journal().Record(ctx, s.whole.Events[0]), tx.Users().Delete(ctx, home, s.ann.ID),
	)
}

func (s *scene) changeFurniture(ctx context.Context, tx store.Tx) error {
	change, password, guest, key, entry, half := s.change, s.password, s.guest, s.key, s.kit.entry(home), s.half
	mail := s.ann.Identifiers[0]
	change.NewAt, password.Hash, guest.UsedAt, key.RevokedAt, half.UsedAt, mail.VerifiedAt = s.now, "$other", s.now, s.now, s.now, s.now
	return errors.Join(
		tx.Changes().Put(ctx, change), tx.Passwords().Put(ctx, password), tx.Invitations().Save(ctx, guest),
		tx.Keys().Save(ctx, key), tx.Rules().Add(ctx, entry), tx.Rules().Delete(ctx, home, s.entry.ID),
		tx.SignIns().Save(ctx, half), tx.Counters().Clear(ctx, s.c.Counter), tx.Identifiers().Put(ctx, mail),
	)
}

func undoesFailures(k *kit) {
	s := k.scene()
	before := s.view()
	var inside error
	err := k.Do(k.ctx, func(ctx context.Context, tx store.Tx) error {
		inside = s.changeAll(ctx, tx)
		return errBack
	})
	k.ok(inside, "change everything")
	k.refused(err, errBack, "the error of the unit of work")
	k.same(s.view(), before, "what is there after a failure")
}

func undoesPanics(k *kit) {
	s := k.scene()
	before := s.view()
	func() {
		defer func() { k.same(recover(), any("on purpose"), "the panic that came through") }()
		_ = k.Do(k.ctx, func(ctx context.Context, tx store.Tx) error {
			_ = s.changeAll(ctx, tx)
			panic("on purpose")
		})
	}()
	k.same(s.view(), before, "what is there after a panic")
}

func readsItsWrites(k *kit) {
	a := k.stranger(home)
	d := k.app(a)
	c := k.ask()
	k.do(func(tx store.Tx) error {
		err := errors.Join(tx.Users().Add(k.ctx, a), tx.Devices().Add(k.ctx, d))
		got, err2 := tx.Users().Get(k.ctx, home, a.ID)
		k.same(got, a, "the person who was added")
		list, err3 := tx.Devices().List(k.ctx, home, a.ID, "", 0)
		k.same(list, []store.Device{d}, "the device that was added")
		c.Attempts = 2
		err4 := tx.Challenges().Save(k.ctx, c)
		read, err5 := tx.Challenges().Get(k.ctx, home, c.Handle)
		k.same(read, c, "the challenge that was saved")
		return errors.Join(err, err2, err3, err4, err5)
	})
	k.same(k.account(a), a, "the person afterwards")
}

func takesAllOrNone(k *kit) {
	wide, full := k.window(5), k.window(1)
	k.do(func(tx store.Tx) error { return tx.Challenges().Take(k.ctx, []limit.Charge{wide, full}, k.now) })
	k.do(func(tx store.Tx) error {
		for _, windows := range [][]limit.Charge{{wide, full}, {full, wide}} {
			k.refused(tx.Challenges().Take(k.ctx, windows, k.now), limit.ErrExceeded, "take a full window")
		}
		return nil
	})
	k.wantTaken(wide, 1)
	k.wantTaken(full, 1)
}

func refunds(k *kit) {
	c, w := k.ask(), k.window(5)
	in := k.pay(c)
	in.Windows, in.Throttle = []limit.Charge{w}, limit.Throttle{Factor: time.Minute, Cap: time.Minute}
	k.charge(in)
	_, err := k.Charge(k.ctx, in)
	k.refused(err, limit.ErrLocked, "charge a locked counter")
	p := k.newProbe(c.Counter)
	back := func() {
		k.do(func(tx store.Tx) error {
			return tx.Challenges().Refund(k.ctx, c.Counter, []string{w.Key, "window-of-nobody"}, k.now)
		})
	}
	back()
	p.wantFailures(0)
	k.wantTaken(w, 0)
	back()
	p.wantFailures(0)
	k.wantTaken(w, 0)
	k.same(k.charge(in).Counter.Failures, 1, "failures after a refund")
}

func stops(k *kit) {
	c, a, w := k.ask(), k.person(home), k.window(5)
	s := k.signedIn(a)
	ctx, cancel := context.WithCancel(k.ctx)
	cancel()
	in := k.pay(c)
	in.Windows = []limit.Charge{w}
	_, e1 := k.Charge(ctx, in)
	_, e2 := k.Rotate(ctx, store.Rotate{Session: s.ID, Generation: 1, Now: k.now})
	_, e3 := k.Account(ctx, home, a.ID)
	_, e4 := k.Claim(ctx, store.Claim{Owner: "o", Max: 1, Lease: time.Second, Now: k.now})
	for i, err := range []error{
		e1, e2, e3, e4,
		k.Start(ctx, store.Start{Challenge: k.question(), Windows: in.Windows, Now: k.now}),
		k.Settle(ctx, store.Settlement{Tenant: home, Handle: c.Handle, Now: k.now}),
		k.Do(ctx, func(context.Context, store.Tx) error { return nil }),
	} {
		if err == nil {
			k.Errorf("call %d took no notice of a cancelled context", i+1)
		}
	}
	k.same(k.read(c), c, "the challenge")
	k.same(k.session(s).Session, s, "the session")
	k.wantTaken(w, 0)
	k.ok(k.Ping(k.ctx), "ping")
}

func keepsChallenges(k *kit) {
	c := k.ask(func(c *challenge.Challenge) {
		c.User, c.Device, c.SignIn, c.Session = k.id(), k.id(), k.id(), k.id()
		c.Purpose, c.Prompt, c.State = challenge.StepUp, []byte(`{"x": 1}`), []byte{0, 1, 2, 255}
		c.Extra = challenge.Extra{
			Detail: []challenge.Fact{{Label: "Betrag", Value: "12,50 €"}, {Label: "To", Value: "<b>Bob</b>"}}, ReturnTo: "https://example.com/?a=1&b=2",
			Browser: []byte{0, 1, 255}, Change: k.id(), Key: k.id(), Metadata: map[string]string{"order": "1"}, Profile: map[string]string{"last_name": "Ünal"},
		}
		c.KeyID, c.Attempts, c.Round, c.MaxSends, c.Decoy = math.MaxInt32, 1, 2, 3, true
	})
	k.same(k.read(c), c, "the challenge that was started")
	c.User, c.Device, c.SignIn, c.Session = k.id(), "", k.id(), ""
	c.Status, c.Extra = challenge.Answered, challenge.Extra{Change: k.id(), Key: k.id(), Metadata: map[string]string{"": "<&>"}}
	c.Channel, c.Delivery, c.Prompt, c.State = "sms", challenge.Delivered, []byte(`{"y":"é"}`), nil
	c.Attempts, c.Round, c.Sends, c.ResendAt = 2, 3, 2, k.now.Add(time.Hour)
	k.do(func(tx store.Tx) error { return tx.Challenges().Save(k.ctx, c) })
	k.same(k.read(c), c, "the challenge that was saved")
	bare := k.ask(func(c *challenge.Challenge) {
		*c = challenge.Challenge{
			Handle: c.Handle, Tenant: home, Status: challenge.Pending, Delivery: challenge.NoDelivery,
			CreatedAt: k.now, ExpiresAt: k.now.Add(time.Minute),
		}
	})
	k.same(k.read(bare), bare, "a challenge of which little is known")
}

func keepsText(k *kit) {
	a := k.person(home)
	for _, text := range []string{
		"", "O'Neill \"Bob\" \\; DROP TABLE users; --", "%_?$1 :name @p", "Zoë 日本語 🔐 \u200f\u202e", "line\nbreak\ttab\x01\x7f",
		" spaces ", "{\"json\": null}", strings.Repeat("long ", 2000),
	} {
		a.FirstName, a.LastName = text, text
		a.Metadata = map[string]string{"text": text, "k" + text: "v"}
		u := a.User
		k.do(func(tx store.Tx) error { return tx.Users().Save(k.ctx, u) })
		k.same(k.account(a), a, "an account with odd text")
		d := k.app(a)
		d.Name, d.Credential = text, []byte(text+"\x00\xff")
		k.addDevice(d)
		k.same(k.device(d), d, "a device with odd text")
	}
	empty := k.app(a)
	empty.Credential = []byte{}
	k.same(k.device(k.addDevice(empty)), empty, "a device with an empty credential")
}

func keepsTimes(k *kit) {
	zone := time.FixedZone("far away", -11*3600)
	c := k.question()
	c.CreatedAt, c.ExpiresAt = k.now.In(zone), k.now.Add(time.Minute+987*time.Nanosecond).In(zone)
	c.ResendAt = time.Time{}
	k.ok(k.Start(k.ctx, store.Start{Challenge: c, Now: k.now.In(zone)}), "start")
	got := k.read(c)
	k.same(got.CreatedAt, k.now, "a time in another zone")
	k.same(got.ResendAt.IsZero(), true, "whether no time stays none")
	k.same(got.ExpiresAt.Nanosecond()%1000, 0, "nanoseconds")
	if d := got.ExpiresAt.Sub(c.ExpiresAt); d <= -time.Microsecond || d >= time.Microsecond {
		k.Errorf("a time is off by %v", d)
	}
	early, late := time.Date(2000, 1, 1, 0, 0, 0, 1000, time.UTC), time.Date(2099, 12, 31, 23, 59, 59, 999999000, time.UTC)
	c = k.ask(func(c *challenge.Challenge) { c.CreatedAt, c.ExpiresAt = early, late })
	k.same(k.read(c), c, "a challenge that lasts for a century")
}

func sharesNothing(k *kit) {
	a := k.stranger(home)
	k.do(func(tx store.Tx) error { return tx.Users().Add(k.ctx, a) })
	s := k.visit(a)
	e := event.Event{ID: k.id(), Tenant: home, User: a.ID, Type: event.UserCreated, At: k.now, Data: map[string]string{"a": "b"}}
	k.settle(store.Settlement{Session: &s, Events: []event.Event{e}})
	c := k.ask()
	spoil := func(x user.Account, v session.Session, q challenge.Challenge, e event.Event) {
		x.Metadata["plan"], x.Identifiers[0].Value = "spoilt", "spoilt"
		v.Evidence[0].AMR[0], v.Evidence[0].Channel = "spoilt", "spoilt"
		q.Nonce[0], e.Data["a"] = 'X', "spoilt"
	}
	account, visit, question := k.account(a), k.session(s).Session, k.read(c)
	want := lines([]any{account, visit, question})
	spoil(a, s, c, e)
	spoil(account, visit, question, e)
	k.same(len(want), len(lines([]any{k.account(a), k.session(s).Session, k.read(c)})), "how much is there")
	for line := range lines([]any{k.account(a), k.session(s).Session, k.read(c)}) {
		if !want[line] {
			k.Errorf("a caller changed what is kept: %s", line)
		}
	}
	k.do(func(tx store.Tx) error {
		events, err := tx.Journal().Events(k.ctx, store.EventQuery{Tenant: home, User: a.ID, Limit: 1})
		e.Data = map[string]string{"a": "b"}
		k.same(events, []event.Event{e}, "the event")
		return err
	})
}
