package containers

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	if os.Getenv(victimVariable) != "" {
		beVictim()
	}
	Main(m)
}

// prepared counts the calls of prepareShared in this process.
var prepared atomic.Int32

func prepareShared(ctx context.Context, dsn string) error {
	prepared.Add(1)
	return execute(ctx, dsn, "CREATE TABLE things (name text PRIMARY KEY)")
}

func execute(ctx context.Context, dsn, statement string) error {
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, statement)
	return errors.Join(err, db.Close())
}

func query(t *testing.T, dsn, statement string) string {
	t.Helper()
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var answer string
	if err := db.QueryRowContext(t.Context(), statement).Scan(&answer); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	return answer
}

func TestParallelTestsGetDatabasesOfTheirOwnFromOneTemplate(t *testing.T) {
	var mu sync.Mutex
	names := map[string]bool{}
	t.Run("group", func(t *testing.T) {
		for _, name := range []string{"one", "other"} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				dsn := Postgres(t, prepareShared)
				// The same key would collide in a shared database.
				if err := execute(t.Context(), dsn, "INSERT INTO things VALUES ('same')"); err != nil {
					t.Errorf("insert: %v", err)
				}
				mu.Lock()
				defer mu.Unlock()
				names[query(t, dsn, "SELECT current_database()")] = true
			})
		}
	})
	if t.Failed() {
		return
	}
	Require(t, postgresTool, len(names) > 0, "the tests of the group were skipped")
	if len(names) != 2 {
		t.Errorf("the tests saw the databases %v, want two", names)
	}
	if got := prepared.Load(); got != 1 {
		t.Errorf("prepare ran %d times, want once", got)
	}
}

// Every way to a server has to keep the same promises.
func TestEverySourceGivesDatabasesAndLeavesNothing(t *testing.T) {
	for _, s := range []source{{"docker", startDocker}, {"local postgres", startLocal}} {
		t.Run(s.name, func(t *testing.T) {
			started, err := s.start(t.Context())
			if err != nil {
				Require(t, s.name, false, err.Error())
			}
			keepsPromises(t, started)
		})
	}
}

func keepsPromises(t *testing.T, started server) {
	c := newCluster(source{"given", func(context.Context) (server, error) { return started, nil }})
	defer c.close()
	var dsn string
	t.Run("test", func(t *testing.T) {
		dsn = c.database(t, func(ctx context.Context, dsn string) error {
			return execute(ctx, dsn, "CREATE TABLE things (name text PRIMARY KEY)")
		})
		if got := query(t, dsn, "SELECT count(*)::text FROM things"); got != "0" {
			t.Errorf("the copy of the template holds %s things, want 0", got)
		}
		for setting, want := range map[string]string{"fsync": "off", "max_connections": "200"} {
			if got := query(t, dsn, "SHOW "+setting); got != want {
				t.Errorf("%s is %s, want %s", setting, got, want)
			}
		}
		if err := ping(t.Context(), withPassword(t, dsn, "wrong")); err == nil || !strings.Contains(err.Error(), "28P01") {
			t.Errorf("connect with a wrong password: %v, want SQLSTATE 28P01", err)
		}
	})
	if t.Failed() {
		return
	}
	if err := ping(t.Context(), dsn); err == nil || !strings.Contains(err.Error(), "3D000") {
		t.Errorf("the test's database after the test: %v, want SQLSTATE 3D000 (it does not exist)", err)
	}
	if err := c.close(); err != nil {
		t.Errorf("close: %v", err)
	}
	if err := ping(t.Context(), started.dsn); err == nil {
		t.Error("the server still answers after close")
	}
	if _, broken := c.open(nil); broken == nil {
		t.Error("a stopped cluster was opened again")
	}
}

func withPassword(t *testing.T, dsn, password string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal("the address is not a URL")
	}
	u.User = url.UserPassword(u.User.Username(), password)
	return u.String()
}

func TestAnAdministratorsAddressIsUsedAndItsServerLeftRunning(t *testing.T) {
	started, err := firstServer(t)
	Require(t, postgresTool, err == nil, "no server to point to")
	defer started.stop()
	t.Setenv(postgresVariable, started.dsn)

	c := newCluster(source{postgresVariable, fromEnvironment})
	t.Run("test", func(t *testing.T) {
		if got := query(t, c.database(t, nil), "SELECT 'yes'"); got != "yes" {
			t.Errorf("the database answers %q", got)
		}
	})
	if err := c.close(); err != nil {
		t.Errorf("close: %v", err)
	}
	if got := query(t, started.dsn, "SELECT count(*)::text FROM pg_database WHERE datname LIKE 'countersign%'"); got != "0" {
		t.Errorf("%s databases were left on the server, want none", got)
	}
}

func firstServer(t *testing.T) (started server, err error) {
	for _, start := range []func(context.Context) (server, error){startLocal, startDocker} {
		if started, err = start(t.Context()); err == nil {
			return started, nil
		}
	}
	return server{}, err
}

func TestAFailedPreparationFailsEveryTest(t *testing.T) {
	started, err := firstServer(t)
	Require(t, postgresTool, err == nil, "no server to prepare")
	c := newCluster(source{"given", func(context.Context) (server, error) { return started, nil }})
	defer c.close()
	wanted := errors.New("no such table")
	for range 2 {
		missing, broken := c.open(func(context.Context, string) error { return wanted })
		if missing != nil || !errors.Is(broken, wanted) {
			t.Errorf("open = %v, %v; want the preparation's error as the second", missing, broken)
		}
	}
}

func TestTheNextSourceIsTakenAndTheReasonsAreKept(t *testing.T) {
	nothing := source{"first", func(context.Context) (server, error) { return server{}, errors.New("no engine") }}
	good := source{"second", func(context.Context) (server, error) { return server{dsn: "postgres://second"}, nil }}

	c := newCluster(nothing, good)
	if err := c.start(); err != nil || c.server.dsn != "postgres://second" {
		t.Errorf("start = %v with %q, want the second source", err, c.server.dsn)
	}
	c = newCluster(nothing)
	if err := c.start(); err == nil || !strings.Contains(err.Error(), "first: no engine") {
		t.Errorf("start = %v, want the reason of every source", err)
	}
}

func TestWhatIsRequiredIsNeverSkipped(t *testing.T) {
	for _, c := range []struct {
		name, variable, want string
		available            bool
	}{
		{"available", "docker", "", true},
		{"missing", "", "skip", false},
		{"missing while others are required", "docker,postgresql", "skip", false},
		{"missing and required", "docker, postgres ,oathtool", "fatal", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv(requireVariable, c.variable)
			spy := &spyTB{TB: t}
			spy.run(func() { Require(spy, "postgres", c.available, "install it") })
			if spy.ended != c.want {
				t.Errorf("Require ended the test with %q, want %q", spy.ended, c.want)
			}
		})
	}
}

func TestAMissingServerFailsWhereItIsRequired(t *testing.T) {
	for variable, want := range map[string]string{"": "skip", "oathtool": "skip", "postgres": "fatal", "docker": "fatal"} {
		t.Setenv(requireVariable, variable)
		spy := &spyTB{TB: t}
		spy.run(func() { newCluster().database(spy, nil) })
		if spy.ended != want {
			t.Errorf("with %s=%q the test ends with %q, want %q", requireVariable, variable, spy.ended, want)
		}
	}
}

func TestARunThatRequiresDockerTakesNothingElse(t *testing.T) {
	t.Setenv(requireVariable, "docker")
	if got := sources(); len(got) != 1 || got[0].name != "docker" {
		t.Errorf("sources = %v, want docker only", got)
	}
	t.Setenv(requireVariable, "")
	if got := sources(); len(got) != 3 || got[0].name != "docker" {
		t.Errorf("sources = %v, want docker first of three", got)
	}
}

func TestAnAddressWithoutSchemeIsRefusedWithoutRepeatingIt(t *testing.T) {
	for _, dsn := range []string{"host=db password=hunter2", "mysql://u:hunter2@db/x", "postgres://u:hunter2@db:port/x"} {
		if _, err := withDatabase(dsn, "x"); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("withDatabase(%q) = %v, want a refusal without the password", dsn, err)
		}
	}
}

func TestADeadServerEndsTheWait(t *testing.T) {
	dead := errors.New("ended with code 1")
	began := time.Now()
	_, err := awaitReady(t.Context(), []string{"postgres://u@127.0.0.1:1/x?sslmode=disable"},
		func(context.Context) error { return dead })
	if !errors.Is(err, dead) || time.Since(began) > readyTimeout/2 {
		t.Errorf("awaitReady = %v after %v, want the reason at once", err, time.Since(began))
	}
}
