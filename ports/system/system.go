// Package system is the port to what a computation cannot make by itself: the
// time, names that nobody has used before, and randomness.
//
// Randomness is an io.Reader and needs no interface of its own. It must be
// cryptographically secure, safe for concurrent use, and must never fail:
// whoever reads it takes an error for an accident and stops what it is doing.
package system

import "time"

// Clock tells the time. It must be safe for concurrent use.
type Clock interface {
	// Now returns the present in UTC, in whole microseconds and without a
	// monotonic reading: what a database gives back is then equal to what was
	// put in. It may step back when the host's clock is set.
	Now() time.Time
}

// IDs makes names for new things. It must be safe for concurrent use.
type IDs interface {
	// New returns a UUID in its text form, lower case, 36 characters
	// (RFC 9562 section 4). No two are equal, and later ones mostly sort
	// later, which keeps indexes compact. They may be guessed: an id is never
	// a secret.
	New() string
}
