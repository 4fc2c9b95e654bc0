package registration

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/countersign/countersign/app/challenges"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/fault"
	"github.com/countersign/countersign/domain/password"
	"github.com/countersign/countersign/domain/policy"
)

// maxName is the longest name, in runes.
const maxName = 100

// form is what somebody filled in, in its canonical form.
type form struct {
	named []contact.Contact // each kind at most once
	hash  password.Hash
}

// problems collects everything that will not do.
type problems []fault.Field

func (b *problems) add(pointer, code, detail string) {
	*b = append(*b, fault.Field{Pointer: pointer, Code: code, Detail: detail})
}

// read checks everything at once, so that people correct everything at once.
func (s *Service) read(in Input, p policy.Policy) (form, error) {
	var f form
	var bad problems
	given := map[contact.Kind]bool{}
	for _, x := range []struct {
		kind contact.Kind
		raw  string
	}{{contact.Email, in.Email}, {contact.Phone, in.Phone}, {contact.Username, in.Username}} {
		if x.raw == "" {
			continue
		}
		given[x.kind] = true
		c, err := s.Contacts.Parse(x.kind, x.raw, p.Identity.Region)
		switch no, foreseen := fault.Of(err); {
		case !p.Identity.Allows(x.kind):
			bad.add("/"+string(x.kind), "invalid_kind", "Nobody is found by this kind of identifier here.")
		case foreseen:
			bad.add("/"+string(x.kind), no.Code, no.Text)
		case err != nil:
			return f, err
		default:
			f.named = append(f.named, c)
		}
	}
	for _, k := range s.missing(given, p) {
		bad.add("/"+string(k), "field_required", "This field is required.")
	}
	checkNames(in, p, &bad)
	s.checkPassword(in, f, p, given, &bad)
	if len(bad) > 0 {
		return f, challenges.ErrRequest.With(bad...)
	}
	return f, nil
}

// missing lists what must be given besides: what new users must have, and
// something by which they are found again. Where an address is nobody's until it
// is proven, and nobody is asked for a proof at once, that is a user name.
func (s *Service) missing(given map[contact.Kind]bool, p policy.Policy) []contact.Kind {
	var out []contact.Kind
	need := func(k contact.Kind) {
		if !given[k] && !slices.Contains(out, k) {
			out = append(out, k)
		}
	}
	for _, k := range p.SignUp.Required {
		need(k)
	}
	switch {
	case p.Identity.Defer && !p.Identity.AutoSend && p.Identity.Allows(contact.Username):
		need(contact.Username)
	case len(given) == 0 && len(out) == 0:
		for _, k := range p.Identity.Fields {
			need(k)
		}
	}
	return out
}

func checkNames(in Input, p policy.Policy, bad *problems) {
	for _, n := range []struct{ field, value string }{{policy.FirstName, in.FirstName}, {policy.LastName, in.LastName}} {
		switch {
		case n.value == "":
		case !p.Identity.Names(n.field):
			bad.add("/"+n.field, "not_allowed", "People have no such name here.")
		case !printable(n.value):
			bad.add("/"+n.field, "invalid_name", "Use at most 100 printable characters.")
		}
	}
}

func printable(text string) bool {
	return utf8.ValidString(text) && utf8.RuneCountInString(text) <= maxName &&
		!strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// checkPassword wants one where nothing else could sign them in: no address that
// a code could be sent to.
func (s *Service) checkPassword(in Input, f form, p policy.Policy, given map[contact.Kind]bool, bad *problems) {
	reachable := false
	for k := range given {
		reachable = reachable || k != contact.Username && len(s.Channels.Route(k)) > 0 && (!p.Identity.Defer || p.Identity.AutoSend)
	}
	switch {
	case in.Password == "" && (reachable || len(given) == 0):
	case in.Password == "" && p.Password.Enabled:
		bad.add("/password", "field_required", "Without an address that codes can be sent to, a password is required.")
	case in.Password == "":
		for _, k := range p.Identity.Fields {
			if k != contact.Username && !given[k] && len(s.Channels.Route(k)) > 0 {
				bad.add("/"+string(k), "field_required", "An address that codes can be sent to is required.")
			}
		}
	case !p.Password.Enabled:
		bad.add("/password", "not_allowed", "There are no passwords here.")
	default:
		profile := []string{in.FirstName, in.LastName, in.Email, in.Phone, in.Username}
		for _, c := range f.named {
			profile = append(profile, c.Value)
		}
		*bad = append(*bad, s.Passwords.Check(in.Tenant, "/password", in.Password, profile...)...)
	}
}
