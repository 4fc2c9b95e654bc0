package bunstore

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/limit"
	"github.com/countersign/countersign/ports/store"
)

// The steps here run in a unit of work: they read and lock, ask the domain, and
// then write. That is how SQLite does all of them, and PostgreSQL those that
// its one-statement forms declined.

var (
	windowText  = "SELECT taken, ends FROM windows WHERE key = $1"
	windowPut   = "INSERT INTO windows (key, taken, most, ends) VALUES ($1, $2, $3, $4) ON CONFLICT (key) DO UPDATE SET taken = excluded.taken, most = excluded.most, ends = excluded.ends"
	windowAdd   = "INSERT INTO windows (key, taken, most, ends) VALUES ($1, 0, $2, 0) ON CONFLICT (key) DO NOTHING RETURNING ends"
	counterText = "SELECT failures, locked_until FROM counters WHERE key = $1"
	counterPut  = "INSERT INTO counters (key, failures, locked_until, touched_at) VALUES ($1, $2, $3, $4) ON CONFLICT (key) DO UPDATE SET failures = excluded.failures, locked_until = excluded.locked_until, touched_at = excluded.touched_at"

	challengeAdd  = challengeColumns.insert("challenges")
	messageAdd    = messageColumns.insert("messages")
	challengePaid = "UPDATE challenges SET attempts = $2 WHERE handle = $1"

	provenText = "SELECT 1 FROM identifiers WHERE tenant = $1 AND kind = $2 AND value = $3 AND user_id = $4 AND verified_at > 0"
	userText   = userColumns.pick("users") + " WHERE id = $1 AND tenant = $2"
	deviceText = deviceColumns.pick("devices") + " WHERE id = $1 AND tenant = $2"
)

// Start adds a challenge, charges its windows and queues its message.
func (s *Store) Start(ctx context.Context, in store.Start) error {
	if s.pg != nil {
		return failure("start challenge", s.pg.start(ctx, s, in))
	}
	return s.step(ctx, "start challenge", func(ctx context.Context, r *runner) error { return r.start(ctx, in) })
}

func (r *runner) start(ctx context.Context, in store.Start) error {
	if err := r.take(ctx, in.Windows, kept(in.Now)); err != nil {
		return err
	}
	if _, err := r.exec(ctx, challengeAdd, fromStart(in).args()...); err != nil {
		return err
	}
	if in.Message == nil {
		return nil
	}
	_, err := r.exec(ctx, messageAdd, fromMessage(*in.Message).args()...)
	return err
}

// sorted puts windows in the order in which everybody locks them, so that two
// never wait for each other.
func sorted(windows []limit.Charge) []limit.Charge {
	byKey := func(a, b limit.Charge) int { return strings.Compare(a.Key, b.Key) }
	if slices.IsSortedFunc(windows, byKey) {
		return windows
	}
	return slices.SortedStableFunc(slices.Values(windows), byKey)
}

// take charges all windows, or none and returns the refusal of the one that
// opens last.
func (r *runner) take(ctx context.Context, charges []limit.Charge, now time.Time) error {
	charges = sorted(charges)
	open, err := readWindows(ctx, r, charges, r.locking())
	if err != nil {
		return err
	}
	if err := takeAll(open, charges, now); err != nil {
		return err
	}
	for _, c := range charges {
		w := open[c.Key]
		if _, err := r.exec(ctx, windowPut, c.Key, w.Count, c.Max, micros(w.Ends)); err != nil {
			return err
		}
	}
	return nil
}

func readWindows(ctx context.Context, src source, charges []limit.Charge, lock string) (map[string]limit.Window, error) {
	open := make(map[string]limit.Window, len(charges))
	for _, c := range charges {
		var w limit.Window
		var ends int64
		found, err := one(ctx, src, []any{&w.Count, &ends}, windowText+lock, c.Key)
		if err == nil && !found && lock != "" { // else what is not there cannot be locked, and two take the first
			if _, err = one(ctx, src, []any{&ends}, windowAdd, c.Key, c.Max); err == nil {
				_, err = one(ctx, src, []any{&w.Count, &ends}, windowText+lock, c.Key)
			}
		}
		if err != nil {
			return nil, err
		}
		w.Ends = moment(ends)
		open[c.Key] = w
	}
	return open, nil
}

// takeAll charges windows in memory, as limit.Window.Take says.
func takeAll(open map[string]limit.Window, charges []limit.Charge, now time.Time) error {
	var refusal error
	var opens time.Time
	for _, c := range charges {
		w := open[c.Key]
		if w.Take(c.Rule, now) {
			open[c.Key] = w
			continue
		}
		if refusal == nil || w.Ends.After(opens) {
			refusal, opens = c.Refusal(w, now), w.Ends
		}
	}
	return refusal
}

// Charge pays for one evaluation.
func (s *Store) Charge(ctx context.Context, in store.Charge) (store.Charged, error) {
	var out store.Charged
	if s.pg != nil {
		err := s.pg.charge(ctx, s, in, &out)
		return out, failure("charge challenge", err)
	}
	err := s.step(ctx, "charge challenge", func(ctx context.Context, r *runner) (err error) {
		out, err = r.charge(ctx, in)
		return err
	})
	return out, err
}

func (r *runner) charge(ctx context.Context, in store.Charge) (store.Charged, error) {
	p, err := judge(ctx, r, in, r.locking())
	if err != nil {
		return store.Charged{}, err
	}
	now := kept(in.Now)
	if _, err := r.exec(ctx, challengePaid, p.challenge.Handle, p.challenge.Attempts); err != nil {
		return store.Charged{}, err
	}
	if p.challenge.Counter != "" {
		if _, err := r.exec(ctx, counterPut, p.challenge.Counter, p.counter.Failures, micros(p.counter.LockedUntil), micros(now)); err != nil {
			return store.Charged{}, err
		}
	}
	for _, c := range in.Windows {
		w := p.windows[c.Key]
		if _, err := r.exec(ctx, windowPut, c.Key, w.Count, c.Max, micros(w.Ends)); err != nil {
			return store.Charged{}, err
		}
	}
	return charged(ctx, r, p.challenge, p.counter)
}

// price is what a Charge leaves behind.
type price struct {
	challenge challenge.Challenge
	counter   limit.Counter
	windows   map[string]limit.Window
}

// judge says what a charge would leave behind, or why it is refused, in the
// order that the port promises.
func judge(ctx context.Context, src source, in store.Charge, lock string) (price, error) {
	var p price
	now := kept(in.Now)
	c, err := findChallenge(ctx, src, in.Tenant, in.Handle, lock)
	if err != nil {
		return p, err
	}
	refusal := c.Refusal(now)
	if errors.Is(refusal, challenge.ErrNotFound) {
		return p, challenge.ErrNotFound
	}
	out, err := pushedOut(ctx, src, c, in.Live, now)
	switch {
	case err != nil:
		return p, err
	case out:
		return p, challenge.ErrNotFound
	case !slices.Contains(formats(in.Formats), string(c.Format)):
		return p, challenge.ErrMalformed
	}
	if err := c.Spend(now); err != nil {
		return p, err
	}
	p.challenge = c
	if c.Counter != "" {
		if p.counter, err = readCounter(ctx, src, c.Counter, lock); err != nil {
			return p, err
		}
		if err := p.counter.Charge(in.Throttle, now); err != nil {
			return p, err
		}
	}
	charges := sorted(in.Windows)
	if p.windows, err = readWindows(ctx, src, charges, lock); err != nil {
		return p, err
	}
	return p, takeAll(p.windows, charges, now)
}

// formats are those that an answer fits. One that was not typed fits "".
func formats(in []challenge.Format) []string {
	if len(in) == 0 {
		return []string{""}
	}
	out := make([]string, len(in))
	for i, f := range in {
		out[i] = string(f)
	}
	return out
}

func readCounter(ctx context.Context, src source, key, lock string) (limit.Counter, error) {
	var n limit.Counter
	var until int64
	_, err := one(ctx, src, []any{&n.Failures, &until}, counterText+lock, key)
	n.LockedUntil = moment(until)
	return n, err
}

// charged adds to a paid challenge whom and what it is about.
func charged(ctx context.Context, src source, c challenge.Challenge, n limit.Counter) (store.Charged, error) {
	n.LockedUntil = kept(n.LockedUntil)
	out := store.Charged{Challenge: c, Counter: n}
	if c.User != "" {
		var u userRow
		found, err := one(ctx, src, u.dest(), userText, c.User, c.Tenant)
		if err != nil {
			return store.Charged{}, err
		}
		if found {
			who := u.domain()
			out.User = &who
			if out.Verified, err = proven(ctx, src, c.User, c.Tenant, contact.Contact{Kind: c.Kind, Value: c.Destination}); err != nil {
				return store.Charged{}, err
			}
		}
	}
	if c.Device != "" {
		var d deviceRow
		found, err := one(ctx, src, d.dest(), deviceText, c.Device, c.Tenant)
		if err != nil {
			return store.Charged{}, err
		}
		if found {
			what := d.domain()
			out.Device = &what
		}
	}
	return out, nil
}

func proven(ctx context.Context, src source, id, tenant string, c contact.Contact) (bool, error) {
	var n int
	return one(ctx, src, []any{&n}, provenText, tenant, string(c.Kind), c.Value, id)
}
