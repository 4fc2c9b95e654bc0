package store

import (
	"context"
	"time"

	"github.com/countersign/countersign/domain/assurance"
	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/device"
	"github.com/countersign/countersign/domain/invitation"
	"github.com/countersign/countersign/domain/limit"
	"github.com/countersign/countersign/domain/password"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/domain/user"
)

// Shorthands of the domain's own types.
type (
	// Device is an enrolled authenticator.
	Device = device.Device
	// DeviceChange is what a verified answer does to a device.
	DeviceChange = device.Change
	// Evidence is what one verified challenge proves.
	Evidence = assurance.Evidence
)

// Tx is one unit of work. What it reads it locks until the end, so that a
// method of the domain may be applied in between; lists that are made for people
// to look at lock nothing. It is for paths that are not hot, is used by one
// goroutine, and ends with Do. Of what somebody looks for and is not there
// nothing is locked; who must keep two from adding it locks the user first.
type Tx interface {
	Proofs
	People
	Books
}

// Proofs is what a unit of work knows about proving things.
type Proofs interface {
	Challenges() Challenges
	Devices() Devices
	Sessions() Sessions
	SignIns() SignIns
	Counters() Counters
}

// People is what a unit of work knows about people.
type People interface {
	Users() Users
	Identifiers() Identifiers
	Changes() Changes
	Passwords() Passwords
	Invitations() Invitations
}

// Books is what a unit of work keeps besides.
type Books interface {
	Journal() Journal
	Keys() Keys
	Rules() Rules
	Refs() Refs
	Receipts() Receipts
}

// Challenges of one unit of work.
type Challenges interface {
	// Get finds a challenge: challenge.ErrNotFound.
	Get(ctx context.Context, tenant, handle string) (challenge.Challenge, error)
	// Save replaces a challenge that Get found.
	Save(ctx context.Context, c challenge.Challenge) error
	// Queue adds a message.
	Queue(ctx context.Context, m Message) error
	// Take charges windows as Start does.
	Take(ctx context.Context, windows []limit.Charge, now time.Time) error
	// Refund obeys limit.Counter.Refund and limit.Window.GiveBack.
	Refund(ctx context.Context, counter string, windows []string, now time.Time) error
}

// Counters of failures in a row, for operators.
type Counters interface {
	// Read gives a counter; one that is not there is clear.
	Read(ctx context.Context, key string) (limit.Counter, error)
	// Clear forgets a counter.
	Clear(ctx context.Context, key string) error
}

// SignIns of one unit of work.
type SignIns interface {
	// Get finds a sign-in that waits: session.ErrPendingInvalid.
	Get(ctx context.Context, tenant, id string) (session.SignIn, error)
	// Add adds a sign-in that waits.
	Add(ctx context.Context, s session.SignIn) error
	// Save replaces a sign-in that Get found.
	Save(ctx context.Context, s session.SignIn) error
}

// Users of one unit of work.
type Users interface {
	// Get finds a person: user.ErrNotFound.
	Get(ctx context.Context, tenant, id string) (user.Account, error)
	// Add adds a person with their identifiers: user.ErrTaken.
	Add(ctx context.Context, a user.Account) error
	// Save replaces what is known of a person, but not their identifiers.
	Save(ctx context.Context, u user.User) error
	// Delete removes a person and everything that is theirs. Events stay.
	Delete(ctx context.Context, tenant, id string) error
	// Find looks people up for operators: oldest first, at most q.Limit (0: all).
	// It locks nothing.
	Find(ctx context.Context, q UserQuery) ([]user.Account, error)
}

// UserQuery picks people of a tenant.
type UserQuery struct {
	Tenant string
	Text   string // an id, or part of an identifier or a name (ASCII case does not count); "" is everybody
	After  string // those whose id is greater
	Limit  int

	// Tentative finds only people who are tentative and were made before, the
	// oldest first. The zero time is everybody.
	Tentative time.Time
}

// Identifiers of one unit of work. Within a tenant, each is one person's at most.
type Identifiers interface {
	// Find tells whose an identifier is: user.ErrNotFound if nobody's.
	Find(ctx context.Context, tenant string, c contact.Contact) (user.Identifier, error)
	// Put adds an identifier, or replaces what is known of it if it is the same
	// person's: user.ErrTaken if it is somebody else's, user.ErrNotFound if there
	// is no such person. After either the unit of work may go on.
	Put(ctx context.Context, i user.Identifier) error
	// Delete removes an identifier; one that is not there does not matter.
	Delete(ctx context.Context, tenant string, c contact.Contact) error
}

// Changes of identifiers that wait for proofs: at most one for each user and kind.
type Changes interface {
	// Get finds a change: user.ErrNothing.
	Get(ctx context.Context, tenant, user string, k contact.Kind) (user.Change, error)
	// List gives a person's changes, ordered by kind.
	List(ctx context.Context, tenant, user string) ([]user.Change, error)
	// Put adds a change, or replaces the user's earlier one of that kind.
	Put(ctx context.Context, c user.Change) error
	// Delete removes a change; one that is not there does not matter.
	Delete(ctx context.Context, tenant, user string, k contact.Kind) error
}

// Passwords of one unit of work.
type Passwords interface {
	// Get finds what is kept of a person's password: password.ErrNone.
	Get(ctx context.Context, tenant, user string) (password.Record, error)
	// Put adds or replaces it.
	Put(ctx context.Context, r password.Record) error
	// Delete forgets it; one that is not there does not matter.
	Delete(ctx context.Context, tenant, user string) error
}

// Invitations of one unit of work.
type Invitations interface {
	// Get finds an invitation: invitation.ErrNotFound.
	Get(ctx context.Context, tenant, id string) (invitation.Invitation, error)
	// List gives invitations newest first, at most q.Limit (0: all). It locks
	// nothing.
	List(ctx context.Context, q InvitationQuery) ([]invitation.Invitation, error)
	// Add adds an invitation.
	Add(ctx context.Context, i invitation.Invitation) error
	// Save replaces an invitation that Get found.
	Save(ctx context.Context, i invitation.Invitation) error
}

// InvitationQuery picks invitations.
type InvitationQuery struct {
	Tenant  string
	Inviter string // "": everybody's
	Before  string // those whose id is smaller
	Limit   int
}

// Devices of one unit of work.
type Devices interface {
	// Get finds a device: device.ErrNotFound.
	Get(ctx context.Context, tenant, id string) (Device, error)
	// List gives a person's devices in the order in which they were made, those
	// after the device named after, at most limit of them (0: all).
	List(ctx context.Context, tenant, user, after string, limit int) ([]Device, error)
	// Add adds a device. Adding one for a challenge keeps both or none.
	Add(ctx context.Context, d Device) error
	// Save replaces a device that Get found.
	Save(ctx context.Context, d Device) error
	// Delete removes a device.
	Delete(ctx context.Context, tenant, id string) error
}

// Sessions of one unit of work.
type Sessions interface {
	// Get finds a session: session.ErrNotFound.
	Get(ctx context.Context, tenant, id string) (session.Session, error)
	// List gives a person's sessions that last at now, newest first.
	List(ctx context.Context, tenant, user string, now time.Time) ([]session.Session, error)
	// Add adds a session that began without a challenge, and sets its user's last
	// sign-in, as Settlement.Session does.
	Add(ctx context.Context, s session.Session) error
	// Save replaces a session that Get found.
	Save(ctx context.Context, s session.Session) error
	// RevokeOthers ends all of a person's sessions but one, and says how many.
	RevokeOthers(ctx context.Context, r RevokeOthers) (int, error)
}

// RevokeOthers is the end of all of a person's sessions but one.
type RevokeOthers struct {
	Tenant, User string
	Except       string // "" spares none
	Reason       session.Reason
	Now          time.Time
}
