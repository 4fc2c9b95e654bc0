package bunstore

import (
	"context"
	"errors"
	"io/fs"

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
