package jwttoken

import (
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/countersign/countersign/ports/token"
)

// maxToken is the longest token that is looked at, in bytes. Ours have about 600.
const maxToken = 8 << 10

var (
	errShape  = errors.New("too long, or with line breaks")
	errHeader = errors.New("header is not of an access token")
	errKey    = errors.New("key is unknown or has run out")
	errClaims = errors.New("subject, id, issue or start is missing")
)

// Read implements token.Reader.
func (t *Tokens) Read(text string, now time.Time) (token.Claims, error) {
	// The base64 decoder skips line breaks even when it is strict, which would
	// give one token many spellings.
	if len(text) > maxToken || strings.ContainsAny(text, "\r\n") {
		return token.Claims{}, token.ErrInvalid.Because(errShape)
	}
	p, err := t.prepare()
	if err != nil {
		return token.Claims{}, fmt.Errorf("read token: %w", err)
	}
	parser := jwt.NewParser(
		jwt.WithValidMethods(p.methods),
		jwt.WithIssuer(t.config.Issuer),
		jwt.WithAudience(t.config.Audience),
		jwt.WithExpirationRequired(),
		jwt.WithNotBeforeRequired(),
		jwt.WithIssuedAt(),
		jwt.WithStrictDecoding(),
		jwt.WithTimeFunc(func() time.Time { return now }),
	)
	var a access
	_, err = parser.ParseWithClaims(text, &a, func(j *jwt.Token) (any, error) { return p.keyOf(j, now) })
	switch {
	case err == nil && (a.Subject == "" || a.ID == "" || a.IssuedAt == 0):
		return token.Claims{}, token.ErrInvalid.Because(errClaims)
	case err == nil:
		return a.claims(), nil
	case onlyExpired(err):
		return token.Claims{}, token.ErrExpired.Because(jwt.ErrTokenExpired)
	default:
		return token.Claims{}, token.ErrInvalid.Because(err)
	}
}

// keyOf finds the key that a header names. The header may hold exactly what we
// write: nothing that brings or points to a key (jwk, jku, x5c, x5u), and no
// extension we would have to understand (crit).
func (p *prepared) keyOf(j *jwt.Token, now time.Time) (crypto.PublicKey, error) {
	typ, _ := j.Header["typ"].(string)
	if len(j.Header) != 3 || typ != token.TypeAccess {
		return nil, errHeader
	}
	kid, _ := j.Header["kid"].(string)
	k, ok := p.byID[kid]
	if !ok || j.Method.Alg() != string(k.Algorithm) || !k.Live(now) {
		return nil, errKey
	}
	return k.Private.Public(), nil
}

// onlyExpired reports whether expiry is all that is wrong: a token that was
// never for us is not called expired.
func onlyExpired(err error) bool {
	if !errors.Is(err, jwt.ErrTokenExpired) {
		return false
	}
	for _, other := range []error{
		jwt.ErrTokenInvalidIssuer, jwt.ErrTokenInvalidAudience,
		jwt.ErrTokenNotValidYet, jwt.ErrTokenUsedBeforeIssued, jwt.ErrTokenRequiredClaimMissing,
	} {
		if errors.Is(err, other) {
			return false
		}
	}
	return true
}

func (a *access) claims() token.Claims {
	c := token.Claims{
		Issuer:    a.Issuer,
		Subject:   a.Subject,
		Audience:  a.Audience,
		Session:   a.Session,
		Tenant:    a.Tenant,
		ID:        a.ID,
		AMR:       a.AMR,
		ACR:       a.ACR,
		IssuedAt:  time.Unix(a.IssuedAt, 0).UTC(),
		ExpiresAt: time.Unix(a.ExpiresAt, 0).UTC(),
	}
	if a.AuthTime != 0 {
		c.AuthTime = time.Unix(a.AuthTime, 0).UTC()
	}
	return c
}

// jwk is one published key (RFC 7517 section 4).
type jwk struct {
	token.PublicJWK
	KeyID     string          `json:"kid"`
	Algorithm token.Algorithm `json:"alg"`
	Use       string          `json:"use"`
}

// JWKS implements token.Publisher. Keys that we could not sign with are left
// out.
func (t *Tokens) JWKS() []byte {
	now := t.config.Now()
	set := struct {
		Keys []jwk `json:"keys"`
	}{Keys: []jwk{}}
	for _, k := range t.config.Keys.Keys().All() {
		public, _, err := token.NewPublicJWK(k.Private.Public())
		if err != nil || !k.Live(now) {
			continue
		}
		set.Keys = append(set.Keys, jwk{PublicJWK: public, KeyID: k.ID, Algorithm: k.Algorithm, Use: "sig"})
	}
	text, err := json.Marshal(set)
	if err != nil {
		return []byte(`{"keys":[]}`)
	}
	return text
}
