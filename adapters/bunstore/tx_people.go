package bunstore

import (
	"context"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/countersign/countersign/domain/device"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/store"
)

type users struct{ *tx }

// Get locks the user's row, which stands for all that is theirs.
func (x users) Get(ctx context.Context, tenant, id string) (user.Account, error) {
	if _, err := x.readUser(ctx, tenant, id); err != nil {
		return user.Account{}, failure("read account", err)
	}
	a, err := account(x.with(ctx), x.r, accountText, id, tenant)
	return a, failure("read account", err)
}

func (x users) Add(ctx context.Context, a user.Account) error {
	ctx = x.with(ctx)
	return failure("add user", x.apart(ctx, func() error { return x.r.addAccount(ctx, a) }))
}

func (x users) Save(ctx context.Context, u user.User) error {
	return failure("save user", x.update(ctx, fromUser(u), u.Tenant, user.ErrNotFound))
}

// Delete also removes the person's challenges with their messages: nothing
// that is on its way may still bring them back.
func (x users) Delete(ctx context.Context, tenant, id string) error {
	if _, err := x.readUser(ctx, tenant, id); err != nil {
		return failure("delete user", err)
	}
	ctx = x.with(ctx)
	if _, err := x.r.exec(ctx, "DELETE FROM messages WHERE handle IN (SELECT handle FROM challenges WHERE user_id = $1 AND tenant = $2)", id, tenant); err != nil {
		return failure("delete messages", err)
	}
	for _, model := range []any{
		(*challengeRow)(nil), (*identifierRow)(nil), (*deviceRow)(nil), (*sessionRow)(nil), (*signInRow)(nil),
		(*changeRow)(nil), (*passwordRow)(nil),
	} {
		_, err := x.r.bun.NewDelete().Model(model).Where("user_id = ? AND tenant = ?", id, tenant).Exec(ctx)
		if err != nil {
			return failure("delete what is a user's", err)
		}
	}
	_, err := x.r.bun.NewDelete().Model((*userRow)(nil)).Where("id = ? AND tenant = ?", id, tenant).Exec(ctx)
	return failure("delete user", err)
}

type devices struct{ *tx }

func (x devices) Get(ctx context.Context, tenant, id string) (store.Device, error) {
	var row deviceRow
	found, err := one(x.with(ctx), x.r, row.dest(), deviceText+x.r.locking(), id, tenant)
	if err == nil && !found {
		err = device.ErrNotFound
	}
	return row.domain(), failure("read device", err)
}

// List goes on after a device that may be gone meanwhile: ids sort by time.
func (x devices) List(ctx context.Context, tenant, user, after string, limit int) ([]store.Device, error) {
	var rows []deviceRow
	q := x.r.bun.NewSelect().Model(&rows).
		Where("user_id = ? AND tenant = ?", user, tenant).
		Order("created_at", "id")
	if err := x.lock(q).Scan(x.with(ctx)); err != nil {
		return nil, failure("list devices", err)
	}
	if i := slices.IndexFunc(rows, func(r deviceRow) bool { return r.ID == after }); i >= 0 {
		rows = rows[i+1:]
	} else {
		rows = slices.DeleteFunc(rows, func(r deviceRow) bool { return r.ID <= after })
	}
	if limit > 0 && len(rows) > limit {
		rows = rows[:limit]
	}
	out := make([]store.Device, len(rows))
	for i := range rows {
		out[i] = rows[i].domain()
	}
	return out, nil
}

func (x devices) Add(ctx context.Context, d store.Device) error {
	_, err := x.r.bun.NewInsert().Model(fromDevice(d)).Exec(x.with(ctx))
	return failure("add device", err)
}

func (x devices) Save(ctx context.Context, d store.Device) error {
	return failure("save device", x.update(ctx, fromDevice(d), d.Tenant, device.ErrNotFound))
}

func (x devices) Delete(ctx context.Context, tenant, id string) error {
	n, err := x.r.exec(x.with(ctx), "DELETE FROM devices WHERE id = $1 AND tenant = $2", id, tenant)
	return failure("delete device", changed(n, err, device.ErrNotFound))
}

type journal struct{ *tx }

func (x journal) Record(ctx context.Context, events ...event.Event) error {
	if len(events) == 0 {
		return nil
	}
	rows := make([]eventRow, len(events))
	for i, e := range events {
		rows[i] = fromEvent(e)
	}
	_, err := x.r.bun.NewInsert().Model(&rows).Exec(x.with(ctx))
	return failure("record events", err)
}

func (x journal) Events(ctx context.Context, in store.EventQuery) ([]event.Event, error) {
	q := x.r.bun.NewSelect().Where("tenant = ?", in.Tenant).Order("id DESC").Limit(most(in.Limit))
	if in.User != "" {
		q = q.Where("user_id = ?", in.User)
	}
	if in.Before != "" {
		q = q.Where("id < ?", in.Before)
	}
	if in.After != "" {
		q = q.Where("id > ?", in.After)
	}
	all, err := list[eventRow](x.with(ctx), q)
	return all, failure("read events", err)
}

type answerRow struct {
	bun.BaseModel `bun:"table:answers,alias:a"`

	Key       string `bun:",pk"`
	Request   []byte
	Status    int
	Body      []byte
	ExpiresAt int64
}

// Recall locks the answer, so that of two equal requests one waits.
func (x journal) Recall(ctx context.Context, key string, now time.Time) (store.Answer, error) {
	var rows []answerRow
	q := x.r.bun.NewSelect().Model(&rows).Where("key = ? AND expires_at > ?", key, micros(now))
	if err := x.lock(q).Scan(x.with(ctx)); err != nil {
		return store.Answer{}, failure("recall answer", err)
	}
	if len(rows) == 0 {
		return store.Answer{}, store.ErrNoAnswer
	}
	r := rows[0]
	return store.Answer{Key: r.Key, Request: r.Request, Status: r.Status, Body: r.Body, ExpiresAt: moment(r.ExpiresAt)}, nil
}

func (x journal) Remember(ctx context.Context, a store.Answer) error {
	row := &answerRow{Key: a.Key, Request: a.Request, Status: a.Status, Body: a.Body, ExpiresAt: micros(a.ExpiresAt)}
	_, err := x.r.bun.NewInsert().Model(row).
		On("CONFLICT (key) DO UPDATE").
		Set("request = excluded.request, status = excluded.status, body = excluded.body, expires_at = excluded.expires_at").
		Exec(x.with(ctx))
	return failure("remember answer", err)
}
