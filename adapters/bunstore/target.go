package bunstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// errURL says how a database is named, without repeating what was given: there
// may be a password in it.
var errURL = errors.New(`the database URL must read like "sqlite:///var/lib/countersign/data.db" or "postgres://user:password@host:5432/name"`)

// target is the database that a URL names.
type target struct {
	file string          // SQLite: path of the file
	pool *pgxpool.Config // PostgreSQL
}

func parseTarget(raw string) (target, error) {
	scheme, rest, ok := strings.Cut(raw, ":")
	switch {
	case !ok:
		return target{}, errURL
	case scheme == "sqlite":
		return parseFile(rest)
	case scheme == "postgres" || scheme == "postgresql":
		cfg, err := pgxpool.ParseConfig(raw)
		if err != nil {
			return target{}, errURL // the parser's own words repeat parts of the URL
		}
		return target{pool: cfg}, nil
	}
	return target{}, errURL
}

// parseFile reads what comes after "sqlite:".
func parseFile(rest string) (target, error) {
	path, isURL := strings.CutPrefix(rest, "//")
	if isURL && !strings.HasPrefix(path, "/") {
		return target{}, errURL // sqlite://data.db names a host
	}
	path, err := url.PathUnescape(path)
	if err != nil || path == "" || strings.ContainsAny(path, "?#\x00") {
		return target{}, errURL
	}
	return target{file: path}, nil
}

// name is what people call the target. It holds no secret.
func (t target) name() string {
	if t.pool == nil {
		return "SQLite file " + t.file
	}
	c := t.pool.ConnConfig
	if strings.HasPrefix(c.Host, "/") {
		return "PostgreSQL at " + c.Host
	}
	return "PostgreSQL at " + net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port)))
}

// explain says for people why a target cannot be used.
func (t target) explain(err error) error {
	var own *plainError
	if err == nil || errors.As(err, &own) {
		return err
	}
	why, hint := t.reason(err)
	return &plainError{text: strings.TrimSpace(fmt.Sprintf("cannot reach %s (%s). %s", t.name(), why, hint)), cause: err}
}

// plainError says something to people; its cause is for errors.Is alone.
type plainError struct {
	text  string
	cause error
}

func (e *plainError) Error() string { return e.text }
func (e *plainError) Unwrap() error { return e.cause }

func (t target) reason(err error) (why, hint string) {
	var dns *net.DNSError
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused", "Is it running?"
	case errors.As(err, &dns):
		return "no such host", "Is the name right?"
	case errors.Is(err, os.ErrPermission):
		return "permission denied", "May this user read and write it and its folder?"
	case errors.Is(err, fs.ErrNotExist):
		return "no such file or folder", "Make the folder first."
	case errors.Is(err, context.DeadlineExceeded) || pgconn.Timeout(err):
		return "no answer in time", "Is it running, and is a firewall in between?"
	}
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return t.refused(pg)
	}
	if t.pool != nil {
		return "the connection failed", "Do host, port and sslmode fit?"
	}
	return cut(err.Error()), ""
}

// refused says why PostgreSQL itself declined.
func (t target) refused(pg *pgconn.PgError) (why, hint string) {
	c := t.pool.ConnConfig
	switch pg.Code {
	case "28P01", "28000":
		return fmt.Sprintf("user %q was refused", c.User), "Are user and password right?"
	case "3D000":
		return fmt.Sprintf("there is no database %q", c.Database), "Create it first."
	case "53300":
		return "it has too many connections", "Raise its max_connections, or use fewer here."
	case "42501":
		return fmt.Sprintf("user %q may not do this: %s", c.User, pg.Message), "Grant it the schema."
	}
	return pg.Code + " " + pg.Message, ""
}

// cut keeps the first line of a driver's words.
func cut(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
