// Package challenge is the one question that proves anything: to one
// destination or device, for one purpose, with a deadline and few attempts. It
// is settled once.
package challenge

import (
	"time"

	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/fault"
)

// Refusals, in the order in which they are given.
var (
	ErrMalformed = fault.New(fault.Invalid, "malformed_code", "This does not look like the code we asked for. It was not counted.")
	ErrNotFound  = fault.New(fault.NotFound, "challenge_not_found", "There is no such challenge, or it was already used.")
	ErrExhausted = fault.New(fault.Invalid, "challenge_exhausted", "There are no tries left. Ask for a new code.")
	ErrExpired   = fault.New(fault.Gone, "challenge_expired", "The code has run out. Ask for a new one.")
	ErrWrong     = fault.New(fault.Invalid, "invalid_code", "That code is not right.")
	ErrResend    = fault.New(fault.Throttled, "rate_limited", "This code was sent as often as it may be. Ask for a new one.")
)

// Purpose says what an answer is good for. An answer to one purpose is never
// accepted for another.
type Purpose string

// The purposes.
const (
	SignIn           Purpose = "sign_in"
	Verify           Purpose = "verify"            // proves an address; no account is involved
	SecondFactor     Purpose = "second_factor"     // completes a sign-in that waits for it
	StepUp           Purpose = "step_up"           // renews the proof of a session
	Enroll           Purpose = "enroll"            // binds a device
	ChangeIdentifier Purpose = "change_identifier" // proves the new or the current address of a change
	ResetPassword    Purpose = "reset_password"    // lets a new password be chosen
	Approve          Purpose = "approve"           // agrees to exactly what Extra.Detail says
)

// Status says where a challenge stands.
type Status string

// The statuses. Exhausted and Expired are never stored: they follow from the
// counters and the time. Answered means that the right answer came by another
// way, such as an opened link, and that whoever asked has not collected what
// follows from it: to them it is still pending, and its code is dead.
const (
	Pending   Status = "pending"
	Answered  Status = "answered"
	Verified  Status = "verified"
	Exhausted Status = "exhausted"
	Expired   Status = "expired"
	Cancelled Status = "cancelled"
)

// Delivery says what became of the newest message.
type Delivery string

// The deliveries.
const (
	NoDelivery Delivery = "none" // nothing is sent
	Queued     Delivery = "queued"
	Sent       Delivery = "sent"      // a carrier has taken it
	Delivered  Delivery = "delivered" // a carrier says that it arrived
	Failed     Delivery = "failed"    // given up
)

// Challenge is the aggregate. Its methods keep it valid; storage sees all of it.
type Challenge struct {
	Handle   string // unguessable; whoever holds it may answer
	Tenant   string
	Purpose  Purpose
	Channel  string // the instance that judges
	Status   Status
	Delivery Delivery
	Decoy    bool // nobody is there: behaves alike, sends nothing, never succeeds

	User    string // whom we ask; empty until somebody is identified
	Device  string // which device, if it was enrolled
	SignIn  string // the sign-in that waits for this answer
	Session string // the session that this answer strengthens

	Kind        contact.Kind // of Destination
	Destination string       // canonical; where the code goes
	Shown       string       // masked form of what the caller named
	Counter     string       // whose failures in a row this counts towards

	Nonce  []byte // makes each code another one (128 bits)
	KeyID  uint32 // the key that codes are derived under
	Format Format // what an answer looks like
	Prompt []byte // JSON of a prompt that Format does not say, without secrets
	State  []byte // sealed; what the channel wants to remember, or the verdict of an Answered one
	Extra  Extra  // what only some challenges carry

	Locale   string
	Client   string // where it was asked from, in words: "Firefox on Windows"
	Round    int    // how often the channel was asked to begin, from 1
	Attempts int    // paid for
	Allowed  int    // attempts
	Sends    int    // messages asked for so far
	MaxSends int

	CreatedAt time.Time
	ExpiresAt time.Time // exclusive
	ResendAt  time.Time // not before
}

// Left is how many evaluations are left.
func (c Challenge) Left() int { return max(0, c.Allowed-c.Attempts) }

// SendsLeft is how many more messages may be asked for.
func (c Challenge) SendsLeft() int {
	if c.Delivery == NoDelivery {
		return 0
	}
	return max(0, c.MaxSends-c.Sends)
}

// At is the status at a time.
func (c Challenge) At(now time.Time) Status {
	switch {
	case c.Status == Answered && !now.Before(c.ExpiresAt):
		return Expired
	case c.Status != Pending:
		return c.Status
	case c.Attempts >= c.Allowed:
		return Exhausted
	case !now.Before(c.ExpiresAt):
		return Expired
	}
	return Pending
}

// Refusal reports why no answer is evaluated now, or nil.
func (c Challenge) Refusal(now time.Time) error {
	switch c.At(now) {
	case Pending:
		return nil
	case Exhausted:
		return ErrExhausted
	case Expired:
		return ErrExpired
	case Answered, Verified, Cancelled:
	}
	return ErrNotFound
}

// Spend takes one attempt before anybody looks at the answer.
func (c *Challenge) Spend(now time.Time) error {
	if err := c.Refusal(now); err != nil {
		return err
	}
	c.Attempts++
	return nil
}

// Refund gives an attempt back that nobody could judge.
func (c *Challenge) Refund() {
	if c.Status == Pending && c.Attempts > 0 {
		c.Attempts--
	}
}

// Settle ends the challenge with success. The attempt that succeeded was paid
// for, so an exhausted challenge can still be settled by its last attempt.
func (c *Challenge) Settle(now time.Time) error {
	switch {
	case c.Status != Pending || c.Decoy:
		return ErrNotFound
	case !now.Before(c.ExpiresAt):
		return ErrExpired
	}
	c.Status, c.State = Verified, nil
	return nil
}

// Answer notes that the right answer came by another way, with what the judge
// of it said, sealed. Whoever asked collects what follows. Like Settle, it also
// takes the answer that was the last attempt.
func (c *Challenge) Answer(now time.Time, verdict []byte) error {
	switch {
	case c.Status != Pending || c.Decoy:
		return ErrNotFound
	case !now.Before(c.ExpiresAt):
		return ErrExpired
	}
	c.Status, c.State = Answered, verdict
	return nil
}

// Collect ends an answered challenge with success.
func (c *Challenge) Collect(now time.Time) error {
	switch {
	case c.Status != Answered:
		return ErrNotFound
	case !now.Before(c.ExpiresAt):
		return ErrExpired
	}
	c.Status, c.State = Verified, nil
	return nil
}

// Cancel ends the challenge without success: its code is dead.
func (c *Challenge) Cancel() error {
	if c.Status != Pending && c.Status != Answered {
		return ErrNotFound
	}
	c.Status, c.State = Cancelled, nil
	return nil
}

// Resend counts another message with the same code. Attempts are not refilled
// (NIST SP 800-63B-4, 3.1.3.2).
func (c *Challenge) Resend(now time.Time, after time.Duration) error {
	if err := c.Refusal(now); err != nil {
		return err
	}
	if c.SendsLeft() == 0 {
		return ErrResend.Retry(max(c.ExpiresAt.Sub(now), time.Second))
	}
	c.Sends++
	c.Round++
	c.Delivery, c.ResendAt = Queued, now.Add(after)
	return nil
}

// Unsend takes back a message that reached nobody. Before is the challenge as it
// was when that was asked for. What was asked for since stays.
func (c *Challenge) Unsend(before Challenge) {
	c.Sends--
	if c.Sends == before.Sends {
		c.Channel, c.Round, c.Delivery, c.ResendAt = before.Channel, before.Round, before.Delivery, before.ResendAt
	}
}
