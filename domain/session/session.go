// Package session is about being signed in: the session, its family of refresh
// tokens, and the sign-in that still waits for a second factor.
package session

import (
	"errors"
	"time"

	"github.com/countersign/countersign/domain/assurance"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/fault"
	"github.com/countersign/countersign/domain/password"
)

// Refusals.
var (
	ErrUnauthenticated = fault.New(fault.Unauthenticated, "unauthenticated", "Sign in first.")
	ErrInvalid         = fault.New(fault.Unauthenticated, "invalid_token", "The token is not valid.")
	ErrRevoked         = fault.New(fault.Unauthenticated, "token_revoked", "The session has ended. Sign in again.")
	ErrPendingInvalid  = fault.New(fault.Unauthenticated, "invalid_pending_token", "The sign-in cannot be continued. Start again.")
	ErrPendingExpired  = fault.New(fault.Unauthenticated, "pending_token_expired", "The sign-in took too long. Start again.")
	ErrStepUp          = fault.New(fault.Unauthenticated, "insufficient_user_authentication", "Prove again that it is you.")
	ErrNotFound        = fault.New(fault.NotFound, "not_found", "There is no such thing.")
)

// ErrReused is the cause in the ErrRevoked of whoever ends a session by spending a
// refresh token again.
var ErrReused = errors.New("a spent refresh token came again")

// Reason says why a session ended.
type Reason string

// The reasons.
const (
	SignedOut  Reason = "signed_out"
	ByOwner    Reason = "ended_by_owner" // from another session
	Reused     Reason = "refresh_reused" // a spent refresh token came again
	UserClosed Reason = "user_deleted"
	Password   Reason = "password_changed"
	Operator   Reason = "ended_by_operator"
	Moved      Reason = "identifier_changed"
)

// Session is one person signed in at one place.
type Session struct {
	ID         string // UUIDv7; claim sid
	Tenant     string
	User       string
	Evidence   []assurance.Evidence
	Client     string    // in words: "Firefox on Windows"
	Generation uint32    // of the refresh token that is good now, from 1
	RotatedAt  time.Time // when it was made
	CreatedAt  time.Time
	ExpiresAt  time.Time // absolute; refreshing does not move it
	RevokedAt  time.Time // zero while it lasts
	Reason     Reason    // why it was revoked
}

// Alive reports whether the session lasts at now.
func (s Session) Alive(now time.Time) bool { return s.RevokedAt.IsZero() && now.Before(s.ExpiresAt) }

// Revoke ends the session. Ending it twice changes nothing.
func (s *Session) Revoke(now time.Time, why Reason) {
	if s.RevokedAt.IsZero() {
		s.RevokedAt, s.Reason = now, why
	}
}

// Rotate spends the refresh token of a generation.
//
// The newest token makes a new generation. The one before it, within grace of
// that, is answered with the same generation again, because an answer may get
// lost on its way. Any other was used before: then somebody else has a copy,
// and the family ends, with ErrReused (RFC 9700, 4.14.2).
func (s *Session) Rotate(generation uint32, now time.Time, grace time.Duration) error {
	switch {
	case !s.RevokedAt.IsZero():
		return ErrRevoked
	case !now.Before(s.ExpiresAt):
		return ErrInvalid
	case generation == s.Generation:
		s.Generation++
		s.RotatedAt = now
		return nil
	case generation+1 == s.Generation && now.Before(s.RotatedAt.Add(grace)):
		return nil
	case generation > s.Generation:
		return ErrInvalid
	}
	s.Revoke(now, Reused)
	return ErrRevoked.Because(ErrReused)
}

// Step says what a pending token is good for, and nothing else.
type Step string

// The steps.
const (
	Second   Step = ""         // a second factor must follow
	Reset    Step = "reset"    // a new password may be chosen
	Complete Step = "complete" // identifiers are missing that a new user must have
)

// SignIn is a sign-in that waits for something: a second factor, a new password,
// a missing identifier. Its bearer has proven something, and gets nothing for it
// but the right to go on.
type SignIn struct {
	ID        string // UUIDv7
	Tenant    string
	User      string // empty until there is one: Complete
	Step      Step
	Draft     *Draft // Complete: who would become a user; Second: what is connected once they are in
	Evidence  []assurance.Evidence
	NewUser   bool
	Client    string
	CreatedAt time.Time
	ExpiresAt time.Time // exclusive
	UsedAt    time.Time // zero until it became a session
}

// Refusal reports why the sign-in cannot be continued, or nil.
func (s SignIn) Refusal(now time.Time) error {
	switch {
	case !s.UsedAt.IsZero():
		return ErrPendingInvalid
	case !now.Before(s.ExpiresAt):
		return ErrPendingExpired
	}
	return nil
}

// Draft is somebody who would become a user if they had all identifiers that new
// users must have.
type Draft struct {
	Proven    []contact.Contact `json:"-"` // encoded by storage, in full
	FirstName string            `json:"first_name,omitempty"`
	LastName  string            `json:"last_name,omitempty"`
	Locale    string            `json:"locale,omitempty"`
	Username  string            `json:"username,omitempty"` // canonical, if one was chosen already
	Password  password.Hash     `json:"password,omitempty"` // if one was chosen already
	Invited   string            `json:"invited,omitempty"`  // the invitation that is being accepted
	Channel   string            `json:"channel,omitempty"`  // by which they came
	Link      *Link             `json:"link,omitempty"`     // their account elsewhere, which signs them in from now on
}

// Link is somebody's account elsewhere.
type Link struct {
	Channel string `json:"channel"` // the instance that vouches for it
	Ref     string `json:"ref"`     // its name there
	Name    string `json:"name"`    // what people call the channel
}
