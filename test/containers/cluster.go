package containers

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
)

const (
	// startTimeout bounds getting the server, a first pull of the image included.
	startTimeout = 3 * time.Minute
	// prepareTimeout bounds building the template.
	prepareTimeout = time.Minute
	// statementTimeout bounds one CREATE or DROP DATABASE.
	statementTimeout = 30 * time.Second
)

// server is a running PostgreSQL.
type server struct {
	dsn  string       // administrator's URL of the database "postgres"
	stop func() error // ends it and removes what it left
}

// source is one way to get a server.
type source struct {
	name  string
	start func(ctx context.Context) (server, error)
}

// cluster is a server with a template database, both made at first use.
// Safe for concurrent use.
type cluster struct {
	sources []source

	mu       sync.Mutex
	opened   bool
	closed   bool
	server   server
	admin    *sql.DB
	template string
	missing  error // why there is no server: the tests skip
	broken   error // why the server is of no use: the tests fail
}

func newCluster(sources ...source) *cluster {
	return &cluster{sources: sources}
}

// database makes a copy of the template for one test.
func (c *cluster) database(t testing.TB, prepare func(ctx context.Context, dsn string) error) string {
	t.Helper()
	missing, broken := c.open(prepare)
	if missing != nil {
		Require(t, dockerTool, !required(dockerTool), missing.Error())
		Require(t, postgresTool, false, missing.Error())
	}
	if broken != nil {
		t.Fatal(broken)
	}
	name := databaseName("test")
	if err := c.exec(t.Context(), "CREATE DATABASE "+name+" TEMPLATE "+c.template); err != nil {
		t.Fatalf("create the test's database: %v", err)
	}
	t.Cleanup(func() {
		// t.Context is already cancelled in a cleanup.
		if err := c.exec(context.Background(), "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
			t.Errorf("drop the test's database: %v", err)
		}
	})
	dsn, err := withDatabase(c.server.dsn, name)
	if err != nil {
		t.Fatal(err)
	}
	return dsn
}

// open starts the server and builds the template, once. Its time does not
// depend on the test that happens to come first.
func (c *cluster) open(prepare func(ctx context.Context, dsn string) error) (missing, broken error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, errors.New("the PostgreSQL of this process is already stopped")
	}
	if !c.opened {
		c.opened = true
		c.missing = c.start()
		if c.missing == nil {
			c.broken = c.build(prepare)
		}
	}
	return c.missing, c.broken
}

// start takes the first source that works; the error lists why none did.
func (c *cluster) start() error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	var reasons []string
	for _, s := range c.sources {
		got, err := s.start(ctx)
		if err == nil {
			c.server = got
			return nil
		}
		reasons = append(reasons, s.name+": "+err.Error())
	}
	return errors.New("no PostgreSQL for this test (" + strings.Join(reasons, "; ") + ")")
}

// build makes the template and closes it for connections, which CREATE
// DATABASE does not tolerate (PostgreSQL manual, "Template Databases"). That
// also keeps autovacuum out.
func (c *cluster) build(prepare func(ctx context.Context, dsn string) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), prepareTimeout)
	defer cancel()
	admin, err := sql.Open("pgx", c.server.dsn)
	if err != nil {
		return errors.New("open the administrator's connection: not a URL that the driver understands")
	}
	c.admin = admin
	c.template = databaseName("template")
	if err := c.exec(ctx, "CREATE DATABASE "+c.template); err != nil {
		return fmt.Errorf("create the template database: %w", err)
	}
	if prepare != nil {
		dsn, err := withDatabase(c.server.dsn, c.template)
		if err != nil {
			return err
		}
		if err := prepare(ctx, dsn); err != nil {
			return fmt.Errorf("prepare the template database: %w", err)
		}
	}
	if err := c.exec(ctx, "ALTER DATABASE "+c.template+" WITH ALLOW_CONNECTIONS false"); err != nil {
		return fmt.Errorf("close the template database: %w", err)
	}
	return nil
}

// exec runs one administrator's statement.
func (c *cluster) exec(ctx context.Context, statement string) error {
	ctx, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	_, err := c.admin.ExecContext(ctx, statement)
	return err
}

// close drops the template and stops the server. Later calls do nothing.
func (c *cluster) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	c.closed = true
	var errs []error
	if c.admin != nil {
		if err := c.exec(context.Background(), "DROP DATABASE IF EXISTS "+c.template+" WITH (FORCE)"); err != nil {
			errs = append(errs, fmt.Errorf("drop the template database: %w", err))
		}
		errs = append(errs, c.admin.Close())
	}
	if c.server.stop != nil {
		if err := c.server.stop(); err != nil {
			errs = append(errs, fmt.Errorf("stop PostgreSQL: %w", err))
		}
	}
	return errors.Join(errs...)
}

// databaseName makes a name that needs no quotes and meets no other process's
// on a server that several share.
func databaseName(kind string) string {
	return "countersign_" + kind + "_" + strings.ToLower(rand.Text())
}

// withDatabase points a server's URL to another database. The error does not
// repeat the URL: it holds a password.
func withDatabase(dsn, name string) (string, error) {
	u, err := url.Parse(dsn)
	if err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") {
		return "", errors.New("the server's address is not a postgres:// URL")
	}
	u.Path = "/" + name
	return u.String(), nil
}

// address builds the administrator's URL of a server that we started.
func address(hostPort, password string) string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword("postgres", password),
		Host:     hostPort,
		Path:     "/postgres",
		RawQuery: "sslmode=disable",
	}
	return u.String()
}
