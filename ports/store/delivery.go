package store

import (
	"context"
	"time"

	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/contact"
)

// Message asks for one delivery. It holds neither code nor text: both are made
// when it is sent.
type Message struct {
	ID       string // UUIDv7
	Tenant   string
	Handle   string    // the challenge whose code goes out; "" for a notice
	Notice   *Notice   // what goes out in place of a code
	Channel  string    // the instance that sends
	Number   int       // which message of its challenge, from 1; part of the idempotency key
	Tries    int       // sends that were begun
	NextAt   time.Time // not before
	Deadline time.Time // not sent at or after this: the code has run out

	Owner  string    // who sends it now
	Leased time.Time // until when; exclusive
	Fence  int       // counts the leases: only the newest owner may finish
}

// Notice is a message that answers nothing: it tells somebody what has happened
// to their account, or asks them in. It holds no secret: the token of an
// invitation is derived when it is sent.
type Notice struct {
	Kind   string            // see message.Kind
	To     contact.Contact   // storage keeps kind and value
	Locale string            // that the reader prefers
	At     time.Time         // when it happened
	Client string            // what did it, "Firefox on Windows"; may be empty
	Ref    string            // what it is about: an invitation's id
	Data   map[string]string // few and small, safe to show to the reader
}

// Parcel is a message that its owner may send now, with the challenge it is for,
// which is zero for a notice.
type Parcel struct {
	Message
	Challenge challenge.Challenge
}

// Deliveries is the durable queue of messages. A message may also be queued with
// an owner and a lease: then its owner has it already and need not claim it.
type Deliveries interface {
	// Claim leases messages that are due and that nobody has leased: oldest
	// first, at most c.Max, none twice at the same time. It counts a try and
	// raises the fence. A message past its deadline is claimed like any other,
	// and so is one whose challenge has ended: the claimer says that it failed.
	Claim(ctx context.Context, c Claim) ([]Parcel, error)
	// Finish says what became of one. Somebody whose fence is old is ignored:
	// it reports false, and nothing happens.
	Finish(ctx context.Context, f Finish) (bool, error)
}

// Claim is somebody who can send.
type Claim struct {
	Owner string
	Lease time.Duration
	Max   int
	Now   time.Time
}

// Finish is what became of a message.
type Finish struct {
	ID       string
	Tenant   string
	Handle   string
	Number   int
	Fence    int
	Outcome  challenge.Delivery // Sent and Failed end it; Queued puts it back until RetryAt
	RetryAt  time.Time
	GiveBack []string // windows that get their charge back, with Failed
	Receipt  *Receipt // noted, with Sent; nil if the carrier will not report
	Now      time.Time
}
