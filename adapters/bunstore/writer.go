package bunstore

import (
	"context"
	"database/sql"
	"errors"
	"runtime"
	"sync"

	"github.com/uptrace/bun"

	"github.com/countersign/countersign/ports/store"
)

// mostPerCommit bounds how many units of work share one commit, so that none
// waits long for the others.
const mostPerCommit = 64

// errClosed is the cause when somebody uses a closed store.
var errClosed = errors.New("the store is closed")

// job is a unit of work that waits for the writer.
type job struct {
	ctx  context.Context //nolint:containedctx // travels to another goroutine with its job
	fn   func(*runner) error
	err  error
	done chan struct{} // closed after the commit

	// Foreign code runs on the goroutine that brought it, with the writer
	// waiting, so that its panics stay there. It also runs in a savepoint.
	foreign bool
	turn    chan struct{}
	ended   chan struct{}
	lost    bool // it panicked
}

// writer is the one goroutine that writes to a SQLite file. It commits units of
// work in groups: one fsync for all that wait. A unit is answered after its
// commit, so what was acknowledged is on disk.
type writer struct {
	conn bun.Conn
	run  *runner
	jobs chan *job
	quit chan struct{}
	gone chan struct{}
	once sync.Once
}

func newWriter(conn bun.Conn) *writer {
	w := &writer{
		conn: conn,
		run:  &runner{bun: conn, raw: conn.Conn, stmts: prepareOn(conn.Conn)},
		jobs: make(chan *job, mostPerCommit),
		quit: make(chan struct{}),
		gone: make(chan struct{}),
	}
	go w.loop()
	return w
}

// do hands a unit of work over and waits for its commit. A unit whose context
// ends before its turn is not run; one that has begun runs to its end.
func (w *writer) do(ctx context.Context, foreign bool, fn func(*runner) error) error {
	j := &job{ctx: ctx, fn: fn, done: make(chan struct{}), foreign: foreign}
	if foreign {
		j.turn, j.ended = make(chan struct{}), make(chan struct{})
	}
	select {
	case <-w.quit:
		return store.ErrUnavailable.Because(errClosed)
	default:
	}
	select {
	case w.jobs <- j:
	case <-w.quit:
		return store.ErrUnavailable.Because(errClosed)
	case <-ctx.Done():
		return ctx.Err()
	}
	return w.await(j)
}

func (w *writer) await(j *job) error {
	for {
		select {
		case <-j.turn: // never, unless the job is foreign
			w.lend(j)
		case <-j.done:
			return j.err
		case <-w.gone:
			select {
			case <-j.done:
				return j.err
			default:
				return store.ErrUnavailable.Because(errClosed)
			}
		}
	}
}

// lend runs a foreign job. If it panics, the panic goes on after its changes
// are taken back.
func (w *writer) lend(j *job) {
	j.lost = true
	defer func() {
		j.ended <- struct{}{}
		if j.lost {
			<-j.done
		}
	}()
	j.err = j.fn(w.run)
	j.lost = false
}

func (w *writer) loop() {
	defer close(w.gone)
	batch := make([]*job, 0, mostPerCommit)
	for {
		select {
		case j := <-w.jobs:
			runtime.Gosched() // whoever is about to write shares this commit
			batch = w.gather(append(batch[:0], j))
			w.commit(batch)
			clear(batch)
		case <-w.quit:
			return
		}
	}
}

// gather adds the jobs that wait by now.
func (w *writer) gather(batch []*job) []*job {
	for len(batch) < mostPerCommit {
		select {
		case j := <-w.jobs:
			batch = append(batch, j)
		default:
			return batch
		}
	}
	return batch
}

// commit runs a batch in one transaction. Units that are not careful look
// before they write, so they run without a savepoint; if one fails after a
// write all the same, the batch runs again with a savepoint around each.
func (w *writer) commit(batch []*job) {
	err := w.transaction(batch, false)
	if errors.Is(err, errSpoiled) {
		err = w.transaction(batch, true)
	}
	for _, j := range batch {
		if err != nil {
			j.err = err
		}
		close(j.done)
	}
}

// errSpoiled means that a batch holds half a unit of work.
var errSpoiled = errors.New("a unit of work failed after it had written")

func (w *writer) transaction(batch []*job, careful bool) error {
	if err := w.plain("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	for _, j := range batch {
		if err := w.turn(j, careful || j.foreign); err != nil {
			_ = w.plain("ROLLBACK") // the engine may have done so itself
			return err
		}
	}
	if err := w.plain("COMMIT"); err != nil {
		_ = w.plain("ROLLBACK")
		return err
	}
	return nil
}

// turn runs one job. It returns an error if the whole batch is lost.
func (w *writer) turn(j *job, careful bool) error {
	if j.lost {
		return nil
	}
	if j.err = j.ctx.Err(); j.err != nil {
		return nil
	}
	if careful {
		if err := w.plain("SAVEPOINT job"); err != nil {
			return err
		}
	}
	w.run.wrote = false
	w.call(j)
	switch {
	case j.err == nil && !j.lost:
		if careful {
			return w.plain("RELEASE job")
		}
	case careful:
		return errors.Join(w.plain("ROLLBACK TO job"), w.plain("RELEASE job"))
	case w.run.wrote:
		return errSpoiled
	}
	return nil
}

func (w *writer) call(j *job) {
	if !j.foreign {
		j.err = j.fn(w.run)
		return
	}
	j.turn <- struct{}{}
	<-j.ended
}

// plain runs a statement without parameters. No context: an interrupt would
// take back the work of everybody in the batch.
func (w *writer) plain(query string) error {
	stmt, err := w.run.stmts.get(context.Background(), query)
	if err != nil {
		return err
	}
	_, err = stmt.ExecContext(context.Background())
	return err
}

// close answers nobody any more and gives the connection back.
func (w *writer) close() error {
	w.once.Do(func() { close(w.quit) })
	<-w.gone
	err := w.run.stmts.close()
	if cerr := w.conn.Close(); !errors.Is(cerr, sql.ErrConnDone) {
		err = errors.Join(err, cerr)
	}
	return err
}
