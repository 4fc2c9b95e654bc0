package bunstore

import (
	"context"
	"errors"
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

// start adds a challenge in one statement. If that refuses, a transaction
// judges again and says why.
func (p pooled) start(ctx context.Context, s *Store, in store.Start) error {
	keys, most, span := windowArgs(in.Windows)
	args := append([]any{micros(in.Now), keys, most, span}, fromChallenge(in.Challenge).args()...)
	query := startSilent
	if in.Message != nil {
		query, args = startMessage, append(args, fromMessage(*in.Message).args()...)
	}
	var added int
	_, err := p.quick(ctx, []any{&added}, query, args...)
	if err != nil || added == 1 {
		return err
	}
	return s.units.unit(ctx, false, func(r *runner) error { return r.start(ctx, in) })
}

// waitText is when a counter with that many failures is open again; see
// limit.Throttle.Wait. Shifting the longest wait down instead of the first one
// up cannot overflow.
func waitText(failures string) string {
	n := "(" + failures + " - $5::bigint - 1)"
	return `CASE WHEN ` + n + ` < 0 OR $6::bigint <= 0 OR $7::bigint <= 0 THEN 0
		WHEN ` + n + ` > 30 OR $6::bigint > ($7::bigint >> ` + n + `::int) THEN $4::bigint + $7::bigint
		ELSE $4::bigint + ($6::bigint << ` + n + `::int) END`
}

// chargeText pays for one evaluation. Parameters: $1 tenant, $2 handle, $3
// formats, $4 now, $5 free, $6 factor, $7 cap, $8 disable at, $9 live, $10 to
// $12 windows.
var chargeText = `WITH c AS (
		UPDATE challenges AS c SET attempts = attempts + 1
		WHERE c.handle = $2 AND c.tenant = $1 AND c.status = 'pending' AND c.attempts < c.allowed
		AND c.expires_at > $4::bigint AND c.format = ANY ($3::text[])
		AND ($9::bigint <= 0 OR c.counter = '' OR c.delivery = 'none' OR $9::bigint > (
			SELECT count(*) FROM challenges n
			WHERE n.counter = c.counter AND n.counter <> '' AND n.created_at >= c.created_at
			AND (n.created_at > c.created_at OR n.handle > c.handle)
			AND n.tenant = c.tenant AND n.delivery <> 'none' AND n.status = 'pending'
			AND n.attempts < n.allowed AND n.expires_at > $4::bigint))
		AND NOT coalesce((SELECT k.locked_until > $4::bigint OR $8::bigint > 0 AND k.failures >= $8::bigint
			FROM counters k WHERE k.key = c.counter), false)
		AND NOT ` + fullText("$10", "$11", "$4") + `
		RETURNING ` + challengeColumns.list("c.") + `),
	k AS (
		INSERT INTO counters AS k (key, failures, locked_until, touched_at)
		SELECT c.counter, 1, ` + waitText("1") + `, $4::bigint FROM c WHERE c.counter <> ''
		ON CONFLICT (key) DO UPDATE SET failures = k.failures + 1, touched_at = excluded.touched_at,
			locked_until = ` + waitText("(k.failures + 1)") + `
		WHERE k.locked_until <= $4::bigint AND ($8::bigint <= 0 OR k.failures < $8::bigint)
		RETURNING k.failures, k.locked_until),
	t AS (` + takeText("$10", "$11", "$12", "$4", ", c") + `)
	SELECT ` + challengeColumns.list("c.") + ", " + userColumns.optional("u.") + ", " + deviceColumns.optional("d.") + `,
		coalesce(k.failures, 0), coalesce(k.locked_until, 0),
		EXISTS (SELECT 1 FROM identifiers i WHERE i.tenant = c.tenant AND i.kind = c.kind
			AND i.value = c.destination AND i.user_id = u.id AND i.verified_at > 0),
		CASE WHEN (k.failures IS NULL) = (c.counter = '') AND (SELECT count(*) FROM t) = cardinality($10::text[])
			THEN 1 ELSE 1 / (c.attempts - c.attempts) END
	FROM c LEFT JOIN k ON true
	LEFT JOIN users u ON u.id = c.user_id AND u.tenant = c.tenant
	LEFT JOIN devices d ON d.id = c.device_id AND d.tenant = c.tenant`

// charge pays in one statement. If that refuses, a transaction judges again
// and says why; it may also find that there is no reason any more.
func (p pooled) charge(ctx context.Context, s *Store, in store.Charge, out *store.Charged) error {
	var c challengeRow
	var u userRow
	var d deviceRow
	var until int64
	var whole int
	keys, most, span := windowArgs(in.Windows)
	t := in.Throttle
	var got store.Charged
	dest := append(append(append(c.dest(), u.dest()...), d.dest()...), &got.Counter.Failures, &until, &got.Verified, &whole)
	paid, err := p.quick(ctx, dest, chargeText, in.Tenant, in.Handle, formats(in.Formats), micros(in.Now),
		int64(t.Free), t.Factor.Microseconds(), t.Cap.Microseconds(), int64(t.DisableAt), int64(in.Live), keys, most, span)
	if err != nil {
		return err
	}
	if !paid {
		return s.judgeAgain(ctx, in, out)
	}
	got.Challenge, got.Counter.LockedUntil = c.domain(), moment(until)
	if u.ID != "" {
		who := u.domain()
		got.User = &who
	}
	if d.ID != "" {
		what := d.domain()
		got.Device = &what
	}
	*out = got
	return nil
}

// errOpen means that nothing stands in the way of a charge any more.
var errOpen = errors.New("the charge would be paid")

// judgeAgain says why a charge was refused, by reading alone where possible:
// most refusals last.
func (s *Store) judgeAgain(ctx context.Context, in store.Charge, out *store.Charged) error {
	if _, err := judge(ctx, s.src, in, ""); err != nil {
		return err
	}
	return s.units.unit(ctx, false, func(r *runner) (err error) {
		*out, err = r.charge(ctx, in)
		return err
	})
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
