package bunstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/store"
)

// Rotate spends a refresh token.
func (s *Store) Rotate(ctx context.Context, in store.Rotate) (store.Signed, error) {
	var out store.Signed
	if s.pg != nil {
		done, err := s.pg.rotate(ctx, in, &out)
		if err != nil || done {
			return out, failure("rotate session", err)
		}
	}
	var refusal error
	err := s.step(ctx, "rotate session", func(ctx context.Context, r *runner) (err error) {
		out, refusal, err = r.rotate(ctx, in)
		return err
	})
	if err != nil {
		return store.Signed{}, err
	}
	return out, refusal
}

var rotated = "UPDATE sessions SET generation = $2, rotated_at = $3, revoked_at = $4, reason = $5 WHERE id = $1"

// rotate returns the refusal apart from the error, because it commits all the same.
func (r *runner) rotate(ctx context.Context, in store.Rotate) (store.Signed, error, error) {
	var row sessionRow
	found, err := one(ctx, r, row.dest(), sessionColumns.pick("sessions")+" WHERE id = $1"+r.locking(), in.Session)
	if err != nil || !found {
		return store.Signed{}, nil, errors.Join(err, missing(found, session.ErrNotFound))
	}
	var u userRow
	found, err = one(ctx, r, u.dest(), userText, row.UserID, row.Tenant)
	if err != nil || !found {
		return store.Signed{}, nil, errors.Join(err, missing(found, session.ErrNotFound))
	}
	out := store.Signed{Session: row.domain(), User: u.domain()}
	if u.Status != string(user.Active) {
		return out, session.ErrRevoked, nil
	}
	refusal := out.Session.Rotate(in.Generation, kept(in.Now), in.Grace)
	after := fromSession(out.Session)
	_, err = r.exec(ctx, rotated, after.ID, after.Generation, after.RotatedAt, after.RevokedAt, after.Reason)
	if err != nil {
		return store.Signed{}, nil, fmt.Errorf("save session: %w", err)
	}
	return out, refusal, nil
}
