package bunstore

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/countersign/countersign/ports/store"
)

var factColumns = columns{
	{"listener", text}, {"id", text}, {"tenant", text}, {"user_id", text}, {"type", text}, {"at", bigint}, {"data", text},
	{"tries", bigint}, {"next_at", bigint}, {"owner", text}, {"leased", bigint}, {"fence", bigint},
}

type factRow struct {
	event    eventRow
	listener string
	tries    int64
	nextAt   int64
	owner    string
	leased   int64
	fence    int64
}

func fromFact(f store.Fact) *factRow {
	return &factRow{
		event: fromEvent(f.Event), listener: f.Listener, tries: int64(f.Tries), nextAt: micros(f.NextAt),
		owner: f.Owner, leased: micros(f.Leased), fence: int64(f.Fence),
	}
}

func (r *factRow) domain() store.Fact {
	return store.Fact{
		Listener: r.listener, Event: r.event.domain(), Tries: int(r.tries), NextAt: moment(r.nextAt),
		Owner: r.owner, Leased: moment(r.leased), Fence: int(r.fence),
	}
}

func (r *factRow) args() []any {
	e := r.event
	return []any{r.listener, e.ID, e.Tenant, e.UserID, e.Type, e.At, e.Data, r.tries, r.nextAt, r.owner, r.leased, r.fence}
}

func (r *factRow) dest() []any {
	e := &r.event
	return []any{&r.listener, &e.ID, &e.Tenant, &e.UserID, &e.Type, &e.At, &e.Data, &r.tries, &r.nextAt, &r.owner, &r.leased, &r.fence}
}

var factAdd = factColumns.insert("facts")

func (r *runner) queue(ctx context.Context, facts []store.Fact) error {
	for _, f := range facts {
		if _, err := r.exec(ctx, factAdd, fromFact(f).args()...); err != nil {
			return err
		}
	}
	return nil
}

func (x journal) Queue(ctx context.Context, facts ...store.Fact) error {
	return failure("queue facts", x.r.queue(x.with(ctx), facts))
}

// A fact may be leased at $1 if it is due, and if of its person's facts for its
// listener it is the oldest and no other one is leased. That one is younger then:
// units of work do not commit in the order of their events' ids.
const (
	factFirst = `(f.user_id = '' OR NOT EXISTS (SELECT 1 FROM facts o
		WHERE o.listener = f.listener AND o.tenant = f.tenant AND o.user_id = f.user_id
		AND (o.id < f.id OR o.id > f.id AND o.leased > $1)))`
	factDue   = `f.next_at <= $1 AND f.leased <= $1 AND ` + factFirst
	factOrder = ` ORDER BY f.next_at, f.id, f.listener LIMIT $2`
)

const factLease = `UPDATE facts AS f SET tries = tries + 1, fence = fence + 1, owner = $4, leased = $5 WHERE (f.listener, f.id) IN `

var (
	// claimFactsLite has the listeners as JSON. The plus keeps SQLite from finding
	// all facts of a listener and sorting them, for a few, however many wait: facts_next
	// has them in order.
	claimFactsLite = `WITH due AS MATERIALIZED (SELECT f.listener, f.id FROM facts f
			WHERE +f.listener IN (SELECT value FROM json_each($3)) AND ` + factDue + factOrder + `)
		` + factLease + `(SELECT listener, id FROM due) RETURNING ` + factColumns.list("")
	// dueFactsPG keeps those apart that share a person: of several claimers, one
	// gets the lock that stands for a listener and a person. It holds it from before
	// leaseFactsPG looks, so that that one sees what earlier holders leased.
	dueFactsPG = `WITH due AS MATERIALIZED (SELECT f.listener, f.id, f.tenant, f.user_id FROM facts f
			WHERE f.listener = ANY ($3) AND ` + factDue + factOrder + ` FOR UPDATE OF f SKIP LOCKED)
		SELECT listener, id FROM due
		WHERE user_id = '' OR pg_try_advisory_xact_lock(hashtextextended(concat_ws(chr(1), listener, tenant, user_id), 0))`
	leaseFactsPG = factLease + `(SELECT * FROM unnest($2::text[], $3::text[])) AND ` + factDue + ` RETURNING ` + factColumns.list("f.")

	factGone = "DELETE FROM facts WHERE listener = $1 AND id = $2 AND fence = $3 RETURNING 1"
	factBack = "UPDATE facts SET owner = '', leased = 0, next_at = $4 WHERE listener = $1 AND id = $2 AND fence = $3 RETURNING 1"
)

// ClaimFacts leases facts that are due, oldest first.
func (s *Store) ClaimFacts(ctx context.Context, in store.ClaimFacts) ([]store.Fact, error) {
	in.Now = kept(in.Now)
	var out []store.Fact
	err := s.step(ctx, "claim facts", func(ctx context.Context, r *runner) (err error) {
		out = nil
		if r.pg {
			return r.claimFactsPG(ctx, in, &out)
		}
		names, err := json.Marshal(in.Listeners)
		if err != nil {
			return err
		}
		r.wrote = true
		return r.each(ctx, facts(&out), claimFactsLite, micros(in.Now), in.Max, string(names), in.Owner, micros(in.Now.Add(in.Lease)))
	})
	slices.SortFunc(out, func(a, b store.Fact) int {
		return cmp.Or(a.NextAt.Compare(b.NextAt), cmp.Compare(a.Event.ID, b.Event.ID), cmp.Compare(a.Listener, b.Listener))
	})
	return out, err
}

func facts(out *[]store.Fact) func(scan) error {
	return func(scan scan) error {
		var f factRow
		err := scan(f.dest()...)
		*out = append(*out, f.domain())
		return err
	}
}

func (r *runner) claimFactsPG(ctx context.Context, in store.ClaimFacts, out *[]store.Fact) error {
	var listeners, ids []string
	var listener, id string
	err := r.each(ctx, func(scan scan) error {
		err := scan(&listener, &id)
		listeners, ids = append(listeners, listener), append(ids, id)
		return err
	}, dueFactsPG, micros(in.Now), in.Max, in.Listeners)
	if err != nil || len(ids) == 0 {
		return err
	}
	return r.each(ctx, facts(out), leaseFactsPG, micros(in.Now), listeners, ids, in.Owner, micros(in.Now.Add(in.Lease)))
}

// FinishFact says what became of a fact, unless somebody else has it by now.
func (s *Store) FinishFact(ctx context.Context, in store.FinishFact) (bool, error) {
	query, args := factGone, []any{in.Listener, in.Event, in.Fence}
	if !in.Done {
		query, args = factBack, append(args, micros(in.RetryAt))
	}
	var n int
	if s.pg != nil {
		done, err := s.pg.quick(ctx, []any{&n}, query, args...)
		return done, failure("finish fact", err)
	}
	var done bool
	err := s.step(ctx, "finish fact", func(ctx context.Context, r *runner) (err error) {
		r.wrote = true
		done, err = one(ctx, r, []any{&n}, query, args...)
		return err
	})
	return done && err == nil, err
}

// FactsWaiting counts what is queued for each listener.
func (s *Store) FactsWaiting(ctx context.Context) (out []store.FactsWaiting, err error) {
	err = s.src.each(ctx, func(scan scan) error {
		var w store.FactsWaiting
		var since int64
		err := scan(&w.Listener, &w.Depth, &since)
		w.Oldest = moment(since)
		out = append(out, w)
		return err
	}, "SELECT listener, count(*), min(at) FROM facts GROUP BY listener ORDER BY listener")
	return out, failure("count facts", err)
}

// facts puts facts on their way if the challenge is settled.
func (s *settlement) facts(all []store.Fact) {
	if len(all) == 0 {
		return
	}
	lists := make([]string, len(factColumns))
	for i, c := range factColumns {
		var texts []string
		var numbers []int64
		for _, f := range all {
			switch v := fromFact(f).args()[i].(type) {
			case string:
				texts = append(texts, v)
			case int64:
				numbers = append(numbers, v)
			}
		}
		if c.kind == bigint {
			lists[i] = s.add(numbers, "bigint[]")
		} else {
			lists[i] = s.add(texts, "text[]")
		}
	}
	s.part("f", "INSERT INTO facts ("+factColumns.list("")+") SELECT f.* FROM c, unnest("+strings.Join(lists, ", ")+") AS f")
}
