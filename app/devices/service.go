// Package devices is about a person's own authenticators: enrol, list, rename
// and remove them, and print a new sheet of recovery codes.
package devices

import (
	"context"
	"slices"

	"github.com/countersign/countersign/app/challenges"
	"github.com/countersign/countersign/app/channels"
	"github.com/countersign/countersign/app/notices"
	"github.com/countersign/countersign/app/sessions"
	"github.com/countersign/countersign/app/tenants"
	"github.com/countersign/countersign/domain/assurance"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/device"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/message"
	"github.com/countersign/countersign/ports/store"
	"github.com/countersign/countersign/ports/system"
)

// Needs is what the service is made of.
type Needs struct {
	Store      store.Store
	Challenges *challenges.Service
	Sessions   *sessions.Service
	Channels   *channels.Registry
	Tenants    *tenants.Book
	Contacts   contact.Parser
	Gate       challenges.Gate
	Notices    *notices.Service
	Clock      system.Clock
	IDs        system.IDs
}

// Service is the use cases around devices. It is safe for concurrent use.
type Service struct{ Needs }

// New makes the service.
func New(n Needs) *Service { return &Service{n} }

// List gives the caller's devices in the order in which they were made: at most
// limit of them, those after the one named after. Sheets of recovery codes are
// not devices in this sense, and those that waited too long for their proof are gone.
func (s *Service) List(ctx context.Context, c sessions.Caller, after string, limit int) (out []device.Device, err error) {
	err = s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		all, err := tx.Devices().List(ctx, c.Tenant, c.User.ID, after, 0) // at most maxDevices and a sheet
		out = slices.DeleteFunc(all, func(d device.Device) bool { return d.Backup || d.Status == device.Linked || d.Lapsed(s.Clock.Now()) })
		return err
	})
	return out[:min(limit, len(out))], err
}

// Challenge asks a device again: one that waits for its proof, or as a test one
// that is enrolled, which renews the proof of the caller's session.
func (s *Service) Challenge(ctx context.Context, c sessions.Caller, id, locale, client string) (challenges.View, error) {
	d, err := s.mine(ctx, c, id)
	if err != nil {
		return challenges.View{}, err
	}
	account, err := s.Store.Account(ctx, c.Tenant, c.User.ID)
	if err != nil {
		return challenges.View{}, err
	}
	in := challenges.EnrollInput{Caller: c, Account: account, Device: d, Locale: locale, Client: client}
	if d.Confirmed() {
		return s.Challenges.Test(ctx, in)
	}
	return s.Challenges.Enroll(ctx, in)
}

// Rename calls a device something else.
func (s *Service) Rename(ctx context.Context, c sessions.Caller, id, raw string) (d device.Device, err error) {
	name, err := cleanName(raw)
	if err != nil {
		return d, err
	}
	err = s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		if d, err = s.owned(ctx, tx, c, id); err != nil {
			return err
		}
		d.Name = name
		if err := tx.Devices().Save(ctx, d); err != nil {
			return err
		}
		return tx.Journal().Record(ctx, s.event(c, event.DeviceRenamed, id))
	})
	return d, err
}

// Remove takes a device away. The last one stays as long as the account asks
// for a second factor. Its owner is told, unless nobody ever proved to hold it.
func (s *Service) Remove(ctx context.Context, c sessions.Caller, id string) error {
	err := s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		account, err := tx.Users().Get(ctx, c.Tenant, c.User.ID)
		if err != nil {
			return err
		}
		d, err := s.owned(ctx, tx, c, id)
		if err != nil {
			return err
		}
		if d.Confirmed() {
			if err := s.Sessions.RequireFresh(c); err != nil {
				return err
			}
		}
		if err := s.lastStays(ctx, tx, account.User, d); err != nil {
			return err
		}
		if err := tx.Devices().Delete(ctx, c.Tenant, id); err != nil {
			return err
		}
		if d.Confirmed() { // browsers that were remembered for its sake are strangers again
			account.ResetAt = s.Clock.Now()
			if err := tx.Users().Save(ctx, account.User); err != nil {
				return err
			}
			if err := s.weaken(ctx, tx, c, d); err != nil {
				return err
			}
		}
		if err := s.tellRemoved(ctx, tx, c, account, d); err != nil {
			return err
		}
		return tx.Journal().Record(ctx, s.event(c, event.DeviceRemoved, id))
	})
	if err == nil {
		s.Notices.Wake()
	}
	return err
}

// weaken takes out of a person's sessions what a device has proven that is theirs
// no more: somebody else may have it, and may have used it.
func (s *Service) weaken(ctx context.Context, tx store.Tx, c sessions.Caller, d device.Device) error {
	all, err := tx.Sessions().List(ctx, c.Tenant, c.User.ID, s.Clock.Now())
	if err != nil {
		return err
	}
	for _, one := range all {
		left, less := assurance.Without(one.Evidence, s.Challenges.CounterOfDevice(d))
		if !less {
			continue
		}
		one.Evidence = left
		if err := tx.Sessions().Save(ctx, one); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) tellRemoved(ctx context.Context, tx store.Tx, c sessions.Caller, account user.Account, d device.Device) error {
	if !d.Confirmed() {
		return nil
	}
	return s.Notices.Tell(ctx, tx, notices.Telling{
		Account: account, Kind: message.DeviceRemoved, Client: c.Session.Client, Data: map[string]string{"name": d.Name}, Now: s.Clock.Now(),
	})
}

func (s *Service) lastStays(ctx context.Context, tx store.Tx, u user.User, d device.Device) error {
	if !d.SecondFactor() || !u.TwoFactor {
		return nil
	}
	all, err := tx.Devices().List(ctx, u.Tenant, u.ID, "", 0)
	if err != nil {
		return err
	}
	for _, other := range all {
		if other.ID != d.ID && other.SecondFactor() {
			return nil
		}
	}
	return device.ErrLast
}

// RecoveryCodes makes a new sheet; the old codes are dead.
func (s *Service) RecoveryCodes(ctx context.Context, c sessions.Caller) ([]string, error) {
	if c.Devices == 0 {
		return nil, user.ErrNoSecondThing
	}
	if err := s.Sessions.RequireFresh(c); err != nil {
		return nil, err
	}
	account, err := s.Store.Account(ctx, c.Tenant, c.User.ID)
	if err != nil {
		return nil, err
	}
	sheet, codes, err := s.Challenges.IssueRecovery(ctx, account, s.Clock.Now())
	if err != nil {
		return nil, err
	}
	if sheet == nil {
		return nil, channels.ErrNotConfigured
	}
	return codes, s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		all, err := tx.Devices().List(ctx, c.Tenant, c.User.ID, "", 0)
		if err != nil {
			return err
		}
		for _, d := range all {
			if !d.Backup {
				continue
			}
			if err := tx.Devices().Delete(ctx, c.Tenant, d.ID); err != nil {
				return err
			}
		}
		if err := tx.Devices().Add(ctx, *sheet); err != nil {
			return err
		}
		return tx.Journal().Record(ctx, s.event(c, event.RecoveryCodesIssued, sheet.ID))
	})
}

func (s *Service) mine(ctx context.Context, c sessions.Caller, id string) (d device.Device, err error) {
	err = s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		d, err = s.owned(ctx, tx, c, id)
		return err
	})
	return d, err
}

// owned finds a device of the caller's. Somebody else's is not there.
func (s *Service) owned(ctx context.Context, tx store.Tx, c sessions.Caller, id string) (device.Device, error) {
	d, err := tx.Devices().Get(ctx, c.Tenant, id)
	if err != nil {
		return d, err
	}
	if d.User != c.User.ID || d.Status == device.Linked || d.Lapsed(s.Clock.Now()) {
		return device.Device{}, device.ErrNotFound
	}
	return d, nil
}

func (s *Service) event(c sessions.Caller, t event.Type, id string) event.Event {
	return event.Event{
		ID: s.IDs.New(), Tenant: c.Tenant, User: c.User.ID, Type: t, At: s.Clock.Now(), Data: map[string]string{"device": id},
	}
}
