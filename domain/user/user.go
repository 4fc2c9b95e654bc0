// Package user is about people: their names, the identifiers by which they are
// found, and which of these are proven. People are what NIST SP 800-63 calls
// subscribers.
package user

import (
	"slices"
	"time"

	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/fault"
)

// Refusals.
var (
	ErrNotFound      = fault.New(fault.NotFound, "not_found", "There is no such thing.")
	ErrTaken         = fault.New(fault.Conflict, "identity_taken", "This identifier belongs to somebody else.")
	ErrNotAllowed    = fault.New(fault.Forbidden, "signup_not_allowed", "New accounts cannot be made here.")
	ErrNoSecondThing = fault.New(fault.Conflict, "no_device", "Set up a second way of signing in first.")
	ErrNothing       = fault.New(fault.Conflict, "nothing_pending", "Nothing is waiting to be confirmed.")
	ErrLastLogin     = fault.New(fault.Conflict, "last_login_method", "This is the only way by which this account can be signed in to.")
)

// Status says whether somebody may sign in.
type Status string

// The statuses.
const (
	Active  Status = "active"
	Blocked Status = "blocked" // may not sign in; looks unknown to strangers
)

// User is one person within a tenant.
type User struct {
	ID         string // UUIDv7
	Tenant     string
	Status     Status
	FirstName  string
	LastName   string
	Locale     string            // BCP 47; empty means the tenant's
	Metadata   map[string]string // the application's own, at most MaxMetadata entries
	TwoFactor  bool              // a second factor is asked for at every sign-in
	Tentative  bool              // signed up by a form; nobody has looked since whether anything came of it
	InvitedBy  string            // the user who invited them, if one did
	ResetAt    time.Time         // challenges, waiting sign-ins and remembered browsers from before are worthless
	CreatedAt  time.Time
	LastSignIn time.Time // zero until the first
}

// MaxMetadata is how many entries of metadata a user may have.
const MaxMetadata = 32

// Active reports whether the person may sign in.
func (u User) Active() bool { return u.Status == Active }

// Lasts reports whether something that began when ResetAt was reset may still come
// to its end: the person is active, and nothing was made worthless meanwhile.
func (u User) Lasts(reset time.Time) bool { return u.Active() && u.ResetAt.Equal(reset) }

// Identifier is an address or name by which a person is found. Within a tenant
// each belongs to at most one user.
type Identifier struct {
	contact.Contact

	Tenant     string
	User       string
	VerifiedAt time.Time // zero until proven
	CreatedAt  time.Time
}

// Verified reports whether somebody has proven to hold it.
func (i Identifier) Verified() bool { return !i.VerifiedAt.IsZero() }

// Account is a person with everything they are found by.
type Account struct {
	User
	Identifiers []Identifier
}

// Idle reports whether nothing came of signing up: no address was ever proven,
// and nobody ever signed in. Whom an operator blocked is not idle but kept out.
func (a Account) Idle() bool {
	return a.Tentative && a.Active() && a.LastSignIn.IsZero() && !slices.ContainsFunc(a.Identifiers, Identifier.Verified)
}

// Find returns the identifier of a kind, if there is one.
func (a Account) Find(k contact.Kind) (Identifier, bool) {
	for _, i := range a.Identifiers {
		if i.Kind == k {
			return i, true
		}
	}
	return Identifier{}, false
}
