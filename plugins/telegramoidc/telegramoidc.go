// Package telegramoidc signs people in with Telegram over OpenID Connect, the way
// that Telegram offers today. Its older widget is package telegram.
package telegramoidc

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/countersign/countersign/plugins/federation"
	"github.com/countersign/countersign/ports/channel"
)

// issuer is what Telegram calls itself.
const issuer = "https://oauth.telegram.org"

// Plugin is the channel for Telegram over OpenID Connect.
func Plugin() channel.Plugin {
	return channel.Define(channel.Descriptor{
		Type: "telegram_oidc", Title: "Telegram", Summary: "Signs in with a Telegram account, which brings a checked phone number.",
		Factor: channel.Possession, MaxAAL: 1, Identify: true,
	}, defaults, func(_ context.Context, cfg Config, env channel.Env) (channel.Channel, error) {
		return federation.Open(cfg.options(), env), nil
	})
}

// Config is what BotFather shows under "Login Widget".
type Config struct {
	ClientID     string         `json:"client_id" doc:"Id of our bot." max:"64"`
	ClientSecret channel.Secret `json:"client_secret" doc:"Secret that BotFather shows." secret:"file"`
	Phone        bool           `json:"phone" doc:"Whether people are asked for their phone number."`
	MaxAge       time.Duration  `json:"max_age" doc:"How old an ID token may be that an app brings." min:"1m" max:"12h"`
	Discovery    string         `json:"discovery" doc:"Where Telegram describes itself; another URL is for tests."`
}

func defaults() Config {
	return Config{Phone: true, MaxAge: time.Hour, Discovery: issuer + "/.well-known/openid-configuration"}
}

// Validate implements channel.Config.
func (c Config) Validate() error {
	var errs []error
	if c.ClientID == "" {
		errs = append(errs, errors.New("client_id: required"))
	}
	if c.ClientSecret.IsZero() {
		errs = append(errs, errors.New("client_secret: required"))
	}
	if err := federation.CheckURL(c.Discovery); err != nil {
		errs = append(errs, errors.New("discovery: not an https URL"))
	}
	return errors.Join(errs...)
}

func (c Config) options() federation.Options {
	scopes := []string{"openid", "profile"}
	if c.Phone {
		scopes = append(scopes, "phone")
	}
	return federation.Options{
		Issuers: []string{issuer}, Discovery: c.Discovery, Client: c.ClientID, Algorithms: []string{"RS256", "ES256", "EdDSA"},
		Scopes: scopes, MaxAge: c.MaxAge, Identity: identity,
		Secret: func(time.Time) (string, error) { return c.ClientSecret.Reveal(), nil },
	}
}

// identity believes Telegram about the phone number: it is what the account hangs
// on, so that Telegram sends no flag along. Were there one, it would count.
func identity(who federation.Claims) (channel.Identity, bool) {
	id, ok := federation.Standard(who)
	if id.Phone != "" {
		id.Phone = "+" + strings.TrimPrefix(id.Phone, "+")
		_, flagged := who["phone_number_verified"]
		id.PhoneVerified = !flagged || id.PhoneVerified
	}
	return id, ok
}
