package challenges

import (
	"context"
	"errors"

	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/store"
)

// adopt makes an identifier of an address that a device has proven, if its owner
// has proven none of that kind. What they only said they had gives way to it. An
// address that somebody else has proven stays theirs.
func (s *Service) adopt(w settling) func(context.Context, store.Tx) error {
	ch := w.paid.Challenge
	to := contact.Contact{Kind: ch.Kind, Value: ch.Destination}
	return func(ctx context.Context, tx store.Tx) error {
		account, err := tx.Users().Get(ctx, ch.Tenant, ch.User)
		old, had := account.Find(to.Kind)
		if err != nil || had && old.Verified() || !s.Tenants.Policy(ch.Tenant).Identity.Allows(to.Kind) {
			return err
		}
		if !had || old.Contact != to {
			switch err := s.evict(ctx, tx, ch.Tenant, to, w.now); {
			case errors.Is(err, user.ErrTaken):
				return nil
			case err != nil:
				return err
			}
		}
		if had && old.Contact != to {
			if err := tx.Identifiers().Delete(ctx, ch.Tenant, old.Contact); err != nil {
				return err
			}
		}
		if err := tx.Identifiers().Put(ctx, s.ownProven(account.User, to, w)); err != nil {
			return err
		}
		if err := s.forgetClaim(ctx, tx, account.User, to.Kind); err != nil {
			return err
		}
		return tx.Journal().Record(ctx, s.firstProof(w, ch.User, to.Kind))
	}
}

// forgetClaim drops what somebody said at sign-up about a kind of address that
// they have proven now. A change that they asked for since still waits.
func (s *Service) forgetClaim(ctx context.Context, tx store.Tx, u user.User, k contact.Kind) error {
	ch, err := tx.Changes().Get(ctx, u.Tenant, u.ID, k)
	if errors.Is(err, user.ErrNothing) || err == nil && !ch.Claim() {
		return nil
	}
	if err != nil {
		return err
	}
	return tx.Changes().Delete(ctx, u.Tenant, u.ID, k)
}
