// Package assurance adds up what a set of proofs is worth. It is the only place
// that decides an AAL, amr or acr; no way of signing in decides for itself.
package assurance

import (
	"slices"
	"time"
)

// Factor is what kind of thing was proven (NIST SP 800-63B-4, 2).
type Factor string

// The factors.
const (
	Knowledge  Factor = "knowledge"
	Possession Factor = "possession"
	Inherence  Factor = "inherence"
)

// AAL is an authenticator assurance level, 1 to 3. 0 is nothing.
type AAL int

// The levels.
const (
	None AAL = iota
	AAL1
	AAL2
	AAL3
)

// ACR is the level as an authentication context class, "aal1".
func (l AAL) ACR() string {
	if l <= None || l > AAL3 {
		return "aal0"
	}
	return "aal" + string(rune('0'+l))
}

// Evidence is what one verified challenge proves.
type Evidence struct {
	Channel       string    `json:"channel"`          // the instance that judged
	Authenticator string    `json:"authenticator"`    // which one: a device, or a keyed hash of an address
	Factor        Factor    `json:"factor"`           //
	Max           AAL       `json:"max"`              // the most that this kind of proof may lift to
	AMR           []string  `json:"amr"`              // RFC 8176
	Device        bool      `json:"device,omitempty"` // an enrolled device, not an address that was named
	Backup        bool      `json:"backup,omitempty"` // a recovery code stood in
	At            time.Time `json:"at"`
}

// Level is what all evidence together is worth.
type Level struct {
	AAL  AAL
	AMR  []string // sorted, without doubles; "mfa" if two factors were used
	Time time.Time
}

// Assess adds up. One proof is AAL1, unless its authenticator asked for two factors
// itself and says so ("mfa"), as a passkey does that knows its owner. Two proofs by
// different authenticators are AAL2 if one of them may lift that high: a message to an e-mail address may
// not, so it never makes AAL2 of anything (SP 800-63B-4, 3.1.3.1).
func Assess(all []Evidence) Level {
	var l Level
	for _, e := range all {
		l.AMR = append(l.AMR, e.AMR...)
		if e.At.After(l.Time) {
			l.Time = e.At
		}
		l.AAL = max(l.AAL, min(AAL1, e.Max))
		if e.Max >= AAL2 && (slices.Contains(e.AMR, "mfa") || accompanied(e, all)) {
			l.AAL = AAL2
		}
	}
	if l.AAL >= AAL2 {
		l.AMR = append(l.AMR, "mfa")
	}
	slices.Sort(l.AMR)
	l.AMR = slices.Compact(l.AMR)
	return l
}

// accompanied reports whether another authenticator proved something too.
func accompanied(e Evidence, all []Evidence) bool {
	return slices.ContainsFunc(all, func(o Evidence) bool { return o.Authenticator != e.Authenticator })
}

// Merge adds new evidence to what is known. A newer proof by the same
// authenticator replaces the older one.
func Merge(old []Evidence, e Evidence) []Evidence {
	out := slices.DeleteFunc(slices.Clone(old), func(o Evidence) bool { return o.Authenticator == e.Authenticator })
	return append(out, e)
}

// Newest is when the newest proof was given; zero if there is none.
func Newest(all []Evidence) (at time.Time) {
	for _, e := range all {
		if e.At.After(at) {
			at = e.At
		}
	}
	return at
}

// Devices keeps the proofs that enrolled devices gave.
func Devices(all []Evidence) []Evidence {
	return slices.DeleteFunc(slices.Clone(all), func(e Evidence) bool { return !e.Device })
}

// Without is what is left once a device is its owner's no more, and whether that
// is less. If nothing else was proven, it was they all the same, at the first level.
func Without(all []Evidence, authenticator string) (left []Evidence, less bool) {
	left = slices.DeleteFunc(slices.Clone(all), func(e Evidence) bool { return e.Device && e.Authenticator == authenticator })
	if len(left) > 0 || len(all) == 0 {
		return left, len(left) < len(all)
	}
	e := all[0]
	e.Device, e.Max = false, min(e.Max, AAL1)
	e.AMR = slices.DeleteFunc(slices.Clone(e.AMR), func(method string) bool { return method == "mfa" })
	return []Evidence{e}, true
}
