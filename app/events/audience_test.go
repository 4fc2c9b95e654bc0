package events_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/countersign/countersign/adapters/memstore"
	"github.com/countersign/countersign/app/events"
	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/domain/user"
	port "github.com/countersign/countersign/ports/event"
	"github.com/countersign/countersign/ports/event/eventtest"
	"github.com/countersign/countersign/ports/store"
	"github.com/countersign/countersign/ports/store/storetest"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// ear wants what its pattern means.
type ear struct{ name, pattern string }

func (e ear) Name() string                            { return e.name }
func (e ear) Wants(t event.Type) bool                 { return t.Matches(e.pattern) }
func (e ear) Hear(context.Context, event.Event) error { return nil }

// rig is a store with two who listen.
type rig struct {
	*events.Publishing
	told eventtest.Recorder
	woke int
}

func newRig() *rig {
	r := &rig{}
	r.Publishing = events.Publish(memstore.New(), &r.told, events.Audience{
		Listeners: []port.Listener{ear{"all", "*"}, ear{"users", "user.*"}},
		Queued:    func() { r.woke++ },
	})
	return r
}

// waiting is "listener id" of what is queued for nobody in particular.
func (r *rig) waiting(t *testing.T) (out []string) {
	t.Helper()
	facts, err := r.ClaimFacts(t.Context(), store.ClaimFacts{
		Listeners: []string{"all", "users"}, Owner: "me", Lease: time.Minute, Max: 100, Now: noon.Add(time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range facts {
		if !f.NextAt.Equal(f.Event.At) {
			t.Errorf("%s is due at %s, not at once", f.Event.ID, f.NextAt)
		}
		out = append(out, f.Listener+" "+f.Event.ID)
	}
	slices.Sort(out)
	return out
}

func fact(id string, of event.Type) event.Event {
	return event.Event{ID: id, Tenant: "default", Type: of, At: noon}
}

// open is a challenge that can be settled.
func (r *rig) open(t *testing.T) store.Settlement {
	t.Helper()
	c := challenge.Challenge{
		Handle: "handle", Tenant: "default", Purpose: challenge.SignIn, Channel: "email", Status: challenge.Pending,
		Format: challenge.Digits(6), Round: 1, Allowed: 5, Sends: 1, MaxSends: 3, CreatedAt: noon, ExpiresAt: noon.Add(time.Minute),
	}
	if err := r.Start(t.Context(), store.Start{Challenge: c, Now: noon}); err != nil {
		t.Fatal(err)
	}
	return store.Settlement{Tenant: c.Tenant, Handle: c.Handle, Now: noon}
}

func (r *rig) wants(t *testing.T, told []string, waiting ...string) {
	t.Helper()
	var ids []string
	for _, e := range r.told.All() {
		ids = append(ids, e.ID)
	}
	if !slices.Equal(ids, told) {
		t.Errorf("published %q, want %q", ids, told)
	}
	if got := r.waiting(t); !slices.Equal(got, waiting) {
		t.Errorf("queued %q, want %q", got, waiting)
	}
}

func TestAPublishingStoreWithListenersIsAStore(t *testing.T) {
	storetest.Run(t, func(testing.TB) store.Store {
		deaf := ear{"deaf", "nothing"} // the suite counts what is queued
		return events.Publish(memstore.New(), &eventtest.Recorder{}, events.Audience{Listeners: []port.Listener{deaf}})
	})
}

func TestASettlementIsQueuedForThoseWhoWantIt(t *testing.T) {
	r := newRig()
	s := r.open(t)
	s.Events = []event.Event{fact("1", event.UserCreated), fact("2", event.SessionStarted)}
	if err := r.Settle(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	r.wants(t, []string{"1", "2"}, "all 1", "all 2", "users 1")
	if r.woke != 1 {
		t.Errorf("the dispatcher was woken %d times", r.woke)
	}
}

func TestWhatFollowsFromASettlementIsHeardAsWell(t *testing.T) {
	r := newRig()
	s := r.open(t)
	s.Events = []event.Event{fact("1", event.SessionStarted)}
	s.Then = func(ctx context.Context, tx store.Tx) error {
		return tx.Journal().Record(ctx, fact("2", event.UserUpdated))
	}
	if err := r.Settle(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	r.wants(t, []string{"1", "2"}, "all 1", "all 2", "users 2")
}

// signIn adds a person's session whose first refresh token is spent already.
func (r *rig) signIn(t *testing.T) session.Session {
	t.Helper()
	u := user.User{ID: "u", Tenant: "default", Status: user.Active, CreatedAt: noon}
	s := session.Session{ID: "s", Tenant: u.Tenant, User: u.ID, Generation: 2, RotatedAt: noon, CreatedAt: noon, ExpiresAt: noon.Add(time.Hour)}
	err := r.Do(t.Context(), func(ctx context.Context, tx store.Tx) error {
		return errors.Join(tx.Users().Add(ctx, user.Account{User: u}), tx.Sessions().Add(ctx, s))
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// reuse spends the first refresh token of a session again, which records a fact.
func (r *rig) reuse(t *testing.T, id string, refusal error) error {
	t.Helper()
	_, err := r.Rotate(t.Context(), store.Rotate{
		Session: "s", Generation: 1, Now: noon.Add(time.Minute),
		Then: func(ctx context.Context, tx store.Tx, _ store.Signed) error {
			return errors.Join(tx.Journal().Record(ctx, fact(id, event.SessionReused)), refusal)
		},
	})
	return err
}

func TestTheEndOfASessionIsHeardOnce(t *testing.T) {
	r := newRig()
	r.signIn(t)
	no := errors.New("no")
	if err := r.reuse(t, "1", no); !errors.Is(err, no) {
		t.Fatal(err)
	}
	r.wants(t, nil)
	if err := r.reuse(t, "2", nil); !errors.Is(err, session.ErrReused) {
		t.Fatal(err)
	}
	if err := r.reuse(t, "3", nil); !errors.Is(err, session.ErrRevoked) || errors.Is(err, session.ErrReused) {
		t.Fatal(err)
	}
	r.wants(t, []string{"2"}, "all 2")
	if r.woke != 1 {
		t.Errorf("the dispatcher was woken %d times", r.woke)
	}
}

func TestWhatIsTakenBackIsNotQueued(t *testing.T) {
	r := newRig()
	s := r.open(t)
	no := errors.New("no")
	s.Events = []event.Event{fact("1", event.SessionStarted)}
	s.Then = func(ctx context.Context, tx store.Tx) error {
		return errors.Join(tx.Journal().Record(ctx, fact("2", event.UserUpdated)), no)
	}
	if err := r.Settle(t.Context(), s); !errors.Is(err, no) {
		t.Fatal(err)
	}
	err := r.Do(t.Context(), func(ctx context.Context, tx store.Tx) error {
		return errors.Join(tx.Journal().Record(ctx, fact("3", event.UserUpdated)), no)
	})
	if !errors.Is(err, no) {
		t.Fatal(err)
	}
	r.wants(t, nil)
	if r.woke != 0 {
		t.Error("the dispatcher was woken for nothing")
	}
}

func TestAUnitOfWorkIsQueuedForThoseWhoWantIt(t *testing.T) {
	r := newRig()
	err := r.Do(t.Context(), func(ctx context.Context, tx store.Tx) error {
		return errors.Join(tx.Journal().Record(ctx, fact("1", event.RuleAdded)), tx.Journal().Record(ctx, fact("2", event.UserBlocked)))
	})
	if err != nil {
		t.Fatal(err)
	}
	r.wants(t, []string{"1", "2"}, "all 1", "all 2", "users 2")
	if r.woke != 1 {
		t.Errorf("the dispatcher was woken %d times", r.woke)
	}
}

// twice is a store whose units of work run into a conflict first.
type twice struct{ *memstore.Store }

var errConflict = errors.New("conflict")

func (s twice) Do(ctx context.Context, fn func(ctx context.Context, tx store.Tx) error) error {
	err := s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error { return errors.Join(fn(ctx, tx), errConflict) })
	if !errors.Is(err, errConflict) {
		return err
	}
	return s.Store.Do(ctx, fn)
}

func (s twice) Settle(ctx context.Context, in store.Settlement) error {
	again := in
	if then := in.Then; then != nil {
		again.Then = func(ctx context.Context, tx store.Tx) error { return errors.Join(then(ctx, tx), errConflict) }
	}
	if err := s.Store.Settle(ctx, again); !errors.Is(err, errConflict) {
		return err
	}
	return s.Store.Settle(ctx, in)
}

func TestWhatRunsAgainIsHeardOnce(t *testing.T) {
	r := newRig()
	r.Publishing = events.Publish(twice{memstore.New()}, &r.told, events.Audience{
		Listeners: []port.Listener{ear{"all", "*"}}, Queued: func() { r.woke++ },
	})
	s := r.open(t)
	s.Then = func(ctx context.Context, tx store.Tx) error {
		return tx.Journal().Record(ctx, fact("1", event.UserUpdated))
	}
	if err := r.Settle(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	err := r.Do(t.Context(), func(ctx context.Context, tx store.Tx) error {
		return tx.Journal().Record(ctx, fact("2", event.UserUpdated))
	})
	if err != nil {
		t.Fatal(err)
	}
	r.wants(t, []string{"1", "2"}, "all 1", "all 2")
}

func TestNobodyIsWokenForWhatNobodyWants(t *testing.T) {
	var woke bool
	s := events.Publish(memstore.New(), &eventtest.Recorder{}, events.Audience{
		Listeners: []port.Listener{ear{"users", "user.*"}}, Queued: func() { woke = true },
	})
	err := s.Do(t.Context(), func(ctx context.Context, tx store.Tx) error {
		return tx.Journal().Record(ctx, fact("1", event.RuleAdded))
	})
	if err != nil || woke {
		t.Errorf("woken: %v, %v", woke, err)
	}
}
