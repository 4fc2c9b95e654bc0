// Package event names the facts that Countersign records: things that happened
// and stay true, written in the same unit of work that made them true.
package event

import "time"

// Type names a kind of fact.
type Type string

// The facts. Names are part of the contract with subscribers.
const (
	UserCreated         Type = "user.created"
	UserUpdated         Type = "user.updated"
	UserDeleted         Type = "user.deleted"
	IdentifierVerified  Type = "identifier.verified"
	SessionStarted      Type = "session.started"
	SessionStepped      Type = "session.stepped_up"
	SessionRevoked      Type = "session.revoked"
	SessionReused       Type = "session.refresh_reused" // a spent refresh token came again
	DeviceEnrolled      Type = "device.enrolled"
	DeviceRenamed       Type = "device.renamed"
	DeviceRemoved       Type = "device.removed"
	DeviceLocked        Type = "device.locked" // too many failures in a row
	RecoveryCodesIssued Type = "recovery_codes.issued"
	RecoveryCodeUsed    Type = "recovery_codes.used"
	TwoFactorChanged    Type = "two_factor.changed"
	DeliveryFailed      Type = "delivery.failed"
)

// Event is one fact. It holds no secret and no full address.
type Event struct {
	ID     string // UUIDv7, so events of one user sort by time
	Tenant string
	User   string // empty if nobody's
	Type   Type
	At     time.Time
	Data   map[string]string // few, small, safe to show to an operator
}
