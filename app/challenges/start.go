package challenges

import (
	"context"
	"errors"

	"github.com/countersign/countersign/app/channels"
	"github.com/countersign/countersign/app/sessions"
	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/device"
	"github.com/countersign/countersign/domain/fault"
	"github.com/countersign/countersign/domain/policy"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/store"
)

// Refusals of requests that cannot be made into a challenge.
var (
	ErrRequest     = fault.New(fault.Invalid, "invalid_request", "Something in the request will not do.")
	ErrAmbiguous   = fault.New(fault.Malformed, "ambiguous_destination", `Say either "to" or "device_id", not both and not neither.`)
	ErrUnavailable = fault.New(fault.Unavailable, "delivery_unavailable", "Messages cannot be sent this way at the moment. Try another way, or try again soon.")
)

// StartInput is a wish to prove something.
type StartInput struct {
	Tenant  string
	Purpose challenge.Purpose
	To      string // an address or user name, as typed
	Channel string // empty: the policy's route decides
	Device  string
	Locale  string // that was asked for; empty: the person's own
	Prefers string // that the client prefers, for people who have none of their own
	Client  string // in words: "Firefox on Windows"
	Address string // the client's network address
	Pending *session.SignIn
	Caller  *sessions.Caller
}

// aim is whom a challenge is for and how it reaches them.
type aim struct {
	purpose challenge.Purpose
	via     channels.Instance
	account user.Account // zero if nobody is identified
	device  *store.Device
	to      contact.Contact // where messages go; zero if none do
	shown   string          // masked form of what the caller named
	decoy   bool
}

// Start opens a challenge. An unknown person gets one that behaves alike to the
// end and sends nothing.
func (s *Service) Start(ctx context.Context, in StartInput) (View, error) {
	if in.Purpose == "" {
		in.Purpose = challenge.SignIn
	}
	a, err := s.aim(ctx, in)
	if err != nil {
		return View{}, err
	}
	opened, err := s.open(ctx, in, a)
	return opened.View, err
}

func (s *Service) aim(ctx context.Context, in StartInput) (aim, error) {
	switch in.Purpose {
	case challenge.SignIn:
		return s.aimAtStranger(ctx, in)
	case challenge.SecondFactor:
		if in.Pending == nil {
			return aim{}, session.ErrUnauthenticated
		}
		if in.To != "" || in.Device == "" {
			return aim{}, ErrAmbiguous.Saying(`Say which device: "device_id" is one of those that were listed.`)
		}
		return s.aimAtSecond(ctx, in)
	case challenge.StepUp:
		if in.Caller == nil {
			return aim{}, session.ErrUnauthenticated
		}
		if (in.To != "") == (in.Device != "") {
			return aim{}, ErrAmbiguous
		}
		if in.Device != "" {
			return s.aimAtDevice(ctx, in, in.Caller.User.ID)
		}
		return s.aimAtSelf(ctx, in)
	case challenge.Enroll:
	}
	return aim{}, ErrRequest.With(fault.Field{Pointer: "/purpose", Code: "unknown_value", Detail: "Choose sign_in, second_factor or step_up."})
}

// aimAtStranger is for somebody who names an address or a user name.
func (s *Service) aimAtStranger(ctx context.Context, in StartInput) (aim, error) {
	if in.To == "" || in.Device != "" {
		if in.To == "" && in.Device == "" {
			return aim{}, ErrRequest.With(fault.Field{Pointer: "/to", Code: "field_required", Detail: "Say whom to ask: an e-mail address, a phone number or a user name."})
		}
		return aim{}, ErrAmbiguous
	}
	p := s.Tenants.Policy(in.Tenant)
	named, err := s.parse(in.To, p)
	if err != nil {
		return aim{}, err
	}
	account, err := s.Store.Identify(ctx, in.Tenant, named)
	if err != nil && !errors.Is(err, user.ErrNotFound) {
		return aim{}, err
	}
	known := err == nil
	a := aim{purpose: in.Purpose, shown: named.Mask(), to: named}
	switch {
	case known && account.Active():
		a.account = account
	case !known && p.SignUp.Allowed && p.SignUp.AutoCreate && named.Kind != contact.Username:
	default:
		a.decoy = true
	}
	return s.route(in, a, named)
}

func (s *Service) parse(raw string, p policy.Policy) (contact.Contact, error) {
	named, err := s.Contacts.Guess(raw, p.Identity.Region)
	if f, ok := fault.Of(err); ok {
		return contact.Contact{}, ErrRequest.With(fault.Field{Pointer: "/to", Code: f.Code, Detail: f.Text})
	}
	if err == nil && !p.Identity.Allows(named.Kind) {
		return contact.Contact{}, ErrRequest.With(fault.Field{Pointer: "/to", Code: "invalid_kind", Detail: "Nobody is found by this kind of identifier here."})
	}
	return named, err
}

// route picks the channel. A user name is reached by whatever its owner has
// proven; one that nobody has is given a route that follows from the name.
func (s *Service) route(in StartInput, a aim, named contact.Contact) (aim, error) {
	if named.Kind == contact.Username {
		return s.routeName(in, a, named)
	}
	via, err := s.pick(in.Channel, named.Kind)
	a.via = via
	return a, err
}

func (s *Service) routeName(in StartInput, a aim, named contact.Contact) (aim, error) {
	var kinds []contact.Kind
	for _, k := range []contact.Kind{contact.Email, contact.Phone} {
		if _, err := s.pick(in.Channel, k); err == nil {
			kinds = append(kinds, k)
		}
	}
	if len(kinds) == 0 {
		return a, channels.ErrNotConfigured
	}
	for _, k := range kinds {
		if id, ok := a.account.Find(k); ok && id.Verified() {
			a.to = id.Contact
			via, err := s.pick(in.Channel, k)
			a.via = via
			return a, err
		}
	}
	a.decoy, a.account = true, user.Account{}
	k := kinds[int(subject(in.Tenant, "route", named.Value)[0])%len(kinds)]
	via, err := s.pick(in.Channel, k)
	a.via = via
	return a, err
}

// pick finds the channel that was asked for, or the best one, for a kind of address.
func (s *Service) pick(id string, k contact.Kind) (channels.Instance, error) {
	if id == "" {
		if route := s.Channels.Route(k); len(route) > 0 {
			return route[0], nil
		}
		return channels.Instance{}, channels.ErrNotConfigured
	}
	via, err := s.Channels.Get(id)
	if err == nil && (!via.Reaches(k) || via.Sender == nil) {
		err = ErrRequest.With(fault.Field{Pointer: "/channel", Code: "invalid_channel", Detail: "This channel does not reach an address of that kind."})
	}
	return via, err
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
	if !account.Active() {
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
	if d.Address != "" {
		a.to = contact.Contact{Kind: contact.Kind(via.Address), Value: d.Address}
		a.shown = a.to.Mask()
	}
	return a, nil
}
