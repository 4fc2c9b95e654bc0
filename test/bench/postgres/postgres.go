// Package postgres provides the PostgreSQL that the benchmark measures
// against: one that the environment names, else one of its own, with durability
// as in production.
package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/countersign/countersign/test/bench/procfs"
)

// Server is a running PostgreSQL.
type Server struct {
	Version string
	Origin  string // where it comes from, for people
	admin   string // URL of the database "postgres"
	root    int    // process id of the postmaster; 0 if it is not to be seen from here
	stop    func() error
}

// ErrUnseen means that the server does not run where we could watch it.
var ErrUnseen = errors.New("the database's processes are not to be seen from here")

// Open takes the server at the administrator's URL, or if that is empty starts
// one in a directory under dir.
func Open(ctx context.Context, given, dir string) (*Server, error) {
	s := &Server{admin: given, Origin: "given", stop: func() error { return nil }}
	if given == "" {
		local, err := startLocal(ctx, dir)
		if err != nil {
			return nil, err
		}
		s = local
	}
	if err := s.look(ctx); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

// look asks for the version and finds the postmaster: the parent of the
// process that serves us.
func (s *Server) look(ctx context.Context) error {
	var fsync, commit string
	var backend int
	err := s.query(ctx, func(c *pgx.Conn) error {
		return c.QueryRow(ctx, "SELECT current_setting('server_version'), current_setting('fsync'), current_setting('synchronous_commit'), pg_backend_pid()").
			Scan(&s.Version, &fsync, &commit, &backend)
	}, func() {
		if own, err := procfs.Read(backend); err == nil && strings.HasPrefix(own.Name, "postgres") {
			s.root = own.Parent
		}
	})
	if err != nil {
		return err
	}
	s.Origin += ", fsync " + fsync + ", synchronous_commit " + commit
	if fsync != "on" || commit != "on" {
		s.Origin += " (NOT DURABLE: figures do not count)"
	}
	return nil
}

// query does something on a connection of its own, and then something else
// while that is still open.
func (s *Server) query(ctx context.Context, do func(*pgx.Conn) error, then func()) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	c, err := pgx.Connect(ctx, s.admin)
	if err != nil {
		return errors.New("connect to PostgreSQL: it does not let us in") // the cause would tell the password
	}
	defer func() { _ = c.Close(context.WithoutCancel(ctx)) }()
	if err := do(c); err != nil {
		return fmt.Errorf("ask PostgreSQL: %w", err)
	}
	if then != nil {
		then()
	}
	return nil
}

// Database makes an empty database and returns its URL and what removes it.
func (s *Server) Database(ctx context.Context) (string, func() error, error) {
	name := "countersign_bench_" + strings.ToLower(rand.Text())
	run := func(ctx context.Context, statement string) error {
		return s.query(ctx, func(c *pgx.Conn) error {
			_, err := c.Exec(ctx, statement)
			return err
		}, nil)
	}
	if err := run(ctx, "CREATE DATABASE "+name); err != nil {
		return "", nil, err
	}
	u, err := url.Parse(s.admin)
	if err != nil {
		return "", nil, errors.New("the address of PostgreSQL is no URL")
	}
	u.Path = "/" + name
	drop := func() error {
		return run(context.WithoutCancel(ctx), "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
	}
	return u.String(), drop, nil
}

// CPU is the processor time of all of the server's processes, those that have
// ended included.
func (s *Server) CPU() (time.Duration, error) {
	if s.root == 0 {
		return 0, ErrUnseen
	}
	return procfs.Tree(s.root)
}

// Close ends a server that we started.
func (s *Server) Close() error { return s.stop() }
