// Package phoneplan knows the world's numbering plans by Google's metadata, as
// ported by nyaruka/phonenumbers. That library is lenient: it drops extensions
// and pauses, translates letters, and reads numbers that nobody can have. This
// adapter is not.
package phoneplan

import (
	"slices"
	"strings"
	"unicode"

	"github.com/nyaruka/phonenumbers"

	"github.com/countersign/countersign/ports/numbering"
)

// Plan implements numbering.Plan. The zero value accepts numbers that are, or
// in their country cannot be told from, mobile numbers. It is safe for
// concurrent use.
type Plan struct {
	also []numbering.Kind
}

// New makes a plan that accepts mobile numbers, and numbers of the kinds given
// besides: Fixed where codes are spoken, VoIP where that is good enough.
// Premium and Other are ignored: nothing makes the plan accept those.
func New(also ...numbering.Kind) Plan {
	return Plan{also: slices.DeleteFunc(slices.Clone(also), func(k numbering.Kind) bool {
		return k != numbering.Fixed && k != numbering.VoIP
	})}
}

// maxRaw bounds, in bytes, what is handed to the library; a number of fifteen
// digits needs less in any script.
const maxRaw = 128

// global is the library's region for numbers that belong to no country, such
// as satellite and universal numbers. Sending to them is expensive.
const global = "001"

// Parse implements numbering.Plan. It reads decimal digits of any script.
func (p Plan) Parse(raw, region string) (numbering.Number, error) {
	n, err := read(raw, region)
	if err != nil {
		return numbering.Number{}, err
	}
	if !p.accepts(n) {
		return numbering.Number{}, numbering.ErrNotAccepted
	}
	// The library reads some of its own results differently. An account must
	// not depend on how often its number was read, so those are refused.
	if again, err := read(n.E164, ""); err != nil || again != n {
		return numbering.Number{}, numbering.ErrInvalid
	}
	return n, nil
}

func (p Plan) accepts(n numbering.Number) bool {
	mobile := n.Kind == numbering.Mobile || n.Kind == numbering.FixedOrMobile
	return n.Region != global && (mobile || slices.Contains(p.also, n.Kind))
}

func read(raw, region string) (numbering.Number, error) {
	if len(raw) > maxRaw || strings.ContainsFunc(raw, foreign) {
		return numbering.Number{}, numbering.ErrInvalid
	}
	n, err := phonenumbers.Parse(raw, strings.ToUpper(region))
	if err != nil || n.GetExtension() != "" || !phonenumbers.IsValidNumber(n) {
		return numbering.Number{}, numbering.ErrInvalid // the library's error may hold the number
	}
	return numbering.Number{
		E164:   phonenumbers.Format(n, phonenumbers.E164),
		Region: phonenumbers.GetRegionCodeForNumber(n),
		Kind:   kind(phonenumbers.GetNumberType(n)),
	}, nil
}

// foreign reports whether r is neither a digit nor a separator. Letters and
// the signs ,;#*~: start an extension, a pause or a parameter.
func foreign(r rune) bool {
	return !unicode.Is(unicode.Nd, r) && !unicode.Is(unicode.Pd, r) &&
		!unicode.Is(unicode.Zs, r) && !strings.ContainsRune("+./()\uff0b\u2212", r)
}

func kind(t phonenumbers.PhoneNumberType) numbering.Kind {
	switch t {
	case phonenumbers.MOBILE:
		return numbering.Mobile
	case phonenumbers.FIXED_LINE_OR_MOBILE:
		return numbering.FixedOrMobile
	case phonenumbers.FIXED_LINE:
		return numbering.Fixed
	case phonenumbers.VOIP:
		return numbering.VoIP
	case phonenumbers.PREMIUM_RATE:
		return numbering.Premium
	default:
		return numbering.Other
	}
}
