// Package containers gives tests the servers that they cannot fake: a real
// PostgreSQL, from a Docker engine or from what the machine has.
//
// A package that uses it hands its tests to Main, which stops the server:
//
//	func TestMain(m *testing.M) { containers.Main(m) }
//
// The server comes from the first of these that works: the Docker engine
// (image postgres:17-alpine), the server whose administrator's URL is in
// COUNTERSIGN_TEST_POSTGRES, a PostgreSQL installed on this machine. Else the
// test is skipped; COUNTERSIGN_TEST_REQUIRE (see Require) makes that a failure.
package containers

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"testing"
)

// process holds the one server of this test process. It has to outlive every
// test, and testing offers no other place that does.
var process = newCluster(sources()...)

// managed is set by Main: somebody stops the server.
var managed atomic.Bool

// Main runs the tests of a package, stops the server that they shared, and
// ends the process with their exit code. An interrupt stops the server too.
func Main(m *testing.M) {
	managed.Store(true)
	go stopOnSignal()
	code := m.Run()
	if err := process.close(); err != nil {
		fmt.Fprintln(os.Stderr, "containers:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// stopOnSignal keeps an interrupted run from leaving its server behind. A
// second signal ends the process at once.
func stopOnSignal() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	<-signals
	signal.Stop(signals)
	if err := process.close(); err != nil {
		fmt.Fprintln(os.Stderr, "containers:", err)
	}
	os.Exit(1)
}

// Postgres returns the URL of a database that belongs to this
// test alone and is dropped when the test ends. Tests may run in parallel.
//
// Prepare builds the schema: it runs once per process, for the first caller,
// on a template that every database is a copy of. It must close its
// connections. Callers of one package therefore pass the same function; nil
// leaves the databases empty.
func Postgres(t testing.TB, prepare func(ctx context.Context, dsn string) error) string {
	t.Helper()
	if !managed.Load() {
		t.Fatal("containers.Postgres needs: func TestMain(m *testing.M) { containers.Main(m) }")
	}
	return process.database(t, prepare)
}
