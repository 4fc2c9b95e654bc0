package bunstore

import (
	"cmp"
	"context"
	"slices"

	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/store"
)

// plain reports whether a settlement is a sign-in without guards beside those
// of its challenge: by far the most. Others go alone.
func plain(in store.Settlement) bool {
	return in.Session != nil && returns(in) != isNew(in.NewUser, in.Session.User) && in.UseSignIn == "" && in.Strengthen == nil && in.Device == nil && in.Once == nil &&
		in.Verify == nil && in.SignIn == nil && in.Recovery == nil
}

// The columns of what settlements change. Now is each member's own.
var (
	endingColumns = columns{{"handle", text}, {"tenant", text}, {"now", bigint}}
	seenColumns   = columns{{"id", text}, {"tenant", text}, {"now", bigint}, {"reset_at", bigint}}
	keyColumns    = columns{{"key", text}}
	eventColumns  = columns{{"tenant", text}, {"user_id", text}, {"id", text}, {"type", text}, {"at", bigint}, {"data", text}}
)

// settlements puts the statement together that ends several challenges. It does
// so for all or for none: they are refused only where two right answers meet.
type settlements struct {
	args []any
	text string
}

// many adds the rows of one table, and returns where to read them.
func (s *settlements) many(c columns, alias string, rows [][]any) string {
	first := len(s.args) + 1
	s.args = append(s.args, c.arrays(rows)...)
	return c.unnest(first, alias)
}

// insert adds rows to a table.
func (s *settlements) insert(name, table string, c columns, rows [][]any) {
	s.text += ", " + name + " AS (INSERT INTO " + table + " (" + c.list("") + ") SELECT * FROM " + s.many(c, name, rows) + ")"
}

// settleMany ends several challenges in one statement.
func (p pooled) settleMany(ctx context.Context, all []*member[store.Settlement]) error {
	query, args := settleManyText(all)
	var n int
	done, err := one(ctx, p, []any{&n}, query, args...)
	for _, m := range all {
		m.did = done
	}
	return err
}

func settleManyText(together []*member[store.Settlement]) (string, []any) {
	var ended, users, identifiers, sessions, seen, counters, windows, events, facts [][]any
	for _, m := range together {
		in := m.in
		now := micros(in.Now)
		ended = append(ended, []any{in.Handle, in.Tenant, now})
		sessions = append(sessions, fromSession(*in.Session).args())
		if in.NewUser != nil {
			who := in.NewUser.User
			if in.Session.User == who.ID {
				who.LastSignIn = in.Now
			}
			users = append(users, fromUser(who).args())
			for _, i := range in.NewUser.Identifiers {
				identifiers = append(identifiers, fromIdentifier(who, i).args())
			}
		}
		if returns(in) {
			seen = append(seen, []any{in.Session.User, in.Session.Tenant, now, micros(kept(in.Person.ResetAt))})
		}
		if in.Counter != "" {
			counters = append(counters, []any{in.Counter})
		}
		for _, key := range in.GiveBack {
			windows = append(windows, []any{key})
		}
		for _, e := range in.Events {
			row := fromEvent(e)
			events = append(events, []any{row.Tenant, row.UserID, row.ID, row.Type, row.At, row.Data})
		}
		for _, f := range in.Facts {
			facts = append(facts, fromFact(f).args())
		}
	}
	for _, rows := range [][][]any{ended, seen, counters, windows} {
		slices.SortFunc(rows, func(a, b []any) int { return cmp.Compare(a[0].(string), b[0].(string)) }) //nolint:forcetypeassert // made above
	}
	s := settlements{args: []any{micros(latest(together)), len(together) + len(seen)}}
	all := "(SELECT count(*) FROM c)"
	s.text = `WITH c AS (UPDATE challenges c SET status = '` + string(challenge.Verified) + `', state = NULL
		FROM ` + impatient + ", " + s.many(endingColumns, "f", ended) + `
		WHERE c.handle = f.handle AND c.tenant = f.tenant AND c.status = 'pending' AND NOT c.decoy AND c.expires_at > f.now RETURNING 1)`
	if len(users) > 0 {
		s.insert("u", "users", userColumns, users)
		s.insert("i", "identifiers", identifierColumns, identifiers)
	}
	s.insert("s", "sessions", sessionColumns, sessions)
	if len(seen) > 0 {
		s.text += ", l AS (UPDATE users u SET last_sign_in = f.now FROM " + s.many(seenColumns, "f", seen) + " WHERE u.id = f.id AND u.tenant = f.tenant" +
			" AND u.status = '" + string(user.Active) + "' AND u.reset_at = f.reset_at RETURNING 1)"
		all = "(SELECT count(*) FROM c) + (SELECT count(*) FROM l)"
	}
	s.text += ", k AS (DELETE FROM counters k USING " + s.many(keyColumns, "f", counters) + " WHERE k.key = f.key)" +
		", g AS (UPDATE windows x SET taken = x.taken - 1 FROM " + s.many(keyColumns, "f", windows) + " WHERE x.key = f.key AND x.taken > 0 AND x.ends > $1::bigint)"
	s.insert("e", "events", eventColumns, events)
	if len(facts) > 0 {
		s.insert("f", "facts", factColumns, facts)
	}
	return s.text + " SELECT 1 / (CASE WHEN " + all + " = $2::bigint THEN 1 ELSE 0 END)", s.args
}
