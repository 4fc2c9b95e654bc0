package challenges

import (
	"context"
	"errors"

	"github.com/countersign/countersign/app/notices"
	"github.com/countersign/countersign/app/sessions"
	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/message"
	"github.com/countersign/countersign/ports/store"
)

// ChangeInput is one proof that a change of an identifier needs.
type ChangeInput struct {
	Account user.Account
	Change  user.Change
	To      contact.Contact  // which of the two addresses: the new or the current one
	Caller  *sessions.Caller // nil for somebody who is signing up
	Decoy   bool             // nobody is there: behaves alike and sends nothing
	Channel string           // empty: the policy's route decides
	Locale  string
	Prefers string
	Client  string
	Address string
}

// StartChange asks one of the two addresses of a change.
func (s *Service) StartChange(ctx context.Context, in ChangeInput) (View, error) {
	via, err := s.pick(in.Channel, in.To.Kind)
	if err != nil {
		return View{}, err
	}
	a := aim{
		purpose: challenge.ChangeIdentifier, via: via, account: in.Account, to: in.To, shown: in.To.Mask(), decoy: in.Decoy,
		extra: challenge.Extra{Change: in.Change.ID},
	}
	o, err := s.open(ctx, StartInput{
		Tenant: in.Account.Tenant, Purpose: challenge.ChangeIdentifier, Locale: in.Locale, Prefers: in.Prefers,
		Client: in.Client, Address: in.Address, Caller: in.Caller,
	}, a)
	return o.View, err
}

// settleChange notes that one address of a change was proven, and makes the
// change when nothing is missing any more.
func (s *Service) settleChange(ctx context.Context, w settling) (Outcome, error) {
	c := w.paid.Challenge
	if w.paid.User == nil || !w.paid.User.Active() {
		return Outcome{}, challenge.ErrNotFound
	}
	st, err := s.settlement(w)
	if err != nil {
		return Outcome{}, err
	}
	out := Outcome{}
	st.Then = func(ctx context.Context, tx store.Tx) error {
		ch, err := tx.Changes().Get(ctx, c.Tenant, c.User, c.Kind)
		if err != nil || ch.ID != c.Extra.Change {
			return challenge.ErrNotFound.Because(err)
		}
		if err := ch.Prove(contact.Contact{Kind: c.Kind, Value: c.Destination}, w.now); err != nil {
			return err
		}
		out = Outcome{Status: IdentifierPending, Waiting: ch.Waiting(), Change: &ch}
		if !ch.Done() {
			return tx.Changes().Put(ctx, ch)
		}
		out.Status = IdentifierChanged
		return s.change(ctx, tx, w, ch)
	}
	err = s.Store.Settle(ctx, st)
	switch {
	case err == nil:
		s.Notices.Wake()
	case errors.Is(err, user.ErrTaken):
		err = errors.Join(err, s.dropChange(ctx, w))
	}
	return out, err
}

// change gives a person the identifier that they have proven, and takes the one
// that it replaces.
func (s *Service) change(ctx context.Context, tx store.Tx, w settling, ch user.Change) error {
	u, err := tx.Users().Get(ctx, ch.Tenant, ch.User)
	if err != nil {
		return err
	}
	if err := s.makeRoom(ctx, tx, w, ch); err != nil {
		return err
	}
	old, had := u.Find(ch.Kind)
	if had && old.Contact != ch.Contact {
		if err := tx.Identifiers().Delete(ctx, ch.Tenant, old.Contact); err != nil {
			return err
		}
	}
	own := user.Identifier{Contact: ch.Contact, Tenant: ch.Tenant, User: ch.User, VerifiedAt: w.now, CreatedAt: w.now}
	if had && old.Contact == ch.Contact {
		own.CreatedAt = old.CreatedAt
	}
	if err := tx.Identifiers().Put(ctx, own); err != nil {
		return err
	}
	if err := tx.Changes().Delete(ctx, ch.Tenant, ch.User, ch.Kind); err != nil {
		return err
	}
	facts := []event.Event{s.event(w, ch.User, event.IdentifierVerified, "kind", string(ch.Kind), "initial", initial(!ch.NeedsCurrent))}
	if had && old.Contact != ch.Contact {
		facts = append(facts, s.event(w, ch.User, event.IdentifierChanged, "kind", string(ch.Kind)))
		if old.Verified() {
			if err := s.moved(ctx, tx, w, moving{u, old, ch}); err != nil {
				return err
			}
		}
	}
	return tx.Journal().Record(ctx, facts...)
}

// makeRoom takes an address off an account that had only said it was its own:
// proof beats saying.
func (s *Service) makeRoom(ctx context.Context, tx store.Tx, w settling, ch user.Change) error {
	other, err := tx.Identifiers().Find(ctx, ch.Tenant, ch.Contact)
	switch {
	case errors.Is(err, user.ErrNotFound):
		return nil
	case err != nil:
		return err
	case other.User == ch.User:
		return nil
	case other.Verified():
		return user.ErrTaken
	}
	if err := tx.Identifiers().Delete(ctx, ch.Tenant, ch.Contact); err != nil {
		return err
	}
	return tx.Journal().Record(ctx, s.event(w, other.User, event.IdentifierRemoved, "kind", string(ch.Kind), "why", "proven_by_another"))
}

// moving is somebody whose proven address was replaced.
type moving struct {
	user.Account
	old user.Identifier
	to  user.Change
}

// moved is what follows when a proven address was replaced: whatever is under way
// to the old one is worthless, other sessions end, and the old address is told.
func (s *Service) moved(ctx context.Context, tx store.Tx, w settling, a moving) error {
	a.ResetAt = s.Clock.Now() // now that nobody comes in any more
	if err := tx.Users().Save(ctx, a.User); err != nil {
		return err
	}
	if _, err := tx.Sessions().RevokeOthers(ctx, store.RevokeOthers{
		Tenant: a.Tenant, User: a.ID, Except: w.paid.Challenge.Session, Reason: session.Moved, Now: w.now,
	}); err != nil {
		return err
	}
	return s.Notices.Tell(ctx, tx, notices.Telling{
		Account: a.Account, Kind: message.IdentifierChanged, To: a.old.Contact, Client: w.in.Client, Now: w.now,
		Data: map[string]string{"kind": string(a.old.Kind), "value": a.to.Mask()},
	})
}

// dropChange forgets a change to an address that somebody else has proven.
func (s *Service) dropChange(ctx context.Context, w settling) error {
	c := w.paid.Challenge
	return s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		ch, err := tx.Changes().Get(ctx, c.Tenant, c.User, c.Kind)
		if err != nil || ch.ID != c.Extra.Change {
			return nil //nolint:nilerr // somebody was faster
		}
		return tx.Changes().Delete(ctx, c.Tenant, c.User, c.Kind)
	})
}

func initial(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}
