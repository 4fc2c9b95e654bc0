package fiberapi

import (
	"github.com/gofiber/fiber/v2"

	"github.com/countersign/countersign/app/challenges"
	"github.com/countersign/countersign/app/channels"
	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/fault"
	"github.com/countersign/countersign/domain/limit"
	"github.com/countersign/countersign/domain/rule"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/domain/user"
)

// completeBody is what somebody new adds to what they have proven.
type completeBody struct {
	Email     string `json:"email,omitempty"`
	Phone     string `json:"phone,omitempty"`
	Username  string `json:"username,omitempty"`
	FirstName string `json:"first_name,omitempty" maxLength:"400"`
	LastName  string `json:"last_name,omitempty" maxLength:"400"`
	Locale    string `json:"locale,omitempty" doc:"BCP 47 tag of the language to write in."`
}

// forgottenBody names whose password was forgotten.
type forgottenBody struct {
	Identifier string `json:"identifier" doc:"An e-mail address, a phone number or a user name." example:"ada@example.com"`
	Locale     string `json:"locale,omitempty" doc:"BCP 47 tag of the language to write in."`
}

const signInTag = "Signing in otherwise"

func (a *API) signInOperations() []operation {
	return []operation{
		handle(operation{
			method: fiber.MethodPost, path: "/v1/sign-in/complete", id: "completeSignIn", tag: signInTag, caller: waiting, status: fiber.StatusOK,
			summary: "Add what a new user must have",
			about:   "For whoever was answered `identifier_required`. An address has to be proven: then the answer is its challenge.",
			faults: []*fault.Error{
				challenges.ErrRequest, session.ErrPendingInvalid, session.ErrPendingExpired, user.ErrTaken, rule.ErrBlocked,
				channels.ErrNotConfigured, limit.ErrExceeded, limit.ErrCooldown, challenges.ErrUnavailable,
			},
		}, a.complete),
		handle(operation{
			method: fiber.MethodPost, path: "/v1/password-resets", id: "resetPassword", tag: signInTag, caller: public, status: fiber.StatusAccepted,
			summary: "Prove an address to choose a new password",
			about:   "Whether somebody is known here cannot be told from the answer. The outcome of the challenge carries the token for `PUT /v1/password`.",
			faults: []*fault.Error{
				challenges.ErrRequest, channels.ErrNotConfigured, rule.ErrBlocked, limit.ErrExceeded, limit.ErrCooldown, challenges.ErrUnavailable,
			},
		}, a.forgot),
	}
}

func (a *API) complete(c *call, in completeBody) (outcomeBody, error) {
	done, err := a.Challenges.Complete(c.ctx, challenges.CompleteInput{
		Tenant: c.tenant, Pending: *c.pending, Email: in.Email, Phone: in.Phone, Username: in.Username,
		FirstName: in.FirstName, LastName: in.LastName, Locale: c.asked(in.Locale), Client: c.client(), Address: c.address(),
		IP: a.Address.Client(c.Ctx),
	})
	if err != nil {
		return outcomeBody{}, err
	}
	return a.outcome(done)
}

func (a *API) forgot(c *call, in forgottenBody) (challengeBody, error) {
	if in.Identifier == "" {
		return challengeBody{}, required("/identifier")
	}
	view, err := a.Challenges.Start(c.ctx, challenges.StartInput{
		Tenant: c.tenant, Purpose: challenge.ResetPassword, To: in.Identifier, Locale: c.asked(in.Locale), Prefers: c.locale(""),
		Client: c.client(), Address: c.address(), IP: a.Address.Client(c.Ctx),
	})
	if err != nil {
		return challengeBody{}, repoint(err, "/to", "/identifier")
	}
	return a.challengeBody(view)
}

// repoint says what is wrong with a field under the name that this request gives it.
func repoint(err error, from, to string) error {
	f, ok := fault.Of(err)
	if !ok || len(f.Fields) == 0 {
		return err
	}
	fields := make([]fault.Field, len(f.Fields))
	for i, x := range f.Fields {
		if fields[i] = x; x.Pointer == from {
			fields[i].Pointer = to
		}
	}
	moved := *f
	moved.Fields = fields
	return &moved
}
