package challenges

import (
	"context"

	"github.com/countersign/countersign/domain/apikey"
	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/device"
	"github.com/countersign/countersign/domain/fault"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/store"
)

// aimAtAddress is for a proof that an address is held, by whomever: no account
// is looked for.
func (s *Service) aimAtAddress(in StartInput) (aim, error) {
	switch {
	case in.Key != nil && !in.Key.May(apikey.Verify):
		return aim{}, apikey.ErrScope
	case in.Key == nil && !s.Tenants.Policy(in.Tenant).Challenge.PublicProof:
		return aim{}, session.ErrUnauthenticated.Saying("Addresses are verified for callers with an API key.")
	}
	named, err := s.named(in)
	if err != nil {
		return aim{}, err
	}
	if named.Kind == contact.Username {
		return aim{}, ErrRequest.With(fault.Field{Pointer: "/to", Code: "invalid_kind", Detail: "A user name cannot be verified; use an e-mail address or a phone number."})
	}
	return s.route(in, aim{purpose: in.Purpose, to: named, shown: named.Mask(), decoy: in.Trapped}, named)
}

// aimAtApprover is for whoever approves a transaction: the caller, or, for a
// program with people of its own, an address.
func (s *Service) aimAtApprover(ctx context.Context, in StartInput) (aim, error) {
	switch {
	case in.Caller != nil:
		return s.aimAtCaller(ctx, in)
	case in.Key == nil:
		return aim{}, session.ErrUnauthenticated
	}
	return s.aimAtAddress(in)
}

// aimAtCaller is for somebody signed in: one of their devices, or an address
// that they have proven.
func (s *Service) aimAtCaller(ctx context.Context, in StartInput) (aim, error) {
	if (in.To != "") == (in.Device != "") {
		return aim{}, ErrAmbiguous
	}
	if in.Device != "" {
		return s.aimAtDevice(ctx, in, in.Caller.User.ID)
	}
	return s.aimAtSelf(ctx, in)
}

// aimAtSelf is for somebody signed in who proves an address of their own again.
func (s *Service) aimAtSelf(ctx context.Context, in StartInput) (aim, error) {
	named, err := s.parse(in.To, s.Tenants.Policy(in.Tenant))
	if err != nil {
		return aim{}, err
	}
	account, err := s.Store.Account(ctx, in.Tenant, in.Caller.User.ID)
	if err != nil {
		return aim{}, err
	}
	if own, ok := account.Find(named.Kind); !ok || own.Contact != named || !own.Verified() {
		return aim{}, ErrRequest.With(fault.Field{Pointer: "/to", Code: "not_yours", Detail: "Name one of your own proven identifiers."})
	}
	return s.route(in, aim{purpose: in.Purpose, account: account, to: named, shown: named.Mask()}, named)
}

// aimAtSecond is for a device of somebody whose sign-in waits. What they have
// proven already proves nothing more.
func (s *Service) aimAtSecond(ctx context.Context, in StartInput) (aim, error) {
	if in.Pending.Step != session.Second {
		return aim{}, session.ErrPendingInvalid
	}
	a, err := s.aimAtDevice(ctx, in, in.Pending.User)
	if err != nil {
		return aim{}, err
	}
	for _, e := range in.Pending.Evidence {
		if e.Authenticator == counterOf(in.Tenant, a) {
			return aim{}, device.ErrNotFound
		}
	}
	return a, nil
}

// aimAtDevice is for one of a person's own devices.
func (s *Service) aimAtDevice(ctx context.Context, in StartInput, owner string) (aim, error) {
	account, err := s.Store.Account(ctx, in.Tenant, owner)
	if err != nil {
		return aim{}, err
	}
	if !account.Active() || in.Pending != nil && in.Pending.CreatedAt.Before(account.ResetAt) {
		return aim{}, session.ErrPendingInvalid
	}
	mine, err := s.devices(ctx, in.Tenant, owner)
	if err != nil {
		return aim{}, err
	}
	for _, d := range mine {
		if d.ID == in.Device {
			return s.aimDevice(in.Purpose, account, d)
		}
	}
	return aim{}, device.ErrNotFound
}

// aimDevice makes a challenge for one device, enrolled or about to be.
func (s *Service) aimDevice(p challenge.Purpose, account user.Account, d store.Device) (aim, error) {
	via, err := s.Channels.Get(d.Channel)
	if err != nil {
		return aim{}, err
	}
	a := aim{purpose: p, via: via, account: account, device: &d}
	address := d.Address
	if via.Address == channel.Account {
		address = d.Ref // learnt while enrolling
	}
	if address != "" {
		a.to = contact.Contact{Kind: contact.Kind(via.Address), Value: address}
		a.shown = a.to.Mask()
	}
	return a, nil
}
