package storetest

import (
	"context"

	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/store"
)

// provesOrGoes has somebody prove an address, in each way that there is, while
// their account is removed because nothing came of it.
func provesOrGoes(r *race) {
	for round := range 15 {
		a := r.stranger(home)
		a.Tentative = true
		r.do(func(tx store.Tx) error { return tx.Users().Add(r.ctx, a) })
		proofs := make([]store.Settlement, 3)
		for i := range proofs {
			proofs[i] = r.proofOf(a, round%3)
		}
		gone := false
		won := r.run(len(proofs)+1, challenge.ErrNotFound, func(n int, s store.Store) error {
			if n < len(proofs) {
				return s.Settle(r.ctx, proofs[n])
			}
			return s.Do(r.ctx, func(ctx context.Context, tx store.Tx) error {
				now, err := tx.Users().Get(ctx, home, a.ID)
				if gone = err == nil && now.Idle(); !gone {
					return err
				}
				return tx.Users().Delete(ctx, home, a.ID)
			})
		})
		if !gone {
			r.same(won, len(proofs)+1, "how many succeeded, none of whom removed anything")
			r.same(r.account(a).Identifiers[0].Verified(), true, "whether the address is proven")
			continue
		}
		r.same(won, 1, "how many succeeded, one of whom removed the account")
		_, err := r.Account(r.ctx, home, a.ID)
		r.refused(err, user.ErrNotFound, "the account that was removed")
		_, err = r.Identify(r.ctx, home, a.Identifiers[0].Contact)
		r.refused(err, user.ErrNotFound, "its address")
		for _, in := range proofs {
			if in.Session != nil {
				_, err = r.Session(r.ctx, home, in.Session.ID)
				r.refused(err, session.ErrNotFound, "a session of nobody")
			}
			if in.SignIn != nil {
				_, err = r.SignIn(r.ctx, home, in.SignIn.ID)
				r.refused(err, session.ErrPendingInvalid, "a sign-in of nobody")
			}
		}
	}
}

// proofOf settles a challenge of somebody with the proof of their address, and
// signs them in, lets them wait, or does neither.
func (r *race) proofOf(a user.Account, way int) store.Settlement {
	mail := a.Identifiers[0]
	c := r.ask(func(c *challenge.Challenge) { c.User, c.Kind, c.Destination = a.ID, mail.Kind, mail.Value })
	in := store.Settlement{Tenant: home, Handle: c.Handle, Now: r.now, Person: &store.Person{ID: a.ID, ResetAt: a.ResetAt}, Verify: &mail.Contact}
	comes, waits := r.visit(a), r.half(a)
	switch way {
	case 0:
		in.Session = &comes
	case 1:
		in.SignIn = &waits
	default:
		in.Verify = nil
		in.Then = func(ctx context.Context, tx store.Tx) error {
			mail.VerifiedAt = r.now
			return tx.Identifiers().Put(ctx, mail)
		}
	}
	return in
}
