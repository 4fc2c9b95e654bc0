package challenge

import (
	"crypto/sha256"
	"encoding/binary"
	"unicode"
	"unicode/utf8"

	"github.com/countersign/countersign/domain/fault"
)

// ErrLink and its kin are the refusals of links.
var (
	ErrLinkUsed    = fault.New(fault.Gone, "link_used", "This link was used before. Ask for a new one.")
	ErrLinkExpired = fault.New(fault.Gone, "link_expired", "This link has run out. Ask for a new one.")
	ErrElsewhere   = fault.New(fault.Forbidden, "forbidden", "Open this link in the browser that asked for it, or type the code there.")
)

// Extra is what only some challenges carry. It holds no secret.
type Extra struct {
	Detail   []Fact            `json:"detail,omitempty"`    // Approve: what is approved, shown word for word
	ReturnTo string            `json:"return_to,omitempty"` // where a browser goes after a link; see policy.Tenant.Returns
	Browser  []byte            `json:"browser,omitempty"`   // SHA-256 of the secret that the browser keeps which asked
	Change   string            `json:"change,omitempty"`    // ChangeIdentifier: the change that the answer belongs to
	Key      string            `json:"key,omitempty"`       // the API key that asked
	Metadata map[string]string `json:"metadata,omitempty"`  // the caller's own, handed on with events
	Profile  map[string]string `json:"profile,omitempty"`   // names of somebody who may become a user by this
}

// IsZero reports whether there is nothing.
func (e Extra) IsZero() bool {
	return e.Detail == nil && e.ReturnTo == "" && e.Browser == nil && e.Change == "" && e.Key == "" && e.Metadata == nil && e.Profile == nil
}

// Fact is one line of what is approved. It is somebody's transaction: it is
// shown to its owner, and to nobody else.
type Fact struct {
	Label string `json:"label"`
	Value string `json:"value"`
}

// Limits of what can be approved.
const (
	MaxFacts = 6
	maxLabel = 40  // runes
	maxFact  = 120 // runes
)

// ErrFacts means that facts cannot be shown word for word.
var ErrFacts = fault.New(fault.Invalid, "invalid_detail", "Use 1 to 6 facts, each with a label of at most 40 and a value of at most 120 visible characters.")

// CheckFacts refuses with ErrFacts what could not be shown as it is, on one line
// each, to whoever approves it.
func CheckFacts(facts []Fact) error {
	if len(facts) == 0 || len(facts) > MaxFacts {
		return ErrFacts
	}
	for _, f := range facts {
		if !shown(f.Label, maxLabel) || !shown(f.Value, maxFact) {
			return ErrFacts
		}
	}
	return nil
}

// shown reports whether text is visible as it is, so that what is approved and
// what is hashed are the same. Format characters, which reorder or hide, are not.
func shown(text string, most int) bool {
	if text == "" || !utf8.ValidString(text) || utf8.RuneCountInString(text) > most {
		return false
	}
	for _, r := range text {
		if r != ' ' && !unicode.IsGraphic(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Zs, r) && r != ' ' {
			return false
		}
	}
	return true
}

// DetailHash is the SHA-256 of the facts, each label and value with its length
// in bytes (big-endian, 32 bits) before it, in their order. It is nil if there
// are none. Receipts carry it, and codes follow from it.
func DetailHash(facts []Fact) []byte {
	if len(facts) == 0 {
		return nil
	}
	var all []byte
	for _, f := range facts {
		for _, part := range []string{f.Label, f.Value} {
			all = binary.BigEndian.AppendUint32(all, uint32(len(part))) //nolint:gosec // bounded by CheckFacts
			all = append(all, part...)
		}
	}
	sum := sha256.Sum256(all)
	return sum[:]
}
