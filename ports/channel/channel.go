// Package channel is the port through which every way of proving identity
// plugs in: a code by e-mail, an authenticator app, a passkey, a Google login.
//
// Whatever its nature, a channel is asked two things. Begin opens a challenge.
// Verify judges one response to it. Enrolling a device and using it later are
// the same two calls with a different [Purpose].
//
// Channels store nothing. What must survive between calls travels in two
// opaque values which the core keeps, encrypted, on their behalf:
//
//	State       what Begin wants Verify to know about one challenge
//	Credential  what the channel knows about one enrolled device
//
// So a channel is a function. It needs no database to be tested, can run in
// another process, and never takes part in a transaction.
//
// One-time codes are not the channel's business either: the core derives them
// from the challenge, composes the message, and hands it to the channel's
// [Sender]. A channel that wants one asks with [Opening].Deliver and compares
// with [Codes].
package channel

import (
	"context"
	"encoding/json"
	"time"
)

// Channel is one way of proving identity. It must be safe for concurrent use
// and must give up when its context ends.
type Channel interface {
	// Begin opens a challenge: it says what the person should do next, and
	// whether a message has to reach them first. It is called again, with the
	// next Round, when the person asks for another message.
	Begin(ctx context.Context, c Challenge) (Opening, error)

	// Verify judges one response. A wrong response is a Verdict, never an
	// error: an error means that no judgement was possible. It must not change
	// its arguments, which the core compares with later.
	Verify(ctx context.Context, c Challenge, s State, r Response) (Verdict, error)
}

// Challenge is everything a channel may know about the question being asked.
// It prints without what must not be read in a log.
type Challenge struct {
	Handle     string     `json:"handle"`               // unguessable; travels through redirects and callbacks
	Round      int        `json:"round"`                // how often Begin was called for it, from 1
	Purpose    Purpose    `json:"purpose"`              // why we ask
	Subject    string     `json:"subject,omitempty"`    // whom we ask; empty until somebody is identified
	Label      string     `json:"label,omitempty"`      // what to call the account on the person's own device
	Address    string     `json:"address,omitempty"`    // where to reach them, if the channel has addresses
	Credential Credential `json:"credential,omitempty"` // what this device stored; nil while enrolling
	Locale     string     `json:"locale,omitempty"`     // BCP 47 tag for anything a person will read
	Callback   string     `json:"callback,omitempty"`   // URL where third parties may bring the response
	Detail     string     `json:"detail,omitempty"`     // what is being approved, to be shown word for word
	ExpiresAt  time.Time  `json:"expires_at"`

	// Seed is what the core's Codes need besides. It means nothing to a
	// channel and does not leave the process.
	Seed []byte `json:"-"`
}

// Opening is how a challenge starts.
type Opening struct {
	Prompt Prompt `json:"prompt"`
	State  State  `json:"state,omitempty"`

	// Deliver asks the core to derive this challenge's code, to compose the
	// message and to hand it to this channel's Sender, with retries. No code
	// and no text passes through Begin, so none can be stored.
	Deliver bool `json:"deliver,omitempty"`

	// Credential, while enrolling, binds the device at once: no response is
	// needed. It suits secrets that we make and hand over, such as recovery
	// codes; where possession can be shown, leave it nil and wait for Verify.
	Credential Credential `json:"credential,omitempty"`
}

// Purpose says why a challenge is opened.
type Purpose string

// The purposes. Approving a transaction is Authenticate with a Detail.
const (
	Enroll       Purpose = "enroll"       // bind a new device to the subject
	Authenticate Purpose = "authenticate" // use a device that is already bound
)

type (
	// State is private to one challenge. The core seals it.
	State []byte

	// Credential is private to one device. The core seals it and replaces it
	// by compare-and-swap, so two parallel uses of one step cannot both win.
	Credential []byte
)

// Response is what came back, typed by a person or brought by a machine.
// The zero Response asks whether anything has happened meanwhile.
type Response struct {
	Code string          `json:"code,omitempty"`
	Data json.RawMessage `json:"data,omitempty"`
}

// Verdict is a channel's judgement of one response.
type Verdict struct {
	Outcome    Outcome    `json:"outcome"`
	Reason     Reason     `json:"reason,omitempty"`     // why it was rejected
	State      State      `json:"state,omitempty"`      // pending: replaces the challenge's state
	Credential Credential `json:"credential,omitempty"` // verified: replaces the device's credential
	Ref        string     `json:"ref,omitempty"`        // verified: the device's own name; the core recognises it by this
	Identity   *Identity  `json:"identity,omitempty"`   // verified: what a third party says about the person
	AMR        []string   `json:"amr,omitempty"`        // verified: when they differ from the descriptor's
	OnceKey    string     `json:"once_key,omitempty"`   // verified: the core accepts this key only once
}

// Outcome is the result of judging a response.
type Outcome string

// The outcomes. The zero value is none of them and counts as Rejected.
const (
	Verified Outcome = "verified" // proved
	Rejected Outcome = "rejected" // not proved; this attempt is spent
	Pending  Outcome = "pending"  // nothing has happened yet
)

// Reason explains a rejection to machines. People get a translated sentence.
type Reason string

// The reasons.
const (
	Mismatch Reason = "mismatch" // not what was asked for
	Expired  Reason = "expired"  // it would have been right earlier
	Replayed Reason = "replayed" // it was right, and has been used
	Denied   Reason = "denied"   // the person said no
)

// Reject is shorthand for a rejecting verdict.
func Reject(why Reason) Verdict { return Verdict{Outcome: Rejected, Reason: why} }

// Identity is what a third party asserts about a person.
type Identity struct {
	Issuer        string `json:"issuer"`
	Email         string `json:"email,omitempty"`
	EmailVerified bool   `json:"email_verified,omitempty"` // they say that they have checked it
	Authoritative bool   `json:"authoritative,omitempty"`  // they run the mailbox, so that their word proves it
	Phone         string `json:"phone,omitempty"`          // E.164
	PhoneVerified bool   `json:"phone_verified,omitempty"` // they say that they have checked it
	Username      string `json:"username,omitempty"`       // their name for the account; it identifies nobody here
	Name          string `json:"name,omitempty"`           // whole, where the parts are not known
	FirstName     string `json:"first_name,omitempty"`
	LastName      string `json:"last_name,omitempty"`
	Locale        string `json:"locale,omitempty"` // BCP 47
}
