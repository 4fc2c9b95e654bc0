package bunstore

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/uptrace/bun"

	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/password"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/store"
)

// row is a model of a table that stands for T.
type row[T any] interface{ domain() T }

// list reads rows as what they stand for.
func list[R row[T], T any](ctx context.Context, q *bun.SelectQuery) ([]T, error) {
	var rows []R
	if err := q.Model(&rows).Scan(ctx); err != nil {
		return nil, err
	}
	out := make([]T, len(rows))
	for i := range rows {
		out[i] = rows[i].domain()
	}
	return out, nil
}

// find reads one row, or returns the refusal.
func find[R row[T], T any](ctx context.Context, q *bun.SelectQuery, refusal error) (T, error) {
	var none T
	all, err := list[R](ctx, q)
	if err != nil || len(all) == 0 {
		return none, missingOr(err, refusal)
	}
	return all[0], nil
}

// read starts a query whose rows stay as they are until the end.
func (t *tx) read() *bun.SelectQuery { return t.lock(t.r.bun.NewSelect()) }

// put adds a row, or replaces the one with the same key.
func (t *tx) put(ctx context.Context, row any, key string) error {
	_, err := t.r.bun.NewInsert().Model(row).On("CONFLICT (" + key + ") DO UPDATE").Exec(t.with(ctx))
	return err
}

func (t *tx) add(ctx context.Context, row any) error {
	_, err := t.r.bun.NewInsert().Model(row).Exec(t.with(ctx))
	return err
}

// foundText finds people and their identifiers. What is looked for is compared
// as it is, and not a pattern; all engines make small only what is ASCII.
func foundText(pg bool, q store.UserQuery) (string, []any) {
	args := []any{q.Tenant, q.After, most(q.Limit)}
	where, order := "", "u.id"
	if !q.Tentative.IsZero() {
		args = append(args, micros(q.Tentative))
		where, order = " AND u.tentative AND u.created_at < $4", "u.created_at, u.id" // the order of users_tentative
	}
	if q.Text != "" {
		where += holding(pg, len(args)+1)
		args = append(args, lower(q.Text), q.Text)
	}
	return "SELECT " + userColumns.list("u.") + ", " + identifierColumns.optional("i.") + `
		FROM (SELECT * FROM users u WHERE u.tenant = $1 AND u.id > $2` + where + " ORDER BY " + order + ` LIMIT $3) u
		LEFT JOIN identifiers i ON i.user_id = u.id AND i.tenant = u.tenant`, args
}

// holding is the condition that somebody is called by a text, which is the
// parameter first in small letters and the next one as it is.
func holding(pg bool, first int) string {
	part, whole := "$"+strconv.Itoa(first), "$"+strconv.Itoa(first+1)
	has := func(column string) string { return "instr(lower(" + column + "), " + part + ") > 0" }
	if pg {
		has = func(column string) string { return "strpos(lower(" + column + ` COLLATE "C"), ` + part + ") > 0" }
	}
	return " AND (u.id = " + whole + " OR " + has("u.first_name") + " OR " + has("u.last_name") + `
		OR EXISTS (SELECT 1 FROM identifiers x WHERE x.user_id = u.id AND x.tenant = u.tenant AND ` + has("x.value") + "))"
}

// Find looks people up without locking them: operators only look.
func (x users) Find(ctx context.Context, q store.UserQuery) ([]user.Account, error) {
	query, args := foundText(x.r.pg, q)
	byID := map[string]*user.Account{}
	err := x.r.each(x.with(ctx), func(scan scan) error {
		var u userRow
		var i identifierRow
		if err := scan(append(u.dest(), i.dest()...)...); err != nil {
			return err
		}
		a := byID[u.ID]
		if a == nil {
			a = &user.Account{User: u.domain()}
			byID[u.ID] = a
		}
		if i.UserID != "" {
			a.Identifiers = append(a.Identifiers, i.domain())
		}
		return nil
	}, query, args...)
	if err != nil {
		return nil, failure("find users", err)
	}
	out := make([]user.Account, 0, len(byID))
	for _, a := range byID {
		inOrder(a.Identifiers)
		out = append(out, *a)
	}
	slices.SortFunc(out, func(a, b user.Account) int { return cmp.Compare(a.ID, b.ID) })
	return out, nil
}

// most is a limit of rows, of which 0 means none.
func most(limit int) int64 {
	if limit <= 0 {
		return everything
	}
	return int64(limit)
}

// lower makes ASCII letters small, as both engines do.
func lower(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

type identifiers struct{ *tx }

func (x identifiers) Find(ctx context.Context, tenant string, c contact.Contact) (user.Identifier, error) {
	i, err := find[identifierRow](x.with(ctx), x.read().Where("tenant = ? AND kind = ? AND value = ?", tenant, string(c.Kind), c.Value), user.ErrNotFound)
	return i, failure("find identifier", err)
}

var identifierPut = identifierColumns.insert("identifiers") + ` ON CONFLICT (tenant, kind, value) DO UPDATE
	SET verified_at = excluded.verified_at, created_at = excluded.created_at
	WHERE identifiers.user_id = excluded.user_id`

// Put leaves it to the key of the table who comes first: of several that race,
// the others wait for it and change nothing. It locks its owner, so that nobody
// who is being deleted leaves an identifier behind that is taken for ever.
func (x identifiers) Put(ctx context.Context, i user.Identifier) error {
	owner, err := x.readUser(ctx, i.Tenant, i.User)
	if err != nil {
		return failure("put identifier", err)
	}
	n, err := x.r.exec(x.with(ctx), identifierPut, fromIdentifier(owner, i).args()...)
	return failure("put identifier", changed(n, err, user.ErrTaken))
}

func (x identifiers) Delete(ctx context.Context, tenant string, c contact.Contact) error {
	_, err := x.r.exec(x.with(ctx), "DELETE FROM identifiers WHERE tenant = $1 AND kind = $2 AND value = $3", tenant, string(c.Kind), c.Value)
	return failure("delete identifier", err)
}

type changes struct{ *tx }

func (x changes) Get(ctx context.Context, tenant, id string, k contact.Kind) (user.Change, error) {
	c, err := find[changeRow](x.with(ctx), x.read().Where("tenant = ? AND user_id = ? AND kind = ?", tenant, id, string(k)), user.ErrNothing)
	return c, failure("read change", err)
}

func (x changes) List(ctx context.Context, tenant, id string) ([]user.Change, error) {
	all, err := list[changeRow](x.with(ctx), x.read().Where("tenant = ? AND user_id = ?", tenant, id).Order("kind"))
	return all, failure("list changes", err)
}

func (x changes) Put(ctx context.Context, c user.Change) error {
	return failure("put change", x.put(ctx, fromChange(c), "tenant, user_id, kind"))
}

func (x changes) Delete(ctx context.Context, tenant, id string, k contact.Kind) error {
	_, err := x.r.exec(x.with(ctx), "DELETE FROM identifier_changes WHERE tenant = $1 AND user_id = $2 AND kind = $3", tenant, id, string(k))
	return failure("delete change", err)
}

type passwords struct{ *tx }

func (x passwords) Get(ctx context.Context, tenant, id string) (password.Record, error) {
	r, err := find[passwordRow](x.with(ctx), x.read().Where("tenant = ? AND user_id = ?", tenant, id), password.ErrNone)
	return r, failure("read password", err)
}

func (x passwords) Put(ctx context.Context, r password.Record) error {
	return failure("put password", x.put(ctx, fromPassword(r), "tenant, user_id"))
}

func (x passwords) Delete(ctx context.Context, tenant, id string) error {
	_, err := x.r.exec(x.with(ctx), "DELETE FROM passwords WHERE tenant = $1 AND user_id = $2", tenant, id)
	return failure("delete password", err)
}
