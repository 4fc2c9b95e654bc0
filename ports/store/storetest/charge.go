package storetest

import (
	"time"

	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/limit"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/store"
)

func charges() []behaviour {
	return []behaviour{
		{"a charge is refused in the order of the contract and costs nothing then", refusesInOrder},
		{"a charge tells whose challenge it is", tellsWhose},
		{"an untyped question takes untyped answers only", untypedAnswers},
		{"newer live challenges push out older ones that send", pushesOut},
		{"a challenge that sends nothing is never pushed out", neverPushedOut},
		{"failures outlive challenges until a success", failuresLast},
		{"a decoy is charged like any other", chargesDecoys},
	}
}

// refusesInOrder takes the obstacles away one by one.
func refusesInOrder(k *kit) {
	full := k.window(1)
	throttle := limit.Throttle{Factor: time.Minute, Cap: time.Minute}
	c := k.ask(func(c *challenge.Challenge) { c.Allowed = 1 })
	k.ok(k.Start(k.ctx, store.Start{Challenge: k.question(), Windows: []limit.Charge{full}, Now: k.now}), "fill the window")
	p := k.newProbe(c.Counter)
	in := k.pay(c)
	in.Throttle = throttle
	k.charge(in) // exhausts it, and locks the counter for a minute
	before := k.read(c)

	k.pass(time.Hour) // expires it
	in.Now, in.Windows, in.Formats = k.now, []limit.Charge{full}, []challenge.Format{challenge.Crockford(10)}
	unknown := in
	unknown.Handle = k.name("handle-of-nothing")
	_, err := k.Charge(k.ctx, unknown)
	k.refused(err, challenge.ErrNotFound, "an unknown challenge")
	foreign := in
	foreign.Tenant = other
	_, err = k.Charge(k.ctx, foreign)
	k.refused(err, challenge.ErrNotFound, "another tenant's challenge")
	_, err = k.Charge(k.ctx, in)
	k.refused(err, challenge.ErrMalformed, "an answer of another format")
	in.Formats = six
	_, err = k.Charge(k.ctx, in)
	k.refused(err, challenge.ErrExhausted, "an exhausted challenge that expired as well")
	k.same(k.read(c), before, "the challenge that refused")
	p.wantFailures(1)
	refusesLast(k, c.Counter, full)
}

// refusesLast goes on with expiry, the counter and the windows.
func refusesLast(k *kit, counter string, full limit.Charge) {
	k.now = start
	throttle := limit.Throttle{Factor: time.Minute, Cap: time.Minute}
	c := k.ask(func(c *challenge.Challenge) { c.Counter = counter })
	free := k.window(5)
	p := k.newProbe(counter)
	in := k.pay(c)
	in.Throttle, in.Windows = throttle, []limit.Charge{free, full}

	_, err := k.Charge(k.ctx, in)
	k.refused(err, limit.ErrLocked, "a locked counter with a full window")
	k.same(after(err), time.Minute, "the wait of the counter")
	in.Now = c.ExpiresAt
	_, err = k.Charge(k.ctx, in)
	k.refused(err, challenge.ErrExpired, "an expired challenge")
	in.Now = k.now.Add(time.Minute)
	_, err = k.Charge(k.ctx, in)
	k.refused(err, limit.ErrExceeded, "a full window")
	k.same(after(err), 59*time.Minute, "the wait of the window")

	k.same(k.read(c), c, "the challenge that refused")
	p.wantFailures(1)
	k.wantTaken(free, 0)
	in.Windows = []limit.Charge{free}
	out := k.charge(in)
	k.same(out.Counter, limit.Counter{Failures: 2, LockedUntil: in.Now.Add(time.Minute)}, "the counter after paying")
	k.same(out.Challenge.Attempts, 1, "attempts after paying")
	k.same(k.read(c), out.Challenge, "the challenge after paying")
	k.wantTaken(free, 1)
}

func tellsWhose(k *kit) {
	a := k.person(home)
	d := k.addDevice(k.app(a))
	email := a.Identifiers[0].Contact
	c := k.ask(func(c *challenge.Challenge) {
		c.User, c.Device, c.Kind, c.Destination = a.ID, d.ID, email.Kind, email.Value
	})
	out := k.charge(k.pay(c))
	k.same(out.User, &a.User, "the user")
	k.same(out.Device, &d, "the device")
	k.same(out.Verified, false, "an unproven identifier")

	k.ok(k.Settle(k.ctx, store.Settlement{Tenant: home, Handle: c.Handle, Now: k.now, Verify: &email}), "prove it")
	stranger := k.person(home)
	for _, x := range []struct {
		user string
		to   contact.Contact
		want bool
	}{
		{a.ID, email, true},
		{stranger.ID, email, false},
		{a.ID, contact.Contact{Kind: contact.Username, Value: email.Value}, false},
		{"", email, false},
	} {
		c := k.ask(func(c *challenge.Challenge) { c.User, c.Kind, c.Destination = x.user, x.to.Kind, x.to.Value })
		out := k.charge(k.pay(c))
		k.same(out.Verified, x.want, "whether the destination is proven")
		k.same(out.User != nil, x.user != "", "whether there is a user")
		k.same(out.Device != nil, false, "whether there is a device")
	}
	blocked := a.User
	blocked.Status = user.Blocked
	k.do(func(tx store.Tx) error { return tx.Users().Save(k.ctx, blocked) })
	out = k.charge(k.pay(k.ask(func(c *challenge.Challenge) { c.User = a.ID })))
	k.same(out.User.Status, user.Blocked, "a blocked user's status")
}

func untypedAnswers(k *kit) {
	untyped := k.ask(func(c *challenge.Challenge) { c.Format, c.Delivery = "", challenge.NoDelivery })
	typed := k.ask()
	in := k.pay(untyped)
	_, err := k.Charge(k.ctx, in)
	k.refused(err, challenge.ErrMalformed, "a code where none is asked for")
	in.Formats = nil
	k.charge(in)
	in = k.pay(typed)
	in.Formats = nil
	_, err = k.Charge(k.ctx, in)
	k.refused(err, challenge.ErrMalformed, "no code where one is asked for")
	in.Formats = []challenge.Format{challenge.Digits(16), challenge.Crockford(16)}
	_, err = k.Charge(k.ctx, in)
	k.refused(err, challenge.ErrMalformed, "a code that is too long")
	k.same(k.read(typed).Attempts, 0, "attempts that malformed answers cost")
}

func pushesOut(k *kit) {
	key := k.name("counter")
	next := func() challenge.Challenge {
		k.pass(time.Second)
		return k.ask(func(c *challenge.Challenge) { c.Counter = key })
	}
	first := next()
	second := next()
	for range 3 { // other counters, and other tenants, do not push
		k.pass(time.Second)
		k.ask()
		k.ask(func(c *challenge.Challenge) { c.Counter, c.Tenant = key, other })
	}
	k.wantLive(first, 2, true)
	k.wantLive(first, 1, false)
	k.wantLive(second, 1, true)
	third := next()
	k.wantLive(first, 2, false)
	k.wantLive(first, 3, true)
	k.wantLive(first, 0, true)
	k.wantLive(third, 1, true)
	k.do(func(tx store.Tx) error {
		c, err := tx.Challenges().Get(k.ctx, home, second.Handle)
		if err != nil {
			return err
		}
		if err := c.Cancel(); err != nil {
			return err
		}
		return tx.Challenges().Save(k.ctx, c)
	})
	k.wantLive(first, 2, true) // a cancelled one pushes nobody
	k.ok(k.Settle(k.ctx, store.Settlement{Tenant: home, Handle: third.Handle, Now: k.now}), "settle")
	k.wantLive(first, 1, true) // nor does a settled one
}

// wantLive checks whether c can be charged and read as pending.
func (k *kit) wantLive(c challenge.Challenge, live int, want bool) {
	k.Helper()
	in := k.pay(c)
	in.Live = live
	before := k.read(c)
	status := challenge.Pending
	_, err := k.Charge(k.ctx, in)
	if want {
		k.ok(err, "charge a live challenge")
		k.do(func(tx store.Tx) error { return tx.Challenges().Save(k.ctx, before) })
	} else {
		status = challenge.Cancelled
		k.refused(err, challenge.ErrNotFound, "charge a challenge that was pushed out")
	}
	got, err := k.Challenge(k.ctx, c.Tenant, c.Handle, live)
	k.ok(err, "read challenge")
	k.same(got.Status, status, "the status that is read")
	k.same(k.read(c).Attempts, before.Attempts, "attempts")
}

func neverPushedOut(k *kit) {
	key := k.name("counter")
	app := k.ask(func(c *challenge.Challenge) { c.Counter, c.Delivery = key, challenge.NoDelivery })
	for range 3 {
		k.pass(time.Second)
		k.ask(func(c *challenge.Challenge) { c.Counter, c.Delivery = key, challenge.NoDelivery })
	}
	k.wantLive(app, 1, true)
}

func failuresLast(k *kit) {
	key := k.name("counter")
	throttle := limit.Throttle{Free: 3, Factor: 30 * time.Second, Cap: time.Hour, DisableAt: 5}
	fresh := func() store.Charge {
		in := k.pay(k.ask(func(c *challenge.Challenge) { c.Counter = key }))
		in.Throttle = throttle
		return in
	}
	for n := 1; n <= 4; n++ {
		k.same(k.charge(fresh()).Counter.Failures, n, "failures of a fresh challenge")
	}
	_, err := k.Charge(k.ctx, fresh())
	k.refused(err, limit.ErrLocked, "the answer after the first wait began")
	k.same(after(err), 30*time.Second, "the first wait")
	k.pass(30 * time.Second)
	k.same(k.charge(fresh()).Counter.Failures, 5, "failures after the wait")
	k.pass(1000 * time.Hour)
	_, err = k.Charge(k.ctx, fresh())
	k.refused(err, limit.ErrLocked, "a counter that is switched off")
	k.settle(store.Settlement{Counter: key})
	k.same(k.charge(fresh()).Counter, limit.Counter{Failures: 1}, "failures after a success")
}

func chargesDecoys(k *kit) {
	c := k.ask(func(c *challenge.Challenge) { c.Decoy, c.Allowed = true, 2 })
	for n := 1; n <= 2; n++ {
		k.same(k.charge(k.pay(c)).Challenge.Attempts, n, "attempts")
	}
	_, err := k.Charge(k.ctx, k.pay(c))
	k.refused(err, challenge.ErrExhausted, "one answer too many")
	k.refused(k.Settle(k.ctx, store.Settlement{Tenant: home, Handle: c.Handle, Now: k.now}), challenge.ErrNotFound, "settle a decoy")
	k.same(k.read(c).Status, challenge.Pending, "a decoy's status")
}
