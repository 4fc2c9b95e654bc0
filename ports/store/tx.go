package store

import (
	"context"
	"time"

	"github.com/countersign/countersign/domain/assurance"
	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/device"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/fault"
	"github.com/countersign/countersign/domain/limit"
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
// method of the domain may be applied in between. It is for paths that are not
// hot, is used by one goroutine, and ends with Do.
type Tx interface {
	Challenges() Challenges
	Users() Users
	Devices() Devices
	Sessions() Sessions
	Journal() Journal
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

// Journal keeps what happened, and what was answered.
type Journal interface {
	// Record adds facts.
	Record(ctx context.Context, events ...event.Event) error
	// Events gives a person's newest facts first.
	Events(ctx context.Context, tenant, user string, limit int) ([]event.Event, error)
	// Recall finds the answer under an idempotency key: ErrNoAnswer.
	Recall(ctx context.Context, key string, now time.Time) (Answer, error)
	// Remember keeps an answer under its key, replacing the one that is there.
	Remember(ctx context.Context, a Answer) error
}

// Answer is what a request was answered, so that its repetition is answered
// alike. Body holds tokens, so it is sealed.
type Answer struct {
	Key       string // keyed hash of tenant, caller, route and Idempotency-Key
	Request   []byte // hash of the request's body
	Status    int    // HTTP status; 0 while the first request is still at work
	Body      []byte // sealed
	ExpiresAt time.Time
}

// ErrNoAnswer means that nothing is remembered under a key.
var ErrNoAnswer = fault.New(fault.NotFound, "no_answer", "Nothing is remembered.")
