package fiberapi

import (
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/countersign/countersign/app/accounts"
	"github.com/countersign/countersign/app/challenges"
	"github.com/countersign/countersign/app/channels"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/fault"
	"github.com/countersign/countersign/domain/policy"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/domain/user"
)

// userBody is a person as they see themselves.
type userBody struct {
	ID          string            `json:"id"`
	Username    string            `json:"username,omitempty"`
	FirstName   string            `json:"first_name"`
	LastName    string            `json:"last_name"`
	Locale      string            `json:"locale" doc:"BCP 47 tag; empty means the tenant's."`
	Identifiers []identifierBody  `json:"identifiers,omitempty" nullable:"false" doc:"Always there in GET /v1/me; elsewhere only if they were looked up anyway."`
	TwoFactor   bool              `json:"two_factor_required" doc:"Whether every sign-in asks for a second factor."`
	Metadata    map[string]string `json:"metadata,omitempty" doc:"What the application keeps here."`
	CreatedAt   time.Time         `json:"created_at"`
	LastSignIn  *time.Time        `json:"last_sign_in_at,omitempty"`
}

// identifierBody is an address or name by which a person is found.
type identifierBody struct {
	Kind     string `json:"kind" enum:"email,phone,username"`
	Value    string `json:"value"`
	Verified bool   `json:"verified"`
	Pending  string `json:"pending_value,omitempty" doc:"What it becomes once everything is proven that must be."`
}

// changeBody is what people may change of themselves.
type changeBody struct {
	FirstName patch              `json:"first_name,omitzero" doc:"At most 100 characters; null empties it."`
	LastName  patch              `json:"last_name,omitzero" doc:"At most 100 characters; null empties it."`
	Locale    patch              `json:"locale,omitzero" doc:"One of the offered languages; null means the tenant's."`
	Metadata  map[string]*string `json:"metadata,omitempty" doc:"Merged (RFC 7396): a null value removes its key. At most 32 entries."`
}

// twoFactorBody is how somebody stands with their second factor.
type twoFactorBody struct {
	Required     bool `json:"required"`
	Devices      int  `json:"devices" doc:"Confirmed ones, without recovery codes."`
	RecoveryLeft int  `json:"recovery_codes_left"`
}

// requireBody switches the second factor on or off.
type requireBody struct {
	Required *bool `json:"required" nullable:"false"`
}

const accountTag = "My account"

func (a *API) accountOperations() []operation {
	return []operation{
		handle(operation{
			method: fiber.MethodGet, path: "/v1/me", id: "getMe", tag: accountTag, caller: person, status: fiber.StatusOK,
			summary: "See one's own account", faults: []*fault.Error{user.ErrNotFound},
		}, a.me),
		handle(operation{
			method: fiber.MethodPatch, path: "/v1/me", id: "updateMe", tag: accountTag, caller: person, status: fiber.StatusOK,
			summary: "Change names, language and metadata", faults: []*fault.Error{challenges.ErrRequest, user.ErrNotFound},
		}, a.updateMe),
		handle(operation{
			method: fiber.MethodDelete, path: "/v1/me", id: "deleteMe", tag: accountTag, caller: person, fresh: true, status: fiber.StatusNoContent,
			summary: "Delete one's own account with everything in it",
		}, a.deleteMe),
		handle(operation{
			method: fiber.MethodGet, path: "/v1/me/two-factor", id: "getTwoFactor", tag: accountTag, caller: person, status: fiber.StatusOK,
			summary: "See how one stands with the second factor",
		}, a.twoFactor),
		handle(operation{
			method: fiber.MethodPatch, path: "/v1/me/two-factor", id: "setTwoFactor", tag: accountTag, caller: person, fresh: true, status: fiber.StatusOK,
			summary: "Ask for a second factor at every sign-in, or stop asking",
			faults:  []*fault.Error{challenges.ErrRequest, user.ErrNoSecondThing, channels.ErrNotConfigured},
		}, a.setTwoFactor),
	}
}

func (a *API) me(c *call, _ nothing) (userBody, error) {
	p, err := a.Accounts.Get(c.ctx, *c.user)
	return a.userBody(p.Account, p.Changes...), err
}

func (a *API) updateMe(c *call, in changeBody) (userBody, error) {
	p, err := a.Accounts.Update(c.ctx, *c.user, accounts.Change{
		FirstName: in.FirstName.change(), LastName: in.LastName.change(), Locale: in.Locale.change(), Metadata: in.Metadata,
	})
	return a.userBody(p.Account, p.Changes...), err
}

func (a *API) deleteMe(c *call, _ nothing) (nothing, error) {
	return nothing{}, a.Accounts.Delete(c.ctx, *c.user)
}

func (a *API) twoFactor(c *call, _ nothing) (twoFactorBody, error) {
	t, err := a.Accounts.TwoFactor(c.ctx, *c.user)
	return twoFactorBody(t), err
}

func (a *API) setTwoFactor(c *call, in requireBody) (twoFactorBody, error) {
	if in.Required == nil {
		return twoFactorBody{}, required("/required")
	}
	t, err := a.Accounts.RequireTwoFactor(c.ctx, *c.user, *in.Required)
	return twoFactorBody(t), err
}

// userBody shows an account. After a sign-in the identifiers may not have been
// looked up: then they are left out, because that would cost another statement.
func (a *API) userBody(u user.Account, changes ...user.Change) userBody {
	b := userBody{
		ID: u.ID, FirstName: u.FirstName, LastName: u.LastName, Locale: u.Locale, Metadata: u.Metadata, CreatedAt: u.CreatedAt.UTC(),
		TwoFactor: u.TwoFactor || a.Tenants.Policy(u.Tenant).TwoFactor.Mode == policy.Required, LastSignIn: when(u.LastSignIn),
	}
	for _, i := range u.Identifiers {
		b.Identifiers = append(b.Identifiers, identifierBody{Kind: string(i.Kind), Value: i.Value, Verified: i.Verified()})
		if i.Kind == contact.Username {
			b.Username = i.Value
		}
	}
	for _, c := range changes {
		i := slices.IndexFunc(b.Identifiers, func(i identifierBody) bool { return i.Kind == string(c.Kind) })
		switch {
		case i < 0:
			b.Identifiers = append(b.Identifiers, changing(c))
		case b.Identifiers[i].Value != c.Value && !c.Claim():
			b.Identifiers[i].Pending = c.Value
		}
	}
	slices.SortFunc(b.Identifiers, func(x, y identifierBody) int { return strings.Compare(x.Kind, y.Kind) })
	return b
}

// when is a time that may not have come yet.
func when(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// sessionBody is one place where somebody is signed in.
type sessionBody struct {
	ID         string    `json:"id"`
	Client     string    `json:"client" doc:"What it was started from, in words: Firefox on Windows."`
	Current    bool      `json:"current" doc:"Whether it is the one that asks."`
	CreatedAt  time.Time `json:"created_at"`
	LastUsedAt time.Time `json:"last_used_at" doc:"When its tokens were last refreshed."`
	ExpiresAt  time.Time `json:"expires_at"`
}

// sessionsBody lists sessions, newest first.
type sessionsBody struct {
	Sessions []sessionBody `json:"sessions" nullable:"false"`
}

const sessionTag = "My sessions"

func (a *API) sessionOperations() []operation {
	return []operation{
		handle(operation{
			method: fiber.MethodGet, path: "/v1/me/sessions", id: "listSessions", tag: sessionTag, caller: person, status: fiber.StatusOK,
			summary: "List where one is signed in, newest first",
		}, a.sessions),
		handle(operation{
			method: fiber.MethodDelete, path: "/v1/me/sessions", id: "endOtherSessions", tag: sessionTag, caller: person, status: fiber.StatusNoContent,
			summary: "End every session but the one that asks",
		}, a.endOthers),
		handle(operation{
			method: fiber.MethodDelete, path: "/v1/me/sessions/{id}", id: "endSession", tag: sessionTag, caller: person, status: fiber.StatusNoContent,
			summary: "End one session", faults: []*fault.Error{session.ErrNotFound},
		}, a.endSession),
	}
}

func (a *API) sessions(c *call, _ nothing) (sessionsBody, error) {
	all, err := a.Sessions.List(c.ctx, *c.user)
	out := sessionsBody{Sessions: make([]sessionBody, len(all))}
	for i, s := range all {
		out.Sessions[i] = sessionBody{
			ID: s.ID, Client: s.Client, Current: s.Current, CreatedAt: s.CreatedAt.UTC(), LastUsedAt: s.RotatedAt.UTC(), ExpiresAt: s.ExpiresAt.UTC(),
		}
	}
	return out, err
}

func (a *API) endOthers(c *call, _ nothing) (nothing, error) {
	return nothing{}, a.Sessions.EndOthers(c.ctx, *c.user)
}

func (a *API) endSession(c *call, _ nothing) (nothing, error) {
	id, err := c.uuid(session.ErrNotFound)
	if err != nil {
		return nothing{}, err
	}
	return nothing{}, a.Sessions.End(c.ctx, *c.user, id)
}
