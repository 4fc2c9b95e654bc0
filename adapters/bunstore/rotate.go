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
	follows := false
	err := s.step(ctx, "rotate session", func(ctx context.Context, r *runner) (err error) {
		if out, refusal, err = r.rotation(ctx, in); err != nil {
			return err
		}
		if follows = in.Then != nil && errors.Is(refusal, session.ErrReused); follows {
			return nil // a step is no place for what a caller adds
		}
		return r.rotate(ctx, out.Session, refusal)
	})
	if err == nil && follows {
		err = s.foreign(ctx, "end session", func(inner context.Context, r *runner) (err error) {
			if out, refusal, err = r.rotation(inner, in); err != nil {
				return err
			}
			if err := r.rotate(inner, out.Session, refusal); err != nil || !errors.Is(refusal, session.ErrReused) {
				return err
			}
			return own(in.Then(ctx, &tx{r: r, ctx: inner}, out))
		})
	}
	if err != nil {
		return store.Signed{}, err
	}
	return out, refusal
}

// rotation is the session as it will be, and the refusal apart from the error,
// because what it says is kept all the same.
func (r *runner) rotation(ctx context.Context, in store.Rotate) (store.Signed, error, error) {
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
	return out, out.Session.Rotate(in.Generation, kept(in.Now), in.Grace), nil
}

var rotated = "UPDATE sessions SET generation = $2, rotated_at = $3, revoked_at = $4, reason = $5 WHERE id = $1"

// rotate keeps what a rotation has changed: of the refusals, only the one that
// ends the session does.
func (r *runner) rotate(ctx context.Context, s session.Session, refusal error) error {
	if refusal != nil && !errors.Is(refusal, session.ErrReused) {
		return nil
	}
	after := fromSession(s)
	if _, err := r.exec(ctx, rotated, after.ID, after.Generation, after.RotatedAt, after.RevokedAt, after.Reason); err != nil {
		return fmt.Errorf("save session: %w", err)
	}
	return nil
}
