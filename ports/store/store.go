// Package store is the port through which the core remembers. The domain is the
// model: every method says which domain method it obeys, and storetest drives an
// adapter and the domain with the same random calls and compares.
//
// The steps that races are lost in are single methods here (Start, Charge,
// Settle, Rotate, Claim), so that no adapter can read, think and write.
package store

import (
	"context"
	"time"

	"github.com/countersign/countersign/domain/apikey"
	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/fault"
	"github.com/countersign/countersign/domain/limit"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/domain/user"
)

// ErrUnavailable means that storage cannot be reached or has no room. It wraps
// what the engine said, which is for logs only.
var ErrUnavailable = fault.New(fault.Unavailable, "storage_unavailable", "Nothing can be stored at the moment. Try again soon.")

// Store is everything that the core needs of storage. It is safe for concurrent
// use. Times are kept to the microsecond and come back in UTC. Wherever a method
// says that something is missing, it returns the fault of the domain package
// that the thing belongs to (challenge.ErrNotFound, user.ErrNotFound, …).
type Store interface {
	UnitOfWork
	Steps
	Directory
	Queues
	Maintenance
}

// Queues is what waits for somebody outside: messages for people, facts for
// listeners.
type Queues interface {
	Deliveries
	Feed
}

// UnitOfWork makes several changes at once, or none of them.
type UnitOfWork interface {
	// Do commits when fn returns nil, and makes nothing happen otherwise. It may
	// run fn again after a conflict, so fn must have no effect outside tx.
	// Do must not be called inside fn.
	Do(ctx context.Context, fn func(ctx context.Context, tx Tx) error) error
}

// Steps are the atomic steps of the hot path. Each is one unit of work.
type Steps interface {
	// Start adds a challenge, charges its windows (limit.Window.Take) and queues
	// its message: all of it or nothing. If a window is full it returns the
	// refusal (limit.Charge.Refusal) of the one that opens last.
	Start(ctx context.Context, s Start) error

	// Charge pays for one evaluation before anybody looks at the answer: it obeys
	// challenge.Spend, limit.Counter.Charge and limit.Window.Take, in this order
	// of refusals, and commits all of them or none. Two keys that did not exist
	// before may be charged once too often by a race, never once too little.
	Charge(ctx context.Context, c Charge) (Charged, error)

	// Settle ends a challenge with success (challenge.Settle) together with
	// everything that follows from it, or does nothing at all and returns the
	// first refusal: challenge.ErrNotFound or ErrExpired, session.ErrPendingInvalid
	// or ErrPendingExpired, device.ErrUsed, ErrOnce, user.ErrTaken,
	// session.ErrRevoked for a session to strengthen that has ended.
	Settle(ctx context.Context, s Settlement) error

	// Rotate obeys session.Rotate, and commits also when it refuses. It returns
	// the session as it is afterwards, and its user, also with session.ErrRevoked.
	// A blocked user's session is refused with session.ErrRevoked and left alone.
	// Of all who spend a token again, one alone is told session.ErrReused.
	Rotate(ctx context.Context, r Rotate) (Signed, error)
}

// Start is a challenge that begins.
type Start struct {
	Challenge challenge.Challenge
	Windows   []limit.Charge
	Message   *Message // nil if nothing is sent
	Now       time.Time
}

// Charge is the price of one evaluation.
type Charge struct {
	Tenant   string
	Handle   string
	Formats  []challenge.Format // what the answer looks like, at most two; a challenge of another format refuses with challenge.ErrMalformed, after ErrNotFound
	Throttle limit.Throttle
	Windows  []limit.Charge // charged like the counters; given back by Settlement.GiveBack
	Live     int            // a challenge that sends is dead (challenge.ErrNotFound) once this many newer live ones share its Counter; 0 means never
	Now      time.Time
}

// Charged is what a paid evaluation may look at.
type Charged struct {
	Challenge challenge.Challenge // after paying
	Counter   limit.Counter       // after paying
	User      *user.User          // of the challenge, if it has one
	Device    *Device             // of the challenge, if it has one
	Verified  bool                // whether the destination is a proven identifier of User
}

// Rotate is a refresh token that is spent.
type Rotate struct {
	Session    string
	Generation uint32
	Grace      time.Duration
	Now        time.Time

	// Then follows where the session ends with session.ErrReused, in the same unit
	// of work; nil if nothing does. If it refuses, nothing has happened. It may run
	// again after a conflict, so it must have no effect outside tx.
	Then func(ctx context.Context, tx Tx, ended Signed) error
}

// Signed is a session and whose it is.
type Signed struct {
	Session session.Session
	User    user.User
	Devices int // confirmed second factors (device.SecondFactor); not filled by Rotate
}

// Directory reads. Nothing here locks or writes.
type Directory interface {
	// Identify finds whose identifier this is: user.ErrNotFound if nobody's.
	Identify(ctx context.Context, tenant string, c contact.Contact) (user.Account, error)
	// Account finds a person: user.ErrNotFound.
	Account(ctx context.Context, tenant, id string) (user.Account, error)
	// Challenge finds a challenge: challenge.ErrNotFound. Live is as in Charge:
	// a challenge pushed out by newer ones reads as Cancelled. As nobody says
	// what time it is, newer ones that have run out may count.
	Challenge(ctx context.Context, tenant, handle string, live int) (challenge.Challenge, error)
	// Windows reads windows, in the order of the keys. One that is not there is empty.
	Windows(ctx context.Context, keys ...string) ([]limit.Window, error)
	Credentials
}

// Credentials reads what those stand for that people and programs show.
type Credentials interface {
	// Session finds a session with its user: session.ErrNotFound.
	Session(ctx context.Context, tenant, id string) (Signed, error)
	// SignIn finds a sign-in that waits: session.ErrPendingInvalid.
	SignIn(ctx context.Context, tenant, id string) (session.SignIn, error)
	// Key finds the key of a program by its id, whatever the tenant:
	// apikey.ErrNotFound.
	Key(ctx context.Context, id string) (apikey.Key, error)
}

// Maintenance keeps the store healthy.
type Maintenance interface {
	// Purge deletes what nobody can need any more, in bounded batches, and
	// returns how many rows went.
	Purge(ctx context.Context, before Horizon) (int, error)
	// Ping reports whether the store would work now.
	Ping(ctx context.Context) error
	// Backlog tells how many messages wait, and since when the oldest does.
	Backlog(ctx context.Context, now time.Time) (depth int, oldest time.Time, err error)
	// Close releases everything. The store is not used afterwards.
	Close() error
}

// Horizon says what is old. Everything that ended before goes.
type Horizon struct {
	Challenges time.Time // expired or settled before
	Sessions   time.Time // expired or revoked before
	Counters   time.Time // failures in a row that nobody added to since
	Windows    time.Time // windows and once-keys that ended before
	Events     time.Time // recorded before
	Facts      time.Time // queued facts of events before: nobody has taken them
	Waiting    time.Time // changes of identifiers, invitations and rules that ran out before
	Unproven   time.Time // devices that were made before and never proven
	Batch      int       // at most so many rows of each kind
}

// Settlement is a success with everything that follows from it. Fields that are
// zero do not happen. The order of the fields is the order of the guards.
type Settlement struct {
	Tenant     string
	Handle     string
	Answered   bool // the challenge is Answered, not Pending: guarded by challenge.Collect in place of Settle
	Now        time.Time
	UseSignIn  string           // a sign-in that becomes a session: guarded by session.SignIn.Refusal
	Strengthen *Strengthen      // a session that gets new evidence: guarded by session.Alive
	Device     *DeviceChange    // guarded by device.Apply
	Once       *Once            // guarded: a key is accepted once
	NewUser    *user.Account    // guarded by the uniqueness of identifiers
	Person     *Person          // guarded by user.Lasts: challenge.ErrNotFound
	Verify     *contact.Contact // an identifier of the challenge's user that is proven now, if it was not
	Session    *session.Session // begins; also sets the user's last sign-in
	SignIn     *session.SignIn  // begins to wait
	Recovery   *Device          // a sheet of recovery codes that replaces the user's old ones
	Counter    string           // cleared
	GiveBack   []string         // windows that were charged for the attempt
	Events     []event.Event
	Facts      []Fact // of Events, for those who listen

	// Then is everything else that follows, in the same unit of work and after
	// all of the above. If it refuses, nothing has happened. It may run again
	// after a conflict, so it must have no effect outside tx. It is for purposes
	// that are not hot.
	Then func(ctx context.Context, tx Tx) error
}

// Strengthen replaces a session's evidence.
type Strengthen struct {
	Session  string
	Evidence []Evidence
}

// Person is somebody whom nobody may have blocked, and of whom nothing may have
// been made worthless, while something of theirs was under way. A password may
// have been compared for some time, say, and changed meanwhile.
type Person struct {
	ID      string
	ResetAt time.Time // of the person, as it was before anything was looked at
}

// Once is a key that is accepted only once until it may be forgotten.
type Once struct {
	Key      string // names channel and assertion
	ForgetAt time.Time
}

// ErrOnce means that an assertion came a second time.
var ErrOnce = fault.New(fault.Invalid, "assertion_replayed", "This was used before.")
