// Package feed tells listeners what has happened: it leases the facts that were
// queued for them, hands them over in order for each person, and keeps at it for
// three days. Crash anywhere: nothing is lost, and whoever hears a fact twice
// can tell by its id.
package feed

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	port "github.com/countersign/countersign/ports/event"
	"github.com/countersign/countersign/ports/meter"
	"github.com/countersign/countersign/ports/store"
	"github.com/countersign/countersign/ports/system"
)

// Needs is what the dispatcher is made of.
type Needs struct {
	Store     store.Feed
	Listeners []port.Listener // their names differ
	Clock     system.Clock
	Random    io.Reader
	Meter     meter.Meter
	Log       *slog.Logger
	Owner     string // names this process among the replicas
}

// How the dispatcher works. Leases outlast the longest telling, so that nobody
// takes over a fact that is still being told.
const (
	hands   = 8                // facts that are told at the same time
	lease   = 30 * time.Second // of one fact
	timeout = 20 * time.Second // of one telling
	short   = time.Second      // between two looks into the queue while something waits
	long    = 30 * time.Second // between two looks when nothing does
	lately  = 10 * time.Second // how long we go on looking often
	grace   = time.Second      // for a listener to notice that we stop
)

// Dispatcher tells facts. It is safe for concurrent use.
type Dispatcher struct {
	Needs

	wake   chan struct{}
	share  int             // hands that one listener may keep busy
	ctx    context.Context //nolint:containedctx // the life of tellings, which outlive the loop that begins them
	cancel context.CancelFunc

	mu      sync.Mutex // guards what follows, and busy.Add against busy.Wait
	stopped bool
	lanes   []*lane
	first   int       // the lane that is served first next time
	running int       // hands that are busy
	often   time.Time // until when something waits, as far as we know
	busy    sync.WaitGroup
}

// lane is the way to one listener.
type lane struct {
	port.Listener

	running int // hands that are busy with it
}

// New makes a dispatcher, which works once Run is called.
func New(n Needs) *Dispatcher {
	ctx, cancel := context.WithCancel(context.Background())
	d := &Dispatcher{Needs: n, wake: make(chan struct{}, 1), ctx: ctx, cancel: cancel}
	d.share = max(1, hands/max(1, len(n.Listeners)))
	for _, l := range n.Listeners {
		d.lanes = append(d.lanes, &lane{Listener: l})
	}
	return d
}

// Wake makes the dispatcher look into the queue now.
func (d *Dispatcher) Wake() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// Run looks into the queue whenever it is woken, and now and then for what was
// put back or left behind by others. It returns when ctx ends, and at once if
// nobody listens.
func (d *Dispatcher) Run(ctx context.Context) {
	if len(d.lanes) == 0 {
		return
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.wake:
		case <-timer.C:
			d.survey(ctx)
		}
		for _, l := range d.turn() {
			d.claim(ctx, l)
		}
		timer.Reset(d.pause())
	}
}

// Stop takes nothing new, waits for what is being told until ctx ends, and then
// hands the rest back to the queue. It may be called once. A listener that does
// not return when it should is left behind.
func (d *Dispatcher) Stop(ctx context.Context) {
	d.mu.Lock()
	d.stopped = true
	d.mu.Unlock()
	done := make(chan struct{})
	go func() {
		d.busy.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
	d.cancel()
	last := time.NewTimer(grace)
	defer last.Stop()
	select {
	case <-done:
	case <-last.C:
		d.Log.Error("a listener does not stop")
	}
}

// turn is the lanes in the order in which they are served this time.
func (d *Dispatcher) turn() []*lane {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.first = (d.first + 1) % len(d.lanes)
	return append(d.lanes[d.first:len(d.lanes):len(d.lanes)], d.lanes[:d.first]...)
}

// pause is how long nobody need look.
func (d *Dispatcher) pause() time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.Clock.Now().Before(d.often) {
		return short
	}
	return long
}

// expect makes the dispatcher look often until a while after t.
func (d *Dispatcher) expect(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if t = t.Add(lately); t.After(d.often) {
		d.often = t
	}
}

// survey finds out whether anything waits that we do not know of: from our last
// life, or of another process.
func (d *Dispatcher) survey(ctx context.Context) {
	if d.pause() == short {
		return
	}
	all, err := d.Store.FactsWaiting(ctx)
	if err != nil && ctx.Err() == nil {
		d.Log.Error("the queue of facts cannot be read", "error", err)
	}
	for _, w := range all {
		if slices.ContainsFunc(d.lanes, func(l *lane) bool { return l.Name() == w.Listener }) {
			d.expect(d.Clock.Now().Add(long - lately))
		}
	}
}

// claim leases facts for the hands that a listener may keep busy. Whoever is
// done with one looks again, so that what did not fit is soon found.
func (d *Dispatcher) claim(ctx context.Context, l *lane) {
	n := d.grab(l)
	if n == 0 {
		return
	}
	now := d.Clock.Now()
	facts, err := d.Store.ClaimFacts(ctx, store.ClaimFacts{
		Listeners: []string{l.Name()}, Owner: d.Owner, Lease: lease, Max: n, Now: now,
	})
	if err != nil && ctx.Err() == nil {
		d.Log.Error("the queue of facts cannot be read", "listener", l.Name(), "error", err)
	}
	d.release(l, n-len(facts))
	if len(facts) > 0 {
		d.expect(now)
	}
	for _, f := range facts {
		go func() { //nolint:contextcheck // what was begun ends, whoever stops
			d.tell(l, f)
			d.release(l, 1)
			d.Wake()
		}()
	}
}

// grab takes all the hands that a listener may have now.
func (d *Dispatcher) grab(l *lane) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := min(d.share-l.running, hands-d.running)
	if d.stopped || n <= 0 {
		return 0
	}
	l.running += n
	d.running += n
	d.busy.Add(n)
	return n
}

func (d *Dispatcher) release(l *lane, n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	l.running -= n
	d.running -= n
	d.busy.Add(-n)
}
