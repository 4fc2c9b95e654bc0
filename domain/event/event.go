// Package event names the facts that Countersign records: things that happened
// and stay true, written in the same unit of work that made them true.
package event

import (
	"strings"
	"time"
)

// Type names a kind of fact.
type Type string

// The facts. Names are part of the contract with subscribers.
const (
	UserRegistered      Type = "user.registered" // signed up, with nothing proven yet
	UserCreated         Type = "user.created"    // by proving an address
	UserUpdated         Type = "user.updated"
	UserDeleted         Type = "user.deleted"
	UserBlocked         Type = "user.blocked"
	UserUnblocked       Type = "user.unblocked"
	UserRevealed        Type = "user.revealed"       // an operator saw whole addresses
	IdentifierVerified  Type = "identifier.verified" // data: kind, initial (yes, no)
	IdentifierChanging  Type = "identifier.change_requested"
	IdentifierChanged   Type = "identifier.changed"
	IdentifierRemoved   Type = "identifier.removed"
	ChangeCancelled     Type = "identifier.change_cancelled"
	SignInFailed        Type = "sign_in.failed" // a wrong password, or a wrong second factor along with it; nobody's if nobody is known by that name
	SessionStarted      Type = "session.started"
	SessionStepped      Type = "session.stepped_up"
	SessionRevoked      Type = "session.revoked"
	SessionReused       Type = "session.refresh_reused" // a spent refresh token came again
	DeviceEnrolled      Type = "device.enrolled"
	DeviceRenamed       Type = "device.renamed"
	DeviceRemoved       Type = "device.removed"
	DeviceLocked        Type = "device.locked"    // too many failures in a row
	ConnectionAdded     Type = "connection.added" // an account elsewhere signs them in from now on
	ConnectionRemoved   Type = "connection.removed"
	DeviceUnlocked      Type = "device.unlocked"
	BrowserRemembered   Type = "browser.remembered"
	RecoveryCodesIssued Type = "recovery_codes.issued"
	RecoveryCodeUsed    Type = "recovery_codes.used"
	TwoFactorChanged    Type = "two_factor.changed"
	PasswordChanged     Type = "password.changed"
	PasswordForgotten   Type = "password.forgotten" // chosen by somebody who proved nothing, and dropped
	AddressVerified     Type = "address.verified"   // purpose verify; nobody's
	Approved            Type = "transaction.approved"
	InvitationSent      Type = "invitation.sent"
	InvitationAccepted  Type = "invitation.accepted"
	InvitationRevoked   Type = "invitation.revoked"
	RuleAdded           Type = "rule.added"
	RuleRemoved         Type = "rule.removed"
	KeyCreated          Type = "api_key.created"
	KeyRevoked          Type = "api_key.revoked"
	DeliveryFailed      Type = "delivery.failed"
	DeliveryComplained  Type = "delivery.complained"    // somebody told their provider that they do not want what we sent; nobody's if it was a notice
	RangeBlocked        Type = "delivery.range_blocked" // codes to a range of numbers are not answered; nobody's
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

// Types lists every type.
func Types() []Type {
	return []Type{
		UserRegistered, UserCreated, UserUpdated, UserDeleted, UserBlocked, UserUnblocked, UserRevealed, IdentifierVerified,
		IdentifierChanging, IdentifierChanged, IdentifierRemoved, ChangeCancelled, SignInFailed, SessionStarted,
		SessionStepped, SessionRevoked, SessionReused, DeviceEnrolled, DeviceRenamed, DeviceRemoved, DeviceLocked,
		DeviceUnlocked, ConnectionAdded, ConnectionRemoved, BrowserRemembered, RecoveryCodesIssued, RecoveryCodeUsed, TwoFactorChanged, PasswordChanged,
		PasswordForgotten, AddressVerified, Approved, InvitationSent, InvitationAccepted, InvitationRevoked,
		RuleAdded, RuleRemoved, KeyCreated, KeyRevoked, DeliveryFailed, DeliveryComplained, RangeBlocked,
	}
}

// Group is the first part of the name: what it happened to.
func (t Type) Group() string {
	group, _, _ := strings.Cut(string(t), ".")
	return group
}

// Matches reports whether the pattern means the type: its name, "user.*", or "*".
func (t Type) Matches(pattern string) bool {
	if group, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(string(t), group)
	}
	return string(t) == pattern
}
