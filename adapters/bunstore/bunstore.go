// Package bunstore keeps everything in SQLite or PostgreSQL. One schema, one
// set of migrations and one set of models serve both, through Bun. The steps of
// the hot path are prepared statements: on PostgreSQL each is one statement that
// locks, judges and changes; on SQLite they are units of work of one writer,
// which commits many of them at once.
package bunstore

import (
	"context"
	"errors"
	"time"

	"github.com/uptrace/bun"

	"github.com/countersign/countersign/ports/store"
)

var _ store.Store = (*Store)(nil)

// Options say where the database is and how it is used.
type Options struct {
	// URL is "sqlite:///absolute/path.db", "sqlite:relative.db" or
	// "postgres://user:password@host:5432/database?sslmode=require".
	URL string
	// MaxConns is the most connections to PostgreSQL, all of which are kept.
	// 0 means 16; at least 2. SQLite has one writer and as many readers as help.
	MaxConns int
	// Migrate brings the schema up to date before anything else. Without it, an
	// old schema is refused.
	Migrate bool
}

// Store is a store.Store on SQLite or PostgreSQL. Make one with Open.
type Store struct {
	db    *bun.DB // reads outside of units of work
	src   source  // the same, for prepared statements
	pg    *pooled // the one-statement steps; nil on SQLite
	file  string  // SQLite: where it is
	units units   // makes units of work
	stop  func() error
}

// units makes units of work.
type units interface {
	// unit runs fn alone and commits if it returns nil. Foreign functions may
	// panic, and may fail after they have changed something.
	unit(ctx context.Context, foreign bool, fn func(*runner) error) error
}

// Open connects, and checks or makes the schema.
func Open(ctx context.Context, o Options) (*Store, error) {
	t, err := parseTarget(o.URL)
	if err != nil {
		return nil, err
	}
	s, err := t.open(ctx, o)
	if err != nil {
		return nil, err
	}
	if err := s.current(ctx, o.Migrate); err != nil {
		return nil, errors.Join(t.explain(err), s.Close())
	}
	return s, nil
}

// Do runs fn as one unit of work.
func (s *Store) Do(ctx context.Context, fn func(ctx context.Context, tx store.Tx) error) error {
	return s.foreign(ctx, "unit of work", func(inner context.Context, r *runner) error {
		return own(fn(ctx, &tx{r: r, ctx: inner}))
	})
}

// foreign runs a unit of work in which a function of the caller's has a part.
// Statements run under inner.
func (s *Store) foreign(ctx context.Context, what string, fn func(inner context.Context, r *runner) error) error {
	err := s.units.unit(ctx, true, func(r *runner) error {
		inner := ctx
		if !r.pg {
			// An interrupted statement would take the writer's whole batch back.
			inner = context.WithoutCancel(ctx)
		}
		if err := fn(inner, r); err != nil {
			return err
		}
		return ctx.Err()
	})
	return failure(what, err)
}

// step runs one of the steps in a unit of work of its own.
func (s *Store) step(ctx context.Context, what string, fn func(context.Context, *runner) error) error {
	err := s.units.unit(ctx, false, func(r *runner) error {
		inner := ctx
		if !r.pg {
			inner = context.Background()
		}
		return fn(inner, r)
	})
	return failure(what, err)
}

// Ping reports whether the store would work now: whether it can read, and on
// SQLite also whether the writer answers.
func (s *Store) Ping(ctx context.Context) error {
	if s.pg == nil {
		if err := s.units.unit(ctx, false, func(*runner) error { return nil }); err != nil {
			return failure("ping", err)
		}
	}
	var n int
	_, err := one(ctx, s.src, []any{&n}, "SELECT 1")
	return failure("ping", err)
}

// Backlog tells how many messages wait, and since when the oldest does.
func (s *Store) Backlog(ctx context.Context, now time.Time) (depth int, oldest time.Time, err error) {
	var since int64
	_, err = one(ctx, s.src, []any{&depth, &since},
		"SELECT count(*), coalesce(min(next_at), 0) FROM messages WHERE next_at <= $1 AND leased <= $1", micros(now))
	return depth, moment(since), failure("count messages", err)
}

// Close waits for units of work that have begun, and closes all connections.
func (s *Store) Close() error { return s.stop() }
