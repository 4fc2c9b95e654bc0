// Package textnorm normalises what people type, with the Unicode tables that
// the domain does without: normal forms and internationalised domain names.
package textnorm

import (
	"errors"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

// ErrDomain means that a name cannot be looked up. It does not repeat the name.
var ErrDomain = errors.New("domain name not valid")

// NFKC applies normalisation form KC (UAX #15): full-width letters become
// letters, ligatures fall apart, accents join their letters. Bytes that are
// not UTF-8 are kept. It is safe for concurrent use.
func NFKC(text string) string { return norm.NFKC.String(text) }

// Domains turns domain names into the form in which they are looked up. Make
// one with NewDomains. It is safe for concurrent use.
type Domains struct {
	profile *idna.Profile
}

// NewDomains prepares the strict look-up profile: mapping of UTS #46 without
// the transitional exceptions, so that straße.de is not strasse.de; letters,
// digits and hyphens only; the rules for hyphens, joiners and right-to-left
// labels; and the lengths that DNS allows.
func NewDomains() Domains {
	return Domains{profile: idna.New(
		idna.MapForLookup(),
		idna.Transitional(false),
		idna.StrictDomainName(true),
		idna.ValidateLabels(true),
		idna.CheckHyphens(true),
		idna.CheckJoiners(true),
		idna.BidiRule(),
		idna.VerifyDNSLength(true),
	)}
}

// ToASCII returns the A-label form of a domain name in lower case, or
// ErrDomain. Applied to its own result it changes nothing.
func (d Domains) ToASCII(domain string) (string, error) {
	if d.profile == nil {
		return "", ErrDomain
	}
	ascii, err := d.profile.ToASCII(domain)
	if err != nil {
		return "", ErrDomain // the library's error names the label
	}
	if again, err := d.profile.ToASCII(ascii); err != nil || again != ascii {
		return "", ErrDomain
	}
	return ascii, nil
}
