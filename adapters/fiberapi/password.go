package fiberapi

import (
	"github.com/gofiber/fiber/v2"

	"github.com/countersign/countersign/app/challenges"
	"github.com/countersign/countersign/app/channels"
	"github.com/countersign/countersign/app/passwords"
	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/fault"
	"github.com/countersign/countersign/domain/limit"
	"github.com/countersign/countersign/domain/password"
	"github.com/countersign/countersign/domain/rule"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/domain/user"
)

// passwordSignInBody is somebody who says who they are, and what they know.
type passwordSignInBody struct {
	Identifier     string `json:"identifier" doc:"An e-mail address, a phone number or a user name. Addresses must be proven." example:"ada@example.com"`
	Password       string `json:"password"`
	Code           code   `json:"code,omitzero" doc:"Of a second factor that needs no message: an authenticator app, a recovery code. With device_id."`
	DeviceID       string `json:"device_id,omitempty" doc:"Whose code it is."`
	TrustedBrowser string `json:"trusted_browser,omitempty" doc:"The token of a browser that was remembered."`
	Locale         string `json:"locale,omitempty" doc:"BCP 47 tag of the language to write in."`
}

// newPasswordBody is a new password for somebody signed in.
type newPasswordBody struct {
	CurrentPassword *string `json:"current_password,omitempty" doc:"If it is given, it must be right."`
	NewPassword     string  `json:"new_password"`
}

// resetBody is a new password for somebody who forgot theirs.
type resetBody struct {
	NewPassword string `json:"new_password"`
}

func (a *API) passwordOperations() []operation {
	return []operation{
		handle(operation{
			method: fiber.MethodPost, path: "/v1/sign-in/password", id: "signInByPassword", tag: signInTag, caller: public, status: fiber.StatusOK,
			summary: "Sign in by a password",
			about: "A wrong password, an unknown or blocked person, an address that nobody has proven and a wrong `code` are one `invalid_credentials`. " +
				"A `code` that is given is always looked at, also where no second factor is due.",
			faults: []*fault.Error{
				challenges.ErrRequest, channels.ErrNotConfigured, password.ErrCredentials, rule.ErrBlocked, limit.ErrLocked, limit.ErrExceeded,
				challenges.ErrUnavailable,
			},
		}, a.signInByPassword),
		handle(operation{
			method: fiber.MethodPut, path: "/v1/me/password", id: "changePassword", tag: accountTag, caller: person, fresh: true, status: fiber.StatusNoContent,
			summary: "Choose a password, or another one", about: "Every other session ends, and a notice goes out.",
			faults: []*fault.Error{challenges.ErrRequest, channels.ErrNotConfigured, limit.ErrLocked, limit.ErrExceeded, user.ErrNotFound},
		}, a.changePassword),
		handle(operation{
			method: fiber.MethodPut, path: "/v1/password", id: "choosePassword", tag: signInTag, caller: waiting, status: fiber.StatusNoContent,
			summary: "Choose a new password in place of a forgotten one",
			about:   "With the pending token of `password_reset_allowed`, which is good once. Every session ends. Nobody is signed in by it.",
			faults:  []*fault.Error{challenges.ErrRequest, channels.ErrNotConfigured},
		}, a.choosePassword),
	}
}

func (a *API) signInByPassword(c *call, in passwordSignInBody) (outcomeBody, error) {
	if err := requireEach("/identifier", in.Identifier, "/password", in.Password); err != nil {
		return outcomeBody{}, err
	}
	if in.Code.given != (in.DeviceID != "") {
		if in.Code.given {
			return outcomeBody{}, required("/device_id")
		}
		return outcomeBody{}, required("/code")
	}
	out, err := a.Passwords.SignIn(c.ctx, passwords.SignInInput{
		Tenant: c.tenant, Identifier: in.Identifier, Password: in.Password, Code: in.Code.typed(), Device: in.DeviceID,
		Trusted: in.TrustedBrowser, Locale: c.locale(in.Locale), Client: c.client(), Address: c.address(), IP: a.Address.Client(c.Ctx),
	})
	if err != nil {
		return outcomeBody{}, err
	}
	return a.outcome(out)
}

// knows reports whether a request for a code carries the right password of whom
// it is about. A wrong one is refused, whether or not it was needed.
func (a *API) knows(c *call, in startBody) (bool, error) {
	if in.Password == "" || c.trapped {
		return false, nil
	}
	if p := challenge.Purpose(in.Purpose); p != "" && p != challenge.SignIn || in.To == "" {
		return false, challenges.ErrRequest.With(fault.Field{Pointer: "/password", Code: "not_allowed", Detail: "A password goes with sign_in and to."})
	}
	err := a.Passwords.Know(c.ctx, passwords.SignInInput{
		Tenant: c.tenant, Identifier: in.To, Password: in.Password, Client: c.client(), Address: c.address(), IP: a.Address.Client(c.Ctx),
	})
	return err == nil, err
}

func (a *API) changePassword(c *call, in newPasswordBody) (nothing, error) {
	if in.NewPassword == "" {
		return nothing{}, required("/new_password")
	}
	return nothing{}, a.Passwords.Change(c.ctx, *c.user, passwords.ChangeInput{
		Current: in.CurrentPassword, New: in.NewPassword, Client: c.client(), Address: c.address(),
	})
}

func (a *API) choosePassword(c *call, in resetBody) (nothing, error) {
	if c.pending.Step != session.Reset {
		return nothing{}, session.ErrPendingInvalid
	}
	if in.NewPassword == "" {
		return nothing{}, required("/new_password")
	}
	return nothing{}, a.Passwords.Reset(c.ctx, *c.pending, in.NewPassword, c.client())
}
