// Package apple signs people in with Apple.
package apple

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/url"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/countersign/countersign/plugins/federation"
	"github.com/countersign/countersign/ports/channel"
)

// issuer is what Apple calls itself, and whom our secrets are for.
const issuer = "https://appleid.apple.com"

// secretLife is how long a client secret of ours is good. It is made for each use.
const secretLife = 5 * time.Minute

// Plugin is the Apple channel.
func Plugin() channel.Plugin {
	return channel.Define(channel.Descriptor{
		Type: "apple", Title: "Apple", Summary: "Signs in with an Apple account.",
		Factor: channel.Possession, MaxAAL: 1, Identify: true,
	}, defaults, open)
}

func open(_ context.Context, cfg Config, env channel.Env) (channel.Channel, error) {
	key, err := cfg.key()
	if err != nil {
		return nil, err
	}
	return federation.Open(federation.Options{
		Issuers: []string{issuer}, Discovery: cfg.Discovery, Client: cfg.ClientID, Audiences: cfg.OtherClientIDs,
		Algorithms: []string{"RS256", "ES256"}, Scopes: []string{"openid", "name", "email"}, MaxAge: cfg.MaxAge,
		Params: url.Values{"response_mode": {"form_post"}}, // Apple wants it whenever a name or an address is asked for
		Secret: func(now time.Time) (string, error) { return cfg.secret(key, now) }, Identity: identity,
	}, env), nil
}

// Config is what Apple's developer site shows for a service.
type Config struct {
	ClientID       string         `json:"client_id" doc:"Our services id at Apple." max:"255"`
	TeamID         string         `json:"team_id" doc:"Our team's id at Apple." max:"64"`
	KeyID          string         `json:"key_id" doc:"Id of the private key." max:"64"`
	PrivateKey     channel.Secret `json:"private_key" doc:"The private key that Apple gave us (the .p8 file, PEM)." secret:"file"`
	OtherClientIDs []string       `json:"other_client_ids" doc:"Bundle ids of our apps, whose ID tokens are accepted too."`
	MaxAge         time.Duration  `json:"max_age" doc:"How old an ID token may be that an app brings." min:"1m" max:"12h"`
	Discovery      string         `json:"discovery" doc:"Where Apple describes itself; another URL is for tests."`
}

func defaults() Config {
	return Config{MaxAge: time.Hour, Discovery: issuer + "/.well-known/openid-configuration"}
}

// Validate implements channel.Config.
func (c Config) Validate() error {
	var errs []error
	for key, value := range map[string]string{"client_id": c.ClientID, "team_id": c.TeamID, "key_id": c.KeyID} {
		if value == "" {
			errs = append(errs, errors.New(key+": required"))
		}
	}
	if _, err := c.key(); err != nil {
		errs = append(errs, err)
	}
	if err := federation.CheckURL(c.Discovery); err != nil {
		errs = append(errs, errors.New("discovery: not an https URL"))
	}
	return errors.Join(errs...)
}

// key reads the private key. Its errors show nothing of it.
func (c Config) key() (*ecdsa.PrivateKey, error) {
	block, _ := pem.Decode([]byte(c.PrivateKey.Reveal()))
	if block == nil {
		return nil, errors.New("private_key: not a PEM file")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("private_key: not in PKCS #8")
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, errors.New("private_key: not for ES256")
	}
	return key, nil
}

// secret makes the client secret: a token that we sign.
func (c Config) secret(key *ecdsa.PrivateKey, now time.Time) (string, error) {
	t := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{
		"iss": c.TeamID, "sub": c.ClientID, "aud": issuer, "iat": now.Unix(), "exp": now.Add(secretLife).Unix(),
	})
	t.Header["kid"] = c.KeyID
	return t.SignedString(key)
}

// own are the domains whose mailboxes Apple runs, those of its relay among them.
var own = []string{"icloud.com", "me.com", "mac.com", "privaterelay.appleid.com"}

func identity(who federation.Claims) (channel.Identity, bool) {
	id, ok := federation.Standard(who)
	id.Authoritative = id.EmailVerified && slices.Contains(own, federation.Domain(id.Email))
	return id, ok
}
