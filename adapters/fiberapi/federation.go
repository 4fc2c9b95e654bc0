package fiberapi

import (
	"encoding/json"
	"maps"
	"net/url"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/countersign/countersign/adapters/fiberkit"
	"github.com/countersign/countersign/app/challenges"
	"github.com/countersign/countersign/app/channels"
	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/device"
	"github.com/countersign/countersign/domain/fault"
	"github.com/countersign/countersign/domain/limit"
	"github.com/countersign/countersign/domain/rule"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/store"
)

// connectionBody is an account elsewhere that signs somebody in.
type connectionBody struct {
	Channel    string     `json:"channel"`
	Name       string     `json:"name"`
	CreatedAt  time.Time  `json:"created_at"`
	LastUsedAt *time.Time `json:"last_used_at,omitempty"`
}

// connectionsBody lists them, oldest first.
type connectionsBody struct {
	Connections []connectionBody `json:"connections" nullable:"false"`
}

const federationTag = "Other sites"

// asserted are the refusals of what another site says.
func asserted() []*fault.Error {
	return []*fault.Error{
		channels.ErrNotConfigured, challenges.ErrRequest, challenges.ErrAssertion, challenges.ErrAssertionExpired, store.ErrOnce,
		challenges.ErrUnavailable, limit.ErrExceeded,
	}
}

func (a *API) federationOperations() []operation {
	return []operation{
		handle(operation{
			method: fiber.MethodPost, path: "/v1/sign-in/{channel}", id: "signInByAssertion", tag: federationTag, caller: public, status: fiber.StatusOK,
			summary: "Sign in by another site's word",
			about: "The body is what the channel understands: `{\"id_token\",\"nonce\"}` for OpenID Connect, the fields of the widget for Telegram. " +
				"Either is good once, and not for long. Give the `nonce` if your app had one put into the token: then only a token with that one will do.",
			faults: append(asserted(), user.ErrNotAllowed, rule.ErrBlocked, device.ErrLinked, user.ErrTaken, limit.ErrCooldown),
		}, a.assert),
		{
			method: fiber.MethodGet, path: "/v1/sign-in/{channel}/start", id: "startRedirect", tag: federationTag, caller: public,
			status: fiber.StatusSeeOther, summary: "Go to another site to sign in", page: true,
			about:  "Sends the browser on. It comes back by the callback, and then to `return_to`, where the fragment `challenge` names the challenge whose outcome is collected with `{}`.",
			query:  []parameter{{name: "return_to", about: "A path of this site, or an address at a configured origin."}},
			faults: append(asserted(), limit.ErrCooldown), serve: a.leave,
		},
		{
			method: fiber.MethodGet, path: challenges.CallbackPath + "{channel}", id: "returnFromRedirect", tag: federationTag, caller: nobody,
			status: fiber.StatusOK, summary: "Come back from another site", media: fiber.MIMETextHTMLCharsetUTF8, page: true, onward: true,
			faults: append(asserted(), challenge.ErrNotFound, challenge.ErrElsewhere, challenge.ErrExpired), serve: a.comeBack,
		},
		{
			method: fiber.MethodPost, path: challenges.CallbackPath + "{channel}", id: "receiveResponse", tag: federationTag, caller: nobody,
			status: fiber.StatusNoContent, summary: "Take a response that a provider brings", page: true, onward: true,
			about:  "Authenticated by the provider's signature.",
			faults: append(asserted(), challenge.ErrNotFound, challenges.ErrForged, challenge.ErrExpired), serve: a.receiveResponse,
		},
		{
			method: fiber.MethodPost, path: challenges.ReceiptsPath + "{channel}", id: "receiveReceipts", tag: federationTag, caller: nobody,
			status: fiber.StatusNoContent, summary: "Take a provider's report on messages", page: true,
			about:  "Authenticated by the provider's signature.",
			faults: []*fault.Error{channels.ErrNotConfigured, challenges.ErrForged, challenges.ErrUnavailable}, serve: a.receiveReceipts,
		},
		{
			method: fiber.MethodGet, path: challenges.ReceiptsPath + "{channel}", id: "greetReceipts", tag: federationTag, caller: nobody,
			status: fiber.StatusOK, summary: "Answer a provider that asks whether its reports may come here", media: fiber.MIMETextPlainCharsetUTF8, page: true,
			about:  "The answer is what the provider wants to read. Reports that come without a body are taken here too, and answered with nothing.",
			faults: []*fault.Error{channels.ErrNotConfigured, challenges.ErrForged, challenges.ErrUnavailable}, serve: a.greetReceipts,
		},
		handle(operation{
			method: fiber.MethodGet, path: "/v1/me/connections", id: "listConnections", tag: federationTag, caller: person, status: fiber.StatusOK,
			summary: "List the accounts elsewhere that sign one in",
		}, a.connections),
		handle(operation{
			method: fiber.MethodPost, path: "/v1/me/connections/{channel}", id: "connect", tag: federationTag, caller: person, fresh: true,
			status: fiber.StatusOK, summary: "Let an account elsewhere sign one in", faults: append(asserted(), device.ErrLinked),
		}, a.connect),
		handle(operation{
			method: fiber.MethodDelete, path: "/v1/me/connections/{channel}", id: "disconnect", tag: federationTag, caller: person, fresh: true,
			status: fiber.StatusNoContent, summary: "Take an account elsewhere off", faults: []*fault.Error{device.ErrNotFound, user.ErrLastLogin},
		}, a.disconnect),
	}
}

// assertion reads what belongs to us out of what the channel understands. The
// channel gets everything but the token of a browser.
func (c *call) assertion(in object) challenges.Assertion {
	out := challenges.Assertion{
		Tenant: c.tenant, Channel: c.Params("channel"), Data: json.RawMessage(in), Locale: c.locale(""), Client: c.client(),
		Address: c.address(), IP: c.api.Address.Client(c.Ctx),
	}
	var known map[string]json.RawMessage
	if json.Unmarshal(in, &known) != nil {
		return out
	}
	for name, to := range map[string]*string{"first_name": &out.FirstName, "last_name": &out.LastName, "trusted_browser": &out.Trusted} {
		_ = json.Unmarshal(known[name], to) // another type is none of ours
	}
	if _, ok := known["trusted_browser"]; ok {
		delete(known, "trusted_browser")
		if rest, err := json.Marshal(known); err == nil {
			out.Data = rest
		}
	}
	return out
}

func (a *API) assert(c *call, in object) (outcomeBody, error) {
	done, err := a.Challenges.Assert(c.ctx, c.assertion(in))
	if err != nil {
		return outcomeBody{}, err
	}
	return a.outcome(done)
}

// leave sends a browser to another site.
func (a *API) leave(c *call) ([]byte, error) {
	browser, err := c.browser()
	if err != nil {
		return nil, err
	}
	view, err := a.Challenges.Start(c.ctx, challenges.StartInput{
		Tenant: c.tenant, Purpose: challenge.SignIn, Channel: c.Params("channel"), ReturnTo: c.Query("return_to"), Browser: browser,
		Prefers: c.locale(""), Client: c.client(), Address: c.address(), IP: a.Address.Client(c.Ctx),
	})
	if err != nil {
		return nil, err
	}
	if view.Prompt.Kind != channel.KindRedirect {
		return nil, channels.ErrNotConfigured
	}
	return nil, seeOther(view.Prompt.URL)
}

// inbound is a request as channels see it.
func (c *call) inbound() channel.Inbound {
	in := channel.Inbound{
		Method: c.Method(), URL: c.api.PublicURL + c.OriginalURL(), Header: map[string][]string{}, Query: url.Values{}, Body: c.Body(),
	}
	maps.Copy(in.Header, c.GetReqHeaders())
	if q, err := url.ParseQuery(string(c.Request().URI().QueryString())); err == nil {
		in.Query = q
	}
	return in
}

// comeBack is for a browser that another site has sent back.
func (a *API) comeBack(c *call) ([]byte, error) {
	done, err := a.Challenges.Receive(c.ctx, challenges.Inbound{
		Channel: c.Params("channel"), Request: c.inbound(), Browser: true, Secret: c.Cookies(a.cookie()), Client: c.client(), Address: c.address(),
	})
	if err != nil {
		return a.brokenLink(c, err)
	}
	if done.ReturnTo != "" {
		return nil, seeOther(done.ReturnTo + "#challenge=" + done.Handle)
	}
	return a.linkPage(c, linkView{Lead: "done"})
}

// receiveResponse is for providers. One that sends the browser back with a form
// (Apple's form_post) cannot bring its cookie along: the browser is sent to the
// same place once more, and then it does.
func (a *API) receiveResponse(c *call) ([]byte, error) {
	if fiberkit.MediaType(c.Ctx) == fiber.MIMEApplicationForm && c.Get("Sec-Fetch-Mode") == "navigate" {
		form, err := url.ParseQuery(string(c.Body()))
		if err != nil || form.Get("state") == "" {
			return nil, fiberkit.ErrMalformed
		}
		return nil, seeOther(strings.SplitN(c.OriginalURL(), "?", 2)[0] + "?" + form.Encode())
	}
	_, err := a.Challenges.Receive(c.ctx, challenges.Inbound{
		Channel: c.Params("channel"), Request: c.inbound(), Client: c.client(), Address: c.address(),
	})
	return nil, err
}

func (a *API) receiveReceipts(c *call) ([]byte, error) {
	return nil, a.Challenges.Track(c.ctx, c.Params("channel"), c.inbound())
}

func (a *API) greetReceipts(c *call) ([]byte, error) {
	answer, err := a.Challenges.Greet(c.ctx, c.Params("channel"), c.inbound())
	return []byte(answer), err
}

func (a *API) connections(c *call, _ nothing) (connectionsBody, error) {
	all, err := a.Challenges.Connections(c.ctx, *c.user)
	return linked(all), err
}

func linked(all []device.Device) connectionsBody {
	out := connectionsBody{Connections: []connectionBody{}}
	for _, d := range all {
		out.Connections = append(out.Connections, connectionBody{
			Channel: d.Channel, Name: d.Name, CreatedAt: d.CreatedAt.UTC(), LastUsedAt: when(d.LastUsedAt),
		})
	}
	return out
}

func (a *API) connect(c *call, in object) (connectionsBody, error) {
	if err := a.Challenges.Connect(c.ctx, *c.user, c.assertion(in)); err != nil {
		return connectionsBody{}, err
	}
	return a.connections(c, nothing{})
}

func (a *API) disconnect(c *call, _ nothing) (nothing, error) {
	return nothing{}, a.Challenges.Disconnect(c.ctx, *c.user, c.Params("channel"))
}
