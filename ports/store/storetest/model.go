package storetest

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/limit"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/store"
)

// model is the pure domain, kept in maps, beside the store that must agree.
type model struct {
	*kit
	rt         *rapid.T
	ann        user.Account
	handles    []string // in the order in which they were started
	challenges map[string]*challenge.Challenge
	counters   map[string]*limit.Counter
	probes     map[string]probe
	windows    map[string]*limit.Window
	rules      []limit.Charge
	sessions   []*session.Session
	messages   []*store.Message
	feed
}

// agrees drives the store and the domain with the same random calls. All runs
// share the store; each has names and days of its own, and begins by clearing
// away the messages that an earlier one left.
func agrees(t *testing.T, s store.Store) {
	ids, runs := &atomic.Int64{}, 0
	rapid.Check(t, func(rt *rapid.T) {
		runs++
		m := newModel(rt, newKit(t, s, ids), runs)
		rt.Repeat(map[string]func(*rapid.T){
			"start": m.start, "charge": m.chargeOne, "settle": m.settleOne, "read": m.readOne, "cancel": m.cancelOne,
			"refund": m.refundOne, "resend": m.resendOne, "rotate": m.rotateOne, "claim": m.claimSome,
			"finish": m.finishOne, "wait": m.wait, "answer": m.answerOne,
			"queue facts": m.queueFacts, "claim facts": m.claimFacts, "finish fact": m.finishFact,
		})
		m.checkAll()
	})
}

func newModel(rt *rapid.T, k *kit, run int) *model {
	k.tester = rt
	k.now = start.Add(time.Duration(run%3000) * 200 * time.Hour)
	m := &model{
		kit: k, rt: rt, challenges: map[string]*challenge.Challenge{}, counters: map[string]*limit.Counter{},
		windows: map[string]*limit.Window{}, probes: map[string]probe{}, ann: k.person(home),
	}
	m.clear()
	m.feed = m.newFeed()
	for range 2 {
		key := k.name("counter")
		m.counters[key], m.probes[key] = &limit.Counter{}, k.newProbe(key)
	}
	m.rules = []limit.Charge{
		{Rule: limit.Rule{Max: 3, Window: time.Minute}, Key: k.name("window")},
		{Rule: limit.Rule{Max: 2, Window: 10 * time.Minute}, Key: k.name("window"), Cooldown: true},
		{Rule: limit.Rule{Max: 5, Window: 10 * time.Minute}, Key: k.name("window")},
	}
	for _, c := range m.rules {
		m.windows[c.Key] = &limit.Window{}
	}
	return m
}

// clear gives up every message in the queue.
func (m *model) clear() {
	for {
		left, err := m.Claim(m.ctx, store.Claim{Owner: "broom", Max: 100, Lease: time.Second, Now: m.now})
		m.ok(err, "claim what is left")
		if len(left) == 0 {
			return
		}
		for _, p := range left {
			_, err := m.Finish(m.ctx, m.end(p, challenge.Failed))
			m.ok(err, "clear")
		}
	}
}

func draw[T any](rt *rapid.T, label string, from ...T) T {
	return rapid.SampledFrom(from).Draw(rt, label)
}

// some draws some of the windows, in any order.
func (m *model) some(rt *rapid.T) []limit.Charge {
	all := rapid.Permutation(m.rules).Draw(rt, "windows")
	return all[:rapid.SampledFrom([]int{0, 0, 1, 2, 3}).Draw(rt, "how many windows")]
}

func keys(windows []limit.Charge) []string {
	var out []string
	for _, c := range windows {
		out = append(out, c.Key)
	}
	return out
}

func (m *model) counterKeys() []string {
	var out []string
	for key := range m.counters {
		out = append(out, key)
	}
	slices.Sort(out)
	return out
}

// any draws a challenge; mostly one that was started.
func (m *model) any(rt *rapid.T) (tenant, handle string) {
	if len(m.handles) == 0 || rapid.IntRange(0, 19).Draw(rt, "unknown") == 0 {
		return home, "handle-of-nothing-at-all"
	}
	tenant = draw(rt, "tenant", home, home, home, home, home, home, home, other)
	return tenant, draw(rt, "handle", m.handles...)
}

// find is the challenge if the tenant may see it.
func (m *model) find(tenant, handle string) (*challenge.Challenge, bool) {
	c, ok := m.challenges[handle]
	return c, ok && c.Tenant == tenant
}

// take charges the model's windows. If one is full it returns what the refusals
// of those that open last may be, and charges nothing.
func (m *model) take(windows []limit.Charge) []error {
	var refusals []error
	var opens time.Time
	next := map[string]limit.Window{}
	for _, c := range windows {
		w := *m.windows[c.Key]
		switch {
		case w.Take(c.Rule, m.now):
			next[c.Key] = w
		case refusals == nil || w.Ends.After(opens):
			refusals, opens = []error{c.Refusal(w, m.now)}, w.Ends
		case w.Ends.Equal(opens):
			refusals = append(refusals, c.Refusal(w, m.now))
		}
	}
	if refusals == nil {
		for key, w := range next {
			*m.windows[key] = w
		}
	}
	return refusals
}

// agree checks a refusal against those that the domain allows; none means that
// there must be no refusal.
func (m *model) agree(got error, want []error, what string) {
	m.Helper()
	if len(want) == 0 {
		m.ok(got, what)
		return
	}
	for _, w := range want {
		if errors.Is(got, w) && after(got) == after(w) {
			return
		}
	}
	m.Fatalf("%s: got %v (after %v), want %v (after %v)", what, got, after(got), want, after(want[0]))
}

func one(err error) []error {
	if err == nil {
		return nil
	}
	return []error{err}
}

// pushedOut says the same as store.Charge.Live.
func (m *model) pushedOut(c *challenge.Challenge, live int, now time.Time) bool {
	newer := 0
	for _, o := range m.challenges {
		if o.Counter == c.Counter && o.Delivery != challenge.NoDelivery && o.CreatedAt.After(c.CreatedAt) &&
			o.At(now) == challenge.Pending {
			newer++
		}
	}
	return live > 0 && c.Delivery != challenge.NoDelivery && newer >= live
}

// check compares one challenge and its counter with the store.
func (m *model) check(handle string) {
	m.Helper()
	c, ok := m.challenges[handle]
	if !ok {
		return
	}
	m.same(m.read(*c), *c, "challenge "+handle)
	m.checkCounter(c.Counter)
}

func (m *model) checkCounter(key string) {
	m.Helper()
	failures, locked := m.probes[key].counter(m.now)
	n := m.counters[key]
	want := fmt.Sprint(n.Failures, max(0, n.LockedUntil.Sub(m.now)))
	if got := fmt.Sprint(failures, locked); got != want {
		m.Fatalf("counter (failures, locked): got %s, want %s", got, want)
	}
}

func (m *model) checkWindows() {
	m.Helper()
	for _, c := range m.rules {
		w := *m.windows[c.Key]
		if !m.now.Before(w.Ends) {
			w = limit.Window{}
		}
		count, open := m.taken(c.Key, m.now)
		if count != w.Count || count > 0 && open != max(w.Ends.Sub(m.now), time.Second) {
			m.Fatalf("window %s: taken %d times, open for %v; want %d, until %v", c.Key, count, open, w.Count, w.Ends)
		}
	}
}

// checkAll compares everything.
func (m *model) checkAll() {
	m.Helper()
	for _, handle := range m.handles {
		m.same(m.read(*m.challenges[handle]), *m.challenges[handle], "challenge "+handle)
	}
	for _, key := range m.counterKeys() {
		m.checkCounter(key)
	}
	m.checkWindows()
	for _, s := range m.sessions {
		m.same(m.session(*s).Session, *s, "session "+s.ID)
	}
}
