package sessions

import (
	"context"
	"errors"
	"time"

	"github.com/countersign/countersign/app/notices"
	"github.com/countersign/countersign/domain/assurance"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/fault"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/message"
	"github.com/countersign/countersign/ports/meter"
	"github.com/countersign/countersign/ports/seal"
	"github.com/countersign/countersign/ports/store"
)

// Refreshed is a session with new tokens.
type Refreshed struct {
	Tokens
	User user.User
}

// Refresh spends a refresh token for new ones. The same token again within the
// policy's grace gives the same answer; later it ends the whole session.
func (s *Service) Refresh(ctx context.Context, tenant, refresh string) (Refreshed, error) {
	m, ok := s.read(refreshKind, seal.Refresh, tenant, refresh)
	if !ok {
		return Refreshed{}, session.ErrInvalid
	}
	now := s.Clock.Now()
	signed, err := s.Store.Rotate(ctx, store.Rotate{
		Session: m.id, Generation: m.generation, Grace: s.Tenants.Policy(tenant).Tokens.Grace, Now: now,
		Then: func(ctx context.Context, tx store.Tx, ended store.Signed) error {
			return s.reused(ctx, tx, ended.Session, now)
		},
	})
	if err != nil {
		if errors.Is(err, session.ErrReused) {
			s.Meter.Count(meter.RefreshReused)
			s.Notices.Wake()
		}
		return Refreshed{}, unknownIs(err, session.ErrInvalid)
	}
	tokens, err := s.Issue(signed.Session)
	return Refreshed{Tokens: tokens, User: signed.User}, err
}

// Revoke ends the session that an access or refresh token belongs to. Anything
// that is no token of ours is ignored (RFC 7009, 2.2).
func (s *Service) Revoke(ctx context.Context, tenant, text string) error {
	now := s.Clock.Now()
	id := ""
	if m, ok := s.read(refreshKind, seal.Refresh, tenant, text); ok {
		id = m.id
	} else if claims, err := s.Reader.Read(text, now); err == nil && claims.Tenant == tenant {
		id = claims.Session
	}
	if id == "" {
		return nil
	}
	err := s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		one, err := tx.Sessions().Get(ctx, tenant, id)
		if err != nil || !one.Alive(now) {
			return err
		}
		return s.end(ctx, tx, one, now, session.SignedOut)
	})
	return unknownIs(err, nil)
}

// Introspection is what RFC 7662 says about a token. The zero value is inactive.
type Introspection struct {
	Active  bool
	Kind    string // "access_token" or "refresh_token"
	Session session.Session
	User    user.User
	Level   assurance.Level
	Expires time.Time
	Issued  time.Time
	ID      string
}

// Introspect tells whether a token is good now, and whose it is.
func (s *Service) Introspect(ctx context.Context, tenant, text string) (Introspection, error) {
	now := s.Clock.Now()
	var out Introspection
	var id, subject string
	if m, ok := s.read(refreshKind, seal.Refresh, tenant, text); ok {
		id, out.Kind = m.id, "refresh_token"
		signed, err := s.Store.Session(ctx, tenant, id)
		if err != nil || signed.Session.Generation != m.generation {
			return Introspection{}, unknownIs(err, nil)
		}
		out.Expires, out.Issued, subject = signed.Session.ExpiresAt, signed.Session.RotatedAt, signed.User.ID
	} else if claims, err := s.Reader.Read(text, now); err == nil && claims.Tenant == tenant {
		id, subject, out.Kind, out.ID = claims.Session, claims.Subject, "access_token", claims.ID
		out.Expires, out.Issued = claims.ExpiresAt, claims.IssuedAt
	} else {
		return Introspection{}, nil
	}
	signed, err := s.Store.Session(ctx, tenant, id)
	if err != nil || !signed.Session.Alive(now) || !signed.User.Active() || signed.User.ID != subject {
		return Introspection{}, unknownIs(err, nil)
	}
	out.Active, out.Session, out.User, out.Level = true, signed.Session, signed.User, assurance.Assess(signed.Session.Evidence)
	return out, nil
}

// Pending finds the sign-in that a pending token continues.
func (s *Service) Pending(ctx context.Context, tenant, text string) (session.SignIn, error) {
	m, ok := s.read(pendingKind, seal.Pending, tenant, text)
	if !ok {
		return session.SignIn{}, session.ErrPendingInvalid
	}
	waiting, err := s.Store.SignIn(ctx, tenant, m.id)
	if err != nil {
		return session.SignIn{}, err
	}
	return waiting, waiting.Refusal(s.Clock.Now())
}

func (s *Service) end(ctx context.Context, tx store.Tx, one session.Session, now time.Time, why session.Reason) error {
	one.Revoke(now, why)
	if err := tx.Sessions().Save(ctx, one); err != nil {
		return err
	}
	return tx.Journal().Record(ctx, s.ended(one, now, why))
}

func (s *Service) ended(one session.Session, now time.Time, why session.Reason) event.Event {
	return event.Event{
		ID: s.IDs.New(), Tenant: one.Tenant, User: one.User, Type: event.SessionRevoked, At: now,
		Data: map[string]string{"session": one.ID, "reason": string(why)},
	}
}

// reused records that a session has ended because a copy of it was used, and
// tells its owner.
func (s *Service) reused(ctx context.Context, tx store.Tx, one session.Session, now time.Time) error {
	e := s.ended(one, now, session.Reused)
	e.Type = event.SessionReused
	if err := tx.Journal().Record(ctx, e); err != nil {
		return err
	}
	account, err := tx.Users().Get(ctx, one.Tenant, one.User)
	if err != nil {
		return err
	}
	return s.Notices.Tell(ctx, tx, notices.Telling{
		Account: account, Kind: message.SessionCopied, Data: map[string]string{"client": one.Client}, Now: now,
	})
}

// unknownIs answers as other for whatever is not there.
func unknownIs(err, other error) error {
	if f, ok := fault.Of(err); ok && f.Kind == fault.NotFound {
		return other
	}
	return err
}
