package storetest

import (
	"errors"
	"time"

	"github.com/countersign/countersign/domain/apikey"
	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/invitation"
	"github.com/countersign/countersign/domain/limit"
	"github.com/countersign/countersign/domain/password"
	"github.com/countersign/countersign/domain/rule"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/store"
)

// scene is a person in the middle of everything, and a settlement in which
// everything happens at once.
type scene struct {
	*kit
	ann, bea user.Account
	c        challenge.Challenge
	probe    probe
	paid     limit.Charge // a window that was charged twice
	app      store.Device
	sheet    store.Device // of recovery codes
	home     session.Session
	half     session.SignIn
	whole    store.Settlement
	change   user.Change
	password password.Record
	guest    invitation.Invitation
	key      apikey.Key
	entry    rule.Entry
}

func (k *kit) scene() *scene {
	k.Helper()
	s := &scene{kit: k, ann: k.person(home), bea: k.stranger(home), paid: k.window(9)}
	s.app = k.addDevice(k.app(s.ann))
	s.sheet = k.app(s.ann)
	s.sheet.Channel, s.sheet.Backup = "recovery", true
	k.addDevice(s.sheet)
	s.home, s.half = k.signedIn(s.ann), k.waiting(s.ann)
	email := s.ann.Identifiers[0].Contact
	s.c = k.ask(func(c *challenge.Challenge) {
		c.User, c.Device, c.State = s.ann.ID, s.app.ID, []byte("sealed state")
		c.Kind, c.Destination = email.Kind, email.Value
	})
	s.probe = k.newProbe(s.c.Counter)
	for range 2 {
		in := k.pay(s.c)
		in.Windows = []limit.Charge{s.paid}
		k.charge(in)
	}
	s.whole = s.everything()
	s.furnish()
	return s
}

// furnish adds what a settlement does not touch.
func (s *scene) furnish() {
	s.Helper()
	s.change, s.guest, s.key, s.entry = s.kit.change(s.ann, contact.Phone), s.invite(home, s.ann.ID), s.kit.key(home), s.kit.entry(home)
	s.password = password.Record{Tenant: home, User: s.ann.ID, Hash: "$hers", ChangedAt: s.now}
	s.do(func(tx store.Tx) error {
		return errors.Join(tx.Changes().Put(s.ctx, s.change), tx.Passwords().Put(s.ctx, s.password),
			tx.Invitations().Add(s.ctx, s.guest), tx.Keys().Add(s.ctx, s.key), tx.Rules().Add(s.ctx, s.entry))
	})
}

// everything is a settlement of s.c in which everything happens.
func (s *scene) everything() store.Settlement {
	s.pass(time.Second)
	begins, waits := s.visit(s.ann), s.kit.half(s.ann)
	sheet := s.kit.app(s.ann)
	sheet.Channel, sheet.Backup, sheet.Credential = "recovery", true, []byte("new sheet")
	email := s.ann.Identifiers[0].Contact
	return store.Settlement{
		Tenant: home, Handle: s.c.Handle, Now: s.now, UseSignIn: s.half.ID,
		Strengthen: &store.Strengthen{Session: s.home.ID, Evidence: append(s.proof(s.ann), s.proof(s.bea)...)},
		Device:     &store.DeviceChange{ID: s.app.ID, Version: s.app.Version, Credential: []byte("next"), Ref: "ref " + s.app.ID, UsedAt: s.now},
		Once:       &store.Once{Key: s.name("once"), ForgetAt: s.now.Add(time.Hour)},
		NewUser:    &s.bea, Person: &store.Person{ID: s.ann.ID, ResetAt: s.ann.ResetAt}, Verify: &email, Session: &begins, SignIn: &waits, Recovery: &sheet,
		Counter: s.c.Counter, GiveBack: []string{s.paid.Key},
		Events: []event.Event{
			{ID: s.id(), Tenant: home, User: s.ann.ID, Type: event.SessionStarted, At: s.now, Data: map[string]string{"channel": "email"}},
			{ID: s.id(), Tenant: home, User: s.bea.ID, Type: event.UserCreated, At: s.now},
		},
	}
}

// view is all that can be read of a scene.
type view struct {
	Challenge      challenge.Challenge
	Failures, Paid int
	Locked         time.Duration
	Ann            user.Account
	Devices        []store.Device
	Sessions       []session.Session
	Half           session.SignIn
	Events         []event.Event
	Found          []bool // what the settlement adds: the user, the session, the sign-in
	Changes        []user.Change
	Password       password.Record
	Guest          invitation.Invitation
	Key            apikey.Key
	Rules          []rule.Entry
}

func (s *scene) view() view {
	s.Helper()
	v := view{Challenge: s.read(s.c), Ann: s.account(s.ann)}
	v.Failures, v.Locked = s.probe.counter(s.now)
	v.Paid, _ = s.taken(s.paid.Key, s.now)
	half, err := s.SignIn(s.ctx, home, s.half.ID)
	s.ok(err, "read sign-in")
	v.Half = half
	s.do(func(tx store.Tx) (err error) {
		if v.Devices, err = tx.Devices().List(s.ctx, home, s.ann.ID, "", 0); err != nil {
			return err
		}
		if v.Sessions, err = tx.Sessions().List(s.ctx, home, s.ann.ID, s.now); err != nil {
			return err
		}
		v.Events, err = tx.Journal().Events(s.ctx, store.EventQuery{Tenant: home, User: s.ann.ID, Limit: 100})
		return err
	})
	s.viewFurniture(&v)
	_, noUser := s.Identify(s.ctx, home, s.bea.Identifiers[0].Contact)
	_, noSession := s.Session(s.ctx, home, s.whole.Session.ID)
	_, noSignIn := s.SignIn(s.ctx, home, s.whole.SignIn.ID)
	v.Found = []bool{noUser == nil, noSession == nil, noSignIn == nil}
	return v
}

func (s *scene) viewFurniture(v *view) {
	s.Helper()
	v.Changes = s.changes(s.ann)
	password, err := s.kit.password(s.ann)
	s.ok(err, "read password")
	v.Password = password
	s.do(func(tx store.Tx) (err error) {
		if v.Guest, err = tx.Invitations().Get(s.ctx, home, s.guest.ID); err != nil {
			return err
		}
		if v.Key, err = tx.Keys().Get(s.ctx, s.key.ID); err != nil {
			return err
		}
		v.Rules, err = tx.Rules().List(s.ctx, home)
		return err
	})
}

// another adds a proven identifier of kind to an account that is not stored.
func (k *kit) another(a *user.Account, kind contact.Kind, value string) {
	a.Identifiers = append(a.Identifiers, user.Identifier{
		Contact: contact.Contact{Kind: kind, Value: value}, Tenant: a.Tenant, User: a.ID,
		VerifiedAt: k.now, CreatedAt: k.now.Add(time.Duration(len(a.Identifiers)) * time.Second),
	})
}
