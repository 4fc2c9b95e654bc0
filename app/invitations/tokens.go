package invitations

import (
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"

	"github.com/countersign/countersign/app/challenges"
	"github.com/countersign/countersign/domain/invitation"
	"github.com/countersign/countersign/domain/tenant"
	"github.com/countersign/countersign/ports/seal"
)

// Prefix begins every invitation's token.
const Prefix = "csi_"

// Tokens makes and reads the tokens of invitations. A token follows from its
// invitation and a key that the database does not hold, and is stored nowhere:
//
//	csi_ base64url( key id (1) ‖ invitation id (16) ‖ MAC (32) ‖ tenant )
//
// The tenant is left out if it is the default one. It is there because a link
// leads to one address for all tenants. The MAC is over tenant, id and address,
// so it is good for nobody but who was asked. It is safe for concurrent use.
type Tokens struct {
	Deriver seal.Deriver
	Base    string // public URL, without a slash at its end
}

const (
	idBytes  = 16
	macBytes = len(seal.Sum{})
	maxSlug  = 64
)

// named is what a token says about itself, not yet believed.
type named struct {
	key    seal.KeyID
	tenant string
	id     string
	mac    seal.Sum
}

// Token is the token of an invitation; "" if its id is no UUID.
func (t Tokens) Token(i invitation.Invitation) string {
	id, err := hex.DecodeString(strings.ReplaceAll(i.ID, "-", ""))
	if err != nil || len(id) != idBytes {
		return ""
	}
	mac, key := t.Deriver.Derive(seal.Link, parts(i)...)
	whose := i.Tenant
	if whose == tenant.Default {
		whose = ""
	}
	return Prefix + base64.RawURLEncoding.EncodeToString(slices.Concat([]byte{byte(key)}, id, mac[:], []byte(whose)))
}

func parts(i invitation.Invitation) [][]byte {
	return [][]byte{[]byte("invitation"), []byte(i.Tenant), []byte(i.ID), []byte(i.Kind), []byte(i.Value)}
}

// read takes a token apart. It reports false for what is none.
func read(text string) (n named, ok bool) {
	rest, ok := strings.CutPrefix(text, Prefix)
	least := base64.RawURLEncoding.EncodedLen(1 + idBytes + macBytes)
	if !ok || len(rest) < least || len(rest) > least+2*maxSlug || strings.ContainsAny(rest, "\r\n") {
		return n, false
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(rest)
	if err != nil {
		return n, false
	}
	h := hex.EncodeToString(raw[1 : 1+idBytes])
	n = named{
		key: seal.KeyID(raw[0]), mac: seal.Sum(raw[1+idBytes : 1+idBytes+macBytes]), tenant: string(raw[1+idBytes+macBytes:]),
		id: h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:],
	}
	if n.tenant == "" {
		n.tenant = tenant.Default
	}
	return n, true
}

// TenantOf is the tenant that a token says it belongs to. Nothing is believed
// yet. It reports false for what is no token.
func TenantOf(text string) (string, bool) {
	n, ok := read(text)
	return n.tenant, ok
}

// matches reports, in constant time, whether the token is the invitation's.
func (t Tokens) matches(n named, i invitation.Invitation) bool {
	want, err := t.Deriver.DeriveWith(n.key, seal.Link, parts(i)...)
	return err == nil && want.Equal(n.mac)
}

// Link is where an invitation's message leads: to the application's own page, if
// the inviter named one, else to ours.
func (t Tokens) Link(i invitation.Invitation) string {
	token := t.Token(i)
	if i.ReturnTo == "" {
		return t.Base + challenges.LinkPath + token
	}
	to, err := url.Parse(i.ReturnTo)
	if err != nil {
		return t.Base + challenges.LinkPath + token
	}
	q := to.Query()
	q.Set("invitation", token)
	to.RawQuery = q.Encode()
	if to.IsAbs() {
		return to.String()
	}
	return t.Base + to.String()
}
