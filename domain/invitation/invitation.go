// Package invitation lets people in where nobody may come by themselves: one
// address, asked in by somebody, once, within a time.
package invitation

import (
	"time"

	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/fault"
)

// Refusals.
var (
	ErrNotAllowed = fault.New(fault.Forbidden, "invite_not_allowed", "Nobody can be invited here.")
	ErrExpired    = fault.New(fault.Gone, "invitation_expired", "The invitation is no longer good. Ask for a new one.")
	ErrNotFound   = fault.New(fault.NotFound, "not_found", "There is no such thing.")
)

// How long an invitation may last.
const (
	MinLife     = time.Minute
	MaxLife     = 30 * 24 * time.Hour
	DefaultLife = 7 * 24 * time.Hour
)

// Invitation asks one address in. Its token is derived from it and not stored.
type Invitation struct {
	contact.Contact // where it goes; whoever accepts it has proven to hold it

	ID        string // UUIDv7
	Tenant    string
	Inviter   string // the user, or "" if an operator or a key invited
	By        string // who invited, in words for an operator: "user …", "key …", "cli"
	Locale    string
	ReturnTo  string // the page of the application that accepts it; "" is ours. See tenant.Tenant.Returns
	CreatedAt time.Time
	ExpiresAt time.Time // exclusive
	UsedAt    time.Time // zero until accepted
	RevokedAt time.Time // zero unless taken back
	User      string    // who accepted
}

// Status says where an invitation stands.
type Status string

// The statuses. They follow from the times.
const (
	Open     Status = "open"
	Accepted Status = "accepted"
	Revoked  Status = "revoked"
	Expired  Status = "expired"
)

// At is the status at a time.
func (i Invitation) At(now time.Time) Status {
	switch {
	case !i.UsedAt.IsZero():
		return Accepted
	case !i.RevokedAt.IsZero():
		return Revoked
	case !now.Before(i.ExpiresAt):
		return Expired
	}
	return Open
}

// Accept uses the invitation for a user, or refuses with ErrExpired whatever
// the reason: a stranger who finds an old one learns nothing from it.
func (i *Invitation) Accept(user string, now time.Time) error {
	if i.At(now) != Open {
		return ErrExpired
	}
	i.UsedAt, i.User = now, user
	return nil
}

// Revoke takes the invitation back, or refuses with ErrExpired if it is no
// longer open.
func (i *Invitation) Revoke(now time.Time) error {
	if i.At(now) != Open {
		return ErrExpired
	}
	i.RevokedAt = now
	return nil
}
