package bunstore

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// OpenTraced opens a PostgreSQL database whose statements a tracer sees.
func OpenTraced(ctx context.Context, url string, tracer pgx.QueryTracer) (*Store, error) {
	t, err := parseTarget(url)
	if err != nil {
		return nil, err
	}
	t.pool.ConnConfig.Tracer = tracer
	return t.open(ctx, Options{})
}

// MigrateFrom applies the migrations of another file system.
func MigrateFrom(ctx context.Context, url string, files fs.FS) (applied, missing []string, err error) {
	err = withTarget(ctx, url, func(s *Store) error {
		var merr, perr error
		applied, merr = s.migrate(ctx, files)
		missing, perr = s.pending(ctx, files)
		return errors.Join(merr, perr)
	})
	return applied, missing, err
}

// FailAfterWriting runs a unit of work that changes something and then fails,
// as no step should.
func (s *Store) FailAfterWriting(ctx context.Context, failure error) error {
	return s.units.unit(ctx, false, func(r *runner) error {
		if _, err := r.exec(ctx, windowPut, "half", 1, 1, 1); err != nil {
			return err
		}
		return failure
	})
}

// HasWindow reports whether a window is stored.
func (s *Store) HasWindow(ctx context.Context, key string) (bool, error) {
	var n, ends int64
	return one(ctx, s.src, []any{&n, &ends}, windowText, key)
}

// ExecForTest runs a statement.
func (s *Store) ExecForTest(ctx context.Context, query string) error {
	_, err := s.db.ExecContext(ctx, query)
	return err
}

// ExecAt runs statements in a database whatever its schema.
func ExecAt(ctx context.Context, url string, queries ...string) error {
	return withTarget(ctx, url, func(s *Store) error {
		return s.units.unit(ctx, false, func(r *runner) error {
			for _, query := range queries {
				if _, err := r.exec(ctx, query); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// PlanOfClaim is how SQLite looks for facts that are due.
func (s *Store) PlanOfClaim(ctx context.Context) (plan string, err error) {
	var id, parent, unused int
	var step string
	err = s.src.each(ctx, func(scan scan) error {
		err := scan(&id, &parent, &unused, &step)
		plan += step + "\n"
		return err
	}, "EXPLAIN QUERY PLAN "+claimFactsLite, 1, 1, `["ear"]`, "", 2)
	return plan, err
}

// Group is a group of steps that only have names. Together gets the names of
// those who go together and says whom it did it for.
type Group struct{ g group[string] }

// NewGroup makes a group.
func NewGroup(together func(names []string) (did []string, err error)) *Group {
	return &Group{group[string]{together: func(_ context.Context, all []*member[string]) error {
		names := make([]string, len(all))
		for i, m := range all {
			names[i] = m.in
		}
		did, err := together(names)
		for _, m := range all {
			m.did = slices.Contains(did, m.in)
		}
		return err
	}}}
}

// Do does the step with that name, which changes these rows.
func (g *Group) Do(ctx context.Context, name string, rows []string, alone func(refused bool) error) error {
	return g.g.do(ctx, &member[string]{in: name, rows: rows}, alone)
}

// IsShared reports whether a statement does a step for several at once.
func IsShared(query string) bool { return strings.Contains(query, "lock_timeout") }
