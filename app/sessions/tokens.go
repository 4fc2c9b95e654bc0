package sessions

import (
	"context"
	"strconv"
	"time"

	"github.com/countersign/countersign/domain/assurance"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/store"
	"github.com/countersign/countersign/ports/token"
)

// Tokens is what somebody holds who is signed in.
type Tokens struct {
	Access    string
	Refresh   string
	ExpiresIn int // seconds that Access lasts from now
	Session   string
}

// Issue makes the tokens of a session as it stands. They follow from the
// session alone, so asking twice for one generation gives the same tokens
// (as far as the signature algorithm is deterministic).
func (s *Service) Issue(one session.Session) (Tokens, error) {
	now := s.Clock.Now()
	level := assurance.Assess(one.Evidence)
	ends := one.RotatedAt.Add(s.Tenants.Policy(one.Tenant).Tokens.Access)
	if level.Time.After(one.RotatedAt) { // stepped up since
		ends = now.Add(s.Tenants.Policy(one.Tenant).Tokens.Access)
	}
	issued := ends.Add(-s.Tenants.Policy(one.Tenant).Tokens.Access)
	if ends.After(one.ExpiresAt) {
		ends = one.ExpiresAt
	}
	access, err := s.Signer.Sign(token.Claims{
		Subject: one.User, Session: one.ID, Tenant: one.Tenant,
		ID:  one.ID + "." + strconv.FormatUint(uint64(one.Generation), 10) + "." + strconv.FormatInt(level.Time.UnixMicro(), 36),
		AMR: level.AMR, ACR: level.AAL.ACR(), AuthTime: level.Time,
		IssuedAt: issued, ExpiresAt: ends,
	})
	if err != nil {
		return Tokens{}, err
	}
	return Tokens{
		Access: access, Refresh: s.refreshToken(one.Tenant, one.ID, one.Generation),
		ExpiresIn: max(1, seconds(ends.Sub(now))), Session: one.ID,
	}, nil
}

// Begin makes a session for somebody who has proven enough. It is not stored yet.
func (s *Service) Begin(u user.User, evidence []assurance.Evidence, client string, now time.Time) session.Session {
	return session.Session{
		ID: s.IDs.New(), Tenant: u.Tenant, User: u.ID, Evidence: evidence, Client: client, Generation: 1,
		RotatedAt: now, CreatedAt: now, ExpiresAt: now.Add(s.Tenants.Policy(u.Tenant).Tokens.Refresh),
	}
}

// Join makes somebody a user who is signed in at once.
func Join(ctx context.Context, tx store.Tx, account user.Account, one session.Session) error {
	if err := tx.Users().Add(ctx, account); err != nil {
		return err
	}
	return tx.Sessions().Add(ctx, one)
}

// Wait makes a sign-in that waits for a second factor. It is not stored yet.
func (s *Service) Wait(u user.User, evidence []assurance.Evidence, client string, now time.Time) session.SignIn {
	return session.SignIn{
		ID: s.IDs.New(), Tenant: u.Tenant, User: u.ID, Evidence: evidence, Client: client,
		CreatedAt: now, ExpiresAt: now.Add(s.Tenants.Policy(u.Tenant).Tokens.Pending),
	}
}
