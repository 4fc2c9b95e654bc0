// Package federation signs people in at identity providers: OAuth 2.0, OpenID Connect with
// the authorization code flow, PKCE and a nonce, or an ID token that an app brings
// along. It is no plugin itself; the plugins for single providers are made of it.
package federation

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/channel/dial"
)

// Options say how one provider is spoken with.
type Options struct {
	Issuers    []string      // what the provider calls itself; the first one names it here
	Discovery  string        // URL of its discovery document (OpenID Connect Discovery 1.0)
	Client     string        // our client id
	Audiences  []string      // client ids of our other apps, whose ID tokens are accepted too
	Algorithms []string      // how tokens may be signed
	Scopes     []string      // what is asked for
	Params     url.Values    // what else is sent along to the provider's page
	MaxAge     time.Duration // how old an ID token may be that an app brings
	UserInfo   bool          // what the ID token does not say is asked for at the userinfo endpoint
	Private    bool          // its addresses need not be public
	Introspect bool          // access tokens that apps bring are accepted, after introspection

	// Secret is our client secret at this moment; nil if we are a public client.
	Secret func(now time.Time) (string, error)
	// Ref names the person's account at the provider; nil takes the subject.
	Ref func(Claims) string
	// Identity reads what the claims say about the person, and reports whether
	// this person may come in at all; nil takes the standard claims.
	Identity func(Claims) (channel.Identity, bool)
}

// Channel is one identity provider. It is safe for concurrent use.
type Channel struct {
	opts     Options
	env      channel.Env
	caller   Caller
	provider *provider
}

// Open makes a channel. What the provider's document names may lead to our
// neighbours, so only public addresses are connected to, unless Private is set or
// the provider is on this machine. It asks nobody anything yet, so that a provider that is
// down does not keep the host from starting.
func Open(o Options, env channel.Env) *Channel {
	client := env.HTTP
	if !o.Private && !strings.HasPrefix(o.Discovery, "http://") { // which is for this machine only
		client = dial.Client(limit, false)
	}
	caller := NewCaller(client)
	return &Channel{opts: o, env: env, caller: caller, provider: newProvider(o, caller, env.Now)}
}

// limit is how long one request to a provider may take, with its answer.
const limit = 10 * time.Second

// Close hangs up.
func (c *Channel) Close(context.Context) error {
	if c.caller.client.Transport != nil { // the one of all is not ours to close
		c.caller.client.CloseIdleConnections()
	}
	return nil
}

// Begin sends the browser to the provider.
func (c *Channel) Begin(ctx context.Context, q channel.Challenge) (channel.Opening, error) {
	doc, err := c.provider.document(ctx)
	if err != nil {
		return channel.Opening{}, err
	}
	params := url.Values{"scope": {join(c.opts.Scopes)}}
	maps.Copy(params, c.opts.Params)
	return Leave(c.env.Random, q, Departure{Endpoint: doc.Authorization, Client: c.opts.Client, Params: params, Nonce: true})
}

// answer is what came back: by the browser from the provider, or from an app.
type answer struct {
	Return

	IDToken     string `json:"id_token"`
	Nonce       string `json:"nonce"`
	AccessToken string `json:"access_token"`
}

// Verify judges what came back. A code is exchanged; a token is examined.
func (c *Channel) Verify(ctx context.Context, _ channel.Challenge, s channel.State, r channel.Response) (channel.Verdict, error) {
	var a answer
	if r.Data == nil || json.Unmarshal(r.Data, &a) != nil {
		return channel.Reject(channel.Mismatch), nil
	}
	if len(s) > 0 {
		trip, err := Remembered(s)
		if err != nil {
			return channel.Verdict{}, err
		}
		return c.returned(ctx, trip, a)
	}
	switch {
	case a.IDToken != "" && a.AccessToken == "":
		return c.brought(ctx, a)
	case a.AccessToken != "" && a.IDToken == "" && c.opts.Introspect:
		return c.introspected(ctx, a.AccessToken)
	}
	return channel.Reject(channel.Mismatch), nil
}

// returned judges a browser's return from the provider.
func (c *Channel) returned(ctx context.Context, trip Trip, a answer) (channel.Verdict, error) {
	if v, ok := a.Refused(); ok {
		return v, nil
	}
	doc, err := c.provider.document(ctx)
	if err != nil {
		return channel.Verdict{}, err
	}
	if a.Issuer != "" && !slices.Contains(c.opts.Issuers, a.Issuer) || a.Issuer == "" && doc.NamesItself {
		return channel.Reject(channel.Mismatch), nil // another provider's code (RFC 9207)
	}
	tokens, why, err := c.exchange(ctx, doc, trip, a.Code)
	if err != nil || why != "" {
		return channel.Reject(why), err
	}
	claims, why, err := c.provider.claims(ctx, tokens.ID)
	switch {
	case err != nil:
		return channel.Verdict{}, err
	case why != "":
		return channel.Reject(why), nil
	case !same(claims.Text("nonce"), trip.Nonce):
		return channel.Reject(channel.Mismatch), nil
	}
	if c.opts.UserInfo && tokens.Access != "" {
		if claims, err = c.completed(ctx, doc, claims, tokens.Access); err != nil {
			return channel.Verdict{}, err
		}
	}
	return c.verdict(claims, a, ""), nil
}

// brought judges an ID token that an app brings. No nonce of ours is in it, so it
// is accepted once, and only while it is young.
func (c *Channel) brought(ctx context.Context, a answer) (channel.Verdict, error) {
	claims, why, err := c.provider.claims(ctx, a.IDToken)
	switch {
	case err != nil:
		return channel.Verdict{}, err
	case why != "":
		return channel.Reject(why), nil
	case a.Nonce != "" && !same(claims.Text("nonce"), a.Nonce):
		return channel.Reject(channel.Mismatch), nil
	}
	if issued, ok := claims.time("iat"); !ok || c.env.Now().Sub(issued) > c.opts.MaxAge {
		return channel.Reject(channel.Expired), nil
	}
	return c.verdict(claims, a, onceKey(a.IDToken)), nil
}

// verdict is about a person whose claims were found to be true.
func (c *Channel) verdict(claims Claims, a answer, once string) channel.Verdict {
	read, ref := Standard, Claims.Subject
	if c.opts.Identity != nil {
		read = c.opts.Identity
	}
	if c.opts.Ref != nil {
		ref = c.opts.Ref
	}
	who, ok := read(claims)
	if !ok {
		return channel.Reject(channel.Denied)
	}
	who.Issuer = c.opts.Issuers[0]
	first, last := a.names()
	if who.FirstName == "" && who.LastName == "" && who.Name == "" {
		who.FirstName, who.LastName = first, last
	}
	return channel.Verdict{Outcome: channel.Verified, Ref: ref(claims), Identity: &who, OnceKey: once}
}

// Receive reads what a browser brings back.
func (c *Channel) Receive(_ context.Context, in channel.Inbound) (string, channel.Response, error) {
	return Receive(in)
}

// Announce tells our client id, which apps need to get ID tokens for us.
func (c *Channel) Announce() channel.Announcement {
	return channel.Announcement{ClientID: c.opts.Client}
}

// Probe asks the provider for its discovery document and its keys.
func (c *Channel) Probe(ctx context.Context) error {
	_, err := c.provider.key(ctx, "", "")
	if errors.Is(err, errNoKey) {
		return nil
	}
	return err
}
