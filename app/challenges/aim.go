package challenges

import (
	"context"
	"errors"

	"github.com/countersign/countersign/app/channels"
	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/fault"
	"github.com/countersign/countersign/domain/policy"
	"github.com/countersign/countersign/domain/rule"
	"github.com/countersign/countersign/domain/user"
)

// aimAtStranger is for somebody who names an address or a user name.
func (s *Service) aimAtStranger(ctx context.Context, in StartInput) (aim, error) {
	if in.To == "" && in.Device == "" && in.Channel != "" && in.Purpose == challenge.SignIn {
		via, err := s.identifying(in.Channel)
		return aim{purpose: in.Purpose, via: via}, err
	}
	named, err := s.named(in)
	if err != nil {
		return aim{}, err
	}
	account, err := s.Store.Identify(ctx, in.Tenant, named)
	if err != nil && !errors.Is(err, user.ErrNotFound) {
		return aim{}, err
	}
	a := aim{purpose: in.Purpose, shown: named.Mask(), to: named}
	switch who := standing(in.Purpose, account, named, err == nil); {
	case in.Trapped || who == nobody || who == stranger && !s.welcome(in.Tenant, named):
		a.decoy = true
	case who == owner:
		a.account = account
	}
	return s.route(in, a, named)
}

// stands is what somebody is to whom an address leads.
type stands int

const (
	nobody   stands = iota // is asked nothing
	stranger               // may become a user
	owner                  // is asked
)

// standing tells what whoever named an identifier is for a purpose. Whoever is
// blocked keeps only what they have proven; what they claimed is a stranger's.
func standing(p challenge.Purpose, account user.Account, named contact.Contact, known bool) stands {
	signsIn, owns := p == challenge.SignIn, known && Owns(account, named)
	switch {
	case known && account.Active() && (signsIn || owns):
		return owner
	case signsIn && (!known || !account.Active() && !owns):
		return stranger
	}
	return nobody
}

// named reads whom a stranger names, and refuses whom the lists block.
func (s *Service) named(in StartInput) (contact.Contact, error) {
	if in.To == "" && in.Device == "" {
		return contact.Contact{}, ErrRequest.With(fault.Field{Pointer: "/to", Code: "field_required", Detail: "Say whom to ask: an e-mail address, a phone number or a user name."})
	}
	if in.To == "" || in.Device != "" {
		return contact.Contact{}, ErrAmbiguous
	}
	named, err := s.parse(in.To, s.Tenants.Policy(in.Tenant))
	if err != nil {
		return named, err
	}
	if in.Trapped { // answered like everybody else, this time
		return named, nil
	}
	return named, s.Gate.Serve(in.Tenant, rule.Asked{Contact: named, Address: in.IP})
}

// Owns reports whether the account has proven what it is named by. A user name
// proves nothing and needs no proof: its owner is reached by something else.
func Owns(a user.Account, named contact.Contact) bool {
	id, ok := a.Find(named.Kind)
	return ok && id.Contact == named && (id.Verified() || named.Kind == contact.Username)
}

// welcome reports whether an unknown address may become a user by a code.
func (s *Service) welcome(tenant string, named contact.Contact) bool {
	d := s.Tenants.Policy(tenant).Admit(policy.ByCode, []contact.Kind{named.Kind})
	return d.OK || d.Reason == policy.Missing
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
	if err == nil && !s.serves(&a.via, in.Channel, named) {
		a.decoy, a.account = true, user.Account{} // answered alike, and nothing is sent
	}
	return a, err
}

// serves finds the first channel of the route that sends to the address's country.
// It reports false if none does.
func (s *Service) serves(via *channels.Instance, asked string, c contact.Contact) bool {
	if s.sends(*via, c) {
		return true
	}
	for _, next := range s.Channels.Route(c.Kind) {
		if asked == "" && s.sends(next, c) {
			*via = next
			return true
		}
	}
	s.Log.Info("nothing is sent to that country", "channel", via.ID, "country", s.Region(c.Value), "to", c.Mask())
	return false
}

// sends reports whether a channel sends to the address's country.
func (s *Service) sends(via channels.Instance, c contact.Contact) bool {
	return c.Kind != contact.Phone || s.Region == nil || via.Serves(s.Region(c.Value))
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
			a.decoy = err == nil && !s.serves(&a.via, in.Channel, id.Contact)
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
	if err == nil && !via.Proves(k) {
		err = ErrRequest.With(fault.Field{Pointer: "/channel", Code: "invalid_channel", Detail: "This channel does not reach an address of that kind."})
	}
	return via, err
}
