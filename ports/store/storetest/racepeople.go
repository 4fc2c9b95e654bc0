package storetest

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/invitation"
	"github.com/countersign/countersign/domain/password"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/store"
)

func sameAnswer(r *race, all []store.Settlement) {
	c := r.answer(r.ask())
	for i := range all {
		all[i].Handle, all[i].Answered = c.Handle, true
	}
}

// sameAddress has each settlement end with its own person taking one address.
func sameAddress(r *race, all []store.Settlement) {
	address := contact.Contact{Kind: contact.Phone, Value: "+44770092" + r.id()[32:]}
	for i := range all {
		a := r.person(home)
		all[i].Then = func(ctx context.Context, tx store.Tx) error {
			return tx.Identifiers().Put(ctx, user.Identifier{Contact: address, Tenant: home, User: a.ID, VerifiedAt: r.now, CreatedAt: r.now})
		}
	}
}

// claimsAddress has people take one address, some of them as they sign up.
func claimsAddress(r *race) {
	address := contact.Contact{Kind: contact.Email, Value: r.name("wanted") + "@example.com"}
	people := make([]user.Account, 30)
	for i := range people {
		if people[i] = r.stranger(home); i%3 > 0 {
			people[i] = r.person(home)
		}
	}
	won := r.run(len(people), user.ErrTaken, func(i int, s store.Store) error {
		return s.Do(r.ctx, func(ctx context.Context, tx store.Tx) error {
			if a := people[i]; i%3 == 0 {
				a.Identifiers[0].Contact = address
				return tx.Users().Add(ctx, a)
			}
			return tx.Identifiers().Put(ctx, user.Identifier{Contact: address, Tenant: home, User: people[i].ID, CreatedAt: r.now})
		})
	})
	r.same(won, 1, "how many got the address")
	got, err := r.Identify(r.ctx, home, address)
	r.ok(err, "find the winner")
	r.same(r.account(got), got, "the winner's account")
}

// leavesNothing has people leave while they are given an address.
func leavesNothing(r *race) {
	for range 10 {
		a := r.person(home)
		phone := user.Identifier{Contact: contact.Contact{Kind: contact.Phone, Value: "+44770093" + r.id()[32:]}, Tenant: home, User: a.ID, CreatedAt: r.now}
		r.run(4, user.ErrNotFound, func(n int, s store.Store) error {
			return s.Do(r.ctx, func(ctx context.Context, tx store.Tx) error {
				if n < 3 {
					return tx.Identifiers().Put(ctx, phone)
				}
				return tx.Users().Delete(ctx, home, a.ID)
			})
		})
		_, err := r.find(phone.Contact, home)
		r.refused(err, user.ErrNotFound, "the identifier of somebody who left")
	}
}

// shutsOut has somebody sign in several times while everything of theirs is ended.
func shutsOut(r *race) {
	for round := range 10 {
		a := r.person(home)
		asked := make([]challenge.Challenge, 6)
		for i := range asked {
			asked[i] = r.ask(func(c *challenge.Challenge) { c.User = a.ID })
		}
		r.run(len(asked)+1, challenge.ErrNotFound, func(n int, s store.Store) error {
			if n < len(asked) {
				comes, waits := r.visit(a), r.half(a)
				in := store.Settlement{Tenant: home, Handle: asked[n].Handle, Now: r.now, Person: &store.Person{ID: a.ID, ResetAt: a.ResetAt}, Session: &comes}
				if round%2 > 0 {
					in.SignIn = &waits
				}
				return s.Settle(r.ctx, in)
			}
			return s.Do(r.ctx, func(ctx context.Context, tx store.Tx) error {
				now, err := tx.Users().Get(ctx, home, a.ID)
				if err != nil {
					return err
				}
				now.ResetAt = r.now.Add(time.Second)
				_, ended := tx.Sessions().RevokeOthers(ctx, store.RevokeOthers{Tenant: home, User: a.ID, Reason: session.Operator, Now: r.now})
				return errors.Join(tx.Users().Save(ctx, now.User), ended)
			})
		})
		r.do(func(tx store.Tx) error {
			left, err := tx.Sessions().List(r.ctx, home, a.ID, r.now)
			r.same(len(left), 0, "how many are still signed in")
			return err
		})
	}
}

func acceptsTogether(r *race) {
	i := r.invite(home, "")
	r.do(func(tx store.Tx) error { return tx.Invitations().Add(r.ctx, i) })
	won := r.run(20, invitation.ErrExpired, func(n int, s store.Store) error {
		return s.Do(r.ctx, func(ctx context.Context, tx store.Tx) error {
			got, err := tx.Invitations().Get(ctx, home, i.ID)
			if err != nil {
				return err
			}
			if err := got.Accept(r.id(), r.now); err != nil {
				return err
			}
			return tx.Invitations().Save(ctx, got)
		})
	})
	r.same(won, 1, "how many accepted")
}

// locksPeople has racers each add a letter to everything that can be read.
func locksPeople(r *race) {
	a := r.person(home)
	s := r.waiting(a)
	c, key, secret := r.change(a, contact.Email), r.key(home), password.Record{Tenant: home, User: a.ID, ChangedAt: r.now}
	c.Replaces, key.Name = "", ""
	mail := a.Identifiers[0]
	r.do(func(tx store.Tx) error {
		return errors.Join(tx.Changes().Put(r.ctx, c), tx.Keys().Add(r.ctx, key), tx.Passwords().Put(r.ctx, secret), tx.Identifiers().Put(r.ctx, mail))
	})
	steps := []func(context.Context, store.Tx) (string, error){
		func(ctx context.Context, tx store.Tx) (string, error) {
			x, err := tx.Changes().Get(ctx, home, a.ID, contact.Email)
			x.Replaces += "x"
			return x.Replaces, errors.Join(err, tx.Changes().Put(ctx, x))
		},
		func(ctx context.Context, tx store.Tx) (string, error) {
			x, err := tx.Keys().Get(ctx, key.ID)
			x.Name += "x"
			return x.Name, errors.Join(err, tx.Keys().Save(ctx, x))
		},
		func(ctx context.Context, tx store.Tx) (string, error) {
			x, err := tx.Passwords().Get(ctx, home, a.ID)
			x.Hash += "x"
			return string(x.Hash), errors.Join(err, tx.Passwords().Put(ctx, x))
		},
		func(ctx context.Context, tx store.Tx) (string, error) {
			x, err := tx.Identifiers().Find(ctx, home, mail.Contact)
			x.CreatedAt = x.CreatedAt.Add(time.Microsecond)
			return strings.Repeat("x", int(x.CreatedAt.Sub(mail.CreatedAt)/time.Microsecond)), errors.Join(err, tx.Identifiers().Put(ctx, x))
		},
		func(ctx context.Context, tx store.Tx) (string, error) {
			x, err := tx.SignIns().Get(ctx, home, s.ID)
			x.Client += "x"
			return strings.TrimPrefix(x.Client, s.Client), errors.Join(err, tx.SignIns().Save(ctx, x))
		},
	}
	const racers = 8
	for i, step := range steps {
		longest := make([]string, racers)
		won := r.run(racers, nil, func(n int, s store.Store) error {
			return s.Do(r.ctx, func(ctx context.Context, tx store.Tx) (err error) {
				longest[n], err = step(ctx, tx)
				return err
			})
		})
		r.same(won, racers, "how many units of work succeeded")
		most := ""
		for _, text := range longest {
			most = max(most, text)
		}
		if most != strings.Repeat("x", racers) {
			r.Errorf("thing %d counts %d of %d racers", i, len(most), racers)
		}
	}
}

func reusesTogether(r *race) {
	a := r.person(home)
	x := r.signedIn(a)
	_, err := r.rotate(x, 1)
	r.ok(err, "rotate")
	r.pass(time.Minute)
	var ended atomic.Int64
	won := r.run(50, session.ErrRevoked, func(_ int, s store.Store) error {
		_, err := s.Rotate(r.ctx, store.Rotate{
			Session: x.ID, Generation: 1, Now: r.now,
			Then: func(ctx context.Context, tx store.Tx, _ store.Signed) error {
				return tx.Journal().Record(ctx, event.Event{ID: r.id(), Tenant: home, User: a.ID, Type: event.SessionReused, At: r.now})
			},
		})
		if errors.Is(err, session.ErrReused) {
			ended.Add(1)
		}
		return err
	})
	r.same(won, 0, "how many uses of a spent token succeeded")
	r.same(ended.Load(), int64(1), "how many ended the session")
	r.same(len(r.events(a)), 1, "how often what follows was kept")
}
