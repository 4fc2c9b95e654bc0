package contact

import (
	"strings"

	"github.com/countersign/countersign/domain/fault"
)

// What a parser says no with. The texts never repeat what was typed.
var (
	ErrKind     = fault.New(fault.Invalid, "invalid_kind", "Choose email, phone or username.")
	ErrEmail    = fault.New(fault.Invalid, "invalid_email", "Enter an e-mail address like name@example.com.")
	ErrPhone    = fault.New(fault.Invalid, "invalid_phone_number", "Enter a mobile number with its country code, like +44 7400 123456.")
	ErrUsername = fault.New(fault.Invalid, "invalid_username", "Use 3 to 32 letters a to z, digits, dots, dashes and underscores, and begin with a letter or a digit.")
)

// Parser turns what somebody typed into contacts. The three functions bring
// the knowledge that does not belong here; all must be pure, safe for
// concurrent use, and leave their own results as they are. A parser that lacks
// one refuses whatever would need it.
type Parser struct {
	// NFKC applies the Unicode normal form of that name (UAX #15).
	NFKC func(string) string
	// ToASCII turns a domain name into A-labels and refuses what must not be
	// looked up (RFC 5891 section 5, UTS #46).
	ToASCII func(domain string) (string, error)
	// E164 reads a phone number as somebody in region would dial it, and
	// refuses numbers that are not in use or may not be written to. Region is
	// an ISO 3166-1 code, or empty if a number must bring its country code.
	E164 func(raw, region string) (string, error)
}

// maxRaw bounds, in bytes, what a parser looks at: more than any address
// needs in any spelling, and little enough to normalise without a thought.
const maxRaw = 1024

// Parse reads raw as the given kind. Region matters for phone numbers only.
// It fails with the error of that kind, or with ErrKind if there is no such kind.
func (p Parser) Parse(kind Kind, raw, region string) (Contact, error) {
	switch kind {
	case Email:
		return p.Email(raw)
	case Phone:
		return p.Phone(raw, region)
	case Username:
		return p.Username(raw)
	default:
		return Contact{}, ErrKind
	}
}

// Guess finds out which kind raw is, and parses it as that. Whatever has an @
// is an e-mail address, whatever begins with a plus or is made of digits and
// what people put between them is a phone number, and the rest is a user name.
// No value that one kind accepts is ever taken for another.
func (p Parser) Guess(raw, region string) (Contact, error) {
	text, _ := p.clean(raw) // each kind asks again, and refuses in its own words
	switch {
	case strings.Contains(text, "@"):
		return p.Email(raw)
	case strings.HasPrefix(text, "+"), resemblesPhone(text):
		return p.Phone(raw, region)
	default:
		return p.Username(raw)
	}
}

// Email parses an e-mail address, or fails with ErrEmail. Letters are folded
// to lower case in both parts; tags and dots in the local part stay, because
// only the receiving side knows what they mean. Quoted local parts, address
// literals and non-ASCII local parts are refused.
func (p Parser) Email(raw string) (Contact, error) {
	text, ok := p.clean(raw)
	if !ok || p.ToASCII == nil || strings.Count(text, "@") != 1 {
		return Contact{}, ErrEmail
	}
	local, domain, _ := strings.Cut(text, "@")
	ascii, err := p.ToASCII(domain)
	if err != nil {
		return Contact{}, ErrEmail // the cause would hold the address
	}
	value := lower(local) + "@" + lower(ascii)
	if !isEmail(value) {
		return Contact{}, ErrEmail
	}
	return Contact{Kind: Email, Value: value}, nil
}

// Phone parses a phone number into E.164, or fails with ErrPhone. Letters,
// extensions and pauses are refused, never dropped: they would make two
// recipients out of one number, or one out of two.
func (p Parser) Phone(raw, region string) (Contact, error) {
	text, ok := p.clean(raw)
	if !ok || p.E164 == nil || !isDialable(text) {
		return Contact{}, ErrPhone
	}
	value, err := p.E164(text, region)
	if err != nil || !isE164(value) {
		return Contact{}, ErrPhone // the cause would hold the number
	}
	return Contact{Kind: Phone, Value: value}, nil
}

// Username parses a user name, or fails with ErrUsername: 3 to 32 of a to z,
// 0 to 9, dot, dash and underscore, the first a letter or a digit, and nothing
// that Guess would take for a phone number. Letters are folded to lower case.
func (p Parser) Username(raw string) (Contact, error) {
	text, ok := p.clean(raw)
	value := lower(text)
	if !ok || !isUsername(value) {
		return Contact{}, ErrUsername
	}
	return Contact{Kind: Username, Value: value}, nil
}

// clean normalises raw and takes the blanks off its ends, and reports whether
// the result is worth reading. It comes before every other rule: some
// characters turn into an @ or a dot only here.
func (p Parser) clean(raw string) (text string, ok bool) {
	if p.NFKC == nil || len(raw) > maxRaw {
		return raw, false
	}
	text = strings.Trim(p.NFKC(raw), " \t")
	return text, text != "" && isVisible(text)
}
