// Package token is the port to access tokens and receipts: who signs them, who
// reads them, and how others learn the public keys.
package token

import (
	"time"

	"github.com/countersign/countersign/domain/fault"
)

// ErrInvalid means that a token is not one of ours, whatever is wrong with it.
var ErrInvalid = fault.New(fault.Unauthenticated, "invalid_token", "The access token is not valid.")

// ErrExpired means that a token was ours but its time is over. It has the code
// of ErrInvalid, so errors.Is does not tell them apart; only the text differs.
var ErrExpired = fault.New(fault.Unauthenticated, "invalid_token", "The access token has expired.")

// Claims is what an access token says (RFC 9068). Times count in whole
// seconds; fractions are cut off.
type Claims struct {
	Issuer    string    // iss; empty when signing: the signer's own
	Subject   string    // sub: the user
	Audience  string    // aud; empty when signing: the signer's own
	Session   string    // sid
	Tenant    string    // tid
	ID        string    // jti
	AMR       []string  // amr: RFC 8176 values
	ACR       string    // acr: aal1, aal2, …
	AuthTime  time.Time // auth_time: when the person last proved anything
	IssuedAt  time.Time // iat, and nbf
	ExpiresAt time.Time // exp: the token is valid before, not at, this second
}

// Receipt is signed evidence that something was proved or approved. It lets
// nobody in: its type differs from an access token's.
type Receipt struct {
	Issuer      string    // iss; empty: the signer's own
	Audience    string    // aud: who asked for the proof, if known
	Subject     string    // sub: the user, if there is one
	Tenant      string    // tid
	ID          string    // jti: of the receipt; never the challenge's handle
	Purpose     string    // purpose: verify or approve
	Channel     string    // channel that proved it
	Destination string    // destination that was proved, in full; empty when the caller may not know it
	DetailHash  []byte    // detail_sha256: SHA-256 of what was shown, for approve
	AMR         []string  // amr
	ACR         string    // acr
	IssuedAt    time.Time // iat
	ExpiresAt   time.Time // exp; zero: the evidence does not run out
}

// The types in the header of what is signed (RFC 8725 section 3.11).
const (
	TypeAccess  = "at+jwt"
	TypeReceipt = "countersign-receipt+jwt"
)

// Signer makes tokens under the active key. It must be safe for concurrent use.
type Signer interface {
	// Sign makes an access token. It refuses claims without subject, id,
	// issue or expiry, and those that expire before they are issued.
	Sign(c Claims) (string, error)

	// Receipt makes a receipt, which Reader never accepts.
	Receipt(r Receipt) (string, error)
}

// Reader reads access tokens. It must be safe for concurrent use.
type Reader interface {
	// Read verifies everything about a token and returns what it says. All
	// refusals are ErrInvalid or ErrExpired. It knows nothing of revocation.
	Read(token string, now time.Time) (Claims, error)
}

// Publisher publishes the public keys. It must be safe for concurrent use.
type Publisher interface {
	// JWKS gives the JSON Web Key Set (RFC 7517): the active key, the next
	// one, and retired ones until their tokens have run out.
	JWKS() []byte
}
