package bunstore

import (
	"context"
	"strconv"

	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/limit"
	"github.com/countersign/countersign/ports/store"
)

// The steps here are one statement each on PostgreSQL.
//
// All parts of one statement share one snapshot. What another transaction
// commits meanwhile is seen only where a row is changed: UPDATE … WHERE judges
// its guard again on the newest version of the row, and so does ON CONFLICT DO
// UPDATE … WHERE. So each guard stands in both places. First in the snapshot,
// where a refusal is cheap and changes nothing; then on the rows themselves. If
// only the second one refuses, after another part of the statement has changed
// something, the statement divides by zero: that takes all of it back, as one
// statement is one transaction. Then the slow form of the step decides.

// fullText is true if a window of $keys is full in the snapshot. Scalar
// sub-selects are looked up by key whatever the planner thinks of the tables'
// sizes; a join is not.
func fullText(keys, most, now string) string {
	return `EXISTS (SELECT 1 FROM unnest(` + keys + `::text[], ` + most + `::bigint[]) AS w(key, most)
		WHERE w.most <= (SELECT x.taken FROM windows x WHERE x.key = w.key AND x.ends > ` + now + `::bigint))`
}

// takeText charges windows, and returns a row for each that was not full.
func takeText(keys, most, span, now, from string) string {
	return `INSERT INTO windows AS x (key, taken, most, ends)
		SELECT w.key, 1, w.most, ` + now + `::bigint + w.span
		FROM unnest(` + keys + `::text[], ` + most + `::bigint[], ` + span + `::bigint[]) AS w(key, most, span)` + from + `
		ORDER BY w.key COLLATE "C"
		ON CONFLICT (key) DO UPDATE SET most = excluded.most,
			taken = CASE WHEN x.ends > ` + now + `::bigint THEN x.taken + 1 ELSE 1 END,
			ends = CASE WHEN x.ends > ` + now + `::bigint THEN x.ends ELSE excluded.ends END
		WHERE x.ends <= ` + now + `::bigint OR x.taken < excluded.most
		RETURNING 1`
}

// startText adds a challenge under the parameters from $5 on, and its message
// under those that follow. It returns whether it did.
func startText(message bool) string {
	next := 5 + len(challengeColumns)
	out := "WITH t AS (" + takeText("$2", "$3", "$4", "$1", " WHERE NOT "+fullText("$2", "$3", "$1")) + `),
		n AS (SELECT count(*) AS taken, cardinality($2::text[]) AS wanted FROM t),
		c AS (INSERT INTO challenges (` + challengeColumns.list("") + ") SELECT " + challengeColumns.casts(5) + " FROM n WHERE taken = wanted)"
	if message {
		out += ", m AS (INSERT INTO messages (" + messageColumns.list("") + ") SELECT " + messageColumns.casts(next) + " FROM n WHERE taken = wanted)"
	}
	return out + " SELECT CASE WHEN taken = wanted THEN 1 WHEN taken = 0 THEN 0 ELSE 1 / (taken - taken) END FROM n"
}

var (
	startSilent  = startText(false)
	startMessage = startText(true)
)

// windowArgs are the parameters of fullText and takeText.
func windowArgs(charges []limit.Charge) (keys []string, most, span []int64) {
	charges = sorted(charges)
	keys, most, span = make([]string, len(charges)), make([]int64, len(charges)), make([]int64, len(charges))
	for i, c := range charges {
		keys[i], most[i], span[i] = c.Key, int64(c.Max), c.Window.Microseconds()
	}
	return keys, most, span
}

// quick runs a one-statement step. It reports false if the statement changed
// nothing, be it at once or because it took itself back.
func (p pooled) quick(ctx context.Context, dest []any, query string, args ...any) (bool, error) {
	for n := range tries {
		if err := pause(ctx, n); err != nil {
			return false, err
		}
		found, err := one(ctx, p, dest, query, args...)
		switch {
		case pgCode(err) == pgDivision:
			return false, nil
		case again(err):
			continue
		}
		return found, err
	}
	return false, nil // the slow form waits for its locks
}

// start adds a challenge, if it can together with others. If that refuses, a
// transaction judges again and says why.
func (p pooled) start(ctx context.Context, s *Store, in store.Start) error {
	m := &member[store.Start]{in: in, now: in.Now, rows: rowsOf(in.Windows)}
	return p.together.starts.do(ctx, m, func(refused bool) error {
		if !refused {
			added, err := p.startOne(ctx, in)
			if err != nil || added {
				return err
			}
		}
		return s.units.unit(ctx, false, func(r *runner) error { return r.start(ctx, in) })
	})
}

// startOne adds a challenge in a statement of its own.
func (p pooled) startOne(ctx context.Context, in store.Start) (bool, error) {
	keys, most, span := windowArgs(in.Windows)
	args := append([]any{micros(in.Now), keys, most, span}, fromStart(in).args()...)
	query := startSilent
	if in.Message != nil {
		query, args = startMessage, append(args, fromMessage(*in.Message).args()...)
	}
	var added int
	_, err := p.quick(ctx, []any{&added}, query, args...)
	return added == 1, err
}

var rotateText = `UPDATE sessions s SET generation = s.generation + 1, rotated_at = $3
	FROM users u
	WHERE s.id = $1 AND s.generation = $2 AND s.revoked_at = 0 AND s.expires_at > $3
	AND u.id = s.user_id AND u.tenant = s.tenant AND u.status = 'active'
	RETURNING ` + sessionColumns.list("s.") + ", " + userColumns.list("u.")

// rotate spends the newest token in one statement. Everything else is rare.
func (p pooled) rotate(ctx context.Context, in store.Rotate, out *store.Signed) (bool, error) {
	var row sessionRow
	var u userRow
	done, err := p.quick(ctx, append(row.dest(), u.dest()...), rotateText, in.Session, int64(in.Generation), micros(in.Now))
	if done && err == nil {
		*out = store.Signed{Session: row.domain(), User: u.domain()}
	}
	return done, err
}

var finishText = "WITH m AS (" + finishGone + ` RETURNING 1),
	c AS (UPDATE challenges SET delivery = $6 WHERE handle = $3 AND tenant = $2 AND sends = $5 AND EXISTS (SELECT 1 FROM m)),
	g AS (UPDATE windows SET taken = taken - 1 WHERE key = ANY ($7::text[]) AND taken > 0 AND ends > $8 AND EXISTS (SELECT 1 FROM m))
	SELECT count(*) FROM m`

// finish ends a message for good.
func (p pooled) finish(ctx context.Context, in store.Finish) (bool, error) {
	back := []string{}
	if in.Outcome == challenge.Failed {
		back = sortedKeys(in.GiveBack)
	}
	var n int
	_, err := p.quick(ctx, []any{&n}, finishText, in.ID, in.Tenant, in.Handle, in.Fence, in.Number, string(in.Outcome), back, micros(in.Now))
	return n > 0, err
}

// param numbers the parameters of a statement that is put together.
type param struct{ args []any }

func (p *param) add(v any, k string) string {
	p.args = append(p.args, v)
	return "$" + strconv.Itoa(len(p.args)) + "::" + k
}
