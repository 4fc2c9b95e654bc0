// Package message is the port through which the core composes what people
// read: it says what a message is about, an adapter finds the words in the
// reader's language.
//
// A composed message holds a live code. Request and Text therefore print
// without it, marshal without it, and are never stored: they are made by
// whoever sends, at the moment of sending.
package message

import "time"

// Composer writes what a person reads. It must be safe for concurrent use.
type Composer interface {
	// Compose writes one message. It never fails because of a locale or an
	// unknown tenant: it falls back to what it has. An error means that the
	// request itself will not do (no code, a host that is no domain, a form
	// nobody wrote), and its text never holds a value of the request.
	Compose(r Request) (Text, error)

	// Match picks the offered locale that suits the preferences best, the
	// first preference counting most. Each is a BCP 47 tag or the value of an
	// Accept-Language header; what cannot be read is skipped. Without a match
	// it is the default.
	Match(preferences ...string) string

	// Locales lists the BCP 47 tags that are offered, the default first.
	Locales() []string
}

// Kind says what sort of message is wanted.
type Kind string

// The kinds.
const (
	Code Kind = "code" // carries a code that answers a challenge

	// SignUpAttempt and all that follow are notices: they tell what has happened, and
	// answer nothing. What Request.Data holds is said with each.
	SignUpAttempt     Kind = "sign_up_attempt"    // somebody signed up with an address that is yours already
	Invitation        Kind = "invitation"         // you are asked in; Link accepts. Data: inviter (a name, may be missing)
	PasswordChanged   Kind = "password_changed"   // and other sessions have ended
	PasswordForgotten Kind = "password_forgotten" // one that was chosen before your address was proven does not work any more
	IdentifierChanged Kind = "identifier_changed" // to the old address. Data: kind, value (masked)
	TwoFactorChanged  Kind = "two_factor_changed" // Data: required (yes, no)
	DeviceAdded       Kind = "device_added"       // Data: name
	DeviceRemoved     Kind = "device_removed"     // Data: name
	RecoveryUsed      Kind = "recovery_used"      // a recovery code was used. Data: left (a number)
	DeviceLocked      Kind = "device_locked"      // too many wrong codes. Data: name
	SessionCopied     Kind = "session_copied"     // a copy of a session was used, so it has ended. Data: client (may be missing)
	AccountDeleted    Kind = "account_deleted"
)

// Notices lists every kind that is a notice.
func Notices() []Kind {
	return []Kind{
		SignUpAttempt, Invitation, PasswordChanged, PasswordForgotten, IdentifierChanged, TwoFactorChanged,
		DeviceAdded, DeviceRemoved, RecoveryUsed, DeviceLocked, SessionCopied, AccountDeleted,
	}
}

// Form says how the message will reach the reader, which decides how much room
// there is and what can be shown.
type Form string

// The forms.
const (
	Email Form = "email" // Subject, Text and HTML
	SMS   Form = "sms"   // Text, in one segment where that can be; last line bound to a domain
	Chat  Form = "chat"  // Text, for messengers: no limit to speak of
	Voice Form = "voice" // Text, to be read aloud: the code letter by letter, twice
)

// Purpose says what the answer will be good for. Readers are told, so that
// nobody can be talked into reading out a code for something else.
type Purpose string

// The purposes, spelled as in the HTTP contract. Any other value gets a
// sentence that promises nothing in particular.
const (
	SignIn           Purpose = "sign_in"
	Verify           Purpose = "verify"
	SecondFactor     Purpose = "second_factor"
	StepUp           Purpose = "step_up"
	Enroll           Purpose = "enroll"
	ChangeIdentifier Purpose = "change_identifier"
	ResetPassword    Purpose = "reset_password"
	Approve          Purpose = "approve"
)

// Purposes lists every purpose.
func Purposes() []Purpose {
	return []Purpose{SignIn, Verify, SecondFactor, StepUp, Enroll, ChangeIdentifier, ResetPassword, Approve}
}

// Request is everything a message may say. Values may come from strangers: the
// composer makes sure that they cannot add lines, markup or headers.
type Request struct {
	Kind    Kind
	Form    Form
	Purpose Purpose
	Tenant  string        // slug; the tenant's own words win
	Locale  string        // what the reader prefers, as for Composer.Match
	Brand   string        // who writes; empty: Host
	Host    string        // domain of the page that waits for the code; empty: no domain line
	Code    string        `json:"-"` // required for kind Code; no white space
	Link    string        `json:"-"` // magic link, http or https; optional
	Life    time.Duration // how long the code works from now; 0: not said
	Support string        // URL, address or number for help; optional
	Where   string        // what asked, "Firefox on Windows"; optional, left out if it looks like a link
	Facts   []Fact        `json:"-"` // what is being approved, shown word for word

	Data map[string]string `json:"-"` // of a notice: see its kind
	At   time.Time         // of a notice: when it happened, in UTC; zero: not said
}

// Fact is one line of what is being approved.
type Fact struct {
	Label string
	Value string
}

// Text is a composed message.
type Text struct {
	Locale  string // in which it is written: one of Composer.Locales
	Subject string `json:"-"` // one line; empty for forms that have none
	Text    string `json:"-"` // complete on its own
	HTML    string `json:"-"` // a whole document; Email only
}
