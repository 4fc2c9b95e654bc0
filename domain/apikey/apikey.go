// Package apikey is about the credentials of other programs: an application that
// has its own accounts and wants an address verified, an operator's script.
package apikey

import (
	"slices"
	"time"

	"github.com/countersign/countersign/domain/fault"
)

// Refusals.
var (
	ErrInvalid  = fault.New(fault.Unauthenticated, "invalid_token", "The API key is not valid.")
	ErrScope    = fault.New(fault.Forbidden, "forbidden", "This API key may not do that.")
	ErrNotFound = fault.New(fault.NotFound, "not_found", "There is no such thing.")
)

// Scope is what a key may do.
type Scope string

// The scopes.
const (
	Verify Scope = "verify" // have addresses verified and transactions approved
	Admin  Scope = "admin"  // everything that operators may do over HTTP
)

// Scopes lists all scopes.
func Scopes() []Scope { return []Scope{Verify, Admin} }

// Key is one credential. Its secret is shown once; only a hash is kept.
type Key struct {
	ID         string // UUIDv7; part of the credential
	Tenant     string
	Name       string // what its owner calls it
	Scopes     []Scope
	Hash       []byte // SHA-256 of the secret, which has 256 bits of chance
	CreatedAt  time.Time
	ExpiresAt  time.Time // zero: does not run out
	RevokedAt  time.Time // zero while it lasts
	LastUsedAt time.Time // to the hour, so that using a key rarely writes
}

// Alive reports whether the key is good at now.
func (k Key) Alive(now time.Time) bool {
	return k.RevokedAt.IsZero() && (k.ExpiresAt.IsZero() || now.Before(k.ExpiresAt))
}

// May reports whether the key has a scope. Admin may do everything.
func (k Key) May(s Scope) bool {
	return slices.Contains(k.Scopes, s) || slices.Contains(k.Scopes, Admin)
}
