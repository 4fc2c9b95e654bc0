package fiberapi

import (
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/countersign/countersign/app/challenges"
	"github.com/countersign/countersign/app/channels"
	"github.com/countersign/countersign/app/invitations"
	"github.com/countersign/countersign/domain/fault"
	"github.com/countersign/countersign/domain/invitation"
	"github.com/countersign/countersign/domain/limit"
	"github.com/countersign/countersign/domain/rule"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/store"
)

// inviteBody is somebody to be asked in.
type inviteBody struct {
	Email     string `json:"email,omitempty" doc:"Exactly one of email and phone." example:"grace@example.com"`
	Phone     string `json:"phone,omitempty"`
	Locale    string `json:"locale,omitempty" doc:"BCP 47 tag of the language to write in."`
	ReturnTo  string `json:"return_to,omitempty" maxLength:"512" doc:"The page of yours that accepts: the link leads there with ?invitation= and the token. A path of this site, or an address at one of the configured origins. Left out, the link leads to a page of ours."`
	ExpiresIn *int   `json:"expires_in,omitempty" minimum:"60" maximum:"2592000" doc:"Seconds that it is good for; a week if left out."`
}

// invitationBody is an invitation as whoever invited sees it.
type invitationBody struct {
	ID          string     `json:"id"`
	Kind        string     `json:"kind" enum:"email,phone"`
	Destination string     `json:"destination" doc:"Masked, but for API keys."`
	Status      string     `json:"status" enum:"open,accepted,revoked,expired"`
	InvitedBy   string     `json:"invited_by,omitempty" doc:"The user who invited; absent if an operator or a program did."`
	User        string     `json:"user_id,omitempty" doc:"Who accepted; for API keys only."`
	CreatedAt   time.Time  `json:"created_at"`
	ExpiresAt   time.Time  `json:"expires_at"`
	UsedAt      *time.Time `json:"accepted_at,omitempty"`
}

// invitationsBody is one page of invitations, newest first.
type invitationsBody struct {
	Invitations []invitationBody `json:"invitations" nullable:"false"`
	Next        string           `json:"next,omitempty" doc:"There may be more: send this as after."`
}

// acceptBody is somebody who accepts an invitation.
type acceptBody struct {
	Token     string `json:"token" doc:"The token of the invitation: csi_…"`
	Username  string `json:"username,omitempty"`
	FirstName string `json:"first_name,omitempty" maxLength:"400"`
	LastName  string `json:"last_name,omitempty" maxLength:"400"`
	Password  string `json:"password,omitempty" doc:"If they want one."`
	Locale    string `json:"locale,omitempty" doc:"BCP 47 tag of the language to write in; if left out, the invitation's."`
}

const inviteTag = "Invitations"

// acceptFaults are why an invitation may not be accepted.
func acceptFaults() []*fault.Error {
	return []*fault.Error{
		challenges.ErrRequest, invitation.ErrNotFound, invitation.ErrExpired, user.ErrTaken, rule.ErrBlocked, channels.ErrNotConfigured,
	}
}

func (a *API) invitationOperations() []operation {
	return []operation{
		handle(operation{
			method: fiber.MethodPost, path: "/v1/invitations", id: "invite", tag: inviteTag, caller: inviter, status: fiber.StatusCreated,
			summary: "Ask somebody in",
			about: "A message with a link goes to the address; whoever follows it has proven to hold it. Works where nobody may sign up by themselves. " +
				"Whether the address is somebody's already cannot be told from the answer.",
			faults: []*fault.Error{
				challenges.ErrRequest, invitation.ErrNotAllowed, rule.ErrBlocked, channels.ErrNotConfigured, limit.ErrExceeded,
			},
		}, a.invite),
		handle(operation{
			method: fiber.MethodGet, path: "/v1/invitations", id: "listInvitations", tag: inviteTag, caller: inviter, status: fiber.StatusOK,
			summary: "List one's own invitations, newest first", about: "With an API key: everybody's.", faults: []*fault.Error{challenges.ErrRequest},
			query: []parameter{pageSize, {name: "after", about: "Only those that come after this one: next of the page before."}},
		}, a.listInvitations),
		handle(operation{
			method: fiber.MethodDelete, path: "/v1/invitations/{id}", id: "revokeInvitation", tag: inviteTag, caller: inviter, status: fiber.StatusNoContent,
			summary: "Take an invitation back", faults: []*fault.Error{invitation.ErrNotFound, invitation.ErrExpired},
		}, a.revokeInvitation),
		handle(operation{
			method: fiber.MethodPost, path: "/v1/invitations/accept", id: "acceptInvitation", tag: inviteTag, caller: public, status: fiber.StatusOK,
			summary: "Accept an invitation", about: "The address that the invitation went to is verified by it. It is good once.", faults: acceptFaults(),
		}, a.accept),
	}
}

// who is whoever invites: a user, or "" for a program, which may see everybody's.
func (c *call) who() string {
	if c.user != nil {
		return c.user.User.ID
	}
	return ""
}

func (a *API) invite(c *call, in inviteBody) (invitationBody, error) {
	w := invitations.Wish{
		Tenant: c.tenant, By: c.name(), Email: in.Email, Phone: in.Phone, Locale: c.asked(in.Locale), ReturnTo: in.ReturnTo,
		Client: c.client(), IP: a.Address.Client(c.Ctx),
	}
	if c.user != nil {
		w.Inviter = &c.user.User
	}
	if in.ExpiresIn != nil {
		if *in.ExpiresIn < whole(invitation.MinLife) || *in.ExpiresIn > whole(invitation.MaxLife) {
			return invitationBody{}, challenges.ErrRequest.With(fault.Field{
				Pointer: "/expires_in", Code: "out_of_range", Detail: "Use 60 seconds to 30 days, in seconds.",
			})
		}
		w.Life = time.Duration(*in.ExpiresIn) * time.Second
	}
	i, err := a.Invitations.Invite(c.ctx, w)
	return c.invitation(i, i.CreatedAt), err
}

func (c *call) invitation(i invitation.Invitation, now time.Time) invitationBody {
	b := invitationBody{
		ID: i.ID, Kind: string(i.Kind), Destination: i.Mask(), Status: string(i.At(now)), InvitedBy: i.Inviter,
		CreatedAt: i.CreatedAt.UTC(), ExpiresAt: i.ExpiresAt.UTC(), UsedAt: when(i.UsedAt),
	}
	if c.key != nil {
		b.Destination, b.User = i.Value, i.User
	}
	return b
}

// listInvitations lists one more than was asked for, to know whether there is more.
func (a *API) listInvitations(c *call, _ nothing) (invitationsBody, error) {
	n, err := c.number(pageSize)
	if err != nil {
		return invitationsBody{}, err
	}
	after := strings.ToLower(c.Query("after"))
	if after != "" && !uuidForm.MatchString(after) {
		return invitationsBody{}, challenges.ErrRequest.With(fault.Field{Pointer: "?after", Code: "invalid_id", Detail: "Use next of the page before."})
	}
	all, err := a.Invitations.List(c.ctx, store.InvitationQuery{Tenant: c.tenant, Inviter: c.who(), Before: after, Limit: n + 1})
	if err != nil {
		return invitationsBody{}, err
	}
	out := invitationsBody{Invitations: []invitationBody{}}
	if len(all) > n {
		all = all[:n]
		out.Next = all[n-1].ID
	}
	now := a.Invitations.Clock.Now()
	for _, i := range all {
		out.Invitations = append(out.Invitations, c.invitation(i, now))
	}
	return out, nil
}

func (a *API) revokeInvitation(c *call, _ nothing) (nothing, error) {
	id, err := c.uuid(invitation.ErrNotFound)
	if err != nil {
		return nothing{}, err
	}
	return nothing{}, a.Invitations.Revoke(c.ctx, invitations.Revocation{Tenant: c.tenant, ID: id, Inviter: c.who(), By: c.name()})
}

func (a *API) accept(c *call, in acceptBody) (outcomeBody, error) {
	if in.Token == "" {
		return outcomeBody{}, required("/token")
	}
	done, err := a.Invitations.Accept(c.ctx, invitations.AcceptInput{
		Tenant: c.tenant, Token: in.Token, Username: in.Username, FirstName: in.FirstName, LastName: in.LastName, Password: in.Password,
		Locale: c.asked(in.Locale), Client: c.client(), IP: a.Address.Client(c.Ctx),
	})
	if err != nil {
		return outcomeBody{}, err
	}
	return a.outcome(done)
}
