package challenges

import (
	"context"
	"errors"
	"time"

	"github.com/countersign/countersign/domain/assurance"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/password"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/store"
)

// Newcomer is somebody who would become a user, and has proven something other
// than by a challenge: by accepting an invitation.
type Newcomer struct {
	Tenant   string
	Draft    session.Draft
	Evidence []assurance.Evidence
	Client   string
	Only     bool // makes the user, and starts no session: the outcome has the account only
}

// Enter makes a user of somebody new and signs them in. If they lack an
// identifier that new users must have, what they have proven is kept, and the
// outcome is IdentifierRequired: see Complete.
func (s *Service) Enter(ctx context.Context, n Newcomer) (Outcome, error) {
	waiting := s.Sessions.Wait(user.User{Tenant: n.Tenant}, n.Evidence, n.Client, s.Clock.Now())
	waiting.Step, waiting.Draft, waiting.NewUser = session.Complete, &n.Draft, true
	missing := s.Tenants.Policy(n.Tenant).Lacks(kindsOf(n.Draft))
	if len(missing) == 0 {
		return s.finish(ctx, waiting, finishing{client: n.Client, only: n.Only})
	}
	err := s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error { return tx.SignIns().Add(ctx, waiting) })
	if err != nil {
		return Outcome{}, err
	}
	return s.identifierRequired(waiting, missing), nil
}

// invited uses the invitation by which somebody new has come, and notes who
// asked them in. It refuses with invitation.ErrExpired if it is no longer good.
func (s *Service) invited(ctx context.Context, tx store.Tx, account *user.Account, id string, now time.Time) (event.Event, error) {
	i, err := tx.Invitations().Get(ctx, account.Tenant, id)
	if err != nil {
		return event.Event{}, err
	}
	if err := i.Accept(account.ID, now); err != nil {
		return event.Event{}, err
	}
	account.InvitedBy = i.Inviter
	return event.Event{
		ID: s.IDs.New(), Tenant: account.Tenant, User: account.ID, Type: event.InvitationAccepted, At: now,
		Data: map[string]string{"invitation": i.ID, "invited_by": i.Inviter},
	}, tx.Invitations().Save(ctx, i)
}

// evict takes an address that was proven off an account that had only said it
// was its own. It refuses with user.ErrTaken if somebody else has proven it.
func (s *Service) evict(ctx context.Context, tx store.Tx, tenant string, proven contact.Contact, now time.Time) error {
	other, err := tx.Identifiers().Find(ctx, tenant, proven)
	switch {
	case errors.Is(err, user.ErrNotFound):
		return nil
	case err != nil:
		return err
	case other.Verified():
		return user.ErrTaken
	}
	if err := tx.Identifiers().Delete(ctx, tenant, proven); err != nil {
		return err
	}
	return tx.Journal().Record(ctx, event.Event{
		ID: s.IDs.New(), Tenant: tenant, User: other.User, Type: event.IdentifierRemoved, At: now,
		Data: map[string]string{"kind": string(proven.Kind), "why": "proven_by_another"},
	})
}

// keepPassword stores the password that somebody new has chosen.
func keepPassword(ctx context.Context, tx store.Tx, account user.Account, h password.Hash, now time.Time) error {
	if h == "" {
		return nil
	}
	return tx.Passwords().Put(ctx, password.Record{Tenant: account.Tenant, User: account.ID, Hash: h, ChangedAt: now})
}
