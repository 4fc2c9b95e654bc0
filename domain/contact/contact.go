// Package contact knows the ways to name or reach a person: e-mail addresses,
// phone numbers and user names. It parses what somebody typed into one
// canonical form, so that every spelling of an address is one address, and it
// hides most of an address from those who need not see it.
//
// Two contacts are the same if, and only if, their kinds and the bytes of
// their values are equal.
package contact

import (
	"strings"
	"unicode/utf8"
)

// Kind says what sort of contact it is.
type Kind string

// The kinds.
const (
	Email    Kind = "email"
	Phone    Kind = "phone"
	Username Kind = "username"
)

// Contact is one canonical address or name. Make one with a Parser, or build
// one from its parts when it comes back from storage. It is comparable.
//
// Printing, logging and encoding a Contact all give its mask. Who needs the
// whole address reads Value and says so in doing it; storage keeps Kind and
// Value in places of their own.
type Contact struct {
	Kind  Kind
	Value string // canonical: lower-case ASCII, or E.164 for a phone
}

// IsZero reports whether there is no contact at all.
func (c Contact) IsZero() bool { return c == Contact{} }

// String returns the mask, so that no log or message shows more by accident.
func (c Contact) String() string { return c.Mask() }

// GoString returns the mask as well: "%#v" must not show what "%v" hides.
func (c Contact) GoString() string { return "contact.Contact{" + string(c.Kind) + " " + c.Mask() + "}" }

// MarshalText returns the mask, which is what structured loggers and JSON
// encoders then write. There is no way back: decoding a mask into a Contact
// fails, so a store that encodes contacts whole cannot pass its tests.
func (c Contact) MarshalText() ([]byte, error) { return []byte(c.Mask()), nil }

// Range is a phone number without its last four digits, which stands for all
// that begin so; "" for other contacts and for numbers as short as that.
func (c Contact) Range() string {
	const last = 4
	if c.Kind != Phone || len(c.Value) <= last+1 {
		return ""
	}
	return c.Value[:len(c.Value)-last]
}

// hidden stands for a value that we cannot mask any better.
const hidden = "••••"

// Mask returns enough of the contact for its owner to recognise it and too
// little for anybody else to use it: "a••@example.com", "+44 •••• ••• 89",
// "a••". The number of dots is always the same, so that it says nothing about
// the length, and a local part or a name of one letter is not shown at all.
func (c Contact) Mask() string {
	switch {
	case c.IsZero():
		return ""
	case c.Kind == Email:
		return maskEmail(c.Value)
	case c.Kind == Phone:
		return maskPhone(c.Value)
	case c.Kind == Username:
		return maskName(c.Value)
	default:
		return hidden
	}
}

func maskEmail(value string) string {
	local, domain, ok := strings.Cut(value, "@")
	if !ok {
		return hidden
	}
	return maskName(local) + "@" + domain
}

// maskName takes three places, whatever the length of the name.
func maskName(name string) string {
	first, size := utf8.DecodeRuneInString(name)
	if size == len(name) {
		return "•••"
	}
	return string(first) + "••"
}

func maskPhone(value string) string {
	if !isE164(value) {
		return hidden
	}
	return value[:1+callingCodeLength(value)] + " •••• ••• " + value[len(value)-2:]
}

// twoDigitCodes holds the country calling codes of two digits, less their
// first digit, by that digit (ITU-T E.164, list of assigned country codes).
const twoDigitCodes = "2:07 3:0123469 4:013456789 5:12345678 6:0123456 8:1246 9:0123458"

// callingCodeLength returns how many of the digits after the plus are the
// country calling code. World zones 1 and 7 have one digit; all codes that are
// not in twoDigitCodes have three.
func callingCodeLength(e164 string) int {
	zone, second := e164[1], e164[2]
	if zone == '1' || zone == '7' {
		return 1
	}
	_, codes, _ := strings.Cut(twoDigitCodes, string(zone)+":")
	codes, _, _ = strings.Cut(codes, " ")
	if strings.IndexByte(codes, second) >= 0 {
		return 2
	}
	return 3
}
