// Package rules decides whom a tenant does not serve: by the lists of its
// policy, and by entries that were added while the server ran. Entries are kept
// in memory, so that asking costs no statement.
package rules

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/countersign/countersign/app/tenants"
	"github.com/countersign/countersign/domain/policy"
	"github.com/countersign/countersign/domain/rule"
	"github.com/countersign/countersign/ports/store"
	"github.com/countersign/countersign/ports/system"
)

// pause is how long an entry that another replica added may be unknown here.
const pause = 5 * time.Second

// Needs is what the gate is made of.
type Needs struct {
	Store   store.UnitOfWork
	Tenants *tenants.Book
	Clock   system.Clock
	IDs     system.IDs
	Log     *slog.Logger
}

// Gate knows whom a tenant does not serve. Before Refresh or Run it knows the
// policies only. It is safe for concurrent use.
type Gate struct {
	Needs

	mu      sync.Mutex // held while entries are read or replaced
	entries map[string][]rule.Entry
	shelves atomic.Pointer[map[string]*shelf] // by tenant
}

// New makes a gate.
func New(n Needs) *Gate {
	g := &Gate{Needs: n}
	g.shelves.Store(&map[string]*shelf{})
	return g
}

// Run reads the entries at once and then every five seconds, so that those of
// other replicas and of the command line come to count. It returns when ctx ends.
func (g *Gate) Run(ctx context.Context) {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		if err := g.Refresh(ctx); err != nil && ctx.Err() == nil {
			g.Log.Error("the block and allow lists could not be read; those known so far stay", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Refresh reads the entries anew. When it fails, those known so far stay.
func (g *Gate) Refresh(ctx context.Context) error {
	g.mu.Lock() // also while reading: a change that is made meanwhile comes after
	defer g.mu.Unlock()
	entries := map[string][]rule.Entry{}
	err := g.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		clear(entries) // it may run again
		all, err := tx.Rules().List(ctx, "")
		for _, e := range all {
			entries[e.Tenant] = append(entries[e.Tenant], e)
		}
		return err
	})
	if err != nil {
		return err
	}
	g.entries = entries
	g.arrange()
	return nil
}

// arrange puts the entries onto shelves; mu is held.
func (g *Gate) arrange() {
	shelves := make(map[string]*shelf, len(g.entries))
	for tenant, entries := range g.entries {
		shelves[tenant] = g.shelf(g.Tenants.Policy(tenant), entries)
	}
	g.shelves.Store(&shelves)
}

// Serve refuses with rule.ErrBlocked what the rules of a tenant block. A kind of
// identifier that is not used there is not its business: whoever parses it
// refuses it.
func (g *Gate) Serve(tenant string, q rule.Asked) error {
	d := g.Explain(tenant, q)
	if d.Reason == policy.WrongKind { // which must not hide where it comes from
		d = g.Explain(tenant, rule.Asked{Address: q.Address})
	}
	if d.Reason == policy.BlockedBy {
		return rule.ErrBlocked
	}
	return nil
}

// Explain says what a tenant decides about an address or a name, from the client
// that asks, and why. It is for operators: people are told no more than Serve.
func (g *Gate) Explain(tenant string, q rule.Asked) policy.Decision {
	s, ok := (*g.shelves.Load())[tenant]
	if !ok {
		return g.Tenants.Policy(tenant).Serve(q, rule.Book{})
	}
	return s.policy(g.Clock.Now()).Serve(q, rule.Book{})
}

// shelf is a tenant's policy with the entries that were added to it. It does not
// change, but for what is left of it as time passes.
type shelf struct {
	base  policy.Policy
	lines []timed
	now   atomic.Pointer[whole]
}

// timed is a rule with its end.
type timed struct {
	line rule.Line
	ends time.Time // zero: never
}

// whole is the policy with all rules that count, from one moment to another.
type whole struct {
	policy      policy.Policy
	from, until time.Time // until is zero if nothing ends
}

func (g *Gate) shelf(p policy.Policy, entries []rule.Entry) *shelf {
	s := &shelf{base: p}
	for _, e := range entries {
		line, err := rule.Compile(e.List, e.Subject, e.Pattern)
		if err != nil {
			g.Log.Error("an entry of the block and allow lists cannot be read and does not count", "tenant", e.Tenant, "rule", e.ID)
			continue
		}
		s.lines = append(s.lines, timed{line, e.ExpiresAt})
	}
	return s
}

// policy is the policy with the entries that count at now. It is made anew only
// when one has ended.
func (s *shelf) policy(now time.Time) policy.Policy {
	w := s.now.Load()
	if w == nil || now.Before(w.from) || !w.until.IsZero() && !now.Before(w.until) {
		w = s.at(now)
		s.now.Store(w)
	}
	return w.policy
}

func (s *shelf) at(now time.Time) *whole {
	w := &whole{policy: s.base, from: now}
	var lines []rule.Line
	for _, l := range s.lines {
		if !l.ends.IsZero() && !now.Before(l.ends) {
			continue
		}
		lines = append(lines, l.line)
		if !l.ends.IsZero() && (w.until.IsZero() || l.ends.Before(w.until)) {
			w.until = l.ends
		}
	}
	w.policy.Rules.Book = s.base.Rules.Book.With(rule.NewBook(lines...))
	return w
}
