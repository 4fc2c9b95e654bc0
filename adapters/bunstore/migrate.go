package bunstore

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/migrate"
)

//go:embed migrations/*.sql
var embedded embed.FS

const (
	migrationsTable = "schema_migrations"
	locksTable      = "schema_migration_locks" // Bun insists on one; ours is below
	// migrationLock is the advisory lock that migrating replicas take.
	migrationLock = 0x636f756e7465
)

// words are what differs between the engines in a migration.
type words struct {
	Text  string // a string that is compared byte by byte
	JSON  string // text of JSON, never rewritten by the engine
	Bytes string
	Hot   string // end of a table whose rows change often
	Cool  string // end of a table whose rows hardly change
	Sweep string // kind of an index that only finds old rows
}

func wordsOf(db *bun.DB) words {
	if db.Dialect().Name() == dialect.PG {
		// Room in each page lets a changed row stay there (HOT), without a new
		// entry in any index. A BRIN index costs next to nothing to keep.
		return words{Text: `TEXT COLLATE "C"`, JSON: "TEXT", Bytes: "BYTEA", Hot: "WITH (fillfactor = 80)", Sweep: "USING brin"}
	}
	return words{Text: "TEXT", JSON: "TEXT", Bytes: "BLOB", Hot: "WITHOUT ROWID", Cool: "WITHOUT ROWID"}
}

// errDone means that another replica has applied a migration meanwhile.
var errDone = errors.New("another replica has applied it")

// Migrate brings the schema at url up to date and names what it applied. Any
// number of replicas may do so at the same time: each migration and the mark
// that it was applied commit together, under a lock.
func Migrate(ctx context.Context, url string) ([]string, error) {
	var applied []string
	err := withTarget(ctx, url, func(s *Store) (err error) {
		applied, err = s.migrate(ctx, embedded)
		return err
	})
	return applied, err
}

// Pending names the migrations that the database at url lacks.
func Pending(ctx context.Context, url string) ([]string, error) {
	var missing []string
	err := withTarget(ctx, url, func(s *Store) (err error) {
		missing, err = s.pending(ctx, embedded)
		return err
	})
	return missing, err
}

func withTarget(ctx context.Context, url string, fn func(*Store) error) error {
	t, err := parseTarget(url)
	if err != nil {
		return err
	}
	s, err := t.open(ctx, Options{MaxConns: 2})
	if err != nil {
		return err
	}
	return errors.Join(t.explain(fn(s)), s.Close())
}

// current makes sure that the schema is the one that this package knows.
func (s *Store) current(ctx context.Context, upgrade bool) error {
	missing, err := s.pending(ctx, embedded)
	if err != nil || len(missing) == 0 {
		return err
	}
	if !upgrade {
		return &plainError{text: fmt.Sprintf("the database lacks %d migrations. Run `countersign migrate` first.", len(missing))}
	}
	_, err = s.migrate(ctx, embedded)
	return err
}

// pending costs one query, so that a server with a current schema starts at once.
func (s *Store) pending(ctx context.Context, files fs.FS) ([]string, error) {
	known, err := load(files)
	if err != nil {
		return nil, err
	}
	if err := s.db.PingContext(ctx); err != nil {
		return nil, err
	}
	exists := "SELECT count(*) FROM sqlite_master WHERE name = ?"
	if s.pg != nil {
		exists = "SELECT count(*) FROM pg_class WHERE oid = to_regclass(?)"
	}
	var tables int
	if err := s.db.NewRaw(exists, migrationsTable).Scan(ctx, &tables); err != nil {
		return nil, err
	}
	have := map[string]bool{}
	if tables > 0 {
		var names []string
		if err := s.db.NewSelect().Table(migrationsTable).Column("name").Scan(ctx, &names); err != nil {
			return nil, err
		}
		for _, n := range names {
			have[n] = true
		}
	}
	var missing []string
	for _, m := range known.Sorted() {
		if !have[m.Name] {
			missing = append(missing, m.String())
		}
	}
	return missing, nil
}

func load(files fs.FS) (*migrate.Migrations, error) {
	known := migrate.NewMigrations()
	if err := known.Discover(files); err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	return known, nil
}

// migrate applies what is missing.
func (s *Store) migrate(ctx context.Context, files fs.FS) ([]string, error) {
	known, err := load(files)
	if err != nil {
		return nil, err
	}
	db, release, err := s.migrationDB(ctx)
	if err != nil {
		return nil, err
	}
	applied, err := apply(ctx, migrator(db, known))
	return applied, errors.Join(err, release())
}

// migrator marks each migration within its own transaction, so that it is
// never applied and not marked, or marked and not applied.
func migrator(db *bun.DB, known *migrate.Migrations) *migrate.Migrator {
	return migrate.NewMigrator(db, known,
		migrate.WithTableName(migrationsTable), migrate.WithLocksTableName(locksTable),
		migrate.WithMarkAppliedOnSuccess(true), migrate.WithUpsert(true), migrate.WithTemplateData(wordsOf(db)),
		migrate.BeforeMigration(func(ctx context.Context, tx bun.IConn, m *migrate.Migration) error {
			var n int
			err := tx.QueryRowContext(ctx, "SELECT count(*) FROM "+migrationsTable+" WHERE name = '"+m.Name+"'").Scan(&n)
			if err == nil && n > 0 {
				return errDone
			}
			return err
		}),
		migrate.AfterMigration(func(ctx context.Context, tx bun.IConn, m *migrate.Migration) error {
			_, err := tx.ExecContext(ctx, "INSERT INTO "+migrationsTable+" (name, group_id) VALUES ('"+m.Name+"', 0)")
			return err
		}))
}

// apply goes on where another replica was quicker.
func apply(ctx context.Context, m *migrate.Migrator) ([]string, error) {
	if err := m.Init(ctx); err != nil {
		return nil, fmt.Errorf("prepare migrations: %w", err)
	}
	var names []string
	for {
		group, err := m.Migrate(ctx)
		for i, one := range group.Migrations {
			if err == nil || i < len(group.Migrations)-1 {
				names = append(names, one.String())
			}
		}
		if errors.Is(err, errDone) {
			continue
		}
		if err != nil {
			return names, &plainError{text: "migration " + strings.TrimSpace(cut(err.Error())), cause: err}
		}
		return names, nil
	}
}
