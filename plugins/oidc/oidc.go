// Package oidc signs people in at any OpenID Connect provider.
package oidc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign/plugins/federation"
	"github.com/countersign/countersign/ports/channel"
)

// Plugin is the channel for any provider.
func Plugin() channel.Plugin {
	return channel.Define(channel.Descriptor{
		Type: "oidc", Title: "OpenID Connect", Summary: "Signs in at an OpenID Connect provider of one's own.",
		Factor: channel.Possession, MaxAAL: 1, Identify: true,
	}, defaults, func(_ context.Context, cfg Config, env channel.Env) (channel.Channel, error) {
		return federation.Open(cfg.options(), env), nil
	})
}

// Config says which provider it is, and what it is trusted with.
type Config struct {
	Issuer         string         `json:"issuer" doc:"What the provider calls itself, exactly as in its tokens; its discovery document is found below this URL."`
	ClientID       string         `json:"client_id" doc:"Our name at the provider." max:"255"`
	ClientSecret   channel.Secret `json:"client_secret" doc:"Our secret at the provider; empty if we are a public client there." secret:"file"`
	OtherClientIDs []string       `json:"other_client_ids" doc:"Names of our apps at the provider, whose ID tokens are accepted too."`
	Scopes         []string       `json:"scopes" doc:"What the provider is asked for."`
	Algorithms     []string       `json:"algorithms" doc:"How ID tokens may be signed." enum:"RS256,RS384,RS512,PS256,PS384,PS512,ES256,ES384,EdDSA"`
	Domains        []string       `json:"domains" doc:"Domains whose mailboxes the provider runs: its word proves addresses in them."`
	MaxAge         time.Duration  `json:"max_age" doc:"How old an ID token may be that an app brings." min:"1m" max:"12h"`
	UserInfo       bool           `json:"user_info" doc:"Whether the userinfo endpoint is asked for what the ID token does not say."`
	Introspection  bool           `json:"introspection" doc:"Whether access tokens that apps bring are accepted, if the provider's introspection endpoint says that they are ours."`
	AllowPrivate   bool           `json:"allow_private" doc:"Whether the provider, and what its discovery document names, may be at private addresses, and be reached through a proxy."`
}

func defaults() Config {
	return Config{
		Scopes: []string{"openid", "email", "profile"}, Algorithms: []string{"RS256", "ES256", "EdDSA"}, MaxAge: time.Hour,
	}
}

// Validate implements channel.Config.
func (c Config) Validate() error {
	var errs []error
	if err := federation.CheckURL(c.Issuer); err != nil || strings.Contains(c.Issuer, "?") {
		errs = append(errs, errors.New("issuer: not an https URL"))
	}
	if c.ClientID == "" {
		errs = append(errs, errors.New("client_id: required"))
	}
	if !slices.Contains(c.Scopes, "openid") {
		errs = append(errs, errors.New(`scopes: "openid" is missing`))
	}
	if len(c.Algorithms) == 0 {
		errs = append(errs, errors.New("algorithms: required"))
	}
	for i, d := range c.Domains {
		if d == "" || strings.ContainsAny(d, "@* ") {
			errs = append(errs, fmt.Errorf("domains[%d]: not a domain", i))
		}
	}
	if c.Introspection && c.ClientSecret.IsZero() {
		errs = append(errs, errors.New("introspection: needs client_secret"))
	}
	return errors.Join(errs...)
}

func (c Config) options() federation.Options {
	o := federation.Options{
		Issuers: []string{c.Issuer}, Discovery: strings.TrimSuffix(c.Issuer, "/") + "/.well-known/openid-configuration",
		Client: c.ClientID, Audiences: c.OtherClientIDs, Scopes: c.Scopes, Algorithms: c.Algorithms, MaxAge: c.MaxAge,
		UserInfo: c.UserInfo, Introspect: c.Introspection, Private: c.AllowPrivate, Identity: c.identity,
		// Whoever configures another issuer some day must not hand its people the
		// accounts of others, who have the same subject at the old one.
		Ref: func(who federation.Claims) string { return c.Issuer + "|" + who.Subject() },
	}
	if !c.ClientSecret.IsZero() {
		o.Secret = func(time.Time) (string, error) { return c.ClientSecret.Reveal(), nil }
	}
	return o
}

func (c Config) identity(who federation.Claims) (channel.Identity, bool) {
	id, ok := federation.Standard(who)
	id.Authoritative = id.EmailVerified && slices.ContainsFunc(c.Domains, func(d string) bool {
		return strings.EqualFold(d, federation.Domain(id.Email))
	})
	return id, ok
}
