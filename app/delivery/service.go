// Package delivery sends what was queued: it leases messages, derives the code
// or puts a notice into words, hands it to a carrier, and keeps at it until the
// code has run out or the notice is old. Crash anywhere: nothing is lost, and nothing is sent too late.
package delivery

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/countersign/countersign/app/channels"
	"github.com/countersign/countersign/app/conversion"
	"github.com/countersign/countersign/app/tenants"
	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/invitation"
	"github.com/countersign/countersign/ports/message"
	"github.com/countersign/countersign/ports/meter"
	"github.com/countersign/countersign/ports/store"
	"github.com/countersign/countersign/ports/system"
)

// Codes derives the code of a challenge.
type Codes interface {
	// Of reports false if the challenge has no code any more.
	Of(c challenge.Challenge) (string, bool)
}

// Links makes links. Their tokens are derived like codes, and stored nowhere.
type Links interface {
	// Of is the link that answers a challenge. It reports false if none does.
	Of(c challenge.Challenge) (link string, ok bool)
	// Invitation is the link that accepts an invitation.
	Invitation(i invitation.Invitation) string
}

// Needs is what the dispatcher is made of.
type Needs struct {
	Store    store.Store
	Channels *channels.Registry
	Codes    Codes
	Links    Links // nil: there are none
	Composer message.Composer
	Clock    system.Clock
	IDs      system.IDs
	Random   io.Reader
	Meter    meter.Meter
	Log      *slog.Logger
	Owner    string // names this process among the replicas
	Tenants  *tenants.Book
	Host     string // of the page that waits for codes

	Region func(e164 string) string // ISO 3166 code of a phone number's country; nil knows none
}

// How the dispatcher works. Leases outlast the longest send, so that nobody
// takes over a message that is still on its way.
const (
	hands   = 16               // sends at the same time
	ahead   = 16               // messages that are claimed for hands that will soon be free
	pens    = 64               // messages that are marked as sent at the same time
	lease   = 30 * time.Second // of one message
	timeout = 10 * time.Second // of one send

	reported = 72 * time.Hour // how long carriers go on reporting what became of a message
	pause    = time.Second    // between two looks into the queue
)

// Dispatcher sends messages. It is safe for concurrent use.
type Dispatcher struct {
	Needs

	marks  chan struct{} // one for each pen in use
	wake   chan struct{}
	more   atomic.Bool // the queue may hold more than there were hands for
	flows  atomic.Bool // something was sent since the last look into the queue
	health *health
	ranges *conversion.Breaker

	mu       sync.Mutex // guards what follows, and busy.Add against busy.Wait
	stopped  bool
	free     int            // hands
	promised int            // reservations whose messages are not here yet
	next     []store.Parcel // leased by us, in nobody's hand yet
	busy     sync.WaitGroup
	ctx      context.Context //nolint:containedctx // the life of sends that outlive the request they were asked in
	cancel   context.CancelFunc
}

// New makes a dispatcher. It sends what it is handed at once; what waits in the
// queue it finds once Run is called.
func New(n Needs) *Dispatcher {
	ctx, cancel := context.WithCancel(context.Background())
	d := &Dispatcher{
		Needs: n, free: hands, marks: make(chan struct{}, pens), wake: make(chan struct{}, 1),
		health: newHealth(), ctx: ctx, cancel: cancel,
		ranges: conversion.New(conversion.Needs{Store: n.Store, Tenants: n.Tenants, Clock: n.Clock, IDs: n.IDs, Meter: n.Meter, Log: n.Log}),
	}
	return d
}

// Reserve promises a hand to a message, if one is free or, while messages flow,
// soon will be, and marks the message as leased by us.
func (d *Dispatcher) Reserve(m *store.Message, now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	room := d.free
	if d.flows.Load() {
		room += ahead - len(d.next)
	}
	if d.stopped || d.promised >= room {
		return false
	}
	d.promised++
	d.busy.Add(1)
	m.Owner, m.Leased, m.Tries, m.Fence = d.Owner, now.Add(lease), 1, 1
	return true
}

// Release takes a promise back.
func (d *Dispatcher) Release() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.promised--
	d.busy.Done()
}

// Take sends a message that a hand was promised to.
func (d *Dispatcher) Take(p store.Parcel) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.promised--
	if d.free == 0 { // the next one that is free finds it
		d.next = append(d.next, p)
		d.busy.Done()
		return
	}
	d.free--
	go d.work(p)
}

// work is a hand that sends one message, and those that wait for a hand.
func (d *Dispatcher) work(p store.Parcel) {
	for more := true; more; p, more = d.pick() {
		if d.deliver(d.ctx, p) {
			d.flows.Store(true)
		}
	}
	if d.more.Load() {
		d.Wake()
	}
}

// Wake makes the dispatcher look into the queue now.
func (d *Dispatcher) Wake() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// Run looks into the queue whenever it is woken, and once a second for what was
// put back or left behind by others. It returns when ctx ends.
func (d *Dispatcher) Run(ctx context.Context) {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		d.claim(ctx)
		select {
		case <-ctx.Done():
			return
		case <-d.wake:
		case <-tick.C:
		}
	}
}

// Stop takes nothing new, waits for what is on its way until ctx ends, and then
// hands the rest back to the queue. It may be called once.
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
	<-done
}

// pick takes a message that waits for a hand. If there is none, the hand is free.
func (d *Dispatcher) pick() (store.Parcel, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.next) == 0 {
		d.drop(1)
		return store.Parcel{}, false
	}
	p := d.next[0]
	d.next = d.next[1:]
	return p, true
}

// drop frees hands. The caller holds mu.
func (d *Dispatcher) drop(n int) {
	d.free += n
	d.busy.Add(-n)
}

// claim leases messages for the hands that are free and, while messages flow,
// some more for those that soon will be: when carriers stand still, what nobody
// holds is left for other replicas. If there may be more still, the next free
// hand looks again.
func (d *Dispatcher) claim(ctx context.Context) {
	d.more.Store(true) // before looking for hands: one that is freed from now on wakes us
	n := d.grab()
	flows := d.flows.Swap(false)
	if n == 0 {
		return
	}
	most := n
	if flows {
		most += ahead
	}
	parcels, err := d.Store.Claim(ctx, store.Claim{Owner: d.Owner, Lease: lease, Max: most, Now: d.Clock.Now()})
	if err != nil && ctx.Err() == nil {
		d.Log.Error("the queue cannot be read", "error", err)
	}
	d.more.Store(len(parcels) == most)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.next = append(d.next, parcels...)
	for range min(n, len(d.next)) { // some may be waiting for the hands that we held
		go d.work(d.next[0])
		d.next = d.next[1:]
		n--
	}
	d.drop(n)
}

// grab takes all hands that are free and not promised.
func (d *Dispatcher) grab() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopped {
		return 0
	}
	n := max(0, d.free-d.promised)
	d.free -= n
	d.busy.Add(n)
	return n
}
