package rule_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/rule"
)

func line(t *testing.T, l rule.List, s rule.Subject, pattern string) rule.Line {
	t.Helper()
	out, err := rule.Compile(l, s, pattern)
	if err != nil {
		t.Fatalf("%s %s %q: %v", l, s, pattern, err)
	}
	return out
}

func asked(kind contact.Kind, value, address string) rule.Asked {
	q := rule.Asked{Contact: contact.Contact{Kind: kind, Value: value}}
	if address != "" {
		q.Address = netip.MustParseAddr(address)
	}
	return q
}

func TestRulesFindWhomTheyAreAbout(t *testing.T) {
	for _, x := range []struct {
		subject rule.Subject
		pattern string
		who     rule.Asked
		want    bool
	}{
		{rule.Email, `@mailinator\.`, asked(contact.Email, "a@mailinator.com", ""), true},
		{rule.Email, `@Mailinator\.`, asked(contact.Email, "a@mailinator.com", ""), true},
		{rule.Email, `^a|^b`, asked(contact.Email, "B@example.com", ""), true},
		{rule.Email, `@mailinator\.`, asked(contact.Email, "mailinator@example.com", ""), false},
		{rule.Email, `.`, asked(contact.Username, "mailinator", ""), false},
		{rule.Username, `adm[i1]n`, asked(contact.Username, "the-adm1n", ""), true},
		{rule.Username, `.`, asked(contact.Phone, "+19005550100", ""), false},
		{rule.Phone, "+1900", asked(contact.Phone, "+19005550100", ""), true},
		{rule.Phone, "+1900", asked(contact.Phone, "+44190055501", ""), false},
		{rule.Phone, "+1900", asked(contact.Email, "+1900@example.com", ""), false},
		{rule.IP, "192.0.2.0/24", asked("", "", "192.0.2.9"), true},
		{rule.IP, "192.0.2.0/24", asked("", "", "::ffff:192.0.2.9"), true},
		{rule.IP, "192.0.2.77/24", asked("", "", "192.0.2.9"), true},
		{rule.IP, "::ffff:192.0.2.0/120", asked("", "", "192.0.2.9"), true},
		{rule.IP, "::ffff:192.0.2.9", asked("", "", "192.0.2.9"), true},
		{rule.IP, "2001:db8::/32", asked("", "", "2001:db8:1::1"), true},
		{rule.IP, "192.0.2.9", asked("", "", "192.0.2.10"), false},
		{rule.IP, "0.0.0.0/0", asked("", "", ""), false},
	} {
		got := rule.NewBook(line(t, rule.Block, x.subject, x.pattern)).Decide(x.who).Blocked
		if got != x.want {
			t.Errorf("%s %q: blocked %v", x.subject, x.pattern, got)
		}
	}
}

func TestWhatIsNoPatternIsRefused(t *testing.T) {
	for _, x := range []struct {
		list    rule.List
		subject rule.Subject
		pattern string
	}{
		{rule.Block, rule.Email, `@(`}, {rule.Block, rule.Email, `a)(b`}, {rule.Block, rule.Email, ""}, {rule.Block, rule.Username, `(?P<x`},
		{rule.Block, rule.Phone, "1900"}, {rule.Block, rule.Phone, "+"}, {rule.Block, rule.Phone, "+19 00"},
		{rule.Block, rule.IP, "192.0.2"}, {rule.Block, rule.IP, "192.0.2.0/33"}, {rule.Block, rule.IP, "example.com"},
		{"deny", rule.Email, "x"}, {rule.Allow, "name", "x"},
	} {
		if _, err := rule.Compile(x.list, x.subject, x.pattern); !errors.Is(err, rule.ErrPattern) {
			t.Errorf("%s %s %q: %v", x.list, x.subject, x.pattern, err)
		}
	}
	_, err := rule.Compile(rule.Block, rule.Email, `@(`)
	if err == nil || strings.Contains(err.Error(), "?i") {
		t.Errorf("%v does not quote what was written", err)
	}
}

func TestAllowingOverridesBlockingOfTheSamePart(t *testing.T) {
	b := rule.NewBook(line(t, rule.Block, rule.Email, `@example\.`), line(t, rule.Block, rule.IP, "192.0.2.0/24")).
		With(rule.NewBook(line(t, rule.Allow, rule.Email, `^ada@`)))
	if d := b.Decide(asked(contact.Email, "bob@example.com", "")); !d.Blocked || d.Rule != `block email @example\.` {
		t.Errorf("bob: %+v", d)
	}
	if d := b.Decide(asked(contact.Email, "ada@example.com", "198.51.100.1")); d.Blocked || d.Rule != "allow email ^ada@" {
		t.Errorf("ada: %+v", d)
	}
	if d := b.Decide(asked(contact.Email, "ada@example.com", "192.0.2.1")); !d.Blocked || d.Rule != "block ip 192.0.2.0/24" {
		t.Errorf("ada from a blocked network: %+v", d)
	}
	if d := b.Decide(asked(contact.Email, "eve@elsewhere.test", "")); d != (rule.Decision{}) {
		t.Errorf("eve: %+v", d)
	}
}

func TestAddingABookLeavesTheOtherOneAlone(t *testing.T) {
	base := rule.NewBook(line(t, rule.Block, rule.Phone, "+1900"))
	base.With(rule.NewBook(line(t, rule.Block, rule.Phone, "+44")))
	if base.Decide(asked(contact.Phone, "+447700900123", "")).Blocked {
		t.Error("a rule came into a book that does not change")
	}
}

func TestEntriesEnd(t *testing.T) {
	noon := time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)
	e := rule.Entry{ExpiresAt: noon}
	if !e.Alive(noon.Add(-1)) || e.Alive(noon) || !(rule.Entry{}).Alive(noon) {
		t.Error("an entry lives at the wrong time")
	}
}
