package bunstore

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/countersign/countersign/domain/apikey"
	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/limit"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/store"
)

// Statements that find things. Those of the hot path bring everything at once.
// Rows that are joined are found by their own key: tenant || ” fits no index, or
// a planner that knows no table's size yet may read a tenant from end to end.
var (
	identifyText = "SELECT " + userColumns.list("u.") + ", " + identifierColumns.list("i.") + `
		FROM identifiers x
		JOIN users u ON u.id = x.user_id AND u.tenant || '' = x.tenant
		JOIN identifiers i ON i.user_id = x.user_id AND i.tenant || '' = x.tenant
		WHERE x.tenant = $1 AND x.kind = $2 AND x.value = $3`
	accountText = "SELECT " + userColumns.list("u.") + ", " + identifierColumns.optional("i.") + `
		FROM users u LEFT JOIN identifiers i ON i.user_id = u.id AND i.tenant || '' = u.tenant
		WHERE u.id = $1 AND u.tenant = $2`
	signedText = "SELECT " + sessionColumns.list("s.") + ", " + userColumns.list("u.") + `,
		(SELECT count(*) FROM devices d WHERE d.user_id = s.user_id AND d.status = 'active' AND NOT d.backup)
		FROM sessions s JOIN users u ON u.id = s.user_id
		WHERE s.id = $1 AND s.tenant = $2`
	// newerText counts the challenges that push one out: newer ones of its
	// counter that send and are still alive at $3.
	newerText = `SELECT count(*) FROM challenges n
		WHERE n.counter = $1 AND n.counter <> '' AND n.created_at >= $4
		AND n.tenant = $2 AND n.delivery <> 'none' AND n.status = 'pending'
		AND n.attempts < n.allowed AND n.expires_at > $3
		AND (n.created_at > $4 OR n.handle > $5)`
)

// Identify finds whose identifier this is.
func (s *Store) Identify(ctx context.Context, tenant string, c contact.Contact) (user.Account, error) {
	a, err := account(ctx, s.src, identifyText, tenant, string(c.Kind), c.Value)
	return a, failure("identify", err)
}

// Account finds a person. Identifiers come in the order in which they were made.
func (s *Store) Account(ctx context.Context, tenant, id string) (user.Account, error) {
	a, err := account(ctx, s.src, accountText, id, tenant)
	return a, failure("read account", err)
}

// account reads one person, a row for each identifier.
func account(ctx context.Context, src source, query string, args ...any) (user.Account, error) {
	var out user.Account
	found := false
	var u userRow
	var i identifierRow
	dest := append(u.dest(), i.dest()...)
	err := src.each(ctx, func(scan scan) error {
		if err := scan(dest...); err != nil {
			return err
		}
		if !found {
			out.User, found = u.domain(), true
		}
		if i.UserID != "" {
			out.Identifiers = append(out.Identifiers, i.domain())
		}
		return nil
	}, query, args...)
	if err == nil && !found {
		err = user.ErrNotFound
	}
	inOrder(out.Identifiers)
	return out, err
}

// inOrder puts a person's identifiers in the order in which they were made.
func inOrder(all []user.Identifier) {
	slices.SortFunc(all, func(a, b user.Identifier) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Value, b.Value))
	})
}

// Challenge finds a challenge; one that newer ones pushed out reads as cancelled.
func (s *Store) Challenge(ctx context.Context, tenant, handle string, live int) (challenge.Challenge, error) {
	c, err := findChallenge(ctx, s.src, tenant, handle, "")
	if err == nil && c.Status == challenge.Pending {
		var out bool
		if out, err = pushedOut(ctx, s.src, c, live, time.Time{}); out {
			c.Status = challenge.Cancelled
		}
	}
	return c, failure("read challenge", err)
}

// Windows reads windows, in the order of the keys.
func (s *Store) Windows(ctx context.Context, keys ...string) ([]limit.Window, error) {
	out := make([]limit.Window, len(keys))
	for i, key := range keys {
		var ends int64
		if _, err := one(ctx, s.src, []any{&out[i].Count, &ends}, windowText, key); err != nil {
			return nil, failure("read windows", err)
		}
		out[i].Ends = moment(ends)
	}
	return out, nil
}

var challengeText = "SELECT " + told(challengeColumns.list("c.")) + " FROM challenges c WHERE c.handle = $1 AND c.tenant = $2"

func findChallenge(ctx context.Context, src source, tenant, handle, lock string) (challenge.Challenge, error) {
	var row challengeRow
	found, err := one(ctx, src, row.dest(), challengeText+lock, handle, tenant)
	if err == nil && !found {
		err = challenge.ErrNotFound
	}
	return row.domain(), err
}

// pushedOut reports whether enough newer challenges that live at now share the
// counter. The zero time asks without regard to expiry.
func pushedOut(ctx context.Context, src source, c challenge.Challenge, live int, now time.Time) (bool, error) {
	if live <= 0 || c.Counter == "" || c.Delivery == challenge.NoDelivery {
		return false, nil
	}
	var newer int
	_, err := one(ctx, src, []any{&newer}, newerText, c.Counter, c.Tenant, micros(now), micros(c.CreatedAt), c.Handle)
	return newer >= live, err
}

// Session finds a session with its user and counts their second factors.
func (s *Store) Session(ctx context.Context, tenant, id string) (store.Signed, error) {
	var out store.Signed
	var row sessionRow
	var u userRow
	dest := append(append(row.dest(), u.dest()...), &out.Devices)
	found, err := one(ctx, s.src, dest, signedText, id, tenant)
	if err == nil && !found {
		err = session.ErrNotFound
	}
	if err != nil {
		return store.Signed{}, failure("read session", err)
	}
	out.Session, out.User = row.domain(), u.domain()
	return out, nil
}

// SignIn finds a sign-in, also one that was used: its Refusal says so.
func (s *Store) SignIn(ctx context.Context, tenant, id string) (session.SignIn, error) {
	x, err := findSignIn(ctx, s.db.NewSelect(), tenant, id)
	return x, failure("read sign-in", err)
}

// Key finds the key of a program.
func (s *Store) Key(ctx context.Context, id string) (apikey.Key, error) {
	k, err := find[keyRow](ctx, s.db.NewSelect().Where("id = ?", id), apikey.ErrNotFound)
	return k, failure("read API key", err)
}
