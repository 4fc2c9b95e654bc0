// Package rule is about block and allow lists: which addresses, names and
// networks are not served, and which are all the same. The first list that knows
// a subject decides, and allowing overrides blocking.
package rule

import (
	"net/netip"
	"regexp"
	"strings"
	"time"

	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/fault"
)

// Refusals.
var (
	ErrBlocked  = fault.New(fault.Forbidden, "destination_blocked", "This cannot be used here.")
	ErrPattern  = fault.New(fault.Invalid, "invalid_pattern", "This is not a pattern: use a regular expression (RE2), a phone prefix such as +1900, or a network such as 192.0.2.0/24.")
	ErrEntry    = fault.New(fault.Invalid, "invalid_request", "A rule may have a reason of at most 200 printable characters, and an end that is not in the past.")
	ErrNotFound = fault.New(fault.NotFound, "not_found", "There is no such thing.")
)

// List says what a rule does.
type List string

// The lists.
const (
	Block List = "block"
	Allow List = "allow"
)

// Subject says what a rule is about.
type Subject string

// The subjects.
const (
	Email    Subject = "email"        // a regular expression (RE2), searched in the canonical address; case does not count
	Phone    Subject = "phone_prefix" // "+1900"
	Username Subject = "username"     // a regular expression, searched in the canonical name; case does not count
	IP       Subject = "ip"           // a network or an address
)

// Entry is one line of a list that was added while the server ran.
type Entry struct {
	ID        string // UUIDv7
	Tenant    string
	List      List
	Subject   Subject
	Pattern   string
	Reason    string // why, in an operator's words
	By        string // who added it: a user, "cli", or "honeypot"
	CreatedAt time.Time
	ExpiresAt time.Time // zero: stays
}

// Alive reports whether the entry counts at now.
func (e Entry) Alive(now time.Time) bool { return e.ExpiresAt.IsZero() || now.Before(e.ExpiresAt) }

// Line is a rule that can be asked.
type Line struct {
	list    List
	subject Subject
	text    string
	pattern *regexp.Regexp
	network netip.Prefix
}

// Compile reads a rule, or refuses with ErrPattern.
func Compile(l List, s Subject, pattern string) (Line, error) {
	line := Line{list: l, subject: s, text: pattern}
	var err error
	switch {
	case pattern == "" || l != Block && l != Allow:
		return Line{}, ErrPattern
	case s == Email || s == Username:
		line.pattern, err = search(pattern)
	case s == Phone:
		if !isPrefix(pattern) {
			return Line{}, ErrPattern
		}
	case s == IP:
		line.network, err = network(pattern)
	default:
		return Line{}, ErrPattern
	}
	if err != nil {
		return Line{}, ErrPattern.Because(err)
	}
	return line, nil
}

func isPrefix(s string) bool {
	digits, plus := strings.CutPrefix(s, "+")
	return plus && digits != "" && strings.Trim(digits, "0123456789") == ""
}

// search reads a pattern in which case does not count: what is searched is
// canonical, hence lower case, and "@Mailinator" would never be found in it.
func search(pattern string) (*regexp.Regexp, error) {
	if _, err := regexp.Compile(pattern); err != nil {
		return nil, err // which quotes what was written
	}
	return regexp.Compile("(?i:" + pattern + ")")
}

// mapped is how long the prefix is before an IPv4 address within IPv6.
const mapped = 96

// network reads a network. One of IPv4 addresses that is written in IPv6 is the
// network of those addresses, as clients are seen by them.
func network(s string) (netip.Prefix, error) {
	if p, err := netip.ParsePrefix(s); err == nil {
		if p.Addr().Is4In6() && p.Bits() >= mapped {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-mapped)
		}
		return p.Masked(), nil
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, err
	}
	a = a.Unmap()
	return netip.PrefixFrom(a, a.BitLen()), nil
}

// String names the rule for an operator.
func (l Line) String() string { return string(l.list) + " " + string(l.subject) + " " + l.text }

// Asked is whom the rules are asked about. Either part may be missing.
type Asked struct {
	Contact contact.Contact
	Address netip.Addr // the client's
}

func (l Line) matches(q Asked) bool {
	switch l.subject {
	case Email:
		return q.Contact.Kind == contact.Email && l.pattern.MatchString(q.Contact.Value)
	case Username:
		return q.Contact.Kind == contact.Username && l.pattern.MatchString(q.Contact.Value)
	case Phone:
		return q.Contact.Kind == contact.Phone && strings.HasPrefix(q.Contact.Value, l.text)
	case IP:
		return q.Address.IsValid() && l.network.Contains(q.Address.Unmap())
	}
	return false
}

// Book is a set of rules. The zero Book allows everything. It does not change
// and is safe for concurrent use.
type Book struct{ block, allow []Line }

// NewBook puts rules together.
func NewBook(lines ...Line) Book {
	var b Book
	for _, l := range lines {
		if l.list == Allow {
			b.allow = append(b.allow, l)
		} else {
			b.block = append(b.block, l)
		}
	}
	return b
}

// With adds the rules of another book.
func (b Book) With(o Book) Book {
	if len(o.block) == 0 && len(o.allow) == 0 {
		return b // which is what every request asks for
	}
	return Book{block: append(append([]Line(nil), b.block...), o.block...), allow: append(append([]Line(nil), b.allow...), o.allow...)}
}

// Decision is what the rules say about somebody, and why.
type Decision struct {
	Blocked bool
	Rule    string // the rule that decided; "" if none did
}

// Decide asks the rules about each part by itself: an address that is allowed
// does not open a network that is blocked.
func (b Book) Decide(q Asked) Decision {
	var d Decision
	for _, part := range []Asked{{Contact: q.Contact}, {Address: q.Address}} {
		blocking, blocked := find(b.block, part)
		if !blocked {
			continue
		}
		allowing, allowed := find(b.allow, part)
		if !allowed {
			return Decision{Blocked: true, Rule: blocking}
		}
		d.Rule = allowing
	}
	return d
}

func find(lines []Line, q Asked) (string, bool) {
	for _, l := range lines {
		if l.matches(q) {
			return l.String(), true
		}
	}
	return "", false
}
