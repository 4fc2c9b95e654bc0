package fiberapi

import (
	"net/url"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/countersign/countersign/adapters/fiberkit"
	"github.com/countersign/countersign/app/invitations"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/fault"
	"github.com/countersign/countersign/domain/invitation"
	"github.com/countersign/countersign/domain/user"
)

// isInvitation reports whether a link is an invitation's. Its tenant is in its
// token, because links lead to one address for all tenants.
func (c *call) isInvitation() bool {
	whose, ok := invitations.TenantOf(c.Params("token"))
	if ok && c.api.Tenants.Has(whose) {
		c.tenant = whose
	}
	return strings.HasPrefix(c.Params("token"), invitations.Prefix)
}

// openInvitation shows who asks whom in, with a button. It changes nothing.
func (a *API) openInvitation(c *call) ([]byte, error) {
	opened, err := a.Invitations.Open(c.ctx, c.tenant, c.Params("token"))
	if err != nil {
		return a.brokenLink(c, err)
	}
	return a.invitationPage(c, opened, "")
}

// mostInviter is how much of an inviter's name the page shows, in runes.
const mostInviter = 60

// invitationPage asks for what a page can ask for: a user name. More has to be
// proven, which is the application's business.
func (a *API) invitationPage(c *call, o invitations.Opened, trouble string) ([]byte, error) {
	v := linkView{Heading: "invite_title", Lead: "invite_lead", To: o.Mask(), Button: "invite_button", Hint: "invite_hint", Trouble: trouble, Next: o.ReturnTo}
	if o.Inviter != "" {
		v.Lead, v.Inviter = "invite_named", clip(o.Inviter, mostInviter)
	}
	if slices.Contains(o.Missing, contact.Username) {
		v.Field = "invite_name"
	}
	if slices.ContainsFunc(o.Missing, func(k contact.Kind) bool { return k != contact.Username }) {
		v.Field, v.Button, v.Hint, v.Trouble = "", "", "", "invite_app"
	}
	return a.linkPage(c, v)
}

func clip(text string, most int) string {
	runes := []rune(text)
	if len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}

// followInvitation is what the button does. A form cannot keep a session without
// a page of the application, so it makes the account and leaves the signing in to
// its owner, who can: the address is proven. A script gets the outcome.
func (a *API) followInvitation(c *call) ([]byte, error) {
	in := invitations.AcceptInput{
		Tenant: c.tenant, Token: c.Params("token"), Client: c.client(), IP: a.Address.Client(c.Ctx),
		Locale: a.Locales.Match(c.Get(fiber.HeaderAcceptLanguage)),
	}
	if accept := c.Get(fiber.HeaderAccept); strings.Contains(accept, fiber.MIMEApplicationJSON) && !strings.Contains(accept, fiber.MIMETextHTML) {
		done, err := a.Invitations.Accept(c.ctx, in)
		if err != nil {
			return nil, err
		}
		body, err := a.outcome(done)
		if err != nil {
			return nil, err
		}
		c.media = fiber.MIMEApplicationJSON
		return fiberkit.Encode(body)
	}
	opened, err := a.Invitations.Open(c.ctx, c.tenant, in.Token)
	if err != nil {
		return a.brokenLink(c, err)
	}
	in.Only, in.Username = true, strings.TrimSpace(c.field("username"))
	if len(opened.Missing) > 1 || len(opened.Missing) == 1 && (opened.Missing[0] != contact.Username || in.Username == "") {
		c.status = fiber.StatusUnprocessableEntity
		return a.invitationPage(c, opened, "invite_invalid")
	}
	_, err = a.Invitations.Accept(c.ctx, in)
	switch f, ok := fault.Of(err); {
	case !ok && err != nil:
		return nil, err
	case ok && (f.Code == user.ErrTaken.Code || f.Code == invitations.ErrRequest.Code):
		c.status = fiberkit.Status(f.Kind)
		trouble := map[string]string{user.ErrTaken.Code: "invite_taken"}[f.Code]
		return a.invitationPage(c, opened, firstText(trouble, "invite_invalid"))
	case ok:
		return a.brokenLink(c, err)
	case opened.ReturnTo != "":
		return nil, seeOther(opened.ReturnTo)
	}
	return a.linkPage(c, linkView{Heading: "invite_title", Lead: "invite_done"})
}

// field is one field of a form; "" if there is no such form.
func (c *call) field(name string) string {
	if fiberkit.MediaType(c.Ctx) != fiber.MIMEApplicationForm {
		return ""
	}
	body, err := fiberkit.Body(c.Ctx)
	if err != nil {
		return ""
	}
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return ""
	}
	return values.Get(name)
}

// originOf is the origin of an address that a form may lead to; "" if it is ours.
func originOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// lead is what a broken invitation is called on its page.
func leadOf(f *fault.Error) (string, bool) {
	if f.Code == invitation.ErrExpired.Code {
		return f.Code, true
	}
	return "", false
}
