package user

import (
	"time"

	"github.com/countersign/countersign/domain/contact"
)

// ChangeLife is how long an identifier may wait for its proofs.
const ChangeLife = 24 * time.Hour

// ClaimLife is how long an address waits for its proof that somebody named when
// they signed up: for as long as it takes.
const ClaimLife = 100 * 365 * 24 * time.Hour

// Change is an identifier that somebody wants to have. It is nobody's until
// everything is proven that must be: the new address always, the current one if
// it is proven itself. Many people may wait for one address; the first who proves
// it gets it. A user has at most one change for each kind.
type Change struct {
	contact.Contact // the identifier that is wanted

	ID           string // UUIDv7; challenges name it, so that those of an earlier change prove nothing
	Tenant       string
	User         string
	Replaces     string    // canonical value of the current identifier of that kind; "" if there is none
	NeedsCurrent bool      // the current one is proven, so it must agree
	NewAt        time.Time // when the new one was proven; zero: not yet
	CurrentAt    time.Time // when the current one agreed; zero: not yet
	CreatedAt    time.Time
	ExpiresAt    time.Time // exclusive
}

// Alive reports whether the change still waits at now.
func (c Change) Alive(now time.Time) bool { return now.Before(c.ExpiresAt) }

// Claim reports whether somebody said at sign-up that this is theirs. To them it
// looks like an identifier that is not proven, whoever else has it.
func (c Change) Claim() bool { return c.ExpiresAt.Sub(c.CreatedAt) > ChangeLife }

// Prove notes the proof of one of the two addresses, or refuses with ErrNothing:
// a change that is over, or an address that has no part in it.
func (c *Change) Prove(which contact.Contact, now time.Time) error {
	switch {
	case !c.Alive(now) || which.Kind != c.Kind:
		return ErrNothing
	case which.Value == c.Value:
		c.NewAt = now
	case c.NeedsCurrent && which.Value == c.Replaces:
		c.CurrentAt = now
	default:
		return ErrNothing
	}
	return nil
}

// Done reports whether everything is proven.
func (c Change) Done() bool {
	return !c.NewAt.IsZero() && (!c.NeedsCurrent || !c.CurrentAt.IsZero())
}

// Waiting lists what is not proven yet: "new", "current".
func (c Change) Waiting() []string {
	var out []string
	if c.NewAt.IsZero() {
		out = append(out, "new")
	}
	if c.NeedsCurrent && c.CurrentAt.IsZero() {
		out = append(out, "current")
	}
	return out
}
