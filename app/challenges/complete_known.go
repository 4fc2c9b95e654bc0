package challenges

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/countersign/countersign/domain/assurance"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/meter"
	"github.com/countersign/countersign/ports/store"
)

// lacking tells what an account lacks that new users must have, and what there is
// of it. New is who never signed in: a form made their account, and they have
// proven nothing yet, or not everything. What the policy asks for today is not
// asked of those who are in.
func (s *Service) lacking(ctx context.Context, w settling, u user.User) ([]contact.Kind, session.Draft, error) {
	p := s.Tenants.Policy(u.Tenant)
	if !u.LastSignIn.IsZero() || len(p.SignUp.Required) == 0 {
		return nil, session.Draft{}, nil
	}
	account, err := s.Store.Account(ctx, u.Tenant, u.ID)
	if err != nil {
		return nil, session.Draft{}, err
	}
	d := session.Draft{FirstName: account.FirstName, LastName: account.LastName, Locale: account.Locale, Channel: w.via.ID, Link: w.link}
	for _, i := range account.Identifiers {
		switch {
		case i.Kind == contact.Username:
			d.Username = i.Value
		case i.Verified():
			d.Proven = append(d.Proven, i.Contact)
		}
	}
	// What this answer proves is in the account once it is settled.
	c := w.paid.Challenge
	now, address := contact.Contact{Kind: c.Kind, Value: c.Destination}, w.paid.Device == nil && (c.Kind == contact.Email || c.Kind == contact.Phone)
	if address && !slices.Contains(d.Proven, now) {
		d.Proven = append(d.Proven, now)
	}
	return p.Lacks(kindsOf(d)), d, nil
}

// waitForRest settles, and lets somebody wait who must prove more before they are
// let in for the first time.
func (s *Service) waitForRest(ctx context.Context, w settling, st store.Settlement, missing []contact.Kind, d session.Draft, all []assurance.Evidence) (Outcome, error) {
	u := *w.paid.User
	waiting := s.Sessions.Wait(u, all, w.in.Client, w.now)
	waiting.Step, waiting.Draft = session.Complete, &d
	st.SignIn, st.Person = &waiting, person(u)
	if err := s.Store.Settle(ctx, st); err != nil {
		return Outcome{}, err
	}
	s.wake(st)
	return s.identifierRequired(waiting, missing), nil
}

// finishKnown signs somebody in for the first time whose account lacked something,
// and gives it what they have proven and chosen.
func (s *Service) finishKnown(ctx context.Context, waiting session.SignIn, client string) (Outcome, error) {
	now := s.Clock.Now()
	var account user.Account
	var one session.Session
	err := s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) (err error) {
		if err := spend(ctx, tx, waiting, now); err != nil {
			return err
		}
		account, err = tx.Users().Get(ctx, waiting.Tenant, waiting.User)
		if errors.Is(err, user.ErrNotFound) || err == nil && (!account.Active() || waiting.CreatedAt.Before(account.ResetAt)) {
			return session.ErrPendingInvalid
		}
		if err != nil {
			return err
		}
		if err := s.furnish(ctx, tx, &account, *waiting.Draft, now); err != nil {
			return err
		}
		one = s.Sessions.Begin(account.User, waiting.Evidence, client, now)
		if err := tx.Sessions().Add(ctx, one); err != nil {
			return err
		}
		return tx.Journal().Record(ctx, s.factOf(account.User, now, event.SessionStarted, map[string]string{
			"session": one.ID, "acr": assurance.Assess(one.Evidence).AAL.ACR(), "channel": waiting.Draft.Channel, "client": one.Client,
		}))
	})
	if err != nil {
		return Outcome{}, err
	}
	s.Meter.Count(meter.SessionsStarted, meter.L("acr", assurance.Assess(one.Evidence).AAL.ACR()))
	return s.signedIn(one, account)
}

// furnish gives an account what a draft has more.
func (s *Service) furnish(ctx context.Context, tx store.Tx, account *user.Account, d session.Draft, now time.Time) error {
	add := slices.Clone(d.Proven)
	if d.Username != "" {
		add = append(add, contact.Contact{Kind: contact.Username, Value: d.Username})
	}
	for _, c := range add {
		if err := s.give(ctx, tx, account, c, now); err != nil {
			return err
		}
	}
	if d.FirstName != account.FirstName || d.LastName != account.LastName {
		account.FirstName, account.LastName = d.FirstName, d.LastName
		if err := tx.Users().Save(ctx, account.User); err != nil {
			return err
		}
	}
	if d.Link == nil {
		return nil
	}
	return s.connect(ctx, tx, account.User, *d.Link, now)
}

// give makes an identifier somebody's, in place of one of its kind that they had
// only said was theirs. What is proven or chosen already stays as it is. It
// refuses with user.ErrTaken if it is somebody else's.
func (s *Service) give(ctx context.Context, tx store.Tx, account *user.Account, c contact.Contact, now time.Time) error {
	old, had := account.Find(c.Kind)
	if had && (old.Verified() || c.Kind == contact.Username) {
		return nil
	}
	own := user.Identifier{Contact: c, Tenant: account.Tenant, User: account.ID, CreatedAt: now}
	if c.Kind != contact.Username {
		own.VerifiedAt = now
		if err := s.clear(ctx, tx, account.User, old, c, now); err != nil {
			return err
		}
	}
	if err := tx.Identifiers().Put(ctx, own); err != nil {
		return err
	}
	account.Identifiers = append(slices.DeleteFunc(account.Identifiers, func(i user.Identifier) bool { return i.Kind == c.Kind }), own)
	if c.Kind == contact.Username {
		return nil
	}
	return tx.Journal().Record(ctx, s.factOf(account.User, now, event.IdentifierVerified, map[string]string{"kind": string(c.Kind), "initial": "yes"}))
}

// clear takes away what stands in the way of an address that was proven: what its
// owner had said instead, and what others had said about it.
func (s *Service) clear(ctx context.Context, tx store.Tx, u user.User, old user.Identifier, c contact.Contact, now time.Time) error {
	if old.Contact != c {
		if err := s.evict(ctx, tx, u.Tenant, c, now); err != nil {
			return err
		}
		if old.User != "" {
			if err := tx.Identifiers().Delete(ctx, u.Tenant, old.Contact); err != nil {
				return err
			}
		}
	}
	return s.forgetClaim(ctx, tx, u, c.Kind)
}

func (s *Service) factOf(u user.User, now time.Time, t event.Type, data map[string]string) event.Event {
	return event.Event{ID: s.IDs.New(), Tenant: u.Tenant, User: u.ID, Type: t, At: now, Data: data}
}

// spend uses a sign-in that waited.
func spend(ctx context.Context, tx store.Tx, waiting session.SignIn, now time.Time) error {
	found, err := tx.SignIns().Get(ctx, waiting.Tenant, waiting.ID)
	if err != nil {
		return err
	}
	if err := found.Refusal(now); err != nil {
		return err
	}
	found.UsedAt = now
	return tx.SignIns().Save(ctx, found)
}
