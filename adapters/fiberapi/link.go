package fiberapi

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/countersign/countersign/adapters/fiberkit"
	"github.com/countersign/countersign/app/challenges"
	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/fault"
	"github.com/countersign/countersign/domain/invitation"
)

const linkTag = "Links"

// browserBytes is how much chance the secret has that a browser keeps.
const browserBytes = 32

func (a *API) linkOperations() []operation {
	refusals := []*fault.Error{challenge.ErrNotFound, challenge.ErrLinkUsed, challenge.ErrLinkExpired, challenge.ErrExhausted, invitation.ErrExpired, invitation.ErrNotFound}
	return []operation{
		{
			method: fiber.MethodGet, path: challenges.LinkPath + "{token}", id: "openLink", tag: linkTag, caller: public, status: fiber.StatusOK,
			summary: "Open the link of a message", media: fiber.MIMETextHTMLCharsetUTF8, faults: refusals, page: true,
			about: "A page with a button. Opening it changes nothing: mail scanners open links too.", serve: a.openLink,
		},
		{
			method: fiber.MethodPost, path: challenges.LinkPath + "{token}", id: "followLink", tag: linkTag, caller: public, status: fiber.StatusOK,
			summary: "Follow the link of a message", media: fiber.MIMETextHTMLCharsetUTF8, page: true, onward: true,
			about: "What the button does, and only in the browser that asked (a cookie tells). A browser is sent on with 303 to `return_to`, and whoever asked " +
				"collects the outcome with `{}` at the challenge's verify. With `Accept: application/json` the outcome is the answer. The link of an invitation works in " +
				"any browser; its form makes the account, whose owner then signs in.",
			faults: append(append(refusals, challenge.ErrElsewhere), acceptFaults()...), serve: a.followLink,
		},
	}
}

// cookie is where a browser keeps the secret that binds links to it.
func (a *API) cookie() string {
	if a.secure() {
		return "__Host-countersign-browser"
	}
	return "countersign-browser"
}

func (a *API) secure() bool { return strings.HasPrefix(a.PublicURL, "https://") }

// browser is the hash of the secret that this browser keeps. One that has none
// gets one: only there may a link be followed that it asks for.
func (c *call) browser() ([]byte, error) {
	secret := c.Cookies(c.api.cookie())
	if raw, err := base64.RawURLEncoding.DecodeString(secret); err != nil || len(raw) != browserBytes {
		fresh := make([]byte, browserBytes)
		if _, err := io.ReadFull(c.api.Random, fresh); err != nil {
			return nil, fmt.Errorf("draw a browser's secret: %w", err)
		}
		secret = base64.RawURLEncoding.EncodeToString(fresh)
	}
	c.Cookie(&fiber.Cookie{
		Name: c.api.cookie(), Value: secret, Path: "/", HTTPOnly: true, Secure: c.api.secure(), SameSite: fiber.CookieSameSiteLaxMode,
		MaxAge: whole(c.api.Tenants.Policy(c.tenant).Challenge.Life),
	})
	sum := sha256.Sum256([]byte(secret))
	return sum[:], nil
}

func (a *API) openLink(c *call) ([]byte, error) {
	if c.isInvitation() {
		return a.openInvitation(c)
	}
	opened, err := a.Challenges.OpenLink(c.ctx, c.tenant, c.Params("token"), c.Cookies(a.cookie()))
	if err != nil {
		return a.brokenLink(c, err)
	}
	if !opened.Mine {
		return a.linkPage(c, linkView{Lead: "elsewhere"})
	}
	return a.linkPage(c, linkView{Lead: "lead", To: opened.Destination, Button: "button", Hint: "hint", Next: opened.ReturnTo})
}

func (a *API) followLink(c *call) ([]byte, error) {
	if c.isInvitation() {
		return a.followInvitation(c)
	}
	token, secret := c.Params("token"), c.Cookies(a.cookie())
	if accept := c.Get(fiber.HeaderAccept); strings.Contains(accept, fiber.MIMEApplicationJSON) && !strings.Contains(accept, fiber.MIMETextHTML) {
		return a.settleLink(c, token, secret)
	}
	opened, err := a.Challenges.FollowLink(c.ctx, c.tenant, token, secret)
	switch {
	case err != nil:
		return a.brokenLink(c, err)
	case opened.ReturnTo != "":
		return nil, seeOther(opened.ReturnTo)
	}
	return a.linkPage(c, linkView{Lead: "done"})
}

// settleLink is for the script of a page, in the browser that asked.
func (a *API) settleLink(c *call, token, secret string) ([]byte, error) {
	done, opened, err := a.Challenges.SettleLink(c.ctx, challenges.AnswerInput{
		Tenant: c.tenant, Link: token, Client: c.client(), Address: c.address(),
	}, secret)
	if err != nil {
		return nil, err
	}
	body, err := a.outcome(done)
	if err != nil {
		return nil, err
	}
	if body.signedIn != nil {
		body.signedIn.ReturnTo = opened.ReturnTo
	}
	c.media = fiber.MIMEApplicationJSON
	return fiberkit.Encode(body)
}
