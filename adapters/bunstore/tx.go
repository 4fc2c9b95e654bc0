package bunstore

import (
	"context"
	"errors"
	"time"

	"github.com/uptrace/bun"

	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/limit"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/store"
)

// tx is a unit of work of a caller. Its statements run under ctx and not under
// the contexts of its methods, because on SQLite an interrupt would hit
// everybody who shares the writer's transaction.
type tx struct {
	r   *runner
	ctx context.Context //nolint:containedctx // lives as long as its unit of work
}

func (t *tx) Challenges() store.Challenges   { return challenges{t} }
func (t *tx) Devices() store.Devices         { return devices{t} }
func (t *tx) Sessions() store.Sessions       { return sessions{t} }
func (t *tx) SignIns() store.SignIns         { return signIns{t} }
func (t *tx) Counters() store.Counters       { return counters{t} }
func (t *tx) Users() store.Users             { return users{t} }
func (t *tx) Identifiers() store.Identifiers { return identifiers{t} }
func (t *tx) Changes() store.Changes         { return changes{t} }
func (t *tx) Passwords() store.Passwords     { return passwords{t} }
func (t *tx) Invitations() store.Invitations { return invitations{t} }
func (t *tx) Journal() store.Journal         { return journal{t} }
func (t *tx) Keys() store.Keys               { return keys{t} }
func (t *tx) Rules() store.Rules             { return rules{t} }
func (t *tx) Refs() store.Refs               { return refs{t} }
func (t *tx) Receipts() store.Receipts       { return receipts{t} }

// with is the context for statements of a call under ctx.
func (t *tx) with(ctx context.Context) context.Context {
	if t.r.pg {
		return ctx
	}
	return t.ctx
}

// lock makes a SELECT keep its rows as they are until the end.
func (t *tx) lock(q *bun.SelectQuery) *bun.SelectQuery {
	if t.r.pg {
		return q.For("UPDATE")
	}
	return q
}

// apart runs fn so that the unit of work can go on if fn refuses.
func (t *tx) apart(ctx context.Context, fn func() error) error {
	if _, err := t.r.exec(ctx, "SAVEPOINT part"); err != nil {
		return err
	}
	err := fn()
	if err != nil {
		_, back := t.r.exec(ctx, "ROLLBACK TO SAVEPOINT part")
		if back != nil {
			return errors.Join(err, back)
		}
	}
	if _, rel := t.r.exec(ctx, "RELEASE SAVEPOINT part"); rel != nil {
		return errors.Join(err, rel)
	}
	return err
}

// changed is the refusal if no row was changed.
func changed(n int64, err, refusal error) error {
	if err == nil && n == 0 {
		return refusal
	}
	return err
}

// update writes all of a row, found by its key.
func (t *tx) update(ctx context.Context, row any, tenant string, refusal error) error {
	return t.updated(ctx, t.r.bun.NewUpdate().Model(row), tenant, refusal)
}

func (t *tx) updated(ctx context.Context, q *bun.UpdateQuery, tenant string, refusal error) error {
	res, err := q.WherePK().Where("tenant = ?", tenant).Exec(t.with(ctx))
	if err != nil {
		return err
	}
	n, err := res.RowsAffected()
	return changed(n, err, refusal)
}

type challenges struct{ *tx }

func (x challenges) Get(ctx context.Context, tenant, handle string) (challenge.Challenge, error) {
	c, err := findChallenge(x.with(ctx), x.r, tenant, handle, x.r.locking())
	return c, failure("read challenge", err)
}

func (x challenges) Save(ctx context.Context, c challenge.Challenge) error {
	row := fromChallenge(c)
	q := x.r.bun.NewUpdate().Model(row).Value("delivery", keptDelivery, row.Delivery, row.Sends, row.Delivery)
	return failure("save challenge", x.updated(ctx, q, c.Tenant, challenge.ErrNotFound))
}

func (x challenges) Queue(ctx context.Context, m store.Message) error {
	ctx = x.with(ctx)
	_, err := x.r.exec(ctx, messageAdd, fromMessage(m).args()...)
	if err == nil && m.Notice == nil {
		_, err = x.r.exec(ctx, queuedText, m.Handle, m.Tenant, m.Number)
	}
	return failure("queue message", err)
}

func (x challenges) Take(ctx context.Context, windows []limit.Charge, now time.Time) error {
	return failure("charge windows", x.r.take(x.with(ctx), windows, kept(now)))
}

var counterRefund = "UPDATE counters SET failures = CASE WHEN failures > 0 THEN failures - 1 ELSE 0 END, locked_until = 0 WHERE key = $1"

func (x challenges) Refund(ctx context.Context, counter string, windows []string, now time.Time) error {
	ctx = x.with(ctx)
	if counter != "" {
		if _, err := x.r.exec(ctx, counterRefund, counter); err != nil {
			return failure("refund counter", err)
		}
	}
	return failure("refund windows", x.r.giveBack(ctx, windows, kept(now)))
}

type sessions struct{ *tx }

func (x sessions) Get(ctx context.Context, tenant, id string) (session.Session, error) {
	var row sessionRow
	found, err := one(x.with(ctx), x.r, row.dest(), sessionText+x.r.locking(), id, tenant)
	if err == nil && !found {
		err = session.ErrNotFound
	}
	return row.domain(), failure("read session", err)
}

func (x sessions) List(ctx context.Context, tenant, user string, now time.Time) ([]session.Session, error) {
	var rows []sessionRow
	q := x.r.bun.NewSelect().Model(&rows).
		Where("user_id = ? AND tenant = ?", user, tenant).
		Where("revoked_at = 0 AND expires_at > ?", micros(now)).
		Order("created_at DESC", "id DESC")
	if err := x.lock(q).Scan(x.with(ctx)); err != nil {
		return nil, failure("list sessions", err)
	}
	out := make([]session.Session, len(rows))
	for i := range rows {
		out[i] = rows[i].domain()
	}
	return out, nil
}

func (x sessions) Add(ctx context.Context, s session.Session) error {
	return failure("add session", x.r.addSession(x.with(ctx), s, s.CreatedAt))
}

func (x sessions) Save(ctx context.Context, s session.Session) error {
	return failure("save session", x.update(ctx, fromSession(s), s.Tenant, session.ErrNotFound))
}

func (x sessions) RevokeOthers(ctx context.Context, in store.RevokeOthers) (int, error) {
	res, err := x.r.bun.NewUpdate().Model((*sessionRow)(nil)).
		Set("revoked_at = ?", micros(in.Now)).Set("reason = ?", string(in.Reason)).
		Where("user_id = ? AND tenant = ? AND id <> ?", in.User, in.Tenant, in.Except).
		Where("revoked_at = 0 AND expires_at > ?", micros(in.Now)).
		Exec(x.with(ctx))
	if err != nil {
		return 0, failure("revoke sessions", err)
	}
	n, err := res.RowsAffected()
	return int(n), failure("revoke sessions", err)
}

// findSignIn reads a sign-in.
func findSignIn(ctx context.Context, q *bun.SelectQuery, tenant, id string) (session.SignIn, error) {
	var rows []signInRow
	if err := q.Model(&rows).Where("id = ? AND tenant = ?", id, tenant).Scan(ctx); err != nil {
		return session.SignIn{}, err
	}
	if len(rows) == 0 {
		return session.SignIn{}, session.ErrPendingInvalid
	}
	return rows[0].domain(), nil
}

// readUser reads a user alone.
func (t *tx) readUser(ctx context.Context, tenant, id string) (user.User, error) {
	var row userRow
	found, err := one(t.with(ctx), t.r, row.dest(), userText+t.r.locking(), id, tenant)
	if err == nil && !found {
		err = user.ErrNotFound
	}
	return row.domain(), err
}
