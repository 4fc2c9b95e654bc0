package rules_test

import (
	"errors"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign/app/rules"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/rule"
	"github.com/countersign/countersign/domain/tenant"
)

func TestChangesAreRecordedWithoutWhomTheyAreAbout(t *testing.T) {
	r := newRig(t)
	e, err := r.gate.Add(t.Context(), rules.Addition{
		Tenant: "t2", List: rule.Block, Subject: rule.Email, Pattern: `^eve@example\.com$`, Reason: " abuse ", By: "cli", Life: time.Hour,
	})
	if err != nil || e.Reason != "abuse" || !e.ExpiresAt.Equal(r.clock.Now().Add(time.Hour)) {
		t.Fatalf("%+v, %v", e, err)
	}
	if err := r.gate.Remove(t.Context(), "t2", e.ID, "u1"); err != nil {
		t.Fatal(err)
	}
	facts := r.events(t, "t2")
	if len(facts) != 2 || facts[0].Type != event.RuleRemoved || facts[1].Type != event.RuleAdded {
		t.Fatalf("recorded %+v", facts)
	}
	for i, actor := range []string{"u1", "cli"} {
		d := facts[i].Data
		if d["actor"] != actor || d["rule"] != e.ID || d["list"] != "block" || d["subject"] != "email" {
			t.Errorf("recorded %v", d)
		}
		for _, v := range d {
			if strings.Contains(v, "eve") {
				t.Errorf("the fact tells whom it is about: %v", d)
			}
		}
	}
}

func TestWhatIsNoRuleIsRefusedAndLeavesNothing(t *testing.T) {
	r := newRig(t)
	fine := rules.Addition{Tenant: "t2", List: rule.Block, Subject: rule.Email, Pattern: "x", By: "cli"}
	for name, x := range map[string]struct {
		change func(*rules.Addition)
		want   error
	}{
		"tenant":          {func(a *rules.Addition) { a.Tenant = "t3" }, tenant.ErrUnknown},
		"pattern":         {func(a *rules.Addition) { a.Pattern = "(" }, rule.ErrPattern},
		"no pattern":      {func(a *rules.Addition) { a.Pattern = "" }, rule.ErrPattern},
		"long pattern":    {func(a *rules.Addition) { a.Pattern = strings.Repeat("x", 513) }, rule.ErrPattern},
		"list":            {func(a *rules.Addition) { a.List = "deny" }, rule.ErrPattern},
		"subject":         {func(a *rules.Addition) { a.Subject = "name" }, rule.ErrPattern},
		"reason":          {func(a *rules.Addition) { a.Reason = strings.Repeat("ü", 201) }, rule.ErrEntry},
		"reason of lines": {func(a *rules.Addition) { a.Reason = "a\nb" }, rule.ErrEntry},
		"end":             {func(a *rules.Addition) { a.Life = -1 }, rule.ErrEntry},
	} {
		a := fine
		x.change(&a)
		if _, err := r.gate.Add(t.Context(), a); !errors.Is(err, x.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if facts := r.events(t, "t2"); len(facts) > 0 {
		t.Errorf("recorded %+v", facts)
	}
	e := r.add(t, "t2", rule.Email, "x", 0)
	for _, x := range [][2]string{{"default", e.ID}, {"", e.ID}, {"t2", "nothing"}} {
		if err := r.gate.Remove(t.Context(), x[0], x[1], "cli"); !errors.Is(err, rule.ErrNotFound) {
			t.Errorf("removing %v: %v", x, err)
		}
	}
}

func TestListShowsWhatCounts(t *testing.T) {
	r := newRig(t)
	first, short := r.add(t, "t2", rule.Email, "x", 0), r.add(t, "t2", rule.Email, "y", time.Minute)
	r.add(t, "default", rule.Email, "z", 0)
	all, err := r.gate.List(t.Context(), "t2")
	if err != nil || len(all) != 2 || all[0].ID != first.ID || all[1].ID != short.ID {
		t.Errorf("%+v, %v", all, err)
	}
	r.clock.Advance(time.Minute)
	if all, err = r.gate.List(t.Context(), "t2"); err != nil || len(all) != 1 {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestTheHoneypotBlocksForADayAndOnce(t *testing.T) {
	r := newRig(t)
	var all sync.WaitGroup
	for _, g := range []*rules.Gate{r.gate, r.other, r.gate, r.other} {
		all.Go(func() {
			if err := g.Trap(t.Context(), "t2", netip.MustParseAddr("::ffff:192.0.2.9"), "website"); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	entries, err := r.gate.List(t.Context(), "t2")
	if err != nil || len(entries) != 1 || entries[0].Pattern != "192.0.2.9" || entries[0].By != "honeypot" || entries[0].Reason != "filled in website" {
		t.Fatalf("%+v, %v", entries, err)
	}
	if facts := r.events(t, "t2"); len(facts) != 1 || facts[0].Type != event.RuleAdded || facts[0].Data["actor"] != "honeypot" {
		t.Errorf("recorded %+v", facts)
	}
	if err := r.gate.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !blocked(r.gate.Serve("t2", from("192.0.2.9"))) || r.gate.Serve("default", from("192.0.2.9")) != nil {
		t.Error("the wrong clients are blocked")
	}
	r.clock.Advance(24 * time.Hour)
	if r.gate.Serve("t2", from("192.0.2.9")) != nil {
		t.Error("it is blocked for more than a day")
	}
	if err := r.gate.Trap(t.Context(), "t2", netip.MustParseAddr("192.0.2.9"), "website"); err != nil {
		t.Fatal(err)
	}
	if !blocked(r.gate.Serve("t2", from("192.0.2.9"))) {
		t.Error("it is not blocked again")
	}
}

func TestTheHoneypotTakesANetworkOfIPv6ForOneClient(t *testing.T) {
	r := newRig(t)
	if err := r.gate.Trap(t.Context(), "t2", netip.MustParseAddr("2001:db8:1:2:3::4%eth0"), "website"); err != nil {
		t.Fatal(err)
	}
	if !blocked(r.gate.Serve("t2", from("2001:db8:1:2::9"))) || r.gate.Serve("t2", from("2001:db8:1:3::9")) != nil {
		t.Error("the wrong clients are blocked")
	}
	units := r.store.units
	if err := r.gate.Trap(t.Context(), "t2", netip.Addr{}, "website"); err != nil || r.store.units != units {
		t.Errorf("an unknown address: %v", err)
	}
}
