package storetest

import (
	"time"

	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/device"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/store"
)

func settles() []behaviour {
	return []behaviour{
		{"every guard of a settlement refuses all of it, the first one first", guardsInOrder},
		{"everything that follows from a success is there", everythingFollows},
		{"a settlement happens once", settlesOnce},
		{"what a settlement does not name does not happen", nothingElseFollows},
		{"a challenge is settled until it expires, also by its last attempt", settlesInTime},
		{"a device that changed refuses the second of two changes", changesDevicesOnce},
		{"a device may be proven without a new credential", provesDevices},
		{"a sign-in becomes one session", usesSignInsOnce},
		{"a once-key is accepted once", acceptsOnce},
		{"a device that is proven becomes active", activatesDevices},
	}
}

// obstacle makes one guard of a settlement refuse.
type obstacle struct {
	name string
	put  func(*store.Settlement)
	want error
}

// obstacles lists, for each guard in their order, what it refuses.
func (s *scene) obstacles() [][]obstacle {
	return [][]obstacle{s.deadChallenges(), s.deadSignIns(), s.deadSessions(), s.oldDevices(), s.usedKeys(), s.takenNames(), s.changedPeople()}
}

func guardsInOrder(k *kit) {
	s := k.scene()
	guards := s.obstacles()
	s.whole.Now = s.now
	before := s.view()
	for i, guard := range guards {
		for _, o := range guard {
			in := s.whole
			o.put(&in)
			s.refused(s.Settle(s.ctx, in), o.want, o.name)
			for _, later := range guards[i+1:] {
				later[0].put(&in)
			}
			s.refused(s.Settle(s.ctx, in), o.want, o.name+", and all later guards")
			s.same(s.view(), before, "what is there after "+o.name)
		}
	}
	s.ok(s.Settle(s.ctx, s.whole), "settle after all refusals")
}

func (s *scene) deadChallenges() []obstacle {
	c := func(change func(*challenge.Challenge)) func(*store.Settlement) {
		dead := s.ask(change)
		return func(in *store.Settlement) { in.Tenant, in.Handle = home, dead.Handle }
	}
	settled := s.ask()
	s.ok(s.Settle(s.ctx, store.Settlement{Tenant: home, Handle: settled.Handle, Now: s.now}), "settle")
	return []obstacle{
		{"unknown challenge", func(in *store.Settlement) { in.Handle = "handle-of-nothing-at-all" }, challenge.ErrNotFound},
		{"other tenant", func(in *store.Settlement) { in.Tenant = other }, challenge.ErrNotFound},
		{"decoy", c(func(c *challenge.Challenge) { c.Decoy = true }), challenge.ErrNotFound},
		{"cancelled", c(func(c *challenge.Challenge) { c.Status = challenge.Cancelled }), challenge.ErrNotFound},
		{"settled", func(in *store.Settlement) { in.Handle = settled.Handle }, challenge.ErrNotFound},
		{"expired", c(func(c *challenge.Challenge) { c.ExpiresAt = s.now }), challenge.ErrExpired},
	}
}

func (s *scene) deadSignIns() []obstacle {
	use := func(id string) func(*store.Settlement) {
		return func(in *store.Settlement) { in.UseSignIn = id }
	}
	used := s.waiting(s.ann)
	s.settle(store.Settlement{UseSignIn: used.ID})
	late := s.waiting(s.ann, func(x *session.SignIn) { x.ExpiresAt = s.now })
	foreign := s.waiting(s.person(other))
	return []obstacle{
		{"unknown sign-in", use(s.id()), session.ErrPendingInvalid},
		{"used sign-in", use(used.ID), session.ErrPendingInvalid},
		{"expired sign-in", use(late.ID), session.ErrPendingExpired},
		{"other tenant's sign-in", use(foreign.ID), session.ErrPendingInvalid},
	}
}

func (s *scene) deadSessions() []obstacle {
	lift := func(id string) func(*store.Settlement) {
		return func(in *store.Settlement) {
			in.Strengthen = &store.Strengthen{Session: id, Evidence: s.proof(s.bea)}
		}
	}
	stored := func(a user.Account, change func(*session.Session)) string {
		x := s.visit(a)
		change(&x)
		s.settle(store.Settlement{Tenant: a.Tenant, Session: &x})
		return x.ID
	}
	dora := s.person(home)
	ended := stored(dora, func(x *session.Session) { x.RevokedAt, x.Reason = s.now, session.SignedOut })
	return []obstacle{
		{"unknown session", lift(s.id()), session.ErrRevoked},
		{"ended session", lift(ended), session.ErrRevoked},
		{"expired session", lift(stored(dora, func(x *session.Session) { x.ExpiresAt = s.now })), session.ErrRevoked},
		{"other tenant's session", lift(stored(s.person(other), func(*session.Session) {})), session.ErrRevoked},
	}
}

func (s *scene) oldDevices() []obstacle {
	change := func(id string, version int) func(*store.Settlement) {
		return func(in *store.Settlement) {
			in.Device = &store.DeviceChange{ID: id, Version: version, Credential: []byte("stolen"), UsedAt: s.now}
		}
	}
	foreign := s.addDevice(s.kit.app(s.person(other)))
	return []obstacle{
		{"older version", change(s.app.ID, s.app.Version-1), device.ErrUsed},
		{"later version", change(s.app.ID, s.app.Version+1), device.ErrUsed},
		{"device that is gone", change(s.id(), s.app.Version), device.ErrUsed},
		{"other tenant's device", change(foreign.ID, foreign.Version), device.ErrUsed},
	}
}

func (s *scene) usedKeys() []obstacle {
	used := store.Once{Key: s.name("once"), ForgetAt: s.now.Add(time.Hour)}
	s.settle(store.Settlement{Once: &used})
	return []obstacle{{"used key", func(in *store.Settlement) { in.Once = &used }, store.ErrOnce}}
}

func (s *scene) takenNames() []obstacle {
	taken := s.stranger(home)
	s.another(&taken, s.ann.Identifiers[0].Kind, s.ann.Identifiers[0].Value)
	return []obstacle{{"taken identifier", func(in *store.Settlement) { in.NewUser = &taken }, user.ErrTaken}}
}

func (s *scene) changedPeople() []obstacle {
	changed := func(change func(*user.User)) string {
		a := s.person(home)
		a.ResetAt = s.ann.ResetAt
		change(&a.User)
		s.do(func(tx store.Tx) error { return tx.Users().Save(s.ctx, a.User) })
		return a.ID
	}
	blocked := changed(func(u *user.User) { u.Status = user.Blocked })
	reset := changed(func(u *user.User) { u.ResetAt = s.ann.ResetAt.Add(time.Microsecond) })
	var out []obstacle
	for name, id := range map[string]string{"blocked person": blocked, "person of whom everything was ended": reset, "person who is gone": s.id(), "other tenant's person": s.person(other).ID} {
		who := user.Account{User: user.User{ID: id, Tenant: home}}
		comes, waits := s.visit(who), s.kit.half(who)
		hold := func(in *store.Settlement) { in.Person = &store.Person{ID: id, ResetAt: s.ann.ResetAt} }
		out = append(
			out, obstacle{name, hold, challenge.ErrNotFound},
			obstacle{name + ", who comes in", func(in *store.Settlement) { hold(in); in.Session = &comes }, challenge.ErrNotFound},
			obstacle{name + ", who waits", func(in *store.Settlement) { hold(in); in.Session, in.SignIn = nil, &waits }, challenge.ErrNotFound},
		)
	}
	return out
}

func everythingFollows(k *kit) {
	s := k.scene()
	want := s.view()
	s.ok(s.Settle(s.ctx, s.whole), "settle")

	want.Challenge.Status, want.Challenge.State = challenge.Verified, nil
	want.Failures, want.Paid = 0, want.Paid-1
	want.Half.UsedAt = s.now
	want.Ann.Identifiers[0].VerifiedAt = s.now
	want.Ann.LastSignIn = s.now
	s.app.Credential, s.app.Version, s.app.Ref, s.app.LastUsedAt = []byte("next"), s.app.Version+1, "ref "+s.app.ID, s.now
	want.Devices = []store.Device{s.app, *s.whole.Recovery}
	s.home.Evidence = s.whole.Strengthen.Evidence
	want.Sessions = []session.Session{*s.whole.Session, s.home}
	want.Events = append(want.Events, s.whole.Events[0])
	want.Found = []bool{true, true, true}
	s.same(s.view(), want, "what is there after a success")

	bea, err := s.Identify(s.ctx, home, s.bea.Identifiers[0].Contact)
	s.ok(err, "find the new user")
	s.same(bea, s.bea, "the new user")
	s.same(s.session(*s.whole.Session).Devices, 1, "second factors")
	waits, err := s.SignIn(s.ctx, home, s.whole.SignIn.ID)
	s.ok(err, "read the new sign-in")
	s.same(waits, *s.whole.SignIn, "the new sign-in")
}

func settlesOnce(k *kit) {
	c := k.ask()
	in := store.Settlement{Tenant: home, Handle: c.Handle, Now: k.now}
	k.ok(k.Settle(k.ctx, in), "settle")
	a := k.person(home)
	x := k.visit(a)
	in.Session = &x
	k.refused(k.Settle(k.ctx, in), challenge.ErrNotFound, "settle again")
	_, err := k.Session(k.ctx, home, x.ID)
	k.refused(err, session.ErrNotFound, "the session of the second settlement")
	_, err = k.Charge(k.ctx, k.pay(c))
	k.refused(err, challenge.ErrNotFound, "charge a settled challenge")
	k.same(k.read(c).Status, challenge.Verified, "the status")
}

func nothingElseFollows(k *kit) {
	s := k.scene()
	want := s.view()
	s.ok(s.Settle(s.ctx, store.Settlement{Tenant: home, Handle: s.c.Handle, Now: s.now}), "settle")
	want.Challenge.Status, want.Challenge.State = challenge.Verified, nil
	s.same(s.view(), want, "what is there after a bare success")
}

func settlesInTime(k *kit) {
	c := k.ask(func(c *challenge.Challenge) { c.Allowed = 1 })
	k.charge(k.pay(c))
	k.ok(k.Settle(k.ctx, store.Settlement{Tenant: home, Handle: c.Handle, Now: c.ExpiresAt.Add(-time.Microsecond)}), "settle at the last moment")
	c = k.ask()
	k.refused(k.Settle(k.ctx, store.Settlement{Tenant: home, Handle: c.Handle, Now: c.ExpiresAt}), challenge.ErrExpired, "settle when it expires")
	k.same(k.read(c), c, "the challenge that expired")
}

func changesDevicesOnce(k *kit) {
	d := k.addDevice(k.app(k.person(home)))
	change := store.DeviceChange{ID: d.ID, Version: d.Version, Credential: []byte("first"), UsedAt: k.now}
	k.settle(store.Settlement{Device: &change})
	c := k.ask()
	change.Credential = []byte("second")
	k.refused(k.Settle(k.ctx, store.Settlement{Tenant: home, Handle: c.Handle, Now: k.now, Device: &change}), device.ErrUsed, "the second change")
	k.same(k.read(c).Status, challenge.Pending, "the status of the challenge that came second")
	got := k.device(d)
	k.same(got.Credential, []byte("first"), "the credential")
	k.same(got.Version, d.Version+1, "the version")
}

func provesDevices(k *kit) {
	d := k.addDevice(k.app(k.person(home)))
	d.Ref = "kept " + d.ID
	k.do(func(tx store.Tx) error { return tx.Devices().Save(k.ctx, d) })
	k.settle(store.Settlement{Device: &store.DeviceChange{ID: d.ID, Version: d.Version, UsedAt: k.now}})
	d.LastUsedAt = k.now
	k.same(k.device(d), d, "a device that was only used")
}

func usesSignInsOnce(k *kit) {
	a := k.person(home)
	p := k.waiting(a)
	k.settle(store.Settlement{UseSignIn: p.ID})
	c := k.ask()
	in := store.Settlement{Tenant: home, Handle: c.Handle, Now: k.now, UseSignIn: p.ID}
	k.refused(k.Settle(k.ctx, in), session.ErrPendingInvalid, "use a sign-in again")
	if got, err := k.SignIn(k.ctx, home, p.ID); err == nil {
		k.refused(got.Refusal(k.now), session.ErrPendingInvalid, "continue a used sign-in")
	} else {
		k.refused(err, session.ErrPendingInvalid, "read a used sign-in")
	}
}

func acceptsOnce(k *kit) {
	once := store.Once{Key: k.name("once"), ForgetAt: k.now.Add(time.Hour)}
	k.settle(store.Settlement{Once: &once})
	k.pass(time.Hour - time.Microsecond)
	c := k.ask()
	in := store.Settlement{Tenant: home, Handle: c.Handle, Now: k.now, Once: &once}
	k.refused(k.Settle(k.ctx, in), store.ErrOnce, "a key that comes again before it may be forgotten")
	k.same(k.read(c).Status, challenge.Pending, "the status of the challenge that came second")
}

func activatesDevices(k *kit) {
	d := k.app(k.person(home))
	d.Status = device.Pending
	k.addDevice(d)
	k.settle(store.Settlement{Device: &store.DeviceChange{ID: d.ID, Version: d.Version, Ref: "ref " + d.ID, UsedAt: k.now}})
	d.Status, d.Ref, d.LastUsedAt = device.Active, "ref "+d.ID, k.now
	k.same(k.device(d), d, "the device")
}
