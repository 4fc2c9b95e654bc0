// Package password says which passwords will do (NIST SP 800-63B-4, 3.1.1.2).
// It judges; hashing and comparing belong to an adapter, and so does the list of
// passwords that everybody uses.
package password

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/countersign/countersign/domain/fault"
)

// Refusals.
var (
	ErrCredentials = fault.New(fault.Unauthenticated, "invalid_credentials", "This name and password do not go together.")
	ErrNone        = fault.New(fault.NotFound, "not_found", "There is no such thing.")
)

// MaxLength is the longest password that is taken, in bytes. Hashing more would
// let strangers buy our time with theirs.
const MaxLength = 1024

// Rules say what a password must be like.
type Rules struct {
	MinLength    int  // in characters (code points)
	RefuseCommon bool // what stands in lists of common passwords
}

// Record is what is kept of a password. It is the only thing about it that is
// stored, and prints without the hash.
type Record struct {
	Tenant    string
	User      string
	Hash      Hash
	ChangedAt time.Time
}

// Hash is a password hash in PHC string form. It prints as dots.
type Hash string

// String hides the hash.
func (Hash) String() string { return "••••" }

// GoString hides the hash from "%#v" too.
func (Hash) GoString() string { return "••••" }

// Candidate is a password that somebody wants to have, with what is known of
// them: a password must not be one of these, nor hold one, nor lie within one.
type Candidate struct {
	Text    string
	Profile []string // names and identifiers in clear
	Common  bool     // whether it stands in a list of common passwords
}

// Problem is one rule that a candidate breaks.
type Problem struct {
	Code   string // stable: password_too_short, …
	Detail string // one sentence, never the password
}

// Check names every rule that the candidate breaks; none means that it will do.
// There are no rules about kinds of characters: they make passwords worse.
func (r Rules) Check(c Candidate) []Problem {
	var out []Problem
	add := func(broken bool, code, detail string) {
		if broken {
			out = append(out, Problem{Code: code, Detail: detail})
		}
	}
	add(!utf8.ValidString(c.Text) || strings.ContainsRune(c.Text, 0), "invalid_password", "Use characters that can be typed.")
	add(utf8.RuneCountInString(c.Text) < r.MinLength, "password_too_short", "Use more characters.")
	add(len(c.Text) > MaxLength, "password_too_long", "Use fewer characters.")
	add(r.RefuseCommon && c.Common, "password_too_common", "Many people use this password. Choose another one.")
	add(c.Text != "" && strings.Trim(c.Text, "0123456789") == "", "password_entirely_numeric", "Use something else than digits alone.")
	add(similar(c.Text, c.Profile), "password_too_similar", "Use something that does not resemble your name or address.")
	return out
}

// shortest is the length below which a part of a profile says nothing.
const shortest = 4

// similar reports whether the password is, but for a few characters, something
// that everybody can know about the person.
func similar(text string, profile []string) bool {
	text = fold(text)
	for _, whole := range profile {
		parts := strings.FieldsFunc(whole, func(r rune) bool { return strings.ContainsRune("@.+-_ ", r) })
		for _, part := range append(parts, whole) {
			part = fold(part)
			if len(part) < shortest || len(text) == 0 {
				continue
			}
			rest := strings.ReplaceAll(text, part, "")
			if len(rest) < len(text) && len(rest) < shortest || len(text) >= shortest && strings.Contains(part, text) {
				return true
			}
		}
	}
	return false
}

// fold makes ASCII letters small.
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}
