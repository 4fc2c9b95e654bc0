package bunstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"
)

// migrationDB is a database on which migrations may run, and what ends that.
// On PostgreSQL an advisory lock is held meanwhile; it goes with its connection,
// so a crash leaves nothing behind. On SQLite every transaction begins with the
// write lock, which is enough since migrations are marked within theirs.
func (s *Store) migrationDB(ctx context.Context) (*bun.DB, func() error, error) {
	if s.pg == nil {
		db, err := sql.Open("sqlite", dsn(s.file, 1024))
		if err != nil {
			return nil, nil, fmt.Errorf("open SQLite for migrations: %w", err)
		}
		db.SetMaxOpenConns(1)
		return bun.NewDB(db, sqlitedialect.New()), db.Close, nil
	}
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return nil, nil, err
	}
	if _, err := conn.ExecContext(ctx, "SELECT pg_advisory_lock(?)", int64(migrationLock)); err != nil {
		return nil, nil, errors.Join(err, conn.Close())
	}
	return s.db, func() error {
		_, err := conn.ExecContext(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock(?)", int64(migrationLock))
		return errors.Join(err, conn.Close())
	}, nil
}
