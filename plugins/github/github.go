// Package github signs people in with GitHub, which speaks OAuth 2.0 and no OpenID
// Connect.
package github

import (
	"context"
	"errors"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign/plugins/federation"
	"github.com/countersign/countersign/ports/channel"
)

// Plugin is the GitHub channel.
func Plugin() channel.Plugin {
	return channel.Define(channel.Descriptor{
		Type: "github", Title: "GitHub", Summary: "Signs in with a GitHub account.",
		Factor: channel.Possession, MaxAAL: 1, Identify: true,
	}, defaults, func(_ context.Context, cfg Config, env channel.Env) (channel.Channel, error) {
		cfg.Site, cfg.API = strings.TrimSuffix(cfg.Site, "/"), strings.TrimSuffix(cfg.API, "/")
		return hub{cfg, env, federation.NewCaller(env.HTTP)}, nil
	})
}

// publicSite is where everybody's GitHub is.
const publicSite = "https://github.com"

// Config is what GitHub's settings show for an OAuth app.
type Config struct {
	ClientID     string         `json:"client_id" doc:"Our client id at GitHub." max:"255"`
	ClientSecret channel.Secret `json:"client_secret" doc:"Our client secret at GitHub." secret:"file"`
	AccessTokens bool           `json:"access_tokens" doc:"Whether access tokens that apps bring are accepted, if GitHub says that they were made for us."`
	MaxAge       time.Duration  `json:"max_age" doc:"How old an access token may be that an app brings." min:"1m" max:"12h"`
	Site         string         `json:"site" doc:"Where GitHub is; another URL is for an Enterprise Server."`
	API          string         `json:"api" doc:"Where its API is; that of an Enterprise Server ends in /api/v3."`
}

func defaults() Config {
	return Config{MaxAge: time.Hour, Site: publicSite, API: "https://api.github.com"}
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
	if federation.CheckURL(c.Site) != nil {
		errs = append(errs, errors.New("site: not an https URL"))
	}
	if federation.CheckURL(c.API) != nil {
		errs = append(errs, errors.New("api: not an https URL"))
	}
	return errors.Join(errs...)
}

type hub struct {
	cfg    Config
	env    channel.Env
	caller federation.Caller
}

// Announce tells our client id.
func (h hub) Announce() channel.Announcement {
	return channel.Announcement{ClientID: h.cfg.ClientID}
}

// Begin sends the browser to GitHub.
func (h hub) Begin(ctx context.Context, c channel.Challenge) (channel.Opening, error) {
	if err := ctx.Err(); err != nil {
		return channel.Opening{}, err
	}
	return federation.Leave(h.env.Random, c, federation.Departure{
		Endpoint: h.cfg.Site + "/login/oauth/authorize", Client: h.cfg.ClientID, Params: url.Values{"scope": {"read:user user:email"}},
	})
}

// Receive reads what a browser brings back.
func (h hub) Receive(_ context.Context, in channel.Inbound) (string, channel.Response, error) {
	return federation.Receive(in)
}

// Verify judges what came back. A code is exchanged; a token that an app brings is
// shown to GitHub, which knows whom it was made for.
func (h hub) Verify(ctx context.Context, _ channel.Challenge, s channel.State, r channel.Response) (channel.Verdict, error) {
	return federation.Site{AccessTokens: h.cfg.AccessTokens, Shape: shape, Exchange: h.exchange, Identify: h.whose}.Verify(ctx, s, r)
}

// whose asks GitHub whose a token is; first of all, if an app brought it, whom it was
// made for.
func (h hub) whose(ctx context.Context, token, once string) (channel.Verdict, error) {
	if once == "" {
		return h.identify(ctx, token, "", 0)
	}
	id, why, err := h.examine(ctx, token)
	if err != nil || why != "" {
		return channel.Reject(why), err
	}
	return h.identify(ctx, token, once, id)
}

// ref is the number of an account, which GitHub never gives to another. Numbers of
// another server are other people's.
func (h hub) ref(id int64) string {
	ref := strconv.FormatInt(id, 10)
	if h.cfg.Site != publicSite {
		return h.cfg.Site + "|" + ref
	}
	return ref
}
