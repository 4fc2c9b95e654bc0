package support

import (
	"context"
	"errors"

	"github.com/countersign/countersign/app/challenges"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/device"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/limit"
	"github.com/countersign/countersign/domain/password"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/domain/tenant"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/store"
)

// Person is everything that support may see of somebody. It holds no secret.
type Person struct {
	user.Account

	Addresses    []limit.Counter // failures in a row, one for each of Account.Identifiers
	Devices      []Held
	RecoveryLeft int
	HasPassword  bool
	Password     limit.Counter // failures in a row
	Changes      []user.Change
	Sessions     []session.Session
	Events       []event.Event // the newest, newest first
}

// Held is a device with its failures in a row.
type Held struct {
	device.Device

	Failures limit.Counter
}

// newest is how many events are shown.
const newest = 10

// Show gives everything that support may see of a person: user.ErrNotFound.
func (s *Service) Show(ctx context.Context, slug, id string) (Person, error) {
	if !s.Tenants.Has(slug) {
		return Person{}, tenant.ErrUnknown
	}
	var p Person
	err := s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) (err error) {
		p = Person{} // it may run again
		if p.Account, err = tx.Users().Get(ctx, slug, id); err != nil {
			return err
		}
		if err := s.counted(ctx, tx, &p); err != nil {
			return err
		}
		if p.Changes, err = tx.Changes().List(ctx, slug, id); err != nil {
			return err
		}
		if p.Sessions, err = tx.Sessions().List(ctx, slug, id, s.Clock.Now()); err != nil {
			return err
		}
		p.Events, err = tx.Journal().Events(ctx, store.EventQuery{Tenant: slug, User: id, Limit: newest})
		return err
	})
	return p, err
}

// counted adds whatever failures in a row are counted for.
func (s *Service) counted(ctx context.Context, tx store.Tx, p *Person) (err error) {
	for _, i := range p.Identifiers {
		var c limit.Counter
		if i.Kind != contact.Username {
			if c, err = tx.Counters().Read(ctx, challenges.CounterOf(p.Tenant, i.Contact)); err != nil {
				return err
			}
		}
		p.Addresses = append(p.Addresses, c)
	}
	_, err = tx.Passwords().Get(ctx, p.Tenant, p.ID)
	if err != nil && !errors.Is(err, password.ErrNone) {
		return err
	}
	p.HasPassword = err == nil
	if p.Password, err = tx.Counters().Read(ctx, challenges.PasswordCounter(p.ID)); err != nil {
		return err
	}
	all, err := tx.Devices().List(ctx, p.Tenant, p.ID, "", 0)
	if err != nil {
		return err
	}
	for _, d := range all {
		h := Held{Device: d}
		if key := s.Challenges.CounterOfDevice(d); key != "" {
			if h.Failures, err = tx.Counters().Read(ctx, key); err != nil {
				return err
			}
		}
		if d.Backup {
			p.RecoveryLeft += s.left(d)
		}
		h.Credential = nil
		p.Devices = append(p.Devices, h)
	}
	return nil
}

// left counts the codes of a sheet that were not used.
func (s *Service) left(d device.Device) int {
	via, err := s.Channels.Get(d.Channel)
	if err != nil {
		return 0
	}
	counter, ok := channel.As[channel.Counter](via.Channel)
	if !ok {
		return 0
	}
	credential, err := s.Sealer.Open(d.Credential, challenges.PlaceOfCredential(d.Tenant, d.ID))
	if err != nil {
		return 0
	}
	return counter.Remaining(credential)
}
