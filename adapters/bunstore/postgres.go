package bunstore

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
)

// Numbers of the pool.
const (
	defaultConns = 16
	// keptStatements bounds the prepared statements of one connection; there are
	// about 60 texts, and the shapes of Settle.
	keptStatements = 128
	// tries is how often a step is begun that lost to another one, and
	// foreignTries the same for units of work of callers, who lock in any order.
	tries        = 5
	foreignTries = 20
	// retryLock is the advisory lock of units of work on their second try.
	retryLock = 0x636f756e7466
)

// server makes units of work on PostgreSQL.
type server struct{ db *bun.DB }

// unit runs fn in a transaction, and again if it lost to another one.
//
// Steps lock in one order and hardly ever lose. Foreign code locks as it
// likes: it gives way after a moment, long before the server looks for a
// deadlock (deadlock_timeout, 1 s), and tries again one at a time.
func (p server) unit(ctx context.Context, foreign bool, fn func(*runner) error) error {
	most := tries
	if foreign {
		most = foreignTries
	}
	var err error
	for n := range most {
		if err = pause(ctx, n); err != nil {
			return err
		}
		if err = p.once(ctx, polite(foreign, n), fn); !again(err) {
			return err
		}
	}
	return err
}

// polite is what foreign code begins with on its nth try.
func polite(foreign bool, n int) []string {
	switch {
	case !foreign:
		return nil
	case n == 0:
		return []string{"SET LOCAL lock_timeout = '50ms'"}
	}
	return []string{"SELECT pg_advisory_xact_lock(" + strconv.Itoa(retryLock) + ")", "SET LOCAL lock_timeout = '50ms'"}
}

func (p server) once(ctx context.Context, first []string, fn func(*runner) error) error {
	tx, err := p.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	committed := false
	defer func() {
		if !committed { // also when fn panics
			_ = tx.Rollback()
		}
	}()
	for _, query := range first {
		if _, err := tx.ExecContext(ctx, query); err != nil {
			return err
		}
	}
	if err := fn(&runner{bun: tx, raw: tx.Tx, pg: true}); err != nil {
		return err
	}
	committed = true
	return tx.Commit()
}

// pause waits before the nth try. Of two that locked each other out only one
// is told, so there is no need to spread them at random.
func pause(ctx context.Context, n int) error {
	if n == 0 {
		return ctx.Err()
	}
	t := time.NewTimer(time.Millisecond << min(n, 4))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// sessionSettings are what connections begin with, unless the URL says
// otherwise. Planning the hot statements costs more than running them, and
// their plans do not depend on the values: so they are planned once. All of
// them find rows by key, but a plan that was made while a table was empty would
// read all of it; enable_seqscan=off keeps that away, and stops no query that
// has no other way.
func sessionSettings() map[string]string {
	return map[string]string{
		"application_name": "countersign",
		"plan_cache_mode":  "force_generic_plan",
		"enable_seqscan":   "off",
		"jit":              "off",
	}
}

// openServer makes the pool. Bun writes its values into the text, so statements
// are not prepared unless they ask for it; the hot ones do.
func openServer(ctx context.Context, cfg *pgxpool.Config, most int) (*Store, error) {
	if most == 0 {
		most = defaultConns
	}
	cfg.MaxConns = int32(max(2, min(most, 1000)))
	cfg.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
	cfg.ConnConfig.StatementCacheCapacity = keptStatements
	if cfg.ConnConfig.ConnectTimeout == 0 {
		cfg.ConnConfig.ConnectTimeout = 5 * time.Second
	}
	for name, value := range sessionSettings() {
		if _, own := cfg.ConnConfig.RuntimeParams[name]; !own {
			cfg.ConnConfig.RuntimeParams[name] = value
		}
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	db := bun.NewDB(stdlib.OpenDBFromPool(pool), pgdialect.New())
	hot := newPooled(pool)
	return &Store{
		db:    db,
		src:   hot,
		pg:    &hot,
		units: server{db},
		stop: func() error {
			err := db.Close()
			pool.Close()
			return errors.Join(err)
		},
	}, nil
}

// open connects to the target.
func (t target) open(ctx context.Context, o Options) (*Store, error) {
	var s *Store
	var err error
	if t.pool != nil {
		s, err = openServer(ctx, t.pool.Copy(), o.MaxConns)
	} else {
		s, err = openFile(ctx, t.file)
	}
	return s, t.explain(err)
}
