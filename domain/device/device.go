// Package device is about enrolled authenticators: what NIST SP 800-63B calls
// an authenticator bound to an account. An app that computes codes, a sheet of
// recovery codes, a phone, a passkey.
package device

import (
	"time"

	"github.com/countersign/countersign/domain/fault"
)

// Refusals.
var (
	ErrNotFound = fault.New(fault.NotFound, "not_found", "There is no such thing.")
	ErrLast     = fault.New(fault.Conflict, "last_device", "This is the only second way of signing in. Switch the second step off first, or set up another one.")
	ErrLinked   = fault.New(fault.Conflict, "already_linked", "This account of yours elsewhere is connected to somebody already.")
	ErrUsed     = fault.New(fault.Conflict, "device_changed", "The device was used at the same moment. Try again.")
)

// Status says how far a device has come.
type Status string

// The statuses. A removed device is gone, not marked.
const (
	Pending Status = "pending" // shown to its owner, not yet proven to work
	Active  Status = "active"
	Linked  Status = "linked" // somebody's account elsewhere: it signs them in, and is no second factor
)

// ProofLife is how long a device may wait for its proof. Its secret was shown, and
// whoever saw it is not its owner yet. The janitor comes once a minute, so nothing
// of it is left after a quarter of an hour.
const ProofLife = 14 * time.Minute

// MaxName is the longest name of a device, in runes.
const MaxName = 64

// Device is one enrolled authenticator.
type Device struct {
	ID         string // UUIDv7
	Tenant     string
	User       string
	Channel    string // the instance that speaks with it
	Name       string // what its owner calls it
	Address    string // canonical, for channels that send
	Ref        string // its own name within the channel, learnt when it was proven
	Backup     bool   // stands in for a lost device, does not count as one
	Credential []byte // sealed; only its channel understands it
	Version    int    // counts the credentials; guards against two uses at once
	Status     Status
	CreatedAt  time.Time
	LastUsedAt time.Time // zero until used
}

// Confirmed reports whether the device has proven to work.
func (d Device) Confirmed() bool { return d.Status == Active }

// SecondFactor reports whether the device counts as a second way of signing in.
func (d Device) SecondFactor() bool { return d.Status == Active && !d.Backup }

// Lapsed reports whether the device has waited for its proof too long by now: it
// counts as removed.
func (d Device) Lapsed(now time.Time) bool {
	return d.Status == Pending && !now.Before(d.CreatedAt.Add(ProofLife))
}

// Change is what a verified answer does to a device. Version is the one that
// the answer was judged by; a device that has moved on refuses the change.
type Change struct {
	ID         string
	Version    int
	Credential []byte // nil leaves it
	Ref        string // "" leaves it
	UsedAt     time.Time
}

// Apply makes the change, or refuses with ErrUsed.
func (d *Device) Apply(c Change) error {
	if d.Version != c.Version {
		return ErrUsed
	}
	if c.Credential != nil {
		d.Credential = c.Credential
		d.Version++
	}
	if c.Ref != "" {
		d.Ref = c.Ref
	}
	if d.Status == Pending {
		d.Status = Active
	}
	d.LastUsedAt = c.UsedAt
	return nil
}
