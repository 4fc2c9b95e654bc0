// Package sessions is about being signed in: access tokens, refresh tokens,
// pending tokens, and the sessions behind them.
package sessions

import (
	"context"
	"time"

	"github.com/countersign/countersign/app/notices"
	"github.com/countersign/countersign/app/tenants"
	"github.com/countersign/countersign/domain/policy"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/ports/meter"
	"github.com/countersign/countersign/ports/seal"
	"github.com/countersign/countersign/ports/store"
	"github.com/countersign/countersign/ports/system"
	"github.com/countersign/countersign/ports/token"
)

// Needs is what the service is made of.
type Needs struct {
	Store   store.Store
	Signer  token.Signer
	Reader  token.Reader
	Deriver seal.Deriver
	Clock   system.Clock
	IDs     system.IDs
	Meter   meter.Meter
	Tenants *tenants.Book
	Notices *notices.Service
}

// Service issues, refreshes, checks and ends sessions. It is safe for
// concurrent use.
type Service struct{ Needs }

// New makes the service.
func New(n Needs) *Service { return &Service{n} }

// Caller is somebody who showed a good access token.
type Caller struct {
	store.Signed
	Tenant string
}

// Authenticate reads an access token and finds its session. A token outlives
// its session nowhere in Countersign itself: the session is looked up each time.
func (s *Service) Authenticate(ctx context.Context, tenant, access string) (Caller, error) {
	now := s.Clock.Now()
	claims, err := s.Reader.Read(access, now)
	if err != nil {
		return Caller{}, err
	}
	if claims.Tenant != tenant {
		return Caller{}, session.ErrInvalid
	}
	signed, err := s.Store.Session(ctx, tenant, claims.Session)
	if err != nil {
		return Caller{}, unknownIs(err, session.ErrInvalid)
	}
	if !signed.Session.Alive(now) || !signed.User.Active() || signed.User.ID != claims.Subject {
		return Caller{}, session.ErrRevoked
	}
	return Caller{Signed: signed, Tenant: tenant}, nil
}

// StepUpError is session.ErrStepUp with what would satisfy it (RFC 9470).
type StepUpError struct{ Need policy.StepUp }

// Error names the fault.
func (e *StepUpError) Error() string { return session.ErrStepUp.Error() }

// Unwrap gives the fault.
func (e *StepUpError) Unwrap() error { return session.ErrStepUp }

// RequireFresh refuses, with a *StepUpError, callers who have not proven lately
// enough, and well enough, that it is they.
func (s *Service) RequireFresh(c Caller) error {
	need, missing := s.Tenants.Policy(c.Tenant).NeedsStepUp(c.User, c.Session.Evidence, c.Devices, s.Clock.Now())
	if missing {
		return &StepUpError{Need: need}
	}
	return nil
}

// Item is one session as its owner sees it.
type Item struct {
	session.Session
	Current bool
}

// List gives the caller's sessions that last, newest first.
func (s *Service) List(ctx context.Context, c Caller) ([]Item, error) {
	var out []Item
	err := s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		all, err := tx.Sessions().List(ctx, c.Tenant, c.User.ID, s.Clock.Now())
		out = make([]Item, len(all))
		for i, one := range all {
			out[i] = Item{Session: one, Current: one.ID == c.Session.ID}
		}
		return err
	})
	return out, err
}

// End ends one of the caller's sessions: session.ErrNotFound if it is not theirs.
func (s *Service) End(ctx context.Context, c Caller, id string) error {
	why := session.ByOwner
	if id == c.Session.ID {
		why = session.SignedOut
	}
	now := s.Clock.Now()
	return s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		one, err := tx.Sessions().Get(ctx, c.Tenant, id)
		if err != nil {
			return err
		}
		if one.User != c.User.ID || !one.Alive(now) {
			return session.ErrNotFound
		}
		return s.end(ctx, tx, one, now, why)
	})
}

// EndOthers ends all of the caller's sessions but the one they call from, and
// makes worthless whatever somebody else may have begun.
func (s *Service) EndOthers(ctx context.Context, c Caller) error {
	return s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		account, err := tx.Users().Get(ctx, c.Tenant, c.User.ID) // first: nobody comes in from here on
		if err != nil {
			return err
		}
		now := s.Clock.Now()
		n, err := tx.Sessions().RevokeOthers(ctx, store.RevokeOthers{
			Tenant: c.Tenant, User: c.User.ID, Except: c.Session.ID, Reason: session.ByOwner, Now: now,
		})
		if err != nil {
			return err
		}
		account.ResetAt = now
		if err := tx.Users().Save(ctx, account.User); err != nil || n == 0 {
			return err
		}
		return tx.Journal().Record(ctx, s.ended(c.Session, now, session.ByOwner))
	})
}

// seconds rounds a span up to whole seconds, as the HTTP contract counts.
func seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }
