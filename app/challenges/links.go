package challenges

import (
	"encoding/base64"
	"slices"
	"strings"

	"github.com/countersign/countersign/app/tenants"
	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/ports/seal"
)

// LinkPath is where the links in messages lead: LinkPath, then the token.
const LinkPath = "/l/"

// Links makes and reads the links that go out beside codes. Like codes, their
// tokens follow from the challenge and are stored nowhere. A token names its
// challenge, so nobody has to look for it:
//
//	base64url( handle (16) ‖ MAC (32) )
//
// It is safe for concurrent use.
type Links struct {
	Deriver seal.Deriver
	Tenants *tenants.Book
	Base    string // public URL, without a slash at its end; "" makes no links
}

const (
	handleBytes = 16
	linkBytes   = handleBytes + len(seal.Sum{})
)

// Of is the link of a challenge. It reports false if its message has none: links
// are for signing in by something that can be clicked.
func (l Links) Of(c challenge.Challenge) (string, bool) {
	if l.Base == "" || !l.linked(c) {
		return "", false
	}
	token, ok := l.token(c)
	return l.Base + LinkPath + token, ok
}

func (l Links) linked(c challenge.Challenge) bool {
	return c.Purpose == challenge.SignIn && c.Kind == contact.Email && !c.Decoy && c.SignIn == "" &&
		l.Tenants.Policy(c.Tenant).Challenge.Link
}

func (l Links) token(c challenge.Challenge) (string, bool) {
	handle, err := base64.RawURLEncoding.DecodeString(c.Handle)
	if err != nil || len(handle) != handleBytes {
		return "", false
	}
	sum, ok := l.sum(c)
	return base64.RawURLEncoding.EncodeToString(slices.Concat(handle, sum[:])), ok
}

func (l Links) sum(c challenge.Challenge) (seal.Sum, bool) {
	sum, err := l.Deriver.DeriveWith(seal.KeyID(c.KeyID), seal.Link, seed(c), []byte(c.Handle), []byte(c.Destination)) //nolint:gosec // key ids fit into a byte
	return sum, err == nil
}

// linkHandle is the handle that a token names, and the rest of the token. It
// reports false for what is no token of a link.
func linkHandle(token string) (handle string, mac seal.Sum, ok bool) {
	if len(token) != base64.RawURLEncoding.EncodedLen(linkBytes) || strings.ContainsAny(token, "\r\n") {
		return "", mac, false
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil {
		return "", mac, false
	}
	return base64.RawURLEncoding.EncodeToString(raw[:handleBytes]), seal.Sum(raw[handleBytes:]), true
}

// matches reports, in constant time, whether a MAC is the challenge's.
func (l Links) matches(c challenge.Challenge, mac seal.Sum) bool {
	want, ok := l.sum(c)
	return want.Equal(mac) && ok && l.linked(c)
}
