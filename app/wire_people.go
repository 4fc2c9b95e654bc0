package app

import (
	"strings"

	"go.uber.org/fx"

	"github.com/countersign/countersign/adapters/keyring"
	"github.com/countersign/countersign/app/challenges"
	"github.com/countersign/countersign/app/delivery"
	"github.com/countersign/countersign/app/invitations"
	"github.com/countersign/countersign/app/notices"
	"github.com/countersign/countersign/app/passwords"
	"github.com/countersign/countersign/app/rules"
	"github.com/countersign/countersign/domain/invitation"
)

// messageLinks are all links that messages carry.
type messageLinks struct {
	challenges.Links
	tokens invitations.Tokens
}

var _ delivery.Links = messageLinks{}

// Invitation is the link that accepts an invitation.
func (m messageLinks) Invitation(i invitation.Invitation) string { return m.tokens.Link(i) }

func newMessageLinks(links challenges.Links, tokens invitations.Tokens) delivery.Links {
	return messageLinks{links, tokens}
}

func newInvitationTokens(l Loaded, ring *keyring.Ring) invitations.Tokens {
	return invitations.Tokens{Deriver: ring, Base: strings.TrimSuffix(l.PublicURL, "/")}
}

// guests is what invitations need besides what most use cases are made of.
type guests struct {
	fx.In

	Challenges *challenges.Service
	Notices    *notices.Service
	Gate       *rules.Gate
	Passwords  *passwords.Service
	Tokens     invitations.Tokens
}

func newInvitations(p parts, g guests) *invitations.Service {
	return invitations.New(invitations.Needs{
		Store: p.Store, Challenges: g.Challenges, Notices: g.Notices, Channels: p.Channels, Tenants: p.Tenants, Contacts: p.Contacts,
		Gate: g.Gate, Passwords: g.Passwords, Tokens: g.Tokens, Clock: p.Clock, IDs: p.IDs,
	})
}
