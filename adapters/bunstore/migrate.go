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

// suffix is how the files of migrations end: each goes forward, in one transaction.
const suffix = ".tx.up.sql"

// split stands on a line of its own between the statements of a migration.
const split = "--bun:split"

// words puts in what differs between the engines:
//   - Text is a string that is compared byte by byte,
//   - JSON text of JSON, never rewritten by the engine,
//   - Hot ends a table whose rows change often, Cool one whose rows hardly change,
//   - Sweep is the kind of an index that only finds old rows.
//
// Bun would do this with text/template, which makes every binary keep the methods
// that nobody calls (decision 0015).
func words(db *bun.DB) *strings.Replacer {
	if db.Dialect().Name() == dialect.PG {
		// Room in each page lets a changed row stay there (HOT), without a new
		// entry in any index. A BRIN index costs next to nothing to keep.
		return strings.NewReplacer("{{.Text}}", `TEXT COLLATE "C"`, "{{.JSON}}", "TEXT", "{{.Bytes}}", "BYTEA",
			"{{.Hot}}", "WITH (fillfactor = 80)", "{{.Cool}}", "", "{{.Sweep}}", "USING brin")
	}
	return strings.NewReplacer("{{.Text}}", "TEXT", "{{.JSON}}", "TEXT", "{{.Bytes}}", "BLOB",
		"{{.Hot}}", "WITHOUT ROWID", "{{.Cool}}", "WITHOUT ROWID", "{{.Sweep}}", "")
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
	known, err := load(s.db, files)
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

// load reads migrations, for a migrator of db to apply.
func load(db *bun.DB, files fs.FS) (*migrate.Migrations, error) {
	known := migrate.NewMigrations()
	err := fs.WalkDir(files, ".", func(file string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(file, suffix) {
			return err
		}
		text, err := fs.ReadFile(files, file)
		if err != nil {
			return err
		}
		name, comment, _ := strings.Cut(strings.TrimSuffix(d.Name(), suffix), "_")
		known.Add(migrate.Migration{Name: name, Comment: comment,
			Up: func(ctx context.Context, _ *migrate.Migrator, m *migrate.Migration) error {
				return db.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
					return run(ctx, tx, m, words(db).Replace(string(text)))
				})
			}})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	return known, nil
}

// run applies one migration, and marks it within the same transaction, so that
// it is never applied and not marked, or marked and not applied.
func run(ctx context.Context, tx bun.Tx, m *migrate.Migration, text string) error {
	var n int
	err := tx.QueryRowContext(ctx, "SELECT count(*) FROM "+migrationsTable+" WHERE name = ?", m.Name).Scan(&n)
	if err != nil {
		return err
	}
	if n > 0 {
		return errDone
	}
	for query := range strings.SplitSeq(text, split) {
		if strings.TrimSpace(query) == "" {
			continue
		}
		if _, err := tx.ExecContext(ctx, query); err != nil {
			return err
		}
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO "+migrationsTable+" (name, group_id) VALUES (?, 0)", m.Name)
	return err
}

// migrate applies what is missing.
func (s *Store) migrate(ctx context.Context, files fs.FS) ([]string, error) {
	db, release, err := s.migrationDB(ctx)
	if err != nil {
		return nil, err
	}
	applied, err := apply(ctx, db, files)
	return applied, errors.Join(err, release())
}

// apply goes on where another replica was quicker.
func apply(ctx context.Context, db *bun.DB, files fs.FS) ([]string, error) {
	known, err := load(db, files)
	if err != nil {
		return nil, err
	}
	m := migrate.NewMigrator(db, known,
		migrate.WithTableName(migrationsTable), migrate.WithLocksTableName(locksTable),
		migrate.WithMarkAppliedOnSuccess(true), migrate.WithUpsert(true))
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
