package bunstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	"modernc.org/sqlite"
)

// readers is how many connections read a SQLite file at once. Each keeps up to
// half a MiB of pages.
const readers = 4

// lite makes units of work on SQLite.
type lite struct{ w *writer }

func (l lite) unit(ctx context.Context, foreign bool, fn func(*runner) error) error {
	return l.w.do(ctx, foreign, fn)
}

// dsn names a file for one kind of connection. Pages is the size of its cache
// in KiB. Only the writer asks for the write-ahead log: the file remembers.
func dsn(path string, pages int, more ...string) string {
	q := url.Values{"_txlock": {"immediate"}}
	for _, p := range append([]string{
		"busy_timeout(5000)", "synchronous(FULL)", "foreign_keys(ON)",
		fmt.Sprintf("cache_size(-%d)", pages),
	}, more...) {
		q.Add("_pragma", p)
	}
	return (&url.URL{Scheme: "file", Opaque: url.PathEscape(path), RawQuery: q.Encode()}).String()
}

// firstConn connects, and turns the write-ahead log on. SQLite does not wait
// for others while it does that, so of several that open a new file at once all
// but one are told that it is busy. We wait as long as for any lock.
func firstConn(ctx context.Context, db *bun.DB) (bun.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	for n := 0; ; n++ {
		conn, err := db.Conn(ctx)
		if !busy(err) || pause(ctx, n+1) != nil {
			return conn, err
		}
	}
}

// busy reports whether another connection holds a lock, whatever kind.
func busy(err error) bool {
	lite, ok := errors.AsType[*sqlite.Error](err)
	return ok && lite.Code()&0xff == liteBusy
}

// openFile opens a SQLite database. The file is made for its owner's eyes only.
func openFile(ctx context.Context, path string) (*Store, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	wdb, err := sql.Open("sqlite", dsn(path, 4096, "journal_mode(WAL)"))
	if err != nil {
		return nil, err
	}
	wdb.SetMaxOpenConns(1)
	write := bun.NewDB(wdb, sqlitedialect.New())
	conn, err := firstConn(ctx, write)
	if err != nil {
		return nil, errors.Join(err, wdb.Close())
	}
	rdb, err := sql.Open("sqlite", dsn(path, 512, "query_only(ON)"))
	if err != nil {
		return nil, errors.Join(err, conn.Close(), wdb.Close())
	}
	rdb.SetMaxOpenConns(readers)
	rdb.SetMaxIdleConns(readers)
	w := newWriter(conn)
	src := &runner{raw: rdb, stmts: prepareOn(rdb)}
	return &Store{
		db:    bun.NewDB(rdb, sqlitedialect.New()),
		src:   src,
		file:  path,
		units: lite{w},
		stop: func() error {
			return errors.Join(w.close(), src.stmts.close(), rdb.Close(), wdb.Close())
		},
	}, nil
}
