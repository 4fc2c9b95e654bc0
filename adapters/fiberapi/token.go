package fiberapi

import (
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/countersign/countersign/app/challenges"
	"github.com/countersign/countersign/domain/fault"
	"github.com/countersign/countersign/domain/session"
)

// refreshBody is a refresh token to be spent.
type refreshBody struct {
	RefreshToken string `json:"refresh_token" doc:"The newest one of the session."`
}

// tokenBody is a token that somebody asks about.
type tokenBody struct {
	Token string `json:"token" doc:"An access token or a refresh token."`
	Hint  string `json:"token_type_hint,omitempty" doc:"Accepted and not needed (RFC 7009, 2.1)."`
}

// introspectionBody is the answer of RFC 7662. A token that is not good has
// nothing but active.
type introspectionBody struct {
	Active    bool     `json:"active"`
	TokenType string   `json:"token_type,omitempty" enum:"Bearer,refresh_token" doc:"Bearer for access tokens; a refresh token opens nothing."`
	Expires   int64    `json:"exp,omitempty" doc:"Seconds since 1970."`
	Issued    int64    `json:"iat,omitempty" doc:"Seconds since 1970."`
	Subject   string   `json:"sub,omitempty" doc:"The user."`
	Issuer    string   `json:"iss,omitempty"`
	ID        string   `json:"jti,omitempty"`
	Session   string   `json:"sid,omitempty" doc:"The session."`
	Tenant    string   `json:"tid,omitempty" doc:"The tenant."`
	ACR       string   `json:"acr,omitempty" doc:"Level that was reached: aal1, aal2."`
	AMR       []string `json:"amr,omitempty" nullable:"false" doc:"How (RFC 8176)."`
	AuthTime  int64    `json:"auth_time,omitempty" doc:"When the person last proved anything; seconds since 1970."`
}

const tokenTag = "Tokens"

func (a *API) tokenOperations() []operation {
	return []operation{
		handle(operation{
			method: fiber.MethodPost, path: "/v1/tokens/refresh", id: "refreshTokens", tag: tokenTag, caller: public, status: fiber.StatusOK,
			summary: "Trade a refresh token for new tokens",
			about:   "Each is good for one use. The same token again within a few seconds gives the same answer, because answers get lost; later it ends the whole session, and its owner is told.",
			faults:  []*fault.Error{challenges.ErrRequest, session.ErrInvalid, session.ErrRevoked},
		}, a.refresh),
		handle(operation{
			method: fiber.MethodPost, path: "/v1/tokens/revoke", id: "revokeToken", tag: tokenTag, caller: public, status: fiber.StatusNoContent, form: true,
			summary: "End the session of a token (RFC 7009)", about: "What is no token of ours is answered alike.",
			faults: []*fault.Error{challenges.ErrRequest},
		}, a.revoke),
		handle(operation{
			method: fiber.MethodPost, path: "/v1/tokens/introspect", id: "introspectToken", tag: tokenTag, caller: public, status: fiber.StatusOK, form: true,
			summary: "Ask whether a token is good now (RFC 7662)", about: "Whoever holds a token may ask about it; no other credential is looked at.", faults: []*fault.Error{challenges.ErrRequest},
		}, a.introspect),
	}
}

func (a *API) refresh(c *call, in refreshBody) (tokensBody, error) {
	if in.RefreshToken == "" {
		return tokensBody{}, required("/refresh_token")
	}
	fresh, err := a.Sessions.Refresh(c.ctx, c.tenant, in.RefreshToken)
	return tokens(fresh.Tokens), err
}

func (a *API) revoke(c *call, in tokenBody) (nothing, error) {
	if in.Token == "" {
		return nothing{}, required("/token")
	}
	return nothing{}, a.Sessions.Revoke(c.ctx, c.tenant, in.Token)
}

func (a *API) introspect(c *call, in tokenBody) (introspectionBody, error) {
	if in.Token == "" {
		return introspectionBody{}, required("/token")
	}
	i, err := a.Sessions.Introspect(c.ctx, c.tenant, in.Token)
	if err != nil || !i.Active {
		return introspectionBody{}, err
	}
	kind := "Bearer"
	if i.Kind == "refresh_token" {
		kind = i.Kind
	}
	return introspectionBody{
		Active: true, TokenType: kind, Expires: unix(i.Expires), Issued: unix(i.Issued), Subject: i.User.ID, Issuer: a.PublicURL, ID: i.ID,
		Session: i.Session.ID, Tenant: c.tenant, ACR: i.Level.AAL.ACR(), AMR: i.Level.AMR, AuthTime: unix(i.Level.Time),
	}, nil
}

// unix is seconds since 1970, 0 for no time at all.
func unix(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}
