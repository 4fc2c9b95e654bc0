package sessions

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"time"

	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/seal"
)

// Opaque tokens are not stored, not even hashed. Each names its row and carries
// a MAC over it under a key that the database does not hold: a stolen database
// makes no token, and a made-up token costs no statement. The tenant is in the
// MAC, so a token is nothing elsewhere.
//
//	kind "_" base64url( key id (1) ‖ row id (16) ‖ generation (4) ‖ MAC (32) )
const (
	refreshKind = "csr_"
	pendingKind = "csp_"
	trustKind   = "cst_"
	claimKind   = "csc_"
	opaqueBytes = 1 + 16 + 4 + 32
)

// mark is what an opaque token says about itself.
type mark struct {
	id         string
	generation uint32
}

func (s *Service) refreshToken(tenant, id string, generation uint32) string {
	return s.opaque(refreshKind, seal.Refresh, tenant, mark{id, generation})
}

// PendingToken is the token of a sign-in that waits.
func (s *Service) PendingToken(tenant, id string) string {
	return s.opaque(pendingKind, seal.Pending, tenant, mark{id: id})
}

// Trust is the token of a browser that gave a second factor and is not asked for
// one again. It lets nobody in by itself. It names the user and when it was made,
// in whole seconds.
func (s *Service) Trust(u user.User, now time.Time) string {
	return s.opaque(trustKind, seal.Trust, u.Tenant, mark{u.ID, uint32(now.Unix())}) //nolint:gosec // until 2106
}

// Trusts reports whether the token is one that Trust made for this user, for as
// long as the policy says, and not before everything of theirs was made worthless.
func (s *Service) Trusts(u user.User, text string, now time.Time) bool {
	m, ok := s.read(trustKind, seal.Trust, u.Tenant, text)
	made := time.Unix(int64(m.generation), 0)
	return ok && m.id == u.ID && !made.Before(u.ResetAt) && !made.After(now) &&
		now.Before(made.Add(s.Tenants.Policy(u.Tenant).TwoFactor.Remember))
}

// Claim is the token of somebody who signed up by a form. It lets nobody in by
// itself: whoever shows it along with the proof of an address is who said that
// the address is theirs.
func (s *Service) Claim(u user.User) string {
	return s.opaque(claimKind, seal.Claim, u.Tenant, mark{id: u.ID})
}

// Claimant tells whose claim a token is. It reports false for anything that Claim
// did not make for somebody of this tenant.
func (s *Service) Claimant(tenant, text string) (id string, ok bool) {
	m, ok := s.read(claimKind, seal.Claim, tenant, text)
	return m.id, ok
}

func (s *Service) opaque(kind string, l seal.Label, tenant string, m mark) string {
	body, ok := m.bytes()
	if !ok {
		return ""
	}
	mac, key := s.Deriver.Derive(l, []byte(tenant), body)
	out := make([]byte, 0, opaqueBytes)
	out = append(out, byte(key))
	out = append(out, body...)
	out = append(out, mac[:]...)
	return kind + base64.RawURLEncoding.EncodeToString(out)
}

// read checks an opaque token. It reports false for anything that we did not make.
func (s *Service) read(kind string, l seal.Label, tenant, text string) (mark, bool) {
	rest, ok := strings.CutPrefix(text, kind)
	if !ok || len(rest) != base64.RawURLEncoding.EncodedLen(opaqueBytes) {
		return mark{}, false
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(rest)
	if err != nil {
		return mark{}, false
	}
	body := raw[1:21]
	want, err := s.Deriver.DeriveWith(seal.KeyID(raw[0]), l, []byte(tenant), body)
	if err != nil || !want.Equal(seal.Sum(raw[21:])) {
		return mark{}, false
	}
	return mark{id: uuidText(body[:16]), generation: binary.BigEndian.Uint32(body[16:])}, true
}

// bytes packs the row id, which must be a UUID, and the generation.
func (m mark) bytes() ([]byte, bool) {
	id, err := hex.DecodeString(strings.ReplaceAll(m.id, "-", ""))
	if err != nil || len(id) != 16 {
		return nil, false
	}
	return binary.BigEndian.AppendUint32(id, m.generation), true
}

func uuidText(b []byte) string {
	h := hex.EncodeToString(b)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
