// Package seal is the port to secrets at rest and to keyed values. What the
// core must keep for itself goes through a [Sealer]; what it must be able to
// make again, and nobody else, through a [Deriver].
//
// All keys come from one root secret per key id. Rotation adds a new id and
// leaves the old ones for what was made under them, so every sealed value
// carries its key id, and every derived value is kept together with its own.
package seal

import (
	"crypto/hmac"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
)

// ErrUnreadable means that a sealed value does not open: it was changed,
// moved to another place, cut, or its key is gone.
var ErrUnreadable = errors.New("sealed value cannot be opened")

// ErrNoKey means that the ring does not hold the root key of that id. Whoever
// verifies something derived under it answers as for a wrong value.
var ErrNoKey = errors.New("no key with this id")

// KeyID numbers a root key, from 1 to 255. It fits into one byte so that
// opaque tokens can carry it.
type KeyID uint8

// Sum is one derived value: 256 bits that look random to all without the key.
type Sum [32]byte

// Equal reports whether both sums are the same, in constant time.
func (s Sum) Equal(o Sum) bool { return hmac.Equal(s[:], o[:]) }

// Sealer encrypts what is kept at rest. It must be safe for concurrent use.
type Sealer interface {
	// Seal encrypts plain for one place, see [Place], under the active key.
	// Sealing the same twice gives two different values. It fails only when
	// there is no randomness.
	Seal(plain []byte, where string) (sealed []byte, err error)

	// Open decrypts what Seal made for the same place. Every failure is
	// ErrUnreadable; it is ErrNoKey as well when the key is gone.
	Open(sealed []byte, where string) (plain []byte, err error)

	// Stale reports whether sealed was made under another key than the active
	// one, so that its owner seals it anew at the next write.
	Stale(sealed []byte) bool
}

// Deriver computes values that nobody without the key can. It must be safe for
// concurrent use, and cheap: about a microsecond.
type Deriver interface {
	// Derive gives HMAC-SHA-256 under the active key of the label, and the id
	// of that key. Parts are length-prefixed: ("ab","c") is not ("a","bc").
	// The epoch is mixed in where the label asks for it.
	Derive(l Label, parts ...[]byte) (Sum, KeyID)

	// DeriveWith is Derive under the key that was active when a value was
	// made, but with today's epoch. It gives ErrNoKey if that key is gone.
	DeriveWith(id KeyID, l Label, parts ...[]byte) (Sum, error)
}

// Label says what a derived value is for. Each label has a key of its own, so
// a value for one use says nothing about any other.
type Label string

// The labels. Another one is allowed, and is mixed with the epoch.
const (
	Code    Label = "code"    // one-time codes
	Link    Label = "link"    // tokens of links and invitations
	Pending Label = "pending" // pending tokens
	Trust   Label = "trust"   // tokens of remembered browsers
	Claim   Label = "claim"   // tokens of people who signed up by a form
	Refresh Label = "refresh" // refresh tokens
	Limit   Label = "limit"   // names of counters
	Log     Label = "log"     // correlation of log lines without the value
	Body    Label = "body"    // request bodies kept for idempotency
	Pepper  Label = "pepper"  // what is hashed in place of a password
)

// Labels lists the labels whose keys an adapter should prepare.
func Labels() []Label {
	return []Label{Code, Link, Pending, Trust, Claim, Refresh, Limit, Log, Body, Pepper}
}

// Epochal reports whether raising the epoch makes the label's values worthless.
// It does for whatever lets somebody in, because a restored back-up knows again
// what was used since; it does not for names and comparisons, nor for passwords,
// which their owners still know and which nobody could make anew for them.
func (l Label) Epochal() bool {
	switch l {
	case Limit, Log, Body, Pepper:
		return false
	default:
		return true
	}
}

// Hash names a value without telling it: 128 bits in 22 URL-safe characters,
// under the active key. The name changes when the root key is rotated, so it
// suits counters and log lines, not identifiers that must last.
func Hash(d Deriver, l Label, value string) string {
	sum, _ := d.Derive(l, []byte(value))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// Place is where a sealed value lives. A value that was moved to another row,
// column or tenant does not open there.
type Place struct {
	Tenant string
	Table  string
	Row    string
	Column string
}

// String writes the place so that no two places read alike.
func (p Place) String() string {
	var b strings.Builder
	for _, s := range [...]string{p.Tenant, p.Table, p.Row, p.Column} {
		b.WriteString(strconv.Itoa(len(s)))
		b.WriteByte(':')
		b.WriteString(s)
	}
	return b.String()
}
