// Package jwttoken makes and reads access tokens and receipts as JSON Web
// Tokens (RFC 7519, RFC 9068), with golang-jwt for signatures and claims.
//
// That library is lenient by default: it takes tokens without expiry, of any
// type, and with stray bits or line breaks in the signature. Read shuts each
// of these doors by itself.
package jwttoken

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/countersign/countersign/ports/token"
)

var (
	_ token.Signer    = (*Tokens)(nil)
	_ token.Reader    = (*Tokens)(nil)
	_ token.Publisher = (*Tokens)(nil)
)

var (
	errIncomplete = errors.New("issuer, audience or clock is missing")
	errUnsignable = errors.New("subject, id, issue or a later expiry is missing")
)

// Config is what Tokens need. All of it is required.
type Config struct {
	Keys     token.Keys
	Issuer   string           // iss of what is signed and read: the public URL
	Audience string           // aud of what is signed and read, unless the claims name another
	Now      func() time.Time // decides which retired keys are published
}

// Tokens signs, reads and publishes. It is safe for concurrent use.
type Tokens struct {
	config Config
	keys   atomic.Pointer[prepared]
}

// New makes Tokens.
func New(c Config) (*Tokens, error) {
	if c.Issuer == "" || c.Audience == "" || c.Now == nil || c.Keys == nil {
		return nil, fmt.Errorf("set up tokens: %w", errIncomplete)
	}
	t := &Tokens{config: c}
	if _, err := t.prepare(); err != nil {
		return nil, fmt.Errorf("set up tokens: %w", err)
	}
	return t, nil
}

// prepared is what can be computed once for a set of keys.
type prepared struct {
	set     *token.KeySet
	byID    map[string]token.Key
	methods []string // algorithms of the ring, and no others
	method  jwt.SigningMethod
	access  string // encoded header and full stop
	receipt string
}

func (t *Tokens) prepare() (*prepared, error) {
	set := t.config.Keys.Keys()
	if p := t.keys.Load(); p != nil && p.set == set {
		return p, nil
	}
	p := &prepared{set: set, byID: make(map[string]token.Key)}
	for _, k := range set.All() {
		if _, alg, err := token.NewPublicJWK(k.Private.Public()); err != nil || alg != k.Algorithm {
			return nil, fmt.Errorf("signing key %q: %w", k.ID, token.ErrUnsupportedKey)
		}
		p.byID[k.ID] = k
		p.methods = append(p.methods, string(k.Algorithm))
	}
	p.method = jwt.GetSigningMethod(string(set.Active.Algorithm))
	var err error
	if p.access, err = head(set.Active, token.TypeAccess); err != nil {
		return nil, err
	}
	if p.receipt, err = head(set.Active, token.TypeReceipt); err != nil {
		return nil, err
	}
	t.keys.Store(p)
	return p, nil
}

func head(k token.Key, typ string) (string, error) {
	text, err := json.Marshal(struct {
		Algorithm token.Algorithm `json:"alg"`
		Type      string          `json:"typ"`
		KeyID     string          `json:"kid"`
	}{k.Algorithm, typ, k.ID})
	if err != nil {
		return "", fmt.Errorf("write token header: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(text) + ".", nil
}

// sign is the compact serialization (RFC 7515 section 3.1) of one payload.
func (p *prepared) sign(head string, payload []byte) (string, error) {
	enc := base64.RawURLEncoding
	size := len(head) + enc.EncodedLen(len(payload)) + 1
	text := make([]byte, 0, size+enc.EncodedLen(64))
	text = enc.AppendEncode(append(text, head...), payload)
	signature, err := p.method.Sign(string(text), p.set.Active.Private)
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return string(enc.AppendEncode(append(text, '.'), signature)), nil
}
