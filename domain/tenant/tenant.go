// Package tenant says whose users these are. There is always one tenant,
// Default; users, challenges, limits and tokens never cross from one to another.
package tenant

import (
	"strings"

	"github.com/countersign/countersign/domain/fault"
)

// Default is the tenant of everybody who names no other.
const Default = "default"

// ErrUnknown means that a request names a tenant that is not configured.
var ErrUnknown = fault.New(fault.Malformed, "tenant_unknown", "There is no such tenant.")

// Tenant is a set of users that knows nothing of the others.
type Tenant struct {
	Slug    string   // stable and lower-case; part of every key and token
	Origins []string // web origins whose requests belong here
}

// MaxReturn is the longest address that a browser is sent to, in bytes.
const MaxReturn = 512

// Returns reports whether a browser may be sent to an address after it has proven
// something: a path of this site, or an address at one of the tenant's origins.
// Nothing else is ever a target, whatever it resembles (CWE-601).
func (t Tenant) Returns(address string) bool {
	if address == "" || len(address) > MaxReturn || !plain(address) {
		return false
	}
	if address[0] == '/' {
		return len(address) == 1 || address[1] != '/'
	}
	for _, origin := range t.Origins {
		if rest, ok := strings.CutPrefix(address, origin); ok && (rest == "" || rest[0] == '/') {
			return true
		}
	}
	return false
}

// plain reports whether there is nothing in the text that browsers drop, or take
// for something else.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f || s[i] == '\\' {
			return false
		}
	}
	return true
}
