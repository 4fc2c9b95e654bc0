// Package google signs people in with Google.
package google

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/countersign/countersign/plugins/federation"
	"github.com/countersign/countersign/ports/channel"
)

// Plugin is the Google channel.
func Plugin() channel.Plugin {
	return channel.Define(channel.Descriptor{
		Type: "google", Title: "Google", Summary: "Signs in with a Google account.",
		Factor: channel.Possession, MaxAAL: 1, Identify: true,
	}, defaults, func(_ context.Context, cfg Config, env channel.Env) (channel.Channel, error) {
		return federation.Open(cfg.options(), env), nil
	})
}

// Config is what Google's console shows for a web client.
type Config struct {
	ClientID       string         `json:"client_id" doc:"Our client id at Google." max:"255"`
	ClientSecret   channel.Secret `json:"client_secret" doc:"Our client secret at Google." secret:"file"`
	OtherClientIDs []string       `json:"other_client_ids" doc:"Client ids of our apps, whose ID tokens are accepted too."`
	HostedDomain   string         `json:"hosted_domain" doc:"Only people of this Google Workspace come in; empty lets everybody in." max:"255"`
	MaxAge         time.Duration  `json:"max_age" doc:"How old an ID token may be that an app brings." min:"1m" max:"12h"`
	Discovery      string         `json:"discovery" doc:"Where Google describes itself; another URL is for tests."`
}

func defaults() Config {
	return Config{MaxAge: time.Hour, Discovery: "https://accounts.google.com/.well-known/openid-configuration"}
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
	params := url.Values{}
	if c.HostedDomain != "" {
		params.Set("hd", c.HostedDomain)
	}
	return federation.Options{
		Issuers:   []string{"https://accounts.google.com", "accounts.google.com"}, // it uses both
		Discovery: c.Discovery, Client: c.ClientID, Audiences: c.OtherClientIDs, Algorithms: []string{"RS256", "ES256"},
		Scopes: []string{"openid", "email", "profile"}, Params: params, MaxAge: c.MaxAge, Identity: c.identity,
		Secret: func(time.Time) (string, error) { return c.ClientSecret.Reveal(), nil },
	}
}

// identity believes Google about the mailboxes that Google runs: those of Gmail,
// and those of the customers whose domain it names. Of all others it has only
// sent a message to some day.
func (c Config) identity(who federation.Claims) (channel.Identity, bool) {
	id, ok := federation.Standard(who)
	hosted := who.Text("hd")
	id.Authoritative = id.EmailVerified && (federation.Domain(id.Email) == "gmail.com" || hosted != "")
	return id, ok && (c.HostedDomain == "" || strings.EqualFold(c.HostedDomain, hosted))
}
