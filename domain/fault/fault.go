// Package fault is how the core says no: errors that were foreseen, each with
// a kind, a stable code and one sentence that is safe to show to anybody.
package fault

import (
	"errors"
	"time"
)

// Kind says what sort of refusal it is. Transports map kinds to their own
// vocabulary, HTTP to a status.
type Kind string

// The kinds. Everything that is not one of them is an accident.
const (
	Malformed       Kind = "malformed"       // the request cannot be understood
	Invalid         Kind = "invalid"         // understood, but the content will not do
	Unauthenticated Kind = "unauthenticated" // we do not know who asks, or not well enough
	Forbidden       Kind = "forbidden"       // we know, and the answer is no
	NotFound        Kind = "not_found"       // no such thing for this caller
	Conflict        Kind = "conflict"        // it contradicts what is there
	Gone            Kind = "gone"            // it was there, and its time is over
	TooLarge        Kind = "too_large"       // more bytes than we read
	Unsupported     Kind = "unsupported"     // a media type that we do not read
	Throttled       Kind = "throttled"       // later; see Error.After
	Unavailable     Kind = "unavailable"     // something we depend on is down; see Error.After
)

// Error is an error that was foreseen. Declare each as a package variable with
// New, compare with errors.Is (which goes by code), and add what is known of
// the occasion with the methods, all of which return copies.
type Error struct {
	Kind   Kind
	Code   string        // stable, lower_snake_case; part of the HTTP contract
	Text   string        // one or two sentences that are safe to show
	After  time.Duration // when to come back; Throttled and Unavailable only
	Left   int           // evaluations left, if Counts
	Counts bool          // whether Left means anything
	Fields []Field       // what is wrong with which part of the request
	cause  error
}

// Field is one thing that is wrong with one part of a request.
type Field struct {
	Pointer string // RFC 6901 pointer into the body, "/email"
	Code    string // stable, lower_snake_case
	Detail  string // one sentence, safe to show, never the value itself
}

// New makes a fault.
func New(k Kind, code, text string) *Error { return &Error{Kind: k, Code: code, Text: text} }

// Error gives the code and the cause. It is meant for logs.
func (f *Error) Error() string {
	if f.cause != nil {
		return f.Code + ": " + f.cause.Error()
	}
	return f.Code
}

// Unwrap returns the cause, which is for logs only.
func (f *Error) Unwrap() error { return f.cause }

// Is reports whether target is a fault with the same code.
func (f *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == f.Code
}

// Because returns a copy with a cause.
func (f *Error) Because(err error) *Error { c := *f; c.cause = err; return &c }

// Retry returns a copy that says when to come back.
func (f *Error) Retry(after time.Duration) *Error { c := *f; c.After = after; return &c }

// WithLeft returns a copy that says how many evaluations are left.
func (f *Error) WithLeft(n int) *Error { c := *f; c.Left, c.Counts = n, true; return &c }

// Saying returns a copy with another sentence, which must be safe to show too.
func (f *Error) Saying(text string) *Error { c := *f; c.Text = text; return &c }

// With returns a copy that also names what is wrong with the given fields.
func (f *Error) With(fields ...Field) *Error {
	c := *f
	c.Fields = append(append([]Field(nil), f.Fields...), fields...)
	return &c
}

// Of finds the fault in an error's chain, if it has one.
func Of(err error) (*Error, bool) { return errors.AsType[*Error](err) }
