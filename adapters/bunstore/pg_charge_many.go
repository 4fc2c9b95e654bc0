package bunstore

import (
	"cmp"
	"context"
	"slices"

	"github.com/countersign/countersign/domain/limit"
	"github.com/countersign/countersign/ports/store"
)

// charging is a charge and what it bought.
type charging struct {
	in  store.Charge
	out *store.Charged
}

// chargeKind is what the members of a shared charge have in common.
type chargeKind struct {
	throttle limit.Throttle
	live     int
}

// answerColumns are the answers to be paid for. An answer has at most two formats.
var answerColumns = columns{{"n", bigint}, {"handle", text}, {"tenant", text}, {"format", text}, {"other", text}}

// chargeManyText pays for evaluations. Parameters: $1 now, $2 free, $3 factor,
// $4 cap, $5 disable at, $6 live, then prices, answers.
var chargeManyText = `WITH w AS MATERIALIZED (SELECT * FROM ` + priceColumns.unnest(7, "w") + `),
	j AS MATERIALIZED (SELECT j.* FROM ` + impatient + `, ` + answerColumns.unnest(7+len(priceColumns), "j") + ` WHERE ` + openText + `),
	c AS (UPDATE challenges AS c SET attempts = attempts + 1 FROM j
		WHERE c.handle = j.handle AND c.tenant = j.tenant AND c.format IN (j.format, j.other) AND ` + payText("$1", "$6", "$5") + `
		RETURNING j.n, ` + challengeColumns.list("c.") + `),
	k AS (` + countText(throttleParams{"$1", "$2", "$3", "$4"}, "$5") + `),
	t AS (` + takeManyText("c") + `)
	SELECT c.n, ` + paidText + `,
		CASE WHEN (k.failures IS NULL) = (c.counter = '') AND (SELECT count(*) FROM t) = (SELECT count(*) FROM w JOIN c ON c.n = w.n)
			THEN 1 ELSE 1 / (c.attempts - c.attempts) END` + paidFrom

// chargeMany pays for several answers in one statement.
func (p pooled) chargeMany(ctx context.Context, all []*member[charging]) error {
	slices.SortFunc(all, func(a, b *member[charging]) int { return cmp.Compare(a.in.in.Handle, b.in.in.Handle) })
	t := all[0].in.in.Throttle
	args := append([]any{micros(latest(all)), int64(t.Free), t.Factor.Microseconds(), t.Cap.Microseconds(), int64(t.DisableAt), int64(all[0].in.in.Live)},
		priceColumns.arrays(prices(all, func(x charging) []limit.Charge { return x.in.Windows }))...)
	answers := make([][]any, len(all))
	for n, m := range all {
		fits := formats(m.in.in.Formats)
		answers[n] = []any{n, m.in.in.Handle, m.in.in.Tenant, fits[0], fits[len(fits)-1]}
	}
	args = append(args, answerColumns.arrays(answers)...)
	var n int
	var row paidRow
	dest := append([]any{&n}, row.dest()...)
	return p.each(ctx, func(read scan) error {
		row = paidRow{}
		err := read(dest...)
		if err == nil {
			*all[n].in.out, all[n].did = row.domain(), true
		}
		return err
	}, chargeManyText, args...)
}
