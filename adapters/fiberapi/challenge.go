package fiberapi

import (
	"encoding/json"

	"github.com/gofiber/fiber/v2"

	"github.com/countersign/countersign/app/challenges"
	"github.com/countersign/countersign/app/channels"
	"github.com/countersign/countersign/domain/apikey"
	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/device"
	"github.com/countersign/countersign/domain/fault"
	"github.com/countersign/countersign/domain/limit"
	"github.com/countersign/countersign/domain/password"
	"github.com/countersign/countersign/domain/rule"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/store"
)

const challengeTag = "Challenges"

func (a *API) challengeOperations() []operation {
	return []operation{
		handle(operation{
			method: fiber.MethodPost, path: "/v1/challenges", id: "startChallenge", tag: challengeTag, caller: anyone, trap: true, status: fiber.StatusAccepted,
			summary: "Ask somebody to prove something",
			about: "`sign_in` needs no credential and `to`, and so does `reset_password`. `second_factor` needs a pending token and `device_id`. " +
				"`step_up` needs an access token and either. `verify` proves an address for a caller with an API key; no account is involved. " +
				"`approve` asks to agree to `detail`, which is shown word for word.\n\n" +
				"Whether somebody is known here cannot be told from the answer, nor from anything that follows until a right code is given.",
			faults: []*fault.Error{
				challenges.ErrRequest, challenges.ErrAmbiguous, challenges.ErrUnavailable, channels.ErrNotConfigured, device.ErrNotFound,
				limit.ErrExceeded, limit.ErrCooldown, session.ErrPendingInvalid, session.ErrPendingExpired, rule.ErrBlocked,
				challenges.ErrUnauthorized, session.ErrUnauthenticated, apikey.ErrScope, password.ErrCredentials, limit.ErrLocked,
			},
		}, a.start),
		handle(operation{
			method: fiber.MethodGet, path: "/v1/challenges/{id}", id: "getChallenge", tag: challengeTag, caller: public, status: fiber.StatusOK,
			summary: "See where a challenge stands", faults: []*fault.Error{challenge.ErrNotFound},
		}, a.get),
		handle(operation{
			method: fiber.MethodPost, path: "/v1/challenges/{id}/resend", id: "resendChallenge", tag: challengeTag, caller: public, status: fiber.StatusAccepted,
			summary: "Send the same code again",
			about: "The attempts are not refilled. Some providers that make and check codes themselves make another one for each message " +
				"(2factor.in with `codes: theirs`): then the code in the newest message counts, and the one before is dead. " +
				"After `delivery_unavailable` the challenge is as it was before, and so is its code.",
			faults: []*fault.Error{
				challenge.ErrNotFound, challenge.ErrExhausted, challenge.ErrExpired, challenges.ErrRequest, channels.ErrNotConfigured,
				challenges.ErrUnavailable, limit.ErrExceeded, limit.ErrCooldown,
			},
		}, a.resend),
		handle(operation{
			method: fiber.MethodPost, path: "/v1/challenges/{id}/verify", id: "verifyChallenge", tag: challengeTag, caller: anyone, status: fiber.StatusOK,
			summary: "Answer a challenge",
			about: "`{}` asks whether anything has happened meanwhile, and costs no attempt. Refusals come in this order: `malformed_code`, " +
				"`challenge_not_found`, `challenge_exhausted`, `challenge_expired`, `device_locked` or `rate_limited`, and only then is the answer evaluated.",
			faults: []*fault.Error{
				challenge.ErrMalformed, challenge.ErrNotFound, challenge.ErrExhausted, challenge.ErrExpired, limit.ErrLocked, limit.ErrExceeded,
				challenge.ErrWrong, challenges.ErrUnavailable, channels.ErrNotConfigured, store.ErrOnce, device.ErrUsed, user.ErrNotAllowed,
				session.ErrPendingInvalid, session.ErrPendingExpired, session.ErrRevoked, challenges.ErrRequest, challenge.ErrLinkUsed,
				challenge.ErrLinkExpired, user.ErrTaken, user.ErrNothing,
			},
		}, a.verify),
		handle(operation{
			method: fiber.MethodDelete, path: "/v1/challenges/{id}", id: "cancelChallenge", tag: challengeTag, caller: public, status: fiber.StatusNoContent,
			summary: "Give a challenge up; its code is dead", faults: []*fault.Error{challenge.ErrNotFound},
		}, a.cancel),
	}
}

func (a *API) start(c *call, in startBody) (challengeBody, error) {
	browser, err := c.browser()
	if err != nil {
		return challengeBody{}, err
	}
	known, err := a.knows(c, in)
	if err != nil {
		return challengeBody{}, err
	}
	view, err := a.Challenges.Start(c.ctx, challenges.StartInput{
		Tenant: c.tenant, Purpose: challenge.Purpose(in.Purpose), To: in.To, Channel: in.Channel, Device: in.DeviceID,
		Locale: c.asked(in.Locale), Prefers: c.locale(""), Client: c.client(), Address: c.address(), IP: a.Address.Client(c.Ctx),
		Pending: c.pending, Caller: c.user, Key: c.key, Detail: facts(in.Detail), ReturnTo: in.ReturnTo, Metadata: in.Metadata,
		Browser: browser, Trapped: c.trapped, Known: known,
	})
	if err != nil {
		return challengeBody{}, err
	}
	return a.challengeBody(view)
}

func (a *API) get(c *call, _ nothing) (challengeBody, error) {
	handle, err := c.handle()
	if err != nil {
		return challengeBody{}, err
	}
	view, err := a.Challenges.Get(c.ctx, c.tenant, handle)
	if err != nil {
		return challengeBody{}, err
	}
	return a.challengeBody(view)
}

func (a *API) resend(c *call, in resendBody) (challengeBody, error) {
	handle, err := c.handle()
	if err != nil {
		return challengeBody{}, err
	}
	view, err := a.Challenges.Resend(c.ctx, c.tenant, handle, in.Channel)
	if err != nil {
		return challengeBody{}, err
	}
	return a.challengeBody(view)
}

// verify reads the code before the handle, because nonsense is refused before
// anybody looks for the challenge.
func (a *API) verify(c *call, in verifyBody) (outcomeBody, error) {
	typed, err := in.Code.read()
	if err != nil {
		return outcomeBody{}, err
	}
	if typed != nil && in.Data != nil {
		return outcomeBody{}, challenge.ErrMalformed
	}
	handle, err := c.handle()
	if err != nil {
		return outcomeBody{}, err
	}
	done, err := a.Challenges.Answer(c.ctx, challenges.AnswerInput{
		Tenant: c.tenant, Handle: handle, Code: typed, Data: json.RawMessage(in.Data), Link: in.LinkToken, Detail: facts(in.Detail),
		Client: c.client(), Address: c.address(), Key: c.key, Trusted: in.TrustedBrowser, Claim: in.Claim, Remember: in.RememberBrowser,
	})
	if err != nil {
		return outcomeBody{}, err
	}
	return a.outcome(done)
}

func (a *API) cancel(c *call, _ nothing) (nothing, error) {
	handle, err := c.handle()
	if err != nil {
		return nothing{}, err
	}
	return nothing{}, a.Challenges.Cancel(c.ctx, c.tenant, handle)
}
