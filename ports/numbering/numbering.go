// Package numbering is the port to a library that knows the world's phone
// numbering plans: which numbers exist, how people write them, and what kind
// of line is behind them.
package numbering

import "errors"

// Plan reads phone numbers. It must be safe for concurrent use.
type Plan interface {
	// Parse reads raw as somebody in region would dial it. Region is an ISO
	// 3166-1 alpha-2 code in either case; if it is empty, or unknown to the
	// plan, raw must bring its country code. Parsing the E164 of a result
	// gives the same result, whatever the region.
	//
	// It fails with ErrInvalid or ErrNotAccepted, and neither the error nor
	// its text holds any part of raw.
	Parse(raw, region string) (Number, error)
}

// Number is a phone number that is in use.
type Number struct {
	E164   string // "+31612345678"
	Region string // ISO 3166-1 alpha-2 code of the country it belongs to
	Kind   Kind
}

// Kind says what is behind a number, as far as the plan can tell.
type Kind string

// The kinds of number.
const (
	Mobile        Kind = "mobile"
	FixedOrMobile Kind = "fixed_or_mobile" // the plan does not tell them apart, as in North America
	Fixed         Kind = "fixed"
	VoIP          Kind = "voip"
	Premium       Kind = "premium" // the caller pays extra
	Other         Kind = "other"   // toll-free, shared cost, pagers, personal and company numbers
)

// Why a number was refused.
var (
	// ErrInvalid means that this is not a number anybody can have, or that it
	// says more than a number: an extension, a pause, a word.
	ErrInvalid = errors.New("phone number not valid")
	// ErrNotAccepted means that the number may be in use, but is of a kind
	// that this deployment does not send to.
	ErrNotAccepted = errors.New("kind of phone number not accepted")
)

// E164 gives a plan the form that contact.Parser wants.
func E164(plan Plan) func(raw, region string) (string, error) {
	return func(raw, region string) (string, error) {
		n, err := plan.Parse(raw, region)
		return n.E164, err
	}
}
