package app

import (
	"go.uber.org/fx"

	"github.com/countersign/countersign/app/challenges"
	"github.com/countersign/countersign/app/invitations"
	"github.com/countersign/countersign/app/keys"
	"github.com/countersign/countersign/app/notices"
	"github.com/countersign/countersign/app/support"
)

// desk is what commands about people and programs work with.
type desk struct {
	fx.In

	Support     *support.Service
	Invitations *invitations.Service
	Keys        *keys.Service
}

func newSupport(p parts, c *challenges.Service, n *notices.Service) *support.Service {
	return support.New(support.Needs{
		Store: p.Store, Challenges: c, Notices: n, Channels: p.Channels, Tenants: p.Tenants, Contacts: p.Contacts, Sealer: p.Ring,
		Clock: p.Clock, IDs: p.IDs,
	})
}
