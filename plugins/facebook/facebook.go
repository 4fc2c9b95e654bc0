// Package facebook signs people in with Facebook, which speaks an OAuth 2.0 of its
// own.
package facebook

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/countersign/countersign/plugins/federation"
	"github.com/countersign/countersign/ports/channel"
)

// issuer is who says so.
const issuer = "https://www.facebook.com"

// Plugin is the Facebook channel.
func Plugin() channel.Plugin {
	return channel.Define(channel.Descriptor{
		Type: "facebook", Title: "Facebook", Summary: "Signs in with a Facebook account.",
		Factor: channel.Possession, MaxAAL: 1, Identify: true,
	}, defaults, func(_ context.Context, cfg Config, env channel.Env) (channel.Channel, error) {
		cfg.Graph = strings.TrimSuffix(cfg.Graph, "/")
		return face{cfg, env, federation.NewCaller(env.HTTP)}, nil
	})
}

// Config is what Facebook's developer site shows for an app.
type Config struct {
	ClientID     string         `json:"client_id" doc:"Our app's id at Facebook." max:"64"`
	ClientSecret channel.Secret `json:"client_secret" doc:"Our app's secret at Facebook." secret:"file"`
	AccessTokens bool           `json:"access_tokens" doc:"Whether access tokens that apps bring are accepted, if Facebook says that they were made for us."`
	MaxAge       time.Duration  `json:"max_age" doc:"How old an access token may be that an app brings." min:"1m" max:"12h"`
	Dialog       string         `json:"dialog" doc:"Where browsers are sent, with the version that is used; another URL is for tests."`
	Graph        string         `json:"graph" doc:"Where the Graph API is, with the version that is used; another URL is for tests."`
}

func defaults() Config {
	return Config{MaxAge: time.Hour, Dialog: "https://www.facebook.com/v25.0/dialog/oauth", Graph: "https://graph.facebook.com/v25.0"}
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
	if federation.CheckURL(c.Dialog) != nil {
		errs = append(errs, errors.New("dialog: not an https URL"))
	}
	if federation.CheckURL(c.Graph) != nil {
		errs = append(errs, errors.New("graph: not an https URL"))
	}
	return errors.Join(errs...)
}

type face struct {
	cfg    Config
	env    channel.Env
	caller federation.Caller
}

// Announce tells our app's id, which Facebook's SDKs are set up with.
func (f face) Announce() channel.Announcement {
	return channel.Announcement{ClientID: f.cfg.ClientID}
}

// Begin sends the browser to Facebook, which has no PKCE in this flow: the code is
// bound to us by our secret, and to the browser by the state.
func (f face) Begin(ctx context.Context, c channel.Challenge) (channel.Opening, error) {
	if err := ctx.Err(); err != nil {
		return channel.Opening{}, err
	}
	return federation.Leave(f.env.Random, c, federation.Departure{
		Endpoint: f.cfg.Dialog, Client: f.cfg.ClientID, Params: url.Values{"scope": {"public_profile,email"}}, Plain: true,
	})
}

// Receive reads what a browser brings back.
func (f face) Receive(_ context.Context, in channel.Inbound) (string, channel.Response, error) {
	return federation.Receive(in)
}

// Verify judges what came back. A code is exchanged for a token; a token is shown
// to Facebook, which knows whom it was made for.
func (f face) Verify(ctx context.Context, _ channel.Challenge, s channel.State, r channel.Response) (channel.Verdict, error) {
	return federation.Site{AccessTokens: f.cfg.AccessTokens, Shape: shape, Exchange: f.exchange, Identify: f.identify}.Verify(ctx, s, r)
}
