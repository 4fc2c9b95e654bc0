package bunstore

import (
	"context"

	"github.com/countersign/countersign/domain/limit"
	"github.com/countersign/countersign/ports/store"
)

// throttleParams are the parameters that say how failures are throttled.
type throttleParams struct{ now, free, factor, most string }

// wait is when a counter with that many failures is open again; see
// limit.Throttle.Wait. Shifting the longest wait down instead of the first one
// up cannot overflow.
func (t throttleParams) wait(failures string) string {
	n := "(" + failures + " - " + t.free + "::bigint - 1)"
	return `CASE WHEN ` + n + ` < 0 OR ` + t.factor + `::bigint <= 0 OR ` + t.most + `::bigint <= 0 THEN 0
		WHEN ` + n + ` > 30 OR ` + t.factor + `::bigint > (` + t.most + `::bigint >> ` + n + `::int) THEN ` + t.now + `::bigint + ` + t.most + `::bigint
		ELSE ` + t.now + `::bigint + (` + t.factor + `::bigint << ` + n + `::int) END`
}

// payText is the part that pays from challenge c, if it can be answered, is not
// pushed out by newer ones, and its counter is open in the snapshot.
func payText(now, live, disable string) string {
	return `c.status = 'pending' AND c.attempts < c.allowed AND c.expires_at > ` + now + `::bigint
		AND (` + live + `::bigint <= 0 OR c.counter = '' OR c.delivery = 'none' OR ` + live + `::bigint > (
			SELECT count(*) FROM challenges n
			WHERE n.counter = c.counter AND n.counter <> '' AND n.created_at >= c.created_at
			AND (n.created_at > c.created_at OR n.handle > c.handle)
			AND n.tenant = c.tenant AND n.delivery <> 'none' AND n.status = 'pending'
			AND n.attempts < n.allowed AND n.expires_at > ` + now + `::bigint))
		AND NOT coalesce((SELECT k.locked_until > ` + now + `::bigint OR ` + disable + `::bigint > 0 AND k.failures >= ` + disable + `::bigint
			FROM counters k WHERE k.key = c.counter), false)`
}

// countText counts the failures of the challenges in c.
func countText(t throttleParams, disable string) string {
	return `INSERT INTO counters AS k (key, failures, locked_until, touched_at)
		SELECT c.counter, 1, ` + t.wait("1") + `, ` + t.now + `::bigint FROM c WHERE c.counter <> '' ORDER BY c.counter COLLATE "C"
		ON CONFLICT (key) DO UPDATE SET failures = k.failures + 1, touched_at = excluded.touched_at,
			locked_until = ` + t.wait("(k.failures + 1)") + `
		WHERE k.locked_until <= ` + t.now + `::bigint AND (` + disable + `::bigint <= 0 OR k.failures < ` + disable + `::bigint)
		RETURNING k.key, k.failures, k.locked_until`
}

// paidText and paidFrom read what was paid for: the columns of a paidRow.
var (
	paidText = told(challengeColumns.list("c.")) + ", " + userColumns.optional("u.") + ", " + deviceColumns.optional("d.") + `,
		coalesce(k.failures, 0), coalesce(k.locked_until, 0),
		EXISTS (SELECT 1 FROM identifiers i WHERE i.tenant = c.tenant AND i.kind = c.kind
			AND i.value = c.destination AND i.user_id = u.id AND i.verified_at > 0)`
	paidFrom = ` FROM c LEFT JOIN k ON k.key = c.counter
		LEFT JOIN users u ON u.id = c.user_id AND u.tenant = c.tenant
		LEFT JOIN devices d ON d.id = c.device_id AND d.tenant = c.tenant`
)

// chargeText pays for one evaluation. Parameters: $1 tenant, $2 handle, $3
// formats, $4 now, $5 free, $6 factor, $7 cap, $8 disable at, $9 live, $10 to
// $12 windows.
var chargeText = `WITH c AS (
		UPDATE challenges AS c SET attempts = attempts + 1
		WHERE c.handle = $2 AND c.tenant = $1 AND c.format = ANY ($3::text[]) AND ` + payText("$4", "$9", "$8") + `
		AND NOT ` + fullText("$10", "$11", "$4") + `
		RETURNING ` + challengeColumns.list("c.") + `),
	k AS (` + countText(throttleParams{"$4", "$5", "$6", "$7"}, "$8") + `),
	t AS (` + takeText("$10", "$11", "$12", "$4", ", c") + `)
	SELECT ` + paidText + `,
		CASE WHEN (k.failures IS NULL) = (c.counter = '') AND (SELECT count(*) FROM t) = cardinality($10::text[])
			THEN 1 ELSE 1 / (c.attempts - c.attempts) END` + paidFrom

// paidRow is what a charge reads.
type paidRow struct {
	challenge challengeRow
	user      userRow
	device    deviceRow
	failures  int
	until     int64
	verified  bool
	whole     int
}

func (r *paidRow) dest() []any {
	return append(append(append(r.challenge.dest(), r.user.dest()...), r.device.dest()...), &r.failures, &r.until, &r.verified, &r.whole)
}

func (r *paidRow) domain() store.Charged {
	out := store.Charged{
		Challenge: r.challenge.domain(), Verified: r.verified,
		Counter: limit.Counter{Failures: r.failures, LockedUntil: moment(r.until)},
	}
	if r.user.ID != "" {
		who := r.user.domain()
		out.User = &who
	}
	if r.device.ID != "" {
		what := r.device.domain()
		out.Device = &what
	}
	return out
}

// charge pays, if it can together with others. If that refuses, a transaction
// judges again and says why; it may also find that there is no reason any more.
func (p pooled) charge(ctx context.Context, s *Store, in store.Charge, out *store.Charged) error {
	m := &member[charging]{
		in: charging{in, out}, now: in.Now,
		rows: rowsOf(in.Windows, in.Handle), kind: chargeKind{in.Throttle, in.Live},
	}
	return p.together.charges.do(ctx, m, func(refused bool) error {
		if refused {
			return s.judgeAgain(ctx, in, out)
		}
		return p.chargeOne(ctx, s, in, out)
	})
}

// chargeOne pays in a statement of its own.
func (p pooled) chargeOne(ctx context.Context, s *Store, in store.Charge, out *store.Charged) error {
	var row paidRow
	keys, most, span := windowArgs(in.Windows)
	t := in.Throttle
	paid, err := p.quick(ctx, row.dest(), chargeText, in.Tenant, in.Handle, formats(in.Formats), micros(in.Now),
		int64(t.Free), t.Factor.Microseconds(), t.Cap.Microseconds(), int64(t.DisableAt), int64(in.Live), keys, most, span)
	if err != nil {
		return err
	}
	if !paid {
		return s.judgeAgain(ctx, in, out)
	}
	*out = row.domain()
	return nil
}

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
