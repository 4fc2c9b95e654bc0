package bunstore

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/countersign/countersign/domain/limit"
	"github.com/countersign/countersign/ports/store"
)

// The steps here are those of pg_steps.go for several at once. Members arrive as
// arrays, one for each column. Rows are locked in the order of their keys, table
// by table, so that statements that meet wait for each other and not crosswise;
// who meets somebody slow all the same gives up soon, and all go alone.

// impatient keeps a shared statement from waiting long for one member's row. It
// is read before any row is.
const impatient = "(SELECT set_config('lock_timeout', '100ms', true)) AS impatient"

// unnest reads rows from arrays: parameters from first on, one for each column.
func (c columns) unnest(first int, alias string) string {
	arrays, names := make([]string, len(c)), make([]string, len(c))
	for i, x := range c {
		arrays[i], names[i] = "$"+strconv.Itoa(first+i)+"::"+string(x.kind)+"[]", x.name
	}
	return "unnest(" + strings.Join(arrays, ", ") + ") AS " + alias + "(" + strings.Join(names, ", ") + ")"
}

// arrays turns rows of parameters into the arrays that unnest reads.
func (c columns) arrays(rows [][]any) []any {
	out := make([]any, len(c))
	for i, x := range c {
		switch x.kind {
		case bigint:
			out[i] = column(rows, i, func(v any) int64 {
				if n, small := v.(int); small {
					return int64(n)
				}
				return v.(int64) //nolint:forcetypeassert // rows hold nothing else
			})
		case boolean:
			out[i] = column(rows, i, func(v any) bool { return v.(bool) }) //nolint:forcetypeassert // as above
		case blob:
			out[i] = column(rows, i, func(v any) []byte { return v.([]byte) }) //nolint:forcetypeassert // as above
		case text:
			out[i] = column(rows, i, func(v any) string { return v.(string) }) //nolint:forcetypeassert // as above
		}
	}
	return out
}

func column[V any](rows [][]any, i int, value func(any) V) []V {
	out := make([]V, len(rows))
	for n, row := range rows {
		out[n] = value(row[i])
	}
	return out
}

// priceColumns are windows to be charged, each for the member with that number.
var priceColumns = columns{{"n", bigint}, {"key", text}, {"most", bigint}, {"span", bigint}}

// prices are the windows of all members, in the order in which everybody locks.
func prices[T any](all []*member[T], of func(T) []limit.Charge) [][]any {
	var rows [][]any
	for n, m := range all {
		for _, c := range of(m.in) {
			rows = append(rows, []any{n, c.Key, c.Max, c.Window.Microseconds()})
		}
	}
	slices.SortFunc(rows, func(a, b []any) int {
		return cmp.Compare(a[1].(string), b[1].(string)) //nolint:forcetypeassert // made above
	})
	return rows
}

// rowsOf names the rows that a step changes.
func rowsOf(charges []limit.Charge, more ...string) []string {
	for _, c := range charges {
		more = append(more, c.Key)
	}
	return more
}

// openText is true for members none of whose windows is full in the snapshot.
const openText = `j.n NOT IN (SELECT w.n FROM w WHERE w.most <= (SELECT x.taken FROM windows x WHERE x.key = w.key AND x.ends > $1))`

// takeManyText charges the windows of the members in a part.
func takeManyText(part string) string {
	return `INSERT INTO windows AS x (key, taken, most, ends)
		SELECT w.key, 1, w.most, $1 + w.span FROM w JOIN ` + part + ` j ON j.n = w.n ORDER BY w.key COLLATE "C"
		ON CONFLICT (key) DO UPDATE SET most = excluded.most,
			taken = CASE WHEN x.ends > $1 THEN x.taken + 1 ELSE 1 END,
			ends = CASE WHEN x.ends > $1 THEN x.ends ELSE excluded.ends END
		WHERE x.ends <= $1 OR x.taken < excluded.most
		RETURNING 1`
}

// startManyText adds challenges and their messages. Parameters: $1 now, $2 how
// many, then prices, challenges, whose messages, messages.
var startManyText = func() string {
	c := 3 + len(priceColumns)
	m := c + len(challengeColumns)
	return `WITH w AS MATERIALIZED (SELECT * FROM ` + priceColumns.unnest(3, "w") + `),
		j AS MATERIALIZED (SELECT j.n FROM ` + impatient + `, generate_series(0, $2::bigint - 1) AS j(n) WHERE ` + openText + `),
		t AS (` + takeManyText("j") + `),
		c AS (INSERT INTO challenges (` + challengeColumns.list("") + `) SELECT ` + challengeColumns.list("c.") + `
			FROM ` + numbered(challengeColumns).unnest(c, "c") + ` JOIN j ON j.n = c.n),
		m AS (INSERT INTO messages (` + messageColumns.list("") + `) SELECT ` + messageColumns.list("m.") + `
			FROM ` + numbered(messageColumns).unnest(m+1, "m") + ` JOIN j ON j.n = m.n)
		SELECT j.n, CASE WHEN (SELECT count(*) FROM t) = (SELECT count(*) FROM w JOIN j ON j.n = w.n) THEN 1 ELSE 1 / (j.n - j.n) END FROM j`
}()

// numbered adds the member that a row is of.
func numbered(c columns) columns {
	return append(slices.Clone(c), columns{{"n", bigint}}...)
}

// startMany starts several challenges in one statement.
func (p pooled) startMany(ctx context.Context, all []*member[store.Start]) error {
	args := append([]any{micros(latest(all)), len(all)},
		priceColumns.arrays(prices(all, func(in store.Start) []limit.Charge { return in.Windows }))...)
	var challenges, messages [][]any
	for n, m := range all {
		challenges = append(challenges, append(fromStart(m.in).args(), n))
		if m.in.Message != nil {
			messages = append(messages, append(fromMessage(*m.in.Message).args(), n))
		}
	}
	args = append(args, numbered(challengeColumns).arrays(challenges)...)
	args = append(args, numbered(messageColumns).arrays(messages)...)
	var n, whole int
	return p.each(ctx, func(read scan) error {
		err := read(&n, &whole)
		if err == nil {
			all[n].did = true
		}
		return err
	}, startManyText, args...)
}
