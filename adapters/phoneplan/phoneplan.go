// Package phoneplan knows the world's numbering plans by Google's metadata. It
// reads numbers by a table of its own, which is made from nyaruka/phonenumbers
// and tested against it: that library brings protobuf, more than a tenth of the
// binary, and reads all plans when the program starts (decision 0015). It is also
// lenient: it drops extensions and pauses, translates letters, and reads numbers
// that nobody can have. This adapter does not.
package phoneplan

import (
	"slices"
	"strings"

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

// maxRaw bounds, in bytes, what is read; a number of fifteen digits needs less in
// any script.
const maxRaw = 128

// global stands for the region of numbers that belong to no country, such
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
	// Some results would be read differently. An account must not depend on how
	// often its number was read, so those are refused.
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
	if len(raw) > maxRaw {
		return numbering.Number{}, numbering.ErrInvalid
	}
	text, plus, ok := digits(raw)
	if !ok {
		return numbering.Number{}, numbering.ErrInvalid
	}
	w := plans()
	of, national, ok := w.split(text, plus, w.regions[strings.ToUpper(region)])
	if !ok || len(national) < fewest {
		return numbering.Number{}, numbering.ErrInvalid
	}
	if bare := of.national(national); of.possible(bare) {
		national = bare
	}
	if len(national) < fewest || len(national) > most {
		return numbering.Number{}, numbering.ErrInvalid
	}
	home, ok := w.home(of.code, national)
	if !ok {
		return numbering.Number{}, numbering.ErrInvalid
	}
	kind, ok := home.kind(national)
	if !ok {
		return numbering.Number{}, numbering.ErrInvalid
	}
	return numbering.Number{E164: "+" + of.code + national, Region: home.region, Kind: kind}, nil
}
