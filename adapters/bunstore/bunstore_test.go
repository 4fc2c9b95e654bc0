package bunstore_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/countersign/countersign/adapters/bunstore"
	"github.com/countersign/countersign/ports/store"
	"github.com/countersign/countersign/ports/store/storetest"
	"github.com/countersign/countersign/test/containers"
)

func TestMain(m *testing.M) { containers.Main(m) }

// open opens a database and closes it when the test ends.
func open(t testing.TB, url string) *bunstore.Store {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	s, err := bunstore.Open(ctx, bunstore.Options{URL: url, Migrate: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func fileURL(t testing.TB) string {
	return "sqlite://" + filepath.ToSlash(filepath.Join(t.TempDir(), "data.db"))
}

func serverURL(t testing.TB) string {
	t.Helper()
	return containers.Postgres(t, func(ctx context.Context, dsn string) error {
		_, err := bunstore.Migrate(ctx, dsn)
		return err
	})
}

func TestSQLiteKeepsThePromisesOfThePort(t *testing.T) {
	storetest.Run(t, func(t testing.TB) store.Store { return open(t, fileURL(t)) })
}

func TestPostgresKeepsThePromisesOfThePort(t *testing.T) {
	storetest.Run(t, func(t testing.TB) store.Store { return open(t, serverURL(t)) })
}

func TestTwoHandlesOfOneFileRaceSafely(t *testing.T) {
	storetest.RunConcurrency(t, func(t testing.TB) (a, b store.Store) {
		url := fileURL(t)
		return open(t, url), open(t, url)
	})
}

func TestTwoReplicasOnOneServerRaceSafely(t *testing.T) {
	storetest.RunConcurrency(t, func(t testing.TB) (a, b store.Store) {
		url := serverURL(t)
		return open(t, url), open(t, url)
	})
}
