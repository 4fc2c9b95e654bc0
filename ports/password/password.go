// Package password is the port to what passwords need of the world: a hash that
// costs enough, and knowledge of which ones everybody uses.
package password

import (
	"context"

	"github.com/countersign/countersign/domain/fault"
	domain "github.com/countersign/countersign/domain/password"
)

// ErrBusy means that as many passwords are being hashed as the machine can take.
// It is given before anything is counted.
var ErrBusy = fault.New(fault.Unavailable, "storage_unavailable", "Too many people are signing in by password at this moment. Try again soon.")

// Hasher hashes and compares passwords. Both cost memory and time on purpose, so
// an adapter bounds how many run at once, and gives up with ErrBusy when the
// queue is full or ctx ends. Different spellings of the same characters are one
// password (RFC 8265 section 4.2), so an adapter is given a way to normalise text,
// and calls it once it may run. It must be safe for concurrent use.
type Hasher interface {
	// Hash makes a hash with a salt of its own. It refuses what is longer than
	// MaxLength of the domain, which the rules have named by then.
	Hash(ctx context.Context, text string) (domain.Hash, error)
	// Compare reports whether text is the password. With no hash ("") it takes as
	// long and reports false: nobody learns from the time whether there is one.
	// Stale means that the hash was made with weaker parameters than today's, or
	// under a pepper that was replaced, and should be made anew; it is only ever
	// true of the right password. A hash that cannot be read, asks for more than
	// any of ours would, or whose pepper is gone, is nobody's: it is like no hash.
	Compare(ctx context.Context, h domain.Hash, text string) (same, stale bool, err error)
}

// Common knows the passwords that everybody uses. It must be safe for concurrent use.
type Common interface {
	// Common reports whether many people use text, or text with a few characters
	// changed as people do to satisfy rules.
	Common(text string) bool
}
