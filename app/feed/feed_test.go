package feed_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/countersign/countersign/adapters/memstore"
	"github.com/countersign/countersign/app/events"
	"github.com/countersign/countersign/app/feed"
	"github.com/countersign/countersign/domain/event"
	port "github.com/countersign/countersign/ports/event"
	"github.com/countersign/countersign/ports/event/eventtest"
	"github.com/countersign/countersign/ports/meter"
	"github.com/countersign/countersign/ports/store"
	"github.com/countersign/countersign/ports/system/systemtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type bubbleClock struct{}

func (bubbleClock) Now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// ear is a listener that does as it is told.
type ear struct {
	name string
	hear func(ctx context.Context, e event.Event) error // nil is always content

	mu    sync.Mutex // guards what follows
	tries []string   // ids, also of what failed
	heard []string   // ids
	at    []time.Time
	now   int
	most  int // tellings at the same time
}

func (l *ear) Name() string          { return l.name }
func (l *ear) Wants(event.Type) bool { return true }

func (l *ear) Hear(ctx context.Context, e event.Event) error {
	l.mu.Lock()
	l.tries, l.at = append(l.tries, e.ID), append(l.at, time.Now())
	l.now++
	l.most = max(l.most, l.now)
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.now--
	}()
	if l.hear != nil {
		if err := l.hear(ctx, e); err != nil {
			return err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heard = append(l.heard, e.ID)
	return nil
}

func (l *ear) got() (tries, heard []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.tries), slices.Clone(l.heard)
}

// pauses are the times between two tries.
func (l *ear) pauses() (out []time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := 1; i < len(l.at); i++ {
		out = append(out, l.at[i].Sub(l.at[i-1]))
	}
	return out
}

// spied is a store that counts looks, and can lose what became of facts.
type spied struct {
	*memstore.Store

	mu    sync.Mutex // guards what follows
	looks int
	lose  int // so many calls of FinishFact fail
}

func (s *spied) ClaimFacts(ctx context.Context, c store.ClaimFacts) ([]store.Fact, error) {
	s.mu.Lock()
	s.looks++
	s.mu.Unlock()
	return s.Store.ClaimFacts(ctx, c)
}

func (s *spied) FinishFact(ctx context.Context, f store.FinishFact) (bool, error) {
	s.mu.Lock()
	lose := s.lose > 0
	s.lose--
	s.mu.Unlock()
	if lose {
		return false, errors.New("connection reset")
	}
	return s.Store.FinishFact(ctx, f)
}

func (s *spied) looked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.looks
}

type counted struct {
	meter.Nothing

	mu  sync.Mutex // guards all
	all map[string]int
}

func (c *counted) Count(_ meter.Name, labels ...meter.Label) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all[labels[0].Value+" "+labels[1].Value]++
}

type rig struct {
	store *spied
	facts *events.Publishing
	d     *feed.Dispatcher
	log   *strings.Builder
	count *counted
	ids   systemtest.IDs
}

func newRig(to *spied, ears ...*ear) *rig {
	r := &rig{store: to, log: &strings.Builder{}, count: &counted{all: map[string]int{}}}
	var all []port.Listener
	for _, l := range ears {
		all = append(all, l)
	}
	r.d = feed.New(feed.Needs{
		Store: to, Listeners: all, Clock: bubbleClock{}, Random: systemtest.NewRandom("feed"), Meter: r.count,
		Log: slog.New(slog.NewTextHandler(r.log, nil)), Owner: "me",
	})
	r.facts = events.Publish(to, &eventtest.Recorder{}, events.Audience{Listeners: all, Queued: r.d.Wake})
	return r
}

// record records facts of a person in one unit of work and gives their ids.
func (r *rig) record(t *testing.T, user string, n int) (ids []string) {
	t.Helper()
	err := r.facts.Do(t.Context(), func(ctx context.Context, tx store.Tx) error {
		ids = nil
		for range n {
			id := r.ids.New()
			ids = append(ids, id)
			e := event.Event{ID: id, Tenant: "default", User: user, Type: event.SessionStarted, At: bubbleClock{}.Now()}
			if err := tx.Journal().Record(ctx, e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// run lets the dispatcher work until stop is called.
func (r *rig) run(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); r.d.Run(ctx) }()
	return func() {
		cancel()
		<-done
		end, free := context.WithTimeout(context.Background(), time.Minute)
		defer free()
		r.d.Stop(end)
	}
}

// bubble runs a test with a dispatcher at work, in time that passes at once.
func bubble(t *testing.T, ears []*ear, fn func(t *testing.T, r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(&spied{Store: memstore.New()}, ears...)
		stop := r.run(t)
		fn(t, r)
		stop()
	})
}

var errDown = errors.New("connection refused")

func TestFactsAreToldInOrder(t *testing.T) {
	l := &ear{name: "one"}
	bubble(t, []*ear{l}, func(t *testing.T, r *rig) {
		want := append(r.record(t, "ann", 20), r.record(t, "ann", 20)...)
		time.Sleep(time.Millisecond) // of the bubble
		synctest.Wait()
		if tries, _ := l.got(); !slices.Equal(tries, want) {
			t.Errorf("told %q, want %q", tries, want)
		}
		if r.count.all["one heard"] != 40 {
			t.Errorf("counted %v", r.count.all)
		}
	})
}

func TestAPersonsFactsWaitForTheFirstAndNobodyElsesDo(t *testing.T) {
	stuck := systemtest.ID(1)
	var down atomic.Bool
	down.Store(true)
	l := &ear{name: "one"}
	l.hear = func(_ context.Context, e event.Event) error {
		if e.ID == stuck && down.Load() {
			return errDown
		}
		return nil
	}
	bubble(t, []*ear{l}, func(t *testing.T, r *rig) {
		anns := r.record(t, "ann", 3)
		bobs := r.record(t, "bob", 3)
		nobodys := r.record(t, "", 3)
		time.Sleep(20 * time.Minute)
		synctest.Wait()
		if _, heard := l.got(); len(heard) != 6 || slices.ContainsFunc(anns, func(id string) bool { return slices.Contains(heard, id) }) {
			t.Fatalf("heard %q while %q failed", heard, stuck)
		}
		if _, heard := l.got(); !slices.Equal(pick(heard, bobs), bobs) || len(pick(heard, nobodys)) != 3 {
			t.Errorf("heard %q", heard)
		}
		down.Store(false)
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if _, heard := l.got(); !slices.Equal(pick(heard, anns), anns) {
			t.Errorf("heard %q of %q", heard, anns)
		}
	})
}

// pick keeps those of all that are in some, in the order of all.
func pick(all, some []string) (out []string) {
	for _, id := range all {
		if slices.Contains(some, id) {
			out = append(out, id)
		}
	}
	return out
}

func TestPausesGrowAndEndAfterThreeDays(t *testing.T) {
	l := &ear{name: "one", hear: func(context.Context, event.Event) error { return errDown }}
	bubble(t, []*ear{l}, func(t *testing.T, r *rig) {
		r.record(t, "ann", 1)
		time.Sleep(96 * time.Hour)
		synctest.Wait()
		pauses := l.pauses()
		for i, most := range []time.Duration{time.Second, 5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, time.Hour, time.Hour} {
			if p := pauses[i]; p < most/2 || p > most+time.Second {
				t.Errorf("pause %d is %s, want %s to %s and the second between two looks", i+1, p, most/2, most)
			}
		}
		if last := l.at[len(l.at)-1].Sub(l.at[0]); last < 72*time.Hour || last > 72*time.Hour+time.Minute {
			t.Errorf("the last try was after %s", last)
		}
		if !strings.Contains(r.log.String(), "will not be any more") || r.count.all["one given_up"] != 1 {
			t.Errorf("giving up was not told: %v", r.count.all)
		}
		r.record(t, "ann", 1)
		time.Sleep(time.Second)
		synctest.Wait()
		if tries, _ := l.got(); tries[len(tries)-1] != systemtest.ID(2) {
			t.Error("what was given up still holds up the next")
		}
	})
}

func TestAListenerSaysWhenItWantsToHearAgain(t *testing.T) {
	first := true
	l := &ear{name: "one"}
	l.hear = func(context.Context, event.Event) error {
		if first {
			first = false
			return fmt.Errorf("status 503: %w", &port.LaterError{After: 7 * time.Minute, Err: errDown})
		}
		return nil
	}
	bubble(t, []*ear{l}, func(t *testing.T, r *rig) {
		r.record(t, "ann", 1)
		time.Sleep(time.Hour)
		synctest.Wait()
		if p := l.pauses(); len(p) != 1 || p[0] < 7*time.Minute || p[0] > 7*time.Minute+time.Second {
			t.Errorf("pauses were %s", p)
		}
	})
}

func TestASlowListenerHoldsUpNobodyElse(t *testing.T) {
	slow := &ear{name: "slow", hear: func(ctx context.Context, _ event.Event) error { <-ctx.Done(); return ctx.Err() }}
	quick := &ear{name: "quick"}
	bubble(t, []*ear{slow, quick}, func(t *testing.T, r *rig) {
		for i := range 50 {
			r.record(t, fmt.Sprint("user", i), 2)
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if _, heard := quick.got(); len(heard) != 100 {
			t.Errorf("the quick one heard %d of 100 facts", len(heard))
		}
		if slow.most+quick.most > 8 || slow.most != 4 {
			t.Errorf("%d and %d tellings at the same time", slow.most, quick.most)
		}
	})
}

func TestManyListenersShareTheHands(t *testing.T) {
	var mu sync.Mutex
	now, most := 0, 0
	var ears []*ear
	for i := range 20 {
		ears = append(ears, &ear{name: fmt.Sprint("ear", i), hear: func(context.Context, event.Event) error {
			mu.Lock()
			now++
			most = max(most, now)
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			now--
			mu.Unlock()
			return nil
		}})
	}
	bubble(t, ears, func(t *testing.T, r *rig) {
		r.record(t, "ann", 3)
		time.Sleep(time.Minute)
		synctest.Wait()
		for _, l := range ears {
			if _, heard := l.got(); len(heard) != 3 {
				t.Errorf("%s heard %d of 3 facts", l.name, len(heard))
			}
		}
		if most != 8 {
			t.Errorf("at most %d were told at the same time, want 8", most)
		}
	})
}

func TestAPanicIsAFailure(t *testing.T) {
	first := true
	l := &ear{name: "one"}
	l.hear = func(context.Context, event.Event) error {
		if first {
			first = false
			panic("oh")
		}
		return nil
	}
	bubble(t, []*ear{l}, func(t *testing.T, r *rig) {
		want := r.record(t, "ann", 2)
		time.Sleep(time.Minute)
		synctest.Wait()
		if _, heard := l.got(); !slices.Equal(heard, want) {
			t.Errorf("heard %q, want %q", heard, want)
		}
	})
}

func TestWhatWasToldBeforeACrashIsToldAgain(t *testing.T) {
	l := &ear{name: "one"}
	bubble(t, []*ear{l}, func(t *testing.T, r *rig) {
		r.store.lose = 1 // heard, and then the process dies before it says so
		want := r.record(t, "ann", 2)
		time.Sleep(29 * time.Second)
		synctest.Wait()
		if tries, _ := l.got(); !slices.Equal(tries, want[:1]) {
			t.Fatalf("told %q while the lease lasts", tries)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if tries, _ := l.got(); !slices.Equal(tries, []string{want[0], want[0], want[1]}) {
			t.Errorf("told %q, want the first twice with one id", tries)
		}
	})
}

func TestAnotherProcessGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := &spied{Store: memstore.New()}
		dead := newRig(db, &ear{name: "one"}) // never runs
		want := dead.record(t, "ann", 3)
		l := &ear{name: "one"}
		stop := newRig(db, l).run(t)
		time.Sleep(time.Second)
		synctest.Wait()
		if tries, _ := l.got(); !slices.Equal(tries, want) {
			t.Errorf("told %q, want %q", tries, want)
		}
		dead.record(t, "bob", 1) // queued by somebody who wakes only themselves
		time.Sleep(31 * time.Second)
		synctest.Wait()
		if tries, _ := l.got(); len(tries) != 4 {
			t.Errorf("told %d of 4 facts", len(tries))
		}
		stop()
	})
}

func TestTheNextLifeKnowsWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := &spied{Store: memstore.New()}
		r := newRig(db, &ear{name: "one", hear: func(context.Context, event.Event) error { return errDown }})
		stop := r.run(t)
		r.record(t, "ann", 1)
		time.Sleep(4 * time.Second) // two tries
		stop()
		l := &ear{name: "one"}
		stop = newRig(db, l).run(t)
		time.Sleep(6 * time.Second) // the third is due meanwhile
		synctest.Wait()
		if _, heard := l.got(); len(heard) != 1 {
			t.Errorf("heard %d of 1 facts", len(heard))
		}
		stop()
	})
}

func TestNobodyLooksOftenForNothing(t *testing.T) {
	l := &ear{name: "one"}
	bubble(t, []*ear{l}, func(t *testing.T, r *rig) {
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := r.store.looked(); n > 121 {
			t.Errorf("looked %d times in an hour of silence", n)
		}
		before := r.store.looked()
		r.record(t, "ann", 1)
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := r.store.looked() - before; n > 140 {
			t.Errorf("looked %d times in an hour after one fact", n)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		r := newRig(&spied{Store: memstore.New()})
		r.d.Run(t.Context()) // returns: nobody listens
		if r.store.looked() != 0 {
			t.Error("looked for nobody")
		}
	})
}

func TestStoppingHandsBackWhatIsBeingTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &ear{name: "one", hear: func(ctx context.Context, _ event.Event) error { <-ctx.Done(); return ctx.Err() }}
		r := newRig(&spied{Store: memstore.New()}, l)
		ctx, cancel := context.WithCancel(t.Context())
		go r.d.Run(ctx)
		want := r.record(t, "ann", 1)
		synctest.Wait()
		cancel()
		end, free := context.WithTimeout(t.Context(), time.Second)
		defer free()
		r.d.Stop(end)
		got, err := r.store.ClaimFacts(t.Context(), store.ClaimFacts{Listeners: []string{"one"}, Owner: "another", Lease: time.Minute, Max: 9, Now: bubbleClock{}.Now()})
		if err != nil || len(got) != 1 || got[0].Event.ID != want[0] {
			t.Errorf("another replica found %d facts, %v", len(got), err)
		}
	})
}

func TestAListenerThatDoesNotStopIsLeftBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		l := &ear{name: "one", hear: func(context.Context, event.Event) error { <-release; return nil }}
		r := newRig(&spied{Store: memstore.New()}, l)
		ctx, cancel := context.WithCancel(t.Context())
		go r.d.Run(ctx)
		r.record(t, "ann", 1)
		synctest.Wait()
		cancel()
		end, free := context.WithTimeout(t.Context(), time.Second)
		defer free()
		began := time.Now()
		r.d.Stop(end)
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("stopping took %s", took)
		}
		close(release)
	})
}
