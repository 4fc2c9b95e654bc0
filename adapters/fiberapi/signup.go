package fiberapi

import (
	"github.com/gofiber/fiber/v2"

	"github.com/countersign/countersign/app/challenges"
	"github.com/countersign/countersign/app/registration"
	"github.com/countersign/countersign/domain/fault"
	"github.com/countersign/countersign/domain/limit"
	"github.com/countersign/countersign/domain/rule"
	"github.com/countersign/countersign/domain/user"
)

// signUpFormBody is what somebody says who wants an account. There is nothing in
// it that only we may decide.
type signUpFormBody struct {
	Email     string `json:"email,omitempty" example:"ada@example.com"`
	Phone     string `json:"phone,omitempty"`
	Username  string `json:"username,omitempty"`
	Password  string `json:"password,omitempty" doc:"Required where no code could be sent to what else is given."`
	FirstName string `json:"first_name,omitempty" maxLength:"400"`
	LastName  string `json:"last_name,omitempty" maxLength:"400"`
	Locale    string `json:"locale,omitempty" doc:"BCP 47 tag of the language to write in."`
}

// registeredBody is somebody who signed up. They are not signed in.
type registeredBody struct {
	User       userBody        `json:"user"`
	Claim      string          `json:"claim" doc:"Handed in along with the code that proves an address, it shows who signed up: what the form said stays, such as the password. It lets nobody in by itself."`
	Challenges []challengeBody `json:"challenges,omitempty" nullable:"false" doc:"Where codes go out at once: one for each address, to be answered."`
}

func (a *API) signUpOperations() []operation {
	return []operation{
		handle(operation{
			method: fiber.MethodPost, path: "/v1/users", id: "signUp", tag: signInTag, caller: public, trap: true, status: fiber.StatusCreated,
			summary: "Sign up",
			about: "Nobody is signed in by it, and no address is proven: signing in by a code proves one. Whoever hands in `claim` along with " +
				"that code keeps what they said here; anybody else gets the address without it. Whether an address is somebody's cannot be told " +
				"from the answer; its owner is told. A user name that is taken is refused, as names are public.",
			faults: []*fault.Error{
				challenges.ErrRequest, user.ErrNotAllowed, user.ErrTaken, rule.ErrBlocked, limit.ErrExceeded,
			},
		}, a.signUp),
	}
}

func (a *API) signUp(c *call, in signUpFormBody) (registeredBody, error) {
	done, err := a.SignUp.Register(c.ctx, registration.Input{
		Tenant: c.tenant, Email: in.Email, Phone: in.Phone, Username: in.Username, Password: in.Password, FirstName: in.FirstName,
		LastName: in.LastName, Locale: c.asked(in.Locale), Prefers: c.locale(""), Client: c.client(), Address: c.address(),
		IP: a.Address.Client(c.Ctx), Trapped: c.trapped,
	})
	if err != nil {
		return registeredBody{}, err
	}
	out := registeredBody{User: a.userBody(done.Account, done.Changes...), Claim: done.Claim}
	for _, v := range done.Asked {
		b, err := a.challengeBody(v)
		if err != nil {
			return registeredBody{}, err
		}
		out.Challenges = append(out.Challenges, b)
	}
	return out, nil
}
