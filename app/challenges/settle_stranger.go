package challenges

import (
	"context"
	"errors"

	"github.com/countersign/countersign/app/notices"
	"github.com/countersign/countersign/domain/assurance"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/password"
	"github.com/countersign/countersign/domain/policy"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/message"
	"github.com/countersign/countersign/ports/store"
)

// settleStranger makes a user of somebody whom nobody knew when the challenge
// began. If they have become known since, they are signed in as who they are.
func (s *Service) settleStranger(ctx context.Context, w settling, st store.Settlement) (Outcome, error) {
	c := w.paid.Challenge
	named := contact.Contact{Kind: c.Kind, Value: c.Destination}
	d := s.Tenants.Policy(c.Tenant).Admit(policy.ByCode, []contact.Kind{named.Kind})
	switch {
	case d.Reason == policy.Missing:
		return s.waitForMissing(ctx, w, st, session.Draft{Proven: []contact.Contact{named}, Locale: c.Locale, Channel: c.Channel}, d.Missing)
	case !d.OK:
		return Outcome{}, user.ErrNotAllowed
	}
	u := user.User{ID: s.IDs.New(), Tenant: c.Tenant, Status: user.Active, Locale: c.Locale, CreatedAt: w.now}
	account := user.Account{User: u, Identifiers: []user.Identifier{s.ownProven(u, named, w)}}
	fresh := st
	fresh.NewUser = &account
	fresh.Events = append(fresh.Events, s.event(w, u.ID, event.UserCreated, "channel", c.Channel), s.firstProof(w, u.ID, c.Kind))
	out, err := s.startSession(ctx, w, fresh, account, []assurance.Evidence{w.evidence()})
	if !errors.Is(err, user.ErrTaken) {
		out.NewUser = err == nil
		return out, err
	}
	known, err := s.Store.Identify(ctx, c.Tenant, named)
	if err != nil {
		return Outcome{}, err
	}
	id, _ := known.Find(named.Kind)
	w.paid.User, w.paid.Verified = &known.User, id.Verified()
	return s.settleSignIn(ctx, w)
}

func (s *Service) ownProven(u user.User, c contact.Contact, w settling) user.Identifier {
	return user.Identifier{Contact: c, Tenant: u.Tenant, User: u.ID, VerifiedAt: w.now, CreatedAt: w.now}
}

// firstProof is the fact that an address was proven for the first time.
func (s *Service) firstProof(w settling, user string, k contact.Kind) event.Event {
	return s.event(w, user, event.IdentifierVerified, "kind", string(k), "initial", "yes")
}

// settleClaim is for somebody who proves an address that an account only said
// was its own. Proof beats saying. If they come from where it was said, they are
// who said so. If the account was never used, they get it, without the password
// that somebody chose for it. Else the account is somebody else's, who loses the
// address.
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
	same := id.Claimed != "" && id.Claimed == ClaimedFrom(c.Tenant, w.in.Address)
	if !same && !account.LastSignIn.IsZero() {
		return s.takeOver(ctx, w, st, named)
	}
	st.Verify = &named
	st.Events = append(st.Events, s.firstProof(w, account.ID, c.Kind))
	if !same {
		st.Then = s.forgetPassword(w, account)
	}
	return s.welcomeBack(ctx, w, st)
}

// ClaimedFrom names a client's network without telling it: see user.Identifier.
func ClaimedFrom(tenant, address string) string { return subject(tenant, "claim", address) }

// forgetPassword drops a password that was chosen before anything was proven.
func (s *Service) forgetPassword(w settling, account user.Account) func(context.Context, store.Tx) error {
	return func(ctx context.Context, tx store.Tx) error {
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
}

// takeOver makes a user of somebody who proved an address that another account
// had only claimed.
func (s *Service) takeOver(ctx context.Context, w settling, st store.Settlement, named contact.Contact) (Outcome, error) {
	c := w.paid.Challenge
	if d := s.Tenants.Policy(c.Tenant).Admit(policy.ByCode, []contact.Kind{named.Kind}); !d.OK {
		return Outcome{}, user.ErrNotAllowed
	}
	claimant := w.paid.User.ID
	u := user.User{ID: s.IDs.New(), Tenant: c.Tenant, Status: user.Active, Locale: c.Locale, CreatedAt: w.now}
	own := s.ownProven(u, named, w)
	st.NewUser = &user.Account{User: u}
	st.Events = append(st.Events, s.event(w, u.ID, event.UserCreated, "channel", c.Channel), s.firstProof(w, u.ID, c.Kind))
	st.Then = func(ctx context.Context, tx store.Tx) error {
		now, err := tx.Identifiers().Find(ctx, c.Tenant, named)
		if err != nil && !errors.Is(err, user.ErrNotFound) {
			return err
		}
		if err == nil {
			if now.Verified() || now.User != claimant {
				return user.ErrTaken
			}
			if err := tx.Identifiers().Delete(ctx, c.Tenant, named); err != nil {
				return err
			}
			if err := tx.Journal().Record(ctx, s.event(w, claimant, event.IdentifierRemoved, "kind", string(c.Kind), "why", "proven_by_another")); err != nil {
				return err
			}
		}
		return tx.Identifiers().Put(ctx, own)
	}
	out, err := s.startSession(ctx, w, st, user.Account{User: u, Identifiers: []user.Identifier{own}}, []assurance.Evidence{w.evidence()})
	out.NewUser = err == nil
	return out, err
}
