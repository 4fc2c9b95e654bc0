package bunstore_test

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/countersign/countersign/adapters/bunstore"
	"github.com/countersign/countersign/domain/user"
)

// engines gives each test an empty database of both kinds.
func engines(t *testing.T, fn func(t *testing.T, url string)) {
	t.Run("sqlite", func(t *testing.T) { fn(t, fileURL(t)) })
	t.Run("postgres", func(t *testing.T) { fn(t, emptyServerURL(t)) })
}

// emptyServerURL makes a schema of its own in a database, which is empty.
func emptyServerURL(t *testing.T) string {
	t.Helper()
	url := serverURL(t)
	s := open(t, url)
	if err := s.ExecForTest(t.Context(), "CREATE SCHEMA empty"); err != nil {
		t.Fatal(err)
	}
	sep := "?"
	if strings.Contains(url, "?") {
		sep = "&"
	}
	return url + sep + "search_path=empty"
}

func TestFreshDatabaseLacksEverythingAndAMigratedOneNothing(t *testing.T) {
	engines(t, func(t *testing.T, url string) {
		before, err := bunstore.Pending(t.Context(), url)
		if err != nil || len(before) == 0 {
			t.Fatalf("pending before: %v, %v; want all", before, err)
		}
		if _, err := bunstore.Open(t.Context(), bunstore.Options{URL: url}); err == nil || !strings.Contains(err.Error(), "countersign migrate") {
			t.Errorf("open without a schema: %v, want advice", err)
		}
		applied, err := bunstore.Migrate(t.Context(), url)
		if err != nil || len(applied) != len(before) {
			t.Fatalf("migrate: %v, %v; want %v", applied, err, before)
		}
		again, err := bunstore.Migrate(t.Context(), url)
		if err != nil || len(again) != 0 {
			t.Errorf("second time: %v, %v; want nothing", again, err)
		}
		after, err := bunstore.Pending(t.Context(), url)
		if err != nil || len(after) != 0 {
			t.Errorf("pending after: %v, %v; want nothing", after, err)
		}
	})
}

func TestRacingReplicasApplyEachMigrationOnce(t *testing.T) {
	files := fstest.MapFS{
		"1_a.tx.up.sql": {Data: []byte("CREATE TABLE sums (n BIGINT)")},
		"2_b.tx.up.sql": {Data: []byte("INSERT INTO sums VALUES (1)")},
		"3_c.tx.up.sql": {Data: []byte("UPDATE sums SET n = n * 2")},
	}
	engines(t, func(t *testing.T, url string) {
		var all sync.WaitGroup
		var mu sync.Mutex
		total := 0
		for range 6 {
			all.Go(func() {
				applied, missing, err := bunstore.MigrateFrom(t.Context(), url, files)
				if err != nil || len(missing) != 0 {
					t.Errorf("a replica: missing %v, %v", missing, err)
				}
				mu.Lock()
				defer mu.Unlock()
				total += len(applied)
			})
		}
		all.Wait()
		if total != len(files) {
			t.Errorf("%d migrations were applied, want %d", total, len(files))
		}
	})
}

func TestBrokenMigrationIsNeverMarkedDone(t *testing.T) {
	broken := fstest.MapFS{
		"1_good.tx.up.sql":  {Data: []byte("CREATE TABLE good (n BIGINT)")},
		"2_bad.tx.up.sql":   {Data: []byte("CREATE TABLE half (n BIGINT);\n--bun:split\nINSERT INTO nowhere VALUES (1)")},
		"3_never.tx.up.sql": {Data: []byte("CREATE TABLE never (n BIGINT)")},
	}
	mended := fstest.MapFS{"1_good.tx.up.sql": broken["1_good.tx.up.sql"], "2_bad.tx.up.sql": {Data: []byte("CREATE TABLE half (n BIGINT)")}}
	engines(t, func(t *testing.T, url string) {
		for range 2 {
			_, missing, err := bunstore.MigrateFrom(t.Context(), url, broken)
			if err == nil || len(missing) != 2 {
				t.Fatalf("broken: missing %v, %v; want two missing and an error", missing, err)
			}
		}
		applied, missing, err := bunstore.MigrateFrom(t.Context(), url, fs.FS(mended))
		if err != nil || len(applied) != 1 || len(missing) != 0 {
			t.Errorf("mended: applied %v, missing %v, %v", applied, missing, err)
		}
	})
}

func TestUnitThatFailsHalfwayLeavesNothing(t *testing.T) {
	containersOrFile := map[string]string{"sqlite": fileURL(t), "postgres": serverURL(t)}
	for name, url := range containersOrFile {
		t.Run(name, func(t *testing.T) {
			s := open(t, url)
			var all sync.WaitGroup
			for range 8 {
				all.Go(func() {
					if err := s.FailAfterWriting(t.Context(), user.ErrTaken); !errors.Is(err, user.ErrTaken) {
						t.Errorf("got %v, want the unit's own refusal", err)
					}
				})
				all.Go(func() {
					if err := s.Ping(t.Context()); err != nil {
						t.Errorf("a neighbour in the same commit: %v", err)
					}
				})
			}
			all.Wait()
			if found, err := s.HasWindow(t.Context(), "half"); found || err != nil {
				t.Errorf("half a unit of work was kept: %t, %v", found, err)
			}
		})
	}
}

func TestErrorsSayWhatToDoAndNeverThePassword(t *testing.T) {
	file := filepath.Join(t.TempDir(), "none", "data.db")
	for url, want := range map[string]string{
		"postgres://u:geheim@127.0.0.1:1/db?sslmode=disable": "cannot reach PostgreSQL at 127.0.0.1:1 (connection refused). Is it running?",
		"postgres://u:geheim@nowhere.invalid:5432/db":        "cannot reach PostgreSQL at nowhere.invalid:5432 (no such host). Is the name right?",
		"postgres://u:geheim@host:port/db":                   "the database URL must read like",
		"mysql://u:geheim@host/db":                           "the database URL must read like",
		"sqlite://data.db":                                   "the database URL must read like",
		"sqlite://" + file:                                   "cannot reach SQLite file " + file + " (no such file or folder). Make the folder first.",
	} {
		_, err := bunstore.Open(t.Context(), bunstore.Options{URL: url})
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v\nwant %s", err, want)
		}
		if err != nil && strings.Contains(err.Error(), "geheim") {
			t.Errorf("the password is in the error: %v", err)
		}
	}
}
