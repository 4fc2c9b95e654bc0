package challenges

import (
	"context"
	"errors"
	"slices"

	"github.com/countersign/countersign/app/notices"
	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/password"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/message"
	"github.com/countersign/countersign/ports/store"
)

// settleClaimant is for somebody who shows, along with the proof of an address,
// that they said at sign-up that it is theirs. They get it, and keep everything
// else that they said. It reports false if the token is not theirs, or good for
// nothing any more: it tells nothing then, as it proves nothing.
func (s *Service) settleClaimant(ctx context.Context, w settling, st store.Settlement) (Outcome, bool, error) {
	c := w.paid.Challenge
	id, ok := s.Sessions.Claimant(c.Tenant, w.in.Claim)
	if !ok || w.paid.Verified || c.Destination == "" {
		return Outcome{}, false, nil
	}
	var account user.Account
	err := s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) (err error) {
		account, _, err = claimed(ctx, tx, w, id)
		return err
	})
	if errors.Is(err, user.ErrNothing) || errors.Is(err, user.ErrNotFound) {
		return Outcome{}, false, nil
	}
	if err != nil {
		return Outcome{}, false, err
	}
	w.paid.User, w.paid.Verified, w.paid.Challenge.User = &account.User, true, id
	st.Then = func(ctx context.Context, tx store.Tx) error {
		_, ch, err := claimed(ctx, tx, w, id)
		if err != nil {
			return challenge.ErrNotFound.Because(err)
		}
		return s.change(ctx, tx, w, ch)
	}
	out, err := s.welcomeBack(ctx, w, st)
	return out, true, err
}

// claimed finds what somebody said at sign-up about the address of a challenge,
// as it is once the address is proven: user.ErrNothing if they said nothing, or
// if the account has become somebody else's since. See handOver.
func claimed(ctx context.Context, tx store.Tx, w settling, id string) (user.Account, user.Change, error) {
	c := w.paid.Challenge
	account, err := tx.Users().Get(ctx, c.Tenant, id)
	if err != nil {
		return account, user.Change{}, err
	}
	ch, err := tx.Changes().Get(ctx, c.Tenant, id, c.Kind)
	if err != nil {
		return account, ch, err
	}
	if !account.Active() || !account.ResetAt.IsZero() || ch.NeedsCurrent {
		return account, ch, user.ErrNothing
	}
	return account, ch, ch.Prove(contact.Contact{Kind: c.Kind, Value: c.Destination}, w.now)
}

// errTouched means that somebody has used an account meanwhile.
var errTouched = errors.New("somebody uses the account")

// settleClaim is for somebody who proves an address that an account only said
// was its own, and does not show that it was they who said so. Proof beats saying.
// If nobody has used the account, nor blocked it, they get it, without anything by which whoever
// filled in the form could come in. Else the account is somebody else's, who loses
// the address.
func (s *Service) settleClaim(ctx context.Context, w settling, st store.Settlement) (Outcome, error) {
	c := w.paid.Challenge
	named := contact.Contact{Kind: c.Kind, Value: c.Destination}
	account, err := s.Store.Account(ctx, c.Tenant, w.paid.User.ID)
	if err != nil {
		return Outcome{}, err
	}
	id, ok := account.Find(c.Kind)
	if !ok || id.Contact != named {
		w.paid.User = nil // it was taken off the account meanwhile
		return s.settleStranger(ctx, w, st)
	}
	if !account.Active() || !account.LastSignIn.IsZero() || slices.ContainsFunc(account.Identifiers, user.Identifier.Verified) {
		return s.takeOver(ctx, w, st, named)
	}
	given := st
	given.Verify = &named
	given.Events = append(slices.Clone(st.Events), s.firstProof(w, account.ID, c.Kind))
	given.Then = s.handOver(w, named)
	out, err := s.welcomeBack(ctx, w, given)
	if errors.Is(err, errTouched) {
		return s.takeOver(ctx, w, st, named)
	}
	return out, err
}

// handOver takes everything off an account by which somebody could come in who
// filled in a form and proved nothing: the password, other addresses, whatever is
// under way. It refuses with errTouched if the account was used meanwhile.
func (s *Service) handOver(w settling, proven contact.Contact) func(context.Context, store.Tx) error {
	return func(ctx context.Context, tx store.Tx) error {
		c := w.paid.Challenge
		account, err := tx.Users().Get(ctx, c.Tenant, w.paid.User.ID)
		if err != nil {
			return err
		}
		if err := s.untouched(ctx, tx, w, account, proven); err != nil {
			return err
		}
		account.ResetAt = w.now
		if err := tx.Users().Save(ctx, account.User); err != nil {
			return err
		}
		if err := s.forgetClaims(ctx, tx, w, account, proven); err != nil {
			return err
		}
		return s.forgetPassword(ctx, tx, w, account)
	}
}

// untouched refuses with errTouched if somebody else than who settles is signed
// in, or has proven something.
func (s *Service) untouched(ctx context.Context, tx store.Tx, w settling, account user.Account, proven contact.Contact) error {
	all, err := tx.Sessions().List(ctx, account.Tenant, account.ID, w.now)
	if err != nil {
		return err
	}
	mine := 0
	if account.LastSignIn.Equal(w.now) {
		mine = 1 // the one that begins in this unit of work
	}
	other := func(i user.Identifier) bool { return i.Verified() && i.Contact != proven }
	if len(all) > mine || mine == 0 && !account.LastSignIn.IsZero() || slices.ContainsFunc(account.Identifiers, other) {
		return errTouched
	}
	return nil
}

// forgetClaims drops all addresses that were said and not proven. A user name
// stays: nobody comes in by it alone.
func (s *Service) forgetClaims(ctx context.Context, tx store.Tx, w settling, account user.Account, proven contact.Contact) error {
	waiting, err := tx.Changes().List(ctx, account.Tenant, account.ID)
	if err != nil {
		return err
	}
	for _, ch := range waiting {
		if err := tx.Changes().Delete(ctx, ch.Tenant, ch.User, ch.Kind); err != nil {
			return err
		}
	}
	for _, i := range account.Identifiers {
		if i.Contact == proven || i.Kind == contact.Username {
			continue
		}
		if err := tx.Identifiers().Delete(ctx, account.Tenant, i.Contact); err != nil {
			return err
		}
		if err := tx.Journal().Record(ctx, s.event(w, account.ID, event.IdentifierRemoved, "kind", string(i.Kind), "why", "not_proven")); err != nil {
			return err
		}
	}
	return nil
}

// forgetPassword drops a password that was chosen before anything was proven.
func (s *Service) forgetPassword(ctx context.Context, tx store.Tx, w settling, account user.Account) error {
	_, err := tx.Passwords().Get(ctx, account.Tenant, account.ID)
	if errors.Is(err, password.ErrNone) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := tx.Passwords().Delete(ctx, account.Tenant, account.ID); err != nil {
		return err
	}
	if err := tx.Journal().Record(ctx, s.event(w, account.ID, event.PasswordForgotten)); err != nil {
		return err
	}
	return s.Notices.Tell(ctx, tx, notices.Telling{
		Account: account, Kind: message.PasswordForgotten, To: contact.Contact{Kind: w.paid.Challenge.Kind, Value: w.paid.Challenge.Destination},
		Client: w.in.Client, Now: w.now,
	})
}
