package storetest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/device"
	"github.com/countersign/countersign/domain/limit"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/store"
)

// RunConcurrency runs races on the stores that openPair returns: two handles of
// one empty database, as two replicas have them. An adapter whose database has
// only one handle returns it twice.
func RunConcurrency(t *testing.T, openPair func(t testing.TB) (a, b store.Store)) {
	t.Helper()
	a, b := openPair(t)
	ids := &atomic.Int64{}
	for _, x := range []struct {
		name  string
		check func(*race)
	}{
		{"parallel guesses are paid for one by one", paysOneByOne},
		{"parallel challenges of one counter share its throttle", sharesThrottle},
		{"parallel settlements of one challenge succeed once", wins(sameChallenge, challenge.ErrNotFound)},
		{"parallel uses of one sign-in succeed once", wins(sameSignIn, session.ErrPendingInvalid)},
		{"parallel changes of one device succeed once", wins(sameDevice, device.ErrUsed)},
		{"parallel uses of one key succeed once", wins(sameKey, store.ErrOnce)},
		{"parallel sign-ups with one identifier succeed once", wins(sameName, user.ErrTaken)},
		{"parallel collections of one answer succeed once", wins(sameAnswer, challenge.ErrNotFound)},
		{"parallel settlements that lead to one identifier succeed once", wins(sameAddress, user.ErrTaken)},
		{"parallel claims of one identifier succeed once", claimsAddress},
		{"parallel uses of one invitation succeed once", acceptsTogether},
		{"somebody who is deleted meanwhile takes no identifier", leavesNothing},
		{"nobody comes in while they are shut out", shutsOut},
		{"an idle account is proven or removed, never both", provesOrGoes},
		{"parallel starts fill a window exactly", fillsExactly},
		{"parallel units of work fill a window exactly", fillsByUnits},
		{"parallel rotations of one generation agree", rotatesTogether},
		{"parallel uses of a spent refresh token end its session once", reusesTogether},
		{"parallel claims get no message twice", claimsApart},
		{"parallel claims get a person's facts one at a time, each once", factsApart},
		{"parallel claims wait for facts that are told, also if older ones come late", lateFactsApart},
		{"units of work lock what they read", locksReads},
		{"units of work lock what is read of people and books", locksPeople},
		{"opposite orders neither deadlock nor lose a count", mixesOrders},
	} {
		t.Run(x.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			k := newKit(t, a, ids)
			k.ctx = ctx
			x.check(&race{kit: k, stores: []store.Store{a, b}})
		})
	}
}

// race is a kit with two handles of its store.
type race struct {
	*kit
	stores []store.Store
}

// run calls fn n times at once, half of them on each handle, and counts how
// many succeed. All others must be refused with refusal.
func (r *race) run(n int, refusal error, fn func(i int, s store.Store) error) int {
	r.Helper()
	errs := make([]error, n)
	begin := make(chan struct{})
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			<-begin
			errs[i] = fn(i, r.stores[i%len(r.stores)])
		})
	}
	close(begin)
	all.Wait()
	won := 0
	for _, err := range errs {
		switch {
		case err == nil:
			won++
		case refusal == nil || !errors.Is(err, refusal):
			r.Errorf("a racer got %v, want success or %v", err, refusal)
		}
	}
	return won
}

func paysOneByOne(r *race) {
	c := r.ask()
	r.charge(r.pay(c))
	won := r.run(200, challenge.ErrExhausted, func(_ int, s store.Store) error {
		_, err := s.Charge(r.ctx, r.pay(c))
		return err
	})
	r.same(won, 4, "how many guesses were let through after the first")
	r.same(r.read(c).Attempts, 5, "attempts")
	r.newProbe(c.Counter).wantFailures(5)
}

func sharesThrottle(r *race) {
	throttle := limit.Throttle{Free: 5, Factor: 30 * time.Second, Cap: time.Hour}
	var want limit.Counter
	for want.Charge(throttle, r.now) == nil {
		continue
	}
	key := r.name("counter")
	var all []challenge.Challenge
	for range 24 {
		all = append(all, r.ask(func(c *challenge.Challenge) { c.Counter, c.Allowed = key, 20 }))
	}
	pay := func(i int) store.Charge {
		in := r.pay(all[i%len(all)])
		in.Throttle = throttle
		return in
	}
	r.charge(pay(0))
	won := r.run(240, limit.ErrLocked, func(i int, s store.Store) error {
		_, err := s.Charge(r.ctx, pay(i))
		return err
	})
	r.same(won, want.Failures-1, "how many guesses were let through after the first")
	r.newProbe(key).wantFailures(want.Failures)
	spent := 0
	for _, c := range all {
		spent += r.read(c).Attempts
	}
	r.same(spent, want.Failures, "attempts of all challenges together")
}

// wins checks that of many settlements only one succeeds, that the others are
// refused with refusal, and that only what the winner brings is there.
func wins(contest func(*race, []store.Settlement), refusal error) func(*race) {
	return func(r *race) {
		a := r.person(home)
		all := make([]store.Settlement, 30)
		for i := range all {
			s := r.visit(a)
			all[i] = store.Settlement{Tenant: home, Handle: r.ask().Handle, Now: r.now, Session: &s}
		}
		contest(r, all)
		won := r.run(len(all), refusal, func(i int, s store.Store) error { return s.Settle(r.ctx, all[i]) })
		r.same(won, 1, "how many settlements succeeded")
		begun, settled := 0, 0
		for _, in := range all {
			if _, err := r.Session(r.ctx, home, in.Session.ID); err == nil {
				begun++
			}
			if c, err := r.Challenge(r.ctx, home, in.Handle, 0); err == nil && c.Status == challenge.Verified {
				settled++
			}
		}
		r.same(begun, 1, "how many sessions began")
		if all[0].Handle != all[1].Handle {
			r.same(settled, 1, "how many challenges were settled")
		}
	}
}

func sameChallenge(_ *race, all []store.Settlement) {
	for i := range all {
		all[i].Handle = all[0].Handle
	}
}

func sameSignIn(r *race, all []store.Settlement) {
	p := r.waiting(r.person(home))
	for i := range all {
		all[i].UseSignIn = p.ID
	}
}

func sameDevice(r *race, all []store.Settlement) {
	d := r.addDevice(r.app(r.person(home)))
	for i := range all {
		all[i].Device = &store.DeviceChange{ID: d.ID, Version: d.Version, Credential: []byte{byte(i)}, UsedAt: r.now}
	}
}

func sameKey(r *race, all []store.Settlement) {
	once := store.Once{Key: r.name("once"), ForgetAt: r.now.Add(time.Hour)}
	for i := range all {
		all[i].Once = &once
	}
}

func sameName(r *race, all []store.Settlement) {
	name := r.stranger(home).Identifiers[0].Contact
	for i := range all {
		a := r.stranger(home)
		a.Identifiers[0].Contact = name
		all[i].NewUser = &a
		all[i].Session.User = a.ID
	}
}

// fillsByUnits begins with a window that is not there, where nothing can be locked.
func fillsByUnits(r *race) {
	for range 5 {
		w := r.window(3)
		won := r.run(12, limit.ErrExceeded, func(_ int, s store.Store) error {
			return s.Do(r.ctx, func(ctx context.Context, tx store.Tx) error {
				return tx.Challenges().Take(ctx, []limit.Charge{w}, r.now)
			})
		})
		r.same(won, 3, "units of work that took the window")
		r.wantTaken(w, 3)
	}
}

func fillsExactly(r *race) {
	w := r.window(5)
	in := func() store.Start {
		return store.Start{Challenge: r.question(), Windows: []limit.Charge{w}, Now: r.now}
	}
	r.ok(r.Start(r.ctx, in()), "start")
	won := r.run(100, limit.ErrExceeded, func(_ int, s store.Store) error { return s.Start(r.ctx, in()) })
	r.same(won, 4, "how many starts succeeded after the first")
	r.wantTaken(w, 5)
}

func rotatesTogether(r *race) {
	x := r.signedIn(r.person(home))
	won := r.run(50, nil, func(_ int, s store.Store) error {
		got, err := s.Rotate(r.ctx, store.Rotate{Session: x.ID, Generation: 1, Grace: 10 * time.Second, Now: r.now})
		if err == nil && got.Session.Generation != 2 {
			return errors.New("another generation")
		}
		return err
	})
	r.same(won, 50, "how many rotations succeeded")
	r.same(r.session(x).Session.Generation, uint32(2), "the generation")
}

func claimsApart(r *race) {
	for range 60 {
		r.post()
	}
	var mu sync.Mutex
	times := map[string]int{}
	won := r.run(16, nil, func(_ int, s store.Store) error {
		for range 60 {
			got, err := s.Claim(r.ctx, store.Claim{Owner: r.name("owner"), Lease: time.Minute, Max: 4, Now: r.now})
			if err != nil {
				return err
			}
			mu.Lock()
			for _, p := range got {
				times[p.ID]++
			}
			n := len(times)
			mu.Unlock()
			if n >= 60 {
				return nil
			}
		}
		return nil
	})
	r.same(won, 16, "how many claimers came through")
	r.same(len(times), 60, "how many messages were claimed")
	for id, n := range times {
		if n != 1 {
			r.Errorf("message %s was claimed %d times", id, n)
		}
	}
}

func locksReads(r *race) {
	c := r.ask()
	won := r.run(40, nil, func(_ int, s store.Store) error {
		return s.Do(r.ctx, func(ctx context.Context, tx store.Tx) error {
			got, err := tx.Challenges().Get(ctx, home, c.Handle)
			if err != nil {
				return err
			}
			got.Round++
			return tx.Challenges().Save(ctx, got)
		})
	})
	r.same(won, 40, "how many units of work succeeded")
	r.same(r.read(c).Round, 41, "the count that each raised by one")
}
