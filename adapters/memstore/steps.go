package memstore

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/limit"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/ports/store"
)

// errHandle means that ids are not made as they should be.
var errHandle = errors.New("add challenge: its handle exists")

// Start adds a challenge, charges its windows and queues its message.
func (s *Store) Start(ctx context.Context, in store.Start) error {
	return s.work(ctx, "start challenge", func(st *state) error {
		if err := st.take(in.Windows, kept(in.Now)); err != nil {
			return err
		}
		if _, ok := st.challenges.get(in.Challenge.Handle); ok {
			return errHandle
		}
		st.challenges.put(in.Challenge.Handle, in.Challenge)
		if in.Message != nil {
			st.messages.put(in.Message.ID, *in.Message)
		}
		return nil
	})
}

// Charge pays for one evaluation.
func (s *Store) Charge(ctx context.Context, in store.Charge) (store.Charged, error) {
	var out store.Charged
	err := s.work(ctx, "charge challenge", func(st *state) (err error) {
		out, err = st.charge(in, kept(in.Now))
		return err
	})
	if err != nil {
		return store.Charged{}, err
	}
	return out, nil
}

func (st *state) charge(in store.Charge, now time.Time) (store.Charged, error) {
	c, err := st.challenge(in.Tenant, in.Handle)
	if err != nil {
		return store.Charged{}, err
	}
	refusal := c.Refusal(now)
	switch {
	case errors.Is(refusal, challenge.ErrNotFound) || st.pushedOut(c, in.Live, now):
		return store.Charged{}, challenge.ErrNotFound
	case !fits(in.Formats, c.Format):
		return store.Charged{}, challenge.ErrMalformed
	}
	if err := c.Spend(now); err != nil {
		return store.Charged{}, err
	}
	n, err := st.count(c.Counter, in.Throttle, now)
	if err != nil {
		return store.Charged{}, err
	}
	if err := st.take(in.Windows, now); err != nil {
		return store.Charged{}, err
	}
	st.challenges.put(c.Handle, c)
	return st.charged(c, n), nil
}

// count charges the counter under key; without a key nothing is counted.
func (st *state) count(key string, t limit.Throttle, now time.Time) (limit.Counter, error) {
	if key == "" {
		return limit.Counter{}, nil
	}
	n, _ := st.counters.get(key)
	if err := n.Charge(t, now); err != nil {
		return limit.Counter{}, err
	}
	n.touched = now
	st.counters.put(key, n)
	return n.Counter, nil
}

// charged adds to a challenge whom and what it is about.
func (st *state) charged(c challenge.Challenge, n limit.Counter) store.Charged {
	out := store.Charged{Challenge: c, Counter: limit.Counter{Failures: n.Failures, LockedUntil: kept(n.LockedUntil)}}
	if u, err := st.user(c.Tenant, c.User); err == nil {
		out.User = &u
		i, ok := st.identifiers.get(identifierKey(c.Tenant, contact.Contact{Kind: c.Kind, Value: c.Destination}))
		out.Verified = ok && i.User == c.User && i.Verified()
	}
	if d, err := st.device(c.Tenant, c.Device); err == nil {
		out.Device = &d
	}
	return out
}

// fits reports whether an answer that looks like one of formats can be the
// answer to a question of format f. Without formats it was not typed.
func fits(formats []challenge.Format, f challenge.Format) bool {
	if len(formats) == 0 {
		return !f.Typed()
	}
	return slices.Contains(formats, f)
}

// pushedOut reports whether enough newer challenges that live at now share the
// counter. The zero time asks without regard to expiry.
func (st *state) pushedOut(c challenge.Challenge, live int, now time.Time) bool {
	if live <= 0 || c.Counter == "" || c.Delivery == challenge.NoDelivery {
		return false
	}
	newer := 0
	for handle := range st.challenges.owned[ownerOfChallenge(c)] {
		o := st.challenges.rows[handle]
		if o.Delivery != challenge.NoDelivery && o.At(now) == challenge.Pending && isNewer(o, c) {
			newer++
		}
	}
	return newer >= live
}

func isNewer(a, b challenge.Challenge) bool {
	if order := a.CreatedAt.Compare(b.CreatedAt); order != 0 {
		return order > 0
	}
	return a.Handle > b.Handle
}

// take charges windows, or returns the refusal of the one that opens last. Its
// caller undoes what was charged before a refusal.
func (st *state) take(windows []limit.Charge, now time.Time) error {
	var refusal error
	var opens time.Time
	for _, c := range windows {
		w, _ := st.windows.get(c.Key)
		if w.Take(c.Rule, now) {
			st.windows.put(c.Key, w)
			continue
		}
		if refusal == nil || w.Ends.After(opens) {
			refusal, opens = c.Refusal(w, now), w.Ends
		}
	}
	return refusal
}

func (st *state) giveBack(windows []string, now time.Time) {
	for _, key := range windows {
		if w, ok := st.windows.get(key); ok {
			w.GiveBack(now)
			st.windows.put(key, w)
		}
	}
}

// Rotate spends a refresh token.
func (s *Store) Rotate(ctx context.Context, in store.Rotate) (store.Signed, error) {
	var out store.Signed
	var refusal error
	err := s.work(ctx, "rotate session", func(st *state) (err error) {
		x, ok := st.sessions.get(in.Session)
		if !ok {
			return session.ErrNotFound
		}
		u, err := st.user(x.Tenant, x.User)
		if err != nil {
			return session.ErrNotFound
		}
		if refusal = session.ErrRevoked; u.Active() {
			refusal = x.Rotate(in.Generation, kept(in.Now), in.Grace)
			st.sessions.put(x.ID, x)
		}
		out = store.Signed{Session: x, User: u}
		if in.Then != nil && errors.Is(refusal, session.ErrReused) {
			return in.Then(ctx, tx{st}, out)
		}
		return nil
	})
	if err != nil {
		return store.Signed{}, err
	}
	return out, refusal
}
