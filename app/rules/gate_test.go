package rules_test

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/countersign/countersign/adapters/memstore"
	"github.com/countersign/countersign/app/rules"
	"github.com/countersign/countersign/app/tenants"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/policy"
	"github.com/countersign/countersign/domain/rule"
	"github.com/countersign/countersign/domain/tenant"
	"github.com/countersign/countersign/ports/store"
	"github.com/countersign/countersign/ports/system/systemtest"
)

// counting is a store that counts units of work, and fails when told to.
type counting struct {
	store.Store

	mu    sync.Mutex
	units int
	down  error
}

func (c *counting) Do(ctx context.Context, fn func(context.Context, store.Tx) error) error {
	c.mu.Lock()
	c.units++
	down := c.down
	c.mu.Unlock()
	if down != nil {
		return down
	}
	return c.Store.Do(ctx, fn)
}

func (c *counting) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down = err
}

type rig struct {
	gate  *rules.Gate
	other *rules.Gate // another replica
	store *counting
	clock *systemtest.Clock
	log   *strings.Builder
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{store: &counting{Store: memstore.New()}, clock: systemtest.NewClock(time.Time{}), log: &strings.Builder{}}
	strict := policy.Default()
	strict.Identity.Fields = []contact.Kind{contact.Email}
	line, err := rule.Compile(rule.Block, rule.Email, `@mailinator\.`)
	if err != nil {
		t.Fatal(err)
	}
	strict.Rules.Book = rule.NewBook(line)
	book := tenants.NewBook(tenants.Entry{Tenant: tenant.Tenant{Slug: "t2"}, Policy: strict})
	ids := &systemtest.IDs{}
	needs := rules.Needs{Store: r.store, Tenants: book, Clock: r.clock, IDs: ids, Log: slog.New(slog.NewTextHandler(r.log, nil))}
	r.gate, r.other = rules.New(needs), rules.New(needs)
	return r
}

func (r *rig) add(t *testing.T, tenant string, s rule.Subject, pattern string, life time.Duration) rule.Entry {
	t.Helper()
	e, err := r.gate.Add(t.Context(), rules.Addition{Tenant: tenant, List: rule.Block, Subject: s, Pattern: pattern, By: "cli", Life: life})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func (r *rig) events(t *testing.T, tenant string) (out []event.Event) {
	t.Helper()
	err := r.store.Do(t.Context(), func(ctx context.Context, tx store.Tx) (err error) {
		out, err = tx.Journal().Events(ctx, store.EventQuery{Tenant: tenant, Limit: 100})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func mail(address string) rule.Asked {
	return rule.Asked{Contact: contact.Contact{Kind: contact.Email, Value: address}}
}

func from(address string) rule.Asked { return rule.Asked{Address: netip.MustParseAddr(address)} }

func blocked(err error) bool { return errors.Is(err, rule.ErrBlocked) }

func TestEntriesCountBesideThePolicyOfTheirTenant(t *testing.T) {
	r := newRig(t)
	r.add(t, "t2", rule.Email, `@spam\.`, 0)
	for _, x := range []struct {
		tenant, address string
		want            bool
	}{
		{"t2", "a@mailinator.com", true}, {"t2", "a@spam.example", true}, {"t2", "a@example.com", false},
		{"default", "a@mailinator.com", false}, {"default", "a@spam.example", false},
	} {
		if err := r.gate.Serve(x.tenant, mail(x.address)); blocked(err) != x.want {
			t.Errorf("%s, %s: %v", x.tenant, x.address, err)
		}
	}
	if d := r.gate.Explain("t2", mail("a@spam.example")); d.OK || d.Reason != policy.BlockedBy || d.Why != `block email @spam\.` {
		t.Errorf("explained as %+v", d)
	}
	if d := r.gate.Explain("t2", mail("a@example.com")); !d.OK || d.Reason != policy.Fine {
		t.Errorf("explained as %+v", d)
	}
}

func TestAllowingOverridesBlockingAcrossBooks(t *testing.T) {
	r := newRig(t)
	_, err := r.gate.Add(t.Context(), rules.Addition{Tenant: "t2", List: rule.Allow, Subject: rule.Email, Pattern: "^ada@", By: "u1"})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.gate.Serve("t2", mail("ada@mailinator.com")); err != nil {
		t.Errorf("ada: %v", err)
	}
	if d := r.gate.Explain("t2", mail("ada@mailinator.com")); d.Reason != policy.AllowedBy || d.Why != "allow email ^ada@" {
		t.Errorf("explained as %+v", d)
	}
}

func TestAKindThatIsNotUsedHidesNoNetwork(t *testing.T) {
	r := newRig(t)
	q := rule.Asked{Contact: contact.Contact{Kind: contact.Phone, Value: "+447700900123"}, Address: netip.MustParseAddr("192.0.2.7")}
	if err := r.gate.Serve("t2", q); err != nil {
		t.Errorf("a kind that is not used is the gate's business: %v", err)
	}
	r.add(t, "t2", rule.IP, "192.0.2.0/24", 0)
	if !blocked(r.gate.Serve("t2", q)) {
		t.Error("a blocked network is served")
	}
	if d := r.gate.Explain("t2", rule.Asked{Contact: q.Contact}); d.Reason != policy.WrongKind {
		t.Errorf("explained as %+v", d)
	}
}

func TestEntriesEndByTheClockAndAskingCostsNothing(t *testing.T) {
	r := newRig(t)
	r.add(t, "t2", rule.IP, "192.0.2.1", time.Hour)
	r.add(t, "t2", rule.IP, "192.0.2.2", 2*time.Hour)
	r.add(t, "t2", rule.IP, "192.0.2.3", 0)
	units := r.store.units
	for _, x := range []struct {
		passed time.Duration
		want   [3]bool
	}{{0, [3]bool{true, true, true}}, {time.Hour, [3]bool{false, true, true}}, {time.Hour, [3]bool{false, false, true}}, {-2 * time.Hour, [3]bool{true, true, true}}} {
		r.clock.Advance(x.passed)
		for i, address := range []string{"192.0.2.1", "192.0.2.2", "192.0.2.3"} {
			if blocked(r.gate.Serve("t2", from(address))) != x.want[i] {
				t.Errorf("at %s %s is blocked: %v", r.clock.Now(), address, !x.want[i])
			}
		}
	}
	if r.store.units != units {
		t.Errorf("asking cost %d units of work", r.store.units-units)
	}
}

func TestAnotherReplicaHearsWithinSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); r.other.Run(ctx) }()
		synctest.Wait()
		e := r.add(t, "default", rule.IP, "192.0.2.1", 0)
		if r.other.Serve("default", from("192.0.2.1")) != nil {
			t.Error("the other replica knows already: what is tested?")
		}
		time.Sleep(5 * time.Second) // of the bubble
		synctest.Wait()
		if !blocked(r.other.Serve("default", from("192.0.2.1"))) {
			t.Error("after 5 s, the other replica does not know")
		}
		r.store.fail(errors.New("down"))
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if !blocked(r.other.Serve("default", from("192.0.2.1"))) || !strings.Contains(r.log.String(), "those known so far stay") {
			t.Errorf("entries were forgotten because storage is down; the log says %q", r.log)
		}
		r.store.fail(nil)
		if err := r.gate.Remove(t.Context(), "default", e.ID, "cli"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if r.other.Serve("default", from("192.0.2.1")) != nil || r.gate.Serve("default", from("192.0.2.1")) != nil {
			t.Error("a removed entry counts")
		}
		cancel()
		<-done
	})
}

func TestAnEntryThatCannotBeReadDoesNotStopTheOthers(t *testing.T) {
	r := newRig(t)
	err := r.store.Do(t.Context(), func(ctx context.Context, tx store.Tx) error {
		return errors.Join(
			tx.Rules().Add(ctx, rule.Entry{ID: "bad", Tenant: "default", List: rule.Block, Subject: rule.Email, Pattern: "("}),
			tx.Rules().Add(ctx, rule.Entry{ID: "good", Tenant: "default", List: rule.Block, Subject: rule.Email, Pattern: "^eve@"}))
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.gate.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !blocked(r.gate.Serve("default", mail("eve@example.com"))) || !strings.Contains(r.log.String(), "rule=bad") {
		t.Errorf("the log says %q", r.log)
	}
}
