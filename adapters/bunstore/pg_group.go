package bunstore

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// What a statement costs PostgreSQL before and after its work (the way there and
// back, locks on tables, starting the plan, the commit) is most of the price of a
// hot step. So those who come while another one is on its way go together, in
// one statement and one commit. Nobody waits to be joined: whoever finds nobody
// on the way goes at once, alone.
const (
	mostTogether = 32
	// patience is how long somebody waits for the one that is on its way before a
	// further one is sent: a slow disk or a locked row holds up who is in the same
	// statement, and nobody else for longer than this.
	patience = 5 * time.Millisecond
	// togetherLimit ends a shared statement, as no caller's context does.
	togetherLimit = 10 * time.Second
)

// group brings steps of one kind together. It is safe for concurrent use.
type group[T any] struct {
	// together does the step for all members in one statement, or in none at all
	// if it returns an error, and marks whom it did it for. The others were
	// refused: each goes alone, to hear why.
	together func(ctx context.Context, all []*member[T]) error

	mu      sync.Mutex // guards what follows
	waiting []*member[T]
	busy    int // statements on their way
}

// member is one step that waits for its turn.
type member[T any] struct {
	in   T
	rows []string // that it changes: members that share one go after each other
	kind any      // only members of the same kind go together
	now  time.Time

	turn    chan struct{} // closed when what follows is known
	did     bool
	refused bool // by a shared statement that went through without it
	err     error
	lane    bool // it counts as a statement on its way until it leaves
}

// do does a step, together with others or by calling alone.
func (g *group[T]) do(ctx context.Context, m *member[T], alone func(refused bool) error) error {
	m.turn = make(chan struct{})
	g.mu.Lock()
	g.waiting = append(g.waiting, m)
	var batch []*member[T]
	if g.busy == 0 {
		batch = g.take()
	}
	g.mu.Unlock()
	g.send(batch)
	if err := g.await(ctx, m); err != nil || m.did {
		return err
	}
	if m.lane {
		defer g.leave()
	}
	return alone(m.refused)
}

// await returns when the member had its turn, or gave up before it.
func (g *group[T]) await(ctx context.Context, m *member[T]) error {
	select {
	case <-m.turn:
		return m.err
	default:
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	gone := ctx.Done()
	for {
		select {
		case <-m.turn:
			return m.err
		case <-timer.C:
			g.mu.Lock()
			batch := g.take()
			g.mu.Unlock()
			g.send(batch)
			timer.Reset(patience)
		case <-gone:
			if g.withdraw(m) {
				return ctx.Err()
			}
			gone = nil // on its way: what becomes of it is known soon
		}
	}
}

// withdraw takes a member back that has not had its turn.
func (g *group[T]) withdraw(m *member[T]) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.Index(g.waiting, m)
	if i >= 0 {
		g.waiting = slices.Delete(g.waiting, i, i+1)
	}
	return i >= 0
}

// take picks who goes next: the one that waits longest and those that can go
// with it. It returns nil if nobody waits.
func (g *group[T]) take() []*member[T] {
	if len(g.waiting) == 0 {
		return nil
	}
	g.busy++
	first := g.waiting[0]
	batch, rest := []*member[T]{first}, g.waiting[:0]
	if len(g.waiting) > 1 {
		rows := map[string]bool{}
		for _, row := range first.rows {
			rows[row] = true
		}
		for _, m := range g.waiting[1:] {
			if len(batch) == mostTogether || !m.joins(first, rows) {
				rest = append(rest, m)
				continue
			}
			batch = append(batch, m)
			for _, row := range m.rows {
				rows[row] = true
			}
		}
	}
	clear(g.waiting[len(rest):])
	g.waiting = rest
	return batch
}

// joins reports whether a member can go with those who change these rows. A
// shared statement has one clock, so who does not come at about the same time,
// by their own clocks, does not go together.
func (m *member[T]) joins(first *member[T], rows map[string]bool) bool {
	return m.kind == first.kind && m.now.Sub(first.now).Abs() <= time.Second &&
		!slices.ContainsFunc(m.rows, func(row string) bool { return rows[row] })
}

// send sends those who were taken on their way.
func (g *group[T]) send(batch []*member[T]) {
	if len(batch) == 0 {
		return
	}
	if len(batch) == 1 {
		batch[0].lane = true
		close(batch[0].turn)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), togetherLimit)
	defer cancel()
	err := g.together(ctx, batch)
	for _, m := range batch {
		m.refused = !m.did && err == nil
		m.did = m.did && err == nil
		if !takenBack(err) {
			m.err = err
		}
		close(m.turn)
	}
	g.leave()
}

// leave lets the next ones go.
func (g *group[T]) leave() {
	g.mu.Lock()
	g.busy--
	var batch []*member[T]
	if g.busy == 0 {
		batch = g.take()
	}
	g.mu.Unlock()
	if len(batch) > 1 {
		go g.send(batch)
		return
	}
	g.send(batch)
}

// takenBack reports whether a statement is sure to have changed nothing, so that
// its members can go alone. After any other error nobody knows.
func takenBack(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pg.SeverityUnlocalized == "ERROR"
}

// latest is the clock of a shared statement.
func latest[T any](all []*member[T]) time.Time {
	now := all[0].now
	for _, m := range all[1:] {
		if m.now.After(now) {
			now = m.now
		}
	}
	return now
}
