package challenges

import (
	"encoding/base64"
	"slices"
	"strings"

	"github.com/countersign/countersign/app/tenants"
	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/tenant"
	"github.com/countersign/countersign/ports/seal"
)

// LinkPath is where the links in messages lead: LinkPath, then the token.
const LinkPath = "/l/"

// Links makes and reads the links that go out beside codes. Like codes, their
// tokens follow from the challenge and are stored nowhere. A token names its
// challenge, so nobody has to look for it:
//
//	base64url( handle (16) ‖ MAC (32) ‖ tenant, unless it is the default one )
//
// All tenants' links lead to one address, so the token says whose it is.
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
	maxSlug     = 40 // bytes of a tenant's name
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
	owner := c.Tenant
	if owner == tenant.Default {
		owner = ""
	}
	return base64.RawURLEncoding.EncodeToString(slices.Concat(handle, sum[:], []byte(owner))), ok
}

func (l Links) sum(c challenge.Challenge) (seal.Sum, bool) {
	sum, err := l.Deriver.DeriveWith(seal.KeyID(c.KeyID), seal.Link, seed(c), []byte(c.Handle), []byte(c.Destination)) //nolint:gosec // key ids fit into a byte
	return sum, err == nil
}

// linkToken is what a token says of itself.
type linkToken struct {
	tenant, handle string
	mac            seal.Sum
}

// readLink reads a token. It reports false for what is no token of a link.
func readLink(text string) (t linkToken, ok bool) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) < linkBytes || len(raw) > linkBytes+maxSlug || strings.ContainsAny(text, "\r\n") {
		return t, false
	}
	t.handle, t.mac = base64.RawURLEncoding.EncodeToString(raw[:handleBytes]), seal.Sum(raw[handleBytes:linkBytes])
	if t.tenant = string(raw[linkBytes:]); t.tenant == "" {
		t.tenant = tenant.Default
	}
	return t, true
}

// matches reports, in constant time, whether a MAC is the challenge's.
func (l Links) matches(c challenge.Challenge, mac seal.Sum) bool {
	want, ok := l.sum(c)
	return want.Equal(mac) && ok && l.linked(c)
}
