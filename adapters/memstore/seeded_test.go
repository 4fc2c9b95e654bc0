package memstore

import (
	"context"
	"time"

	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/store"
)

// seeded is a store with a bug: the hooks that are set stand in for methods.
type seeded struct {
	*Store
	start    func(context.Context, store.Start) error
	charge   func(context.Context, store.Charge) (store.Charged, error)
	settle   func(context.Context, store.Settlement) error
	rotate   func(context.Context, store.Rotate) (store.Signed, error)
	do       func(context.Context, func(context.Context, store.Tx) error) error
	claim    func(context.Context, store.Claim) ([]store.Parcel, error)
	finish   func(context.Context, store.Finish) (bool, error)
	read     func(ctx context.Context, tenant, handle string, live int) (challenge.Challenge, error)
	identify func(context.Context, string, contact.Contact) (user.Account, error)
	session  func(ctx context.Context, tenant, id string) (store.Signed, error)
	purge    func(context.Context, store.Horizon) (int, error)
	facts    func(context.Context, store.ClaimFacts) ([]store.Fact, error)
	done     func(context.Context, store.FinishFact) (bool, error)
}

func (x *seeded) Start(ctx context.Context, in store.Start) error { return x.start(ctx, in) }
func (x *seeded) Charge(ctx context.Context, in store.Charge) (store.Charged, error) {
	return x.charge(ctx, in)
}
func (x *seeded) Settle(ctx context.Context, in store.Settlement) error { return x.settle(ctx, in) }
func (x *seeded) Rotate(ctx context.Context, in store.Rotate) (store.Signed, error) {
	return x.rotate(ctx, in)
}
func (x *seeded) Do(ctx context.Context, fn func(context.Context, store.Tx) error) error {
	return x.do(ctx, fn)
}
func (x *seeded) Claim(ctx context.Context, in store.Claim) ([]store.Parcel, error) {
	return x.claim(ctx, in)
}
func (x *seeded) Finish(ctx context.Context, in store.Finish) (bool, error) { return x.finish(ctx, in) }
func (x *seeded) Challenge(ctx context.Context, tenant, handle string, live int) (challenge.Challenge, error) {
	return x.read(ctx, tenant, handle, live)
}
func (x *seeded) Identify(ctx context.Context, tenant string, c contact.Contact) (user.Account, error) {
	return x.identify(ctx, tenant, c)
}
func (x *seeded) Session(ctx context.Context, tenant, id string) (store.Signed, error) {
	return x.session(ctx, tenant, id)
}
func (x *seeded) Purge(ctx context.Context, h store.Horizon) (int, error) { return x.purge(ctx, h) }

func (x *seeded) ClaimFacts(ctx context.Context, in store.ClaimFacts) ([]store.Fact, error) {
	return x.facts(ctx, in)
}
func (x *seeded) FinishFact(ctx context.Context, in store.FinishFact) (bool, error) {
	return x.done(ctx, in)
}

func newSeeded(bug func(*seeded)) *seeded {
	s := New()
	x := &seeded{
		Store: s, start: s.Start, charge: s.Charge, settle: s.Settle, rotate: s.Rotate, do: s.Do, claim: s.Claim,
		finish: s.Finish, read: s.Challenge, identify: s.Identify, session: s.Session, purge: s.Purge,
		facts: s.ClaimFacts, done: s.FinishFact,
	}
	bug(x)
	return x
}

// poke changes the state behind the methods' back.
func (x *seeded) poke(fn func(*state)) {
	_ = x.work(context.Background(), "poke", func(st *state) error { fn(st); return nil })
}

// pokeChallenge changes one challenge.
func (x *seeded) pokeChallenge(handle string, fn func(*challenge.Challenge)) {
	x.poke(func(st *state) {
		if c, ok := st.challenges.get(handle); ok {
			fn(&c)
			st.challenges.put(handle, c)
		}
	})
}

// onCharge has fn change every charge on its way in.
func onCharge(fn func(*seeded, *store.Charge)) func(*seeded) {
	return func(x *seeded) {
		x.charge = func(ctx context.Context, in store.Charge) (store.Charged, error) {
			fn(x, &in)
			return x.Store.Charge(ctx, in)
		}
	}
}

// afterCharge has fn look at every charge that was refused or not.
func afterCharge(fn func(*state, store.Charge, error)) func(*seeded) {
	return func(x *seeded) {
		x.charge = func(ctx context.Context, in store.Charge) (store.Charged, error) {
			out, err := x.Store.Charge(ctx, in)
			x.poke(func(st *state) { fn(st, in, err) })
			return out, err
		}
	}
}

// onSettle has fn change every settlement on its way in.
func onSettle(fn func(*seeded, *store.Settlement)) func(*seeded) {
	return func(x *seeded) {
		x.settle = func(ctx context.Context, in store.Settlement) error {
			fn(x, &in)
			return x.Store.Settle(ctx, in)
		}
	}
}

// onRefusedStart has fn do something with a start that was refused.
func onRefusedStart(fn func(*state, store.Start)) func(*seeded) {
	return func(x *seeded) {
		x.start = func(ctx context.Context, in store.Start) error {
			err := x.Store.Start(ctx, in)
			if err != nil {
				x.poke(func(st *state) { fn(st, in) })
			}
			return err
		}
	}
}

// onFinish has fn change every finish on its way in.
func onFinish(fn func(*seeded, *store.Finish)) func(*seeded) {
	return func(x *seeded) {
		x.finish = func(ctx context.Context, in store.Finish) (bool, error) {
			fn(x, &in)
			return x.Store.Finish(ctx, in)
		}
	}
}

// onRotate has fn change every rotation on its way in, and undo after it.
func onRotate(before func(*state, *store.Rotate, session.Session), after func(*state, session.Session, error)) func(*seeded) {
	return func(x *seeded) {
		x.rotate = func(ctx context.Context, in store.Rotate) (store.Signed, error) {
			var s session.Session
			x.poke(func(st *state) {
				s, _ = st.sessions.get(in.Session)
				before(st, &in, s)
			})
			out, err := x.Store.Rotate(ctx, in)
			x.poke(func(st *state) { after(st, s, err) })
			return out, err
		}
	}
}

// onClaim has fn change all messages before a claim.
func onClaim(fn func(*store.Message, time.Time)) func(*seeded) {
	return func(x *seeded) {
		x.claim = func(ctx context.Context, in store.Claim) ([]store.Parcel, error) {
			x.poke(func(st *state) {
				for id, m := range st.messages.rows {
					fn(&m, in.Now)
					st.messages.put(id, m)
				}
			})
			return x.Store.Claim(ctx, in)
		}
	}
}
