package rules

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/rule"
	"github.com/countersign/countersign/domain/tenant"
	"github.com/countersign/countersign/ports/store"
)

// The honeypot.
const (
	trapped   = 24 * time.Hour // how long whoever fell into it is blocked
	byTrap    = "honeypot"     // who added the entry
	household = 64             // bits of an IPv6 network that is one client, as for limits
	mostTraps = 5000           // alive, per tenant: machines must not fill our memory
)

// Bounds of what operators write, in characters.
const (
	maxPattern = 512
	maxReason  = 200
)

// Addition is a rule that an operator wants.
type Addition struct {
	Tenant  string
	List    rule.List
	Subject rule.Subject
	Pattern string
	Reason  string        // why, in their words; may be empty
	By      string        // who: a user, a key, or "cli"
	Life    time.Duration // 0: it stays
}

// Add adds an entry, which counts here at once and on other replicas within
// seconds. It refuses with tenant.ErrUnknown, rule.ErrPattern or rule.ErrEntry.
func (g *Gate) Add(ctx context.Context, a Addition) (rule.Entry, error) {
	e := rule.Entry{
		ID: g.IDs.New(), Tenant: a.Tenant, List: a.List, Subject: a.Subject, Pattern: a.Pattern, Reason: strings.TrimSpace(a.Reason),
		By: a.By, CreatedAt: g.Clock.Now(),
	}
	if a.Life > 0 {
		e.ExpiresAt = e.CreatedAt.Add(a.Life)
	}
	if err := g.check(a, e); err != nil {
		return rule.Entry{}, err
	}
	err := g.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error { return g.put(ctx, tx, e) })
	if err != nil {
		return rule.Entry{}, err
	}
	g.learn(e)
	return e, nil
}

func (g *Gate) check(a Addition, e rule.Entry) error {
	switch {
	case !g.Tenants.Has(a.Tenant):
		return tenant.ErrUnknown
	case a.Life < 0 || !printable(e.Reason, maxReason):
		return rule.ErrEntry
	case !printable(e.Pattern, maxPattern):
		return rule.ErrPattern
	}
	_, err := rule.Compile(e.List, e.Subject, e.Pattern)
	return err
}

func printable(text string, most int) bool {
	return utf8.ValidString(text) && utf8.RuneCountInString(text) <= most && !strings.ContainsFunc(text, unicode.IsControl)
}

// put adds an entry and the fact. The fact does not say what the entry matches,
// which may be somebody's address: the entry does, under its id.
func (g *Gate) put(ctx context.Context, tx store.Tx, e rule.Entry) error {
	if err := tx.Rules().Add(ctx, e); err != nil {
		return err
	}
	return tx.Journal().Record(ctx, g.fact(event.RuleAdded, e, e.By))
}

func (g *Gate) fact(t event.Type, e rule.Entry, actor string) event.Event {
	return event.Event{
		ID: g.IDs.New(), Tenant: e.Tenant, Type: t, At: g.Clock.Now(),
		Data: map[string]string{"actor": actor, "rule": e.ID, "list": string(e.List), "subject": string(e.Subject)},
	}
}

// Remove removes an entry, or refuses with rule.ErrNotFound. By says who wants it.
func (g *Gate) Remove(ctx context.Context, tenant, id, by string) error {
	err := g.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		all, err := tx.Rules().List(ctx, tenant)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(all, func(e rule.Entry) bool { return e.ID == id && e.Tenant == tenant })
		if i < 0 {
			return rule.ErrNotFound
		}
		if err := tx.Rules().Delete(ctx, tenant, id); err != nil {
			return err
		}
		return tx.Journal().Record(ctx, g.fact(event.RuleRemoved, all[i], by))
	})
	if err == nil {
		g.forget(tenant, id)
	}
	return err
}

// List gives a tenant's entries that count now, oldest first. The rules of the
// configuration are not among them.
func (g *Gate) List(ctx context.Context, tenant string) (alive []rule.Entry, err error) {
	now := g.Clock.Now()
	err = g.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		all, err := tx.Rules().List(ctx, tenant)
		alive = slices.DeleteFunc(all, func(e rule.Entry) bool { return !e.Alive(now) })
		return err
	})
	return alive, err
}

// Trap blocks for a day the client that filled in a field which people do not
// see. Once is enough: whoever is blocked already costs nothing more. It is
// silent about everything else, as is whoever calls it.
func (g *Gate) Trap(ctx context.Context, tenant string, client netip.Addr, field string) error {
	pattern, ok := network(client)
	if !ok || g.Serve(tenant, rule.Asked{Address: client}) != nil {
		return nil
	}
	now := g.Clock.Now()
	e := rule.Entry{
		ID: g.IDs.New(), Tenant: tenant, List: rule.Block, Subject: rule.IP, Pattern: pattern,
		Reason: "filled in " + field, By: byTrap, CreatedAt: now, ExpiresAt: now.Add(trapped),
	}
	added := false
	err := g.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		added = false // it may run again
		all, err := tx.Rules().List(ctx, tenant)
		if err != nil || !room(all, pattern, now) {
			return err
		}
		added = true
		return g.put(ctx, tx, e)
	})
	if err == nil && added {
		g.learn(e)
	}
	return err
}

// room reports whether a client that fell into the trap has to be listed, and
// can be.
func room(all []rule.Entry, pattern string, now time.Time) bool {
	traps := 0
	for _, e := range all {
		if e.By != byTrap || !e.Alive(now) {
			continue
		}
		if e.Pattern == pattern {
			return false
		}
		traps++
	}
	return traps < mostTraps
}

// network is the client as a rule: an IPv6 network of /64 is one household.
func network(client netip.Addr) (string, bool) {
	client = client.Unmap().WithZone("")
	if !client.IsValid() {
		return "", false
	}
	if client.Is4() {
		return client.String(), true
	}
	p, err := client.Prefix(household)
	return p.String(), err == nil
}

// learn lets an entry count here at once. If it was read meanwhile it is there
// twice until the next reading, which changes no decision.
func (g *Gate) learn(e rule.Entry) {
	g.change(e.Tenant, func(all []rule.Entry) []rule.Entry { return append(all, e) })
}

// forget lets an entry not count here any more.
func (g *Gate) forget(tenant, id string) {
	g.change(tenant, func(all []rule.Entry) []rule.Entry {
		return slices.DeleteFunc(all, func(e rule.Entry) bool { return e.ID == id })
	})
}

// change replaces the entries of a tenant.
func (g *Gate) change(tenant string, how func([]rule.Entry) []rule.Entry) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.entries == nil {
		g.entries = map[string][]rule.Entry{}
	}
	g.entries[tenant] = how(g.entries[tenant])
	g.arrange()
}
