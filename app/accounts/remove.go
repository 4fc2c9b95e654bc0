package accounts

import (
	"context"
	"errors"
	"slices"

	"github.com/countersign/countersign/app/notices"
	"github.com/countersign/countersign/app/sessions"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/message"
	"github.com/countersign/countersign/ports/store"
)

// RemoveIdentifier takes an identifier away, with whatever waits in its place. If
// there is none of that kind, it is user.ErrNotFound. The last by which the
// caller can sign in stays: user.ErrLastLogin.
func (s *Service) RemoveIdentifier(ctx context.Context, c sessions.Caller, k contact.Kind, client string) error {
	if err := s.Sessions.RequireFresh(c); err != nil {
		return err
	}
	err := s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		account, err := tx.Users().Get(ctx, c.Tenant, c.User.ID)
		if err != nil {
			return err
		}
		_, err = tx.Changes().Get(ctx, c.Tenant, c.User.ID, k)
		if err != nil && !errors.Is(err, user.ErrNothing) {
			return err
		}
		gone, had := account.Find(k)
		if !had && err != nil {
			return user.ErrNotFound
		}
		if err := tx.Changes().Delete(ctx, c.Tenant, c.User.ID, k); err != nil {
			return err
		}
		if had {
			if err := s.otherWay(ctx, tx, account, k); err != nil {
				return err
			}
			if err := tx.Identifiers().Delete(ctx, c.Tenant, gone.Contact); err != nil {
				return err
			}
		}
		if err := tx.Journal().Record(ctx, s.event(c, event.IdentifierRemoved, map[string]string{"kind": string(k)})); err != nil {
			return err
		}
		if !gone.Verified() {
			return nil
		}
		return s.left(ctx, tx, c, leaving{account, gone, client})
	})
	if err == nil {
		s.Notices.Wake()
	}
	return err
}

// otherWay refuses with user.ErrLastLogin if nothing would sign somebody in
// without an identifier.
func (s *Service) otherWay(ctx context.Context, tx store.Tx, account user.Account, without contact.Kind) error {
	account.Identifiers = slices.DeleteFunc(slices.Clone(account.Identifiers), func(i user.Identifier) bool { return i.Kind == without })
	mine, err := tx.Devices().List(ctx, account.Tenant, account.ID, "", 0)
	if err != nil {
		return err
	}
	ways, err := s.Challenges.WaysIn(ctx, tx, account, mine)
	if err == nil && ways == 0 {
		err = user.ErrLastLogin
	}
	return err
}

// leaving is an address that was proven, and is not its owner's any more.
type leaving struct {
	user.Account
	gone   user.Identifier
	client string
}

// left is what follows from it: whatever is under way to it is worthless, other
// sessions end, and it is told.
func (s *Service) left(ctx context.Context, tx store.Tx, c sessions.Caller, a leaving) error {
	now := s.Clock.Now()
	a.ResetAt = now
	if err := tx.Users().Save(ctx, a.User); err != nil {
		return err
	}
	if _, err := tx.Sessions().RevokeOthers(ctx, store.RevokeOthers{
		Tenant: c.Tenant, User: c.User.ID, Except: c.Session.ID, Reason: session.Moved, Now: now,
	}); err != nil {
		return err
	}
	return s.Notices.Tell(ctx, tx, notices.Telling{
		Account: a.Account, Kind: message.IdentifierChanged, To: a.gone.Contact, Client: a.client, Now: now,
		Data: map[string]string{"kind": string(a.gone.Kind)},
	})
}
