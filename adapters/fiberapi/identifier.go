package fiberapi

import (
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/countersign/countersign/app/accounts"
	"github.com/countersign/countersign/app/challenges"
	"github.com/countersign/countersign/app/channels"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/fault"
	"github.com/countersign/countersign/domain/limit"
	"github.com/countersign/countersign/domain/rule"
	"github.com/countersign/countersign/domain/user"
)

// wantedBody is an identifier that somebody wants to have.
type wantedBody struct {
	Kind   string `json:"kind" enum:"email,phone,username"`
	Value  string `json:"value" example:"ada@example.com"`
	Locale string `json:"locale,omitempty" doc:"BCP 47 tag of the language to write in."`
}

// identifierChangeBody is what has to be answered for it.
type identifierChangeBody struct {
	Identifier identifierBody  `json:"identifier"`
	Challenges []challengeBody `json:"challenges" nullable:"false" doc:"One to the new address, and one to the current one if that is proven. None if nothing has to be proven."`
}

// happenedBody is one thing that has happened to an account.
type happenedBody struct {
	ID      string    `json:"id"`
	Type    string    `json:"type" example:"session.started"`
	At      time.Time `json:"at"`
	Channel string    `json:"channel,omitempty" doc:"By which channel, where one was used."`
	Client  string    `json:"client,omitempty" doc:"What did it, in words, where that is known: Firefox on Windows."`
}

// activityBody is one page of what has happened.
type activityBody struct {
	Events []happenedBody `json:"events" nullable:"false"`
	Next   string         `json:"next,omitempty" doc:"There may be more: send this as before."`
}

func (a *API) identifierOperations() []operation {
	return []operation{
		handle(operation{
			method: fiber.MethodPost, path: "/v1/me/identifiers", id: "changeIdentifier", tag: accountTag, caller: person, fresh: true, status: fiber.StatusAccepted,
			summary: "Have an identifier, or another one",
			about: "An address replaces nothing until every challenge is answered. Asking again starts over: the challenges of before prove nothing. " +
				"The address that is there already ends what waits. A user name counts at once.",
			faults: []*fault.Error{
				challenges.ErrRequest, user.ErrTaken, user.ErrNotFound, rule.ErrBlocked, channels.ErrNotConfigured, challenges.ErrUnavailable,
				limit.ErrExceeded, limit.ErrCooldown,
			},
		}, a.changeIdentifier),
		handle(operation{
			method: fiber.MethodDelete, path: "/v1/me/identifiers/{kind}/pending", id: "cancelIdentifierChange", tag: accountTag, caller: person, status: fiber.StatusNoContent,
			summary: "Give up a change that waits", faults: []*fault.Error{user.ErrNothing, user.ErrNotFound},
		}, a.cancelChange),
		handle(operation{
			method: fiber.MethodDelete, path: "/v1/me/identifiers/{kind}", id: "removeIdentifier", tag: accountTag, caller: person, fresh: true, status: fiber.StatusNoContent,
			summary: "Remove an identifier", about: "The last one by which the account can be signed in to stays.",
			faults: []*fault.Error{user.ErrLastLogin, user.ErrNotFound},
		}, a.removeIdentifier),
		handle(operation{
			method: fiber.MethodGet, path: "/v1/me/activity", id: "listActivity", tag: accountTag, caller: person, status: fiber.StatusOK,
			summary: "See what has happened to one's own account, newest first", faults: []*fault.Error{challenges.ErrRequest},
			query: []parameter{pageSize, {name: "before", about: "Only what came before this: next of the page before."}},
		}, a.activity),
	}
}

func (a *API) changeIdentifier(c *call, in wantedBody) (identifierChangeBody, error) {
	if err := requireEach("/kind", in.Kind, "/value", in.Value); err != nil {
		return identifierChangeBody{}, err
	}
	done, err := a.Accounts.SetIdentifier(c.ctx, *c.user, accounts.Wanted{
		Kind: contact.Kind(in.Kind), Value: in.Value, Locale: c.asked(in.Locale), Prefers: c.locale(""), Client: c.client(),
		Address: c.address(), IP: a.Address.Client(c.Ctx),
	})
	if err != nil {
		return identifierChangeBody{}, err
	}
	out := identifierChangeBody{Challenges: []challengeBody{}}
	if i := done.Current; done.Change == nil {
		out.Identifier = identifierBody{Kind: string(i.Kind), Value: i.Value, Verified: i.Verified()}
	} else {
		out.Identifier = changing(*done.Change)
	}
	for _, v := range done.Asked {
		b, err := a.challengeBody(v)
		if err != nil {
			return identifierChangeBody{}, err
		}
		out.Challenges = append(out.Challenges, b)
	}
	return out, nil
}

// kind is the kind of identifier in the path.
func (c *call) kind() (contact.Kind, error) {
	switch k := contact.Kind(c.Params("kind")); k {
	case contact.Email, contact.Phone, contact.Username:
		return k, nil
	}
	return "", user.ErrNotFound
}

func (a *API) cancelChange(c *call, _ nothing) (nothing, error) {
	k, err := c.kind()
	if err != nil {
		return nothing{}, err
	}
	return nothing{}, a.Accounts.CancelChange(c.ctx, *c.user, k)
}

func (a *API) removeIdentifier(c *call, _ nothing) (nothing, error) {
	k, err := c.kind()
	if err != nil {
		return nothing{}, err
	}
	return nothing{}, a.Accounts.RemoveIdentifier(c.ctx, *c.user, k, c.client())
}

// activity lists one more than was asked for, to know whether there is more.
func (a *API) activity(c *call, _ nothing) (activityBody, error) {
	n, err := c.number(pageSize)
	if err != nil {
		return activityBody{}, err
	}
	before := strings.ToLower(c.Query("before"))
	if before != "" && !uuidForm.MatchString(before) {
		return activityBody{}, challenges.ErrRequest.With(fault.Field{Pointer: "?before", Code: "invalid_id", Detail: "Use next of the page before."})
	}
	all, err := a.Accounts.Activity(c.ctx, *c.user, before, n+1)
	if err != nil {
		return activityBody{}, err
	}
	out := activityBody{Events: []happenedBody{}}
	if len(all) > n {
		all = all[:n]
		out.Next = all[n-1].ID
	}
	for _, e := range all {
		out.Events = append(out.Events, happenedBody{ID: e.ID, Type: string(e.Type), At: e.At.UTC(), Channel: e.Data["channel"], Client: e.Data["client"]})
	}
	return out, nil
}
