package federation

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/countersign/countersign/ports/channel"
)

// tokens are what a code is exchanged for.
type tokens struct {
	ID     string `json:"id_token"`
	Access string `json:"access_token"`
}

// Rejection reads the answer to an exchange that failed (RFC 6749 section 5.2):
// the code was wrong, or we are.
func Rejection(body []byte) (channel.Reason, error) {
	var said struct {
		Error string `json:"error"`
	}
	_ = json.Unmarshal(body, &said) // what cannot be read says nothing
	switch said.Error {
	case "invalid_grant", "invalid_request":
		return channel.Mismatch, nil
	case "invalid_client", "unauthorized_client", "unsupported_grant_type", "invalid_scope", "redirect_uri_mismatch":
		return "", fmt.Errorf("%w: exchange of a code: %s", channel.ErrRefused, said.Error)
	}
	return "", fmt.Errorf("%w: exchange of a code", channel.ErrRefused)
}

// exchange turns a code into tokens (RFC 6749 section 4.1.3, RFC 7636 section 4.5).
func (c *Channel) exchange(ctx context.Context, doc document, t Trip, code string) (tokens, channel.Reason, error) {
	a, err := c.authenticated(ctx, doc, doc.Token, url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {t.Redirect}, "code_verifier": {t.Verifier},
	})
	if err != nil {
		return tokens{}, "", err
	}
	if a.Status == http.StatusBadRequest {
		why, err := Rejection(a.Body)
		return tokens{}, why, err
	}
	var got tokens
	if err := a.Read(&got); err != nil {
		return tokens{}, "", fmt.Errorf("exchange of a code: %w", err)
	}
	if got.ID == "" {
		return tokens{}, "", fmt.Errorf("%w: exchange of a code: no ID token came back", channel.ErrUnavailable)
	}
	return got, "", nil
}

// authenticated posts a form as our client, in the way that the provider knows.
func (c *Channel) authenticated(ctx context.Context, doc document, target string, form url.Values) (Answer, error) {
	if c.opts.Secret == nil {
		form.Set("client_id", c.opts.Client)
		return c.caller.Post(ctx, target, form, "", "")
	}
	secret, err := c.opts.Secret(c.env.Now())
	if err != nil {
		return Answer{}, err
	}
	if len(doc.Methods) > 0 && !slices.Contains(doc.Methods, "client_secret_basic") && slices.Contains(doc.Methods, "client_secret_post") {
		form.Set("client_id", c.opts.Client)
		form.Set("client_secret", secret)
		return c.caller.Post(ctx, target, form, "", "")
	}
	return c.caller.Post(ctx, target, form, c.opts.Client, secret)
}

// completed adds what the userinfo endpoint says to what the ID token says, which
// goes first. An answer about somebody else is a fault of the provider (OpenID
// Connect Core 1.0 section 5.3.2).
func (c *Channel) completed(ctx context.Context, doc document, claims Claims, token string) (Claims, error) {
	if doc.UserInfo == "" {
		return claims, nil
	}
	a, err := c.caller.Get(ctx, doc.UserInfo, token)
	if err != nil {
		return nil, fmt.Errorf("userinfo: %w", err)
	}
	more := Claims{}
	if err := a.Read(&more); err != nil {
		return nil, fmt.Errorf("userinfo: %w", err)
	}
	if !same(more.Subject(), claims.Subject()) {
		return nil, fmt.Errorf("%w: userinfo: about somebody else", channel.ErrUnavailable)
	}
	for _, pair := range [][2]string{{"email", "email_verified"}, {"phone_number", "phone_number_verified"}} {
		if _, ok := claims[pair[0]]; ok {
			delete(more, pair[0]) // a flag belongs to its own address
			delete(more, pair[1])
		}
	}
	for name, value := range more {
		if _, ok := claims[name]; !ok {
			claims[name] = value
		}
	}
	return claims, nil
}

// introspected judges an access token that an app brings: it must have been made
// for us, which the userinfo endpoint does not tell (RFC 7662).
func (c *Channel) introspected(ctx context.Context, token string) (channel.Verdict, error) {
	if !visible(token, longestToken) {
		return channel.Reject(channel.Mismatch), nil
	}
	doc, err := c.provider.document(ctx)
	if err != nil {
		return channel.Verdict{}, err
	}
	if doc.Introspection == "" {
		return channel.Verdict{}, fmt.Errorf("%w: the provider has no introspection", channel.ErrRefused)
	}
	a, err := c.authenticated(ctx, doc, doc.Introspection, url.Values{"token": {token}, "token_type_hint": {"access_token"}})
	if err != nil {
		return channel.Verdict{}, fmt.Errorf("introspection: %w", err)
	}
	said := Claims{}
	if err := a.Read(&said); err != nil {
		return channel.Verdict{}, fmt.Errorf("introspection: %w", err)
	}
	if why := c.forUs(said); why != "" {
		return channel.Reject(why), nil
	}
	claims, err := c.completed(ctx, doc, Claims{"sub": said.Subject()}, token)
	if err != nil {
		return channel.Verdict{}, err
	}
	return c.verdict(claims, answer{}, onceKey(token+".")), nil
}

// forUs says why an access token is not good for signing in here.
func (c *Channel) forUs(said Claims) channel.Reason {
	ours := append([]string{c.opts.Client}, c.opts.Audiences...)
	issued, _ := said.time("iat")
	expires, hasExpiry := said.time("exp")
	issuer, named := said["iss"].(string)
	now := c.env.Now()
	switch {
	case !said.True("active"), said.Subject() == "", !slices.Contains(ours, said.Text("client_id")):
		return channel.Mismatch
	case named && !slices.Contains(c.opts.Issuers, issuer):
		return channel.Mismatch
	case now.Sub(issued) > c.opts.MaxAge, hasExpiry && !now.Before(expires):
		return channel.Expired
	}
	return ""
}
