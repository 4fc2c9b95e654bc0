package passwords

import (
	"context"
	"errors"
	"time"

	"github.com/countersign/countersign/app/challenges"
	"github.com/countersign/countersign/app/notices"
	"github.com/countersign/countersign/app/sessions"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/fault"
	"github.com/countersign/countersign/domain/password"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/message"
	"github.com/countersign/countersign/ports/store"
)

// ChangeInput is a new password.
type ChangeInput struct {
	Current *string // the old one; nil if it was not given
	New     string
	Client  string
	Address string
}

// Change gives the caller a new password, or their first. They must have proven
// lately that it is they; an old password that is given must be right as well.
// Every other session ends.
func (s *Service) Change(ctx context.Context, c sessions.Caller, in ChangeInput) error {
	if err := s.enabled(c.Tenant); err != nil {
		return err
	}
	if err := s.Sessions.RequireFresh(c); err != nil {
		return err
	}
	account, err := s.acceptable(ctx, c.Tenant, c.User.ID, in.New)
	if err != nil {
		return err
	}
	if in.Current != nil {
		if err := s.confirm(ctx, account, in); err != nil {
			return err
		}
	}
	hash, err := s.Hasher.Hash(ctx, in.New)
	if err != nil {
		return err
	}
	return s.set(ctx, setting{tenant: c.Tenant, user: c.User.ID, hash: hash, except: c.Session.ID, client: in.Client, now: s.Clock.Now()},
		func(context.Context, store.Tx, user.User) error { return nil })
}

// acceptable finds a person, and refuses a password that breaks a rule.
func (s *Service) acceptable(ctx context.Context, tenant, id, text string) (account user.Account, err error) {
	var changes []user.Change
	err = s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		if account, err = tx.Users().Get(ctx, tenant, id); err != nil {
			return err
		}
		changes, err = tx.Changes().List(ctx, tenant, id)
		return err
	})
	if err != nil {
		return account, err
	}
	if bad := s.Check(tenant, "/new_password", text, profileOf(account, changes)...); bad != nil {
		return account, challenges.ErrRequest.With(bad...)
	}
	return account, nil
}

// confirm compares the old password, and pays for it like a sign-in: a stolen
// token is no way to guess at it.
func (s *Service) confirm(ctx context.Context, account user.Account, in ChangeInput) error {
	old, err := s.record(ctx, account.Tenant, account.ID)
	if err != nil && !errors.Is(err, password.ErrNone) {
		return err
	}
	_, err = s.Challenges.Immediately(ctx, challenges.Immediate{
		Tenant: account.Tenant, Account: account, Via: via(), Counter: challenges.PasswordCounter(account.ID), Client: in.Client, Address: in.Address, Only: true,
		Judge: func(ctx context.Context) (channel.Verdict, error) {
			v, _, err := s.judge(ctx, old.Hash, *in.Current)
			return v, err
		},
	})
	if refused(err) {
		return challenges.ErrRequest.With(fault.Field{Pointer: "/current_password", Code: "invalid_password", Detail: "This is not the password that you have now."})
	}
	return err
}

// Reset gives a new password to somebody who proved an address of the account.
// The proof is good for one password. Every session ends.
func (s *Service) Reset(ctx context.Context, waiting session.SignIn, text, client string) error {
	if err := s.enabled(waiting.Tenant); err != nil {
		return err
	}
	if waiting.Step != session.Reset {
		return session.ErrPendingInvalid
	}
	if _, err := s.acceptable(ctx, waiting.Tenant, waiting.User, text); err != nil {
		return gone(err)
	}
	hash, err := s.Hasher.Hash(ctx, text)
	if err != nil {
		return err
	}
	now := s.Clock.Now()
	return gone(s.set(ctx, setting{tenant: waiting.Tenant, user: waiting.User, hash: hash, client: client, now: now},
		func(ctx context.Context, tx store.Tx, u user.User) error {
			w, err := tx.SignIns().Get(ctx, waiting.Tenant, waiting.ID)
			if err != nil {
				return err
			}
			if !u.Active() || w.CreatedAt.Before(u.ResetAt) {
				return session.ErrPendingInvalid
			}
			if err := w.Refusal(now); err != nil {
				return err
			}
			w.UsedAt = now
			return tx.SignIns().Save(ctx, w)
		}))
}

// gone is what somebody hears whose account is not there any more.
func gone(err error) error {
	if errors.Is(err, user.ErrNotFound) {
		return session.ErrPendingInvalid.Because(err)
	}
	return err
}

// setting is a new password on its way into storage.
type setting struct {
	tenant, user string
	hash         password.Hash
	except       string // the session that goes on
	client       string
	now          time.Time
}

// set keeps a new password with everything that follows from it, if guard agrees.
func (s *Service) set(ctx context.Context, n setting, guard func(context.Context, store.Tx, user.User) error) error {
	err := s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		account, err := tx.Users().Get(ctx, n.tenant, n.user)
		if err != nil {
			return err
		}
		if err := guard(ctx, tx, account.User); err != nil {
			return err
		}
		if err := tx.Passwords().Put(ctx, password.Record{Tenant: n.tenant, User: n.user, Hash: n.hash, ChangedAt: n.now}); err != nil {
			return err
		}
		account.ResetAt = s.Clock.Now() // now that nobody comes in any more
		if err := tx.Users().Save(ctx, account.User); err != nil {
			return err
		}
		if _, err := tx.Sessions().RevokeOthers(ctx, store.RevokeOthers{
			Tenant: n.tenant, User: n.user, Except: n.except, Reason: session.Password, Now: n.now,
		}); err != nil {
			return err
		}
		if err := tx.Counters().Clear(ctx, challenges.PasswordCounter(n.user)); err != nil {
			return err
		}
		return s.tell(ctx, tx, account, n)
	})
	if err == nil {
		s.Notices.Wake()
	}
	return err
}

func (s *Service) tell(ctx context.Context, tx store.Tx, account user.Account, n setting) error {
	e := event.Event{ID: s.IDs.New(), Tenant: n.tenant, User: n.user, Type: event.PasswordChanged, At: n.now, Data: map[string]string{}}
	if n.client != "" {
		e.Data["client"] = n.client
	}
	if err := tx.Journal().Record(ctx, e); err != nil {
		return err
	}
	return s.Notices.Tell(ctx, tx, notices.Telling{Account: account, Kind: message.PasswordChanged, Client: n.client, Now: n.now})
}
