package jwttoken

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/countersign/countersign/ports/token"
)

// access is the payload of an access token. The order of its fields is the
// order in the token, so EdDSA tokens of the same claims are the same.
type access struct {
	Issuer    string   `json:"iss"`
	Subject   string   `json:"sub"`
	Audience  string   `json:"aud"`
	ExpiresAt int64    `json:"exp"` // seconds since 1970, as all times here
	IssuedAt  int64    `json:"iat"`
	NotBefore int64    `json:"nbf"`
	ID        string   `json:"jti"`
	Session   string   `json:"sid"`
	Tenant    string   `json:"tid"`
	AMR       []string `json:"amr"`
	ACR       string   `json:"acr"`
	AuthTime  int64    `json:"auth_time"`
}

// receipt is the payload of a receipt.
type receipt struct {
	Issuer      string   `json:"iss"`
	Subject     string   `json:"sub,omitempty"`
	Audience    string   `json:"aud,omitempty"`
	ExpiresAt   int64    `json:"exp,omitempty"`
	IssuedAt    int64    `json:"iat"`
	ID          string   `json:"jti"`
	Tenant      string   `json:"tid"`
	Purpose     string   `json:"purpose"`
	Channel     string   `json:"channel"`
	Destination string   `json:"destination,omitempty"`
	DetailHash  string   `json:"detail_sha256,omitempty"` // unpadded base64url
	AMR         []string `json:"amr,omitempty"`
	ACR         string   `json:"acr,omitempty"`
}

// Sign implements token.Signer.
func (t *Tokens) Sign(c token.Claims) (string, error) {
	if c.Subject == "" || c.ID == "" || c.IssuedAt.IsZero() || c.ExpiresAt.Unix() <= c.IssuedAt.Unix() {
		return "", fmt.Errorf("sign token: %w", errUnsignable)
	}
	payload, err := json.Marshal(access{
		Issuer:    cmp.Or(c.Issuer, t.config.Issuer),
		Subject:   c.Subject,
		Audience:  cmp.Or(c.Audience, t.config.Audience),
		ExpiresAt: c.ExpiresAt.Unix(),
		IssuedAt:  c.IssuedAt.Unix(),
		NotBefore: c.IssuedAt.Unix(),
		ID:        c.ID,
		Session:   c.Session,
		Tenant:    c.Tenant,
		AMR:       append([]string{}, c.AMR...), // [] rather than null
		ACR:       c.ACR,
		AuthTime:  seconds(c.AuthTime),
	})
	if err != nil {
		return "", fmt.Errorf("write claims: %w", err)
	}
	p, err := t.prepare()
	if err != nil {
		return "", err
	}
	return p.sign(p.access, payload)
}

// Receipt implements token.Signer.
func (t *Tokens) Receipt(r token.Receipt) (string, error) {
	if r.ID == "" || r.IssuedAt.IsZero() {
		return "", fmt.Errorf("sign receipt: %w", errUnsignable)
	}
	payload, err := json.Marshal(receipt{
		Issuer:      cmp.Or(r.Issuer, t.config.Issuer),
		Subject:     r.Subject,
		Audience:    r.Audience,
		ExpiresAt:   seconds(r.ExpiresAt),
		IssuedAt:    r.IssuedAt.Unix(),
		ID:          r.ID,
		Tenant:      r.Tenant,
		Purpose:     r.Purpose,
		Channel:     r.Channel,
		Destination: r.Destination,
		DetailHash:  base64.RawURLEncoding.EncodeToString(r.DetailHash),
		AMR:         r.AMR,
		ACR:         r.ACR,
	})
	if err != nil {
		return "", fmt.Errorf("write receipt: %w", err)
	}
	p, err := t.prepare()
	if err != nil {
		return "", err
	}
	return p.sign(p.receipt, payload)
}

func seconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

func date(s int64) *jwt.NumericDate {
	if s == 0 {
		return nil
	}
	return jwt.NewNumericDate(time.Unix(s, 0))
}

// The methods below let golang-jwt judge the claims.

// GetExpirationTime implements jwt.Claims.
func (a *access) GetExpirationTime() (*jwt.NumericDate, error) { return date(a.ExpiresAt), nil }

// GetIssuedAt implements jwt.Claims.
func (a *access) GetIssuedAt() (*jwt.NumericDate, error) { return date(a.IssuedAt), nil }

// GetNotBefore implements jwt.Claims.
func (a *access) GetNotBefore() (*jwt.NumericDate, error) { return date(a.NotBefore), nil }

// GetIssuer implements jwt.Claims.
func (a *access) GetIssuer() (string, error) { return a.Issuer, nil }

// GetSubject implements jwt.Claims.
func (a *access) GetSubject() (string, error) { return a.Subject, nil }

// GetAudience implements jwt.Claims.
func (a *access) GetAudience() (jwt.ClaimStrings, error) { return jwt.ClaimStrings{a.Audience}, nil }
