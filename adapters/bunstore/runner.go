package bunstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/uptrace/bun"

	"github.com/countersign/countersign/ports/store"
)

// scan reads one row into its destinations.
type scan = func(dest ...any) error

// source runs prepared statements that return rows.
type source interface {
	// each calls row for every row of a query.
	each(ctx context.Context, row func(scan) error, query string, args ...any) error
}

// runner is one unit of work: what the steps are made of. Statements have
// numbered parameters, which both engines understand, and are prepared once per
// connection. It is used by one goroutine.
type runner struct {
	bun   bun.IDB     // for cold statements
	raw   execer      // the same connection
	stmts *statements // SQLite only
	pg    bool
	wrote bool // something was changed
}

// execer is what *sql.DB, *sql.Conn and *sql.Tx have in common.
type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// locking ends a SELECT whose rows stay as they are until the end of the unit.
// SQLite has one writer, so there they do anyway.
func (r *runner) locking() string {
	if r.pg {
		return " FOR UPDATE"
	}
	return ""
}

// exec changes rows and says how many.
func (r *runner) exec(ctx context.Context, query string, args ...any) (int64, error) {
	r.wrote = true
	res, err := r.run(ctx, query, args)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (r *runner) run(ctx context.Context, query string, args []any) (sql.Result, error) {
	if r.pg {
		return r.raw.ExecContext(ctx, query, append([]any{pgx.QueryExecModeCacheStatement}, args...)...)
	}
	stmt, err := r.stmts.get(ctx, query)
	if err != nil {
		return nil, err
	}
	return stmt.ExecContext(ctx, args...)
}

func (r *runner) query(ctx context.Context, query string, args []any) (*sql.Rows, error) {
	if r.pg {
		return r.raw.QueryContext(ctx, query, append([]any{pgx.QueryExecModeCacheStatement}, args...)...)
	}
	stmt, err := r.stmts.get(ctx, query)
	if err != nil {
		return nil, err
	}
	return stmt.QueryContext(ctx, args...)
}

func (r *runner) each(ctx context.Context, row func(scan) error, query string, args ...any) error {
	rows, err := r.query(ctx, query, args)
	if err != nil {
		return err
	}
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return errors.Join(err, rows.Close())
		}
	}
	return errors.Join(rows.Err(), rows.Close())
}

// one reads at most one row, and reports whether there was one.
func one(ctx context.Context, s source, dest []any, query string, args ...any) (bool, error) {
	found := false
	err := s.each(ctx, func(scan scan) error {
		found = true
		return scan(dest...)
	}, query, args...)
	return found, err
}

// statements keeps the prepared statements of one connection or pool. The texts
// are constants of this package, so there are few.
type statements struct {
	on  preparer
	mu  sync.Mutex
	all map[string]*sql.Stmt
}

type preparer interface {
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
}

func prepareOn(on preparer) *statements { return &statements{on: on, all: map[string]*sql.Stmt{}} }

func (s *statements) get(ctx context.Context, query string) (*sql.Stmt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if stmt, ok := s.all[query]; ok {
		return stmt, nil
	}
	stmt, err := s.on.PrepareContext(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("prepare statement: %w", err)
	}
	s.all[query] = stmt
	return stmt, nil
}

func (s *statements) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []error
	for _, stmt := range s.all {
		all = append(all, stmt.Close())
	}
	clear(s.all)
	return errors.Join(all...)
}

// pooled runs one statement at a time on PostgreSQL, prepared by name on each
// connection. It goes past database/sql, which costs as much again.
type pooled struct {
	pool     *pgxpool.Pool
	finisher *finisher
	together *together
}

// together are the steps that go together with others of their kind.
type together struct {
	starts  group[store.Start]
	charges group[charging]
	settles group[store.Settlement]
}

func newPooled(pool *pgxpool.Pool) pooled {
	p := pooled{pool, &finisher{}, &together{}}
	p.together.starts.together = p.startMany
	p.together.charges.together = p.chargeMany
	p.together.settles.together = p.settleMany
	return p
}

func (p pooled) each(ctx context.Context, row func(scan) error, query string, args ...any) error {
	rows, err := p.pool.Query(ctx, query, append([]any{pgx.QueryExecModeCacheStatement}, args...)...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}
