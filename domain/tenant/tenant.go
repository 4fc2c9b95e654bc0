// Package tenant says whose users these are. There is always one tenant,
// Default; users, challenges, limits and tokens never cross from one to another.
package tenant

import "github.com/countersign/countersign/domain/fault"

// Default is the tenant of everybody who names no other.
const Default = "default"

// ErrUnknown means that a request names a tenant that is not configured.
var ErrUnknown = fault.New(fault.Malformed, "tenant_unknown", "There is no such tenant.")

// Tenant is a set of users that knows nothing of the others.
type Tenant struct {
	Slug    string   // stable and lower-case; part of every key and token
	Origins []string // web origins whose requests belong here
}
