package challenges

import (
	"context"
	"errors"

	"github.com/countersign/countersign/domain/assurance"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/policy"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/domain/user"
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

// takeOver makes a user of somebody who proved an address that another account
// had only claimed.
func (s *Service) takeOver(ctx context.Context, w settling, st store.Settlement, named contact.Contact) (Outcome, error) {
	c := w.paid.Challenge
	st.Person = nil // whatever becomes of whoever said so
	switch d := s.Tenants.Policy(c.Tenant).Admit(policy.ByCode, []contact.Kind{named.Kind}); {
	case d.Reason == policy.Missing:
		return s.waitForMissing(ctx, w, st, session.Draft{Proven: []contact.Contact{named}, Locale: c.Locale, Channel: c.Channel}, d.Missing)
	case !d.OK:
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
