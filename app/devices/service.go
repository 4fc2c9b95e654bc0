// Package devices is about a person's own authenticators: enrol, list, rename
// and remove them, and print a new sheet of recovery codes.
package devices

import (
	"context"
	"strings"
	"unicode/utf8"

	"github.com/countersign/countersign/app/challenges"
	"github.com/countersign/countersign/app/channels"
	"github.com/countersign/countersign/app/sessions"
	"github.com/countersign/countersign/app/tenants"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/device"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/fault"
	"github.com/countersign/countersign/domain/policy"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/channel"
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
	Clock      system.Clock
	IDs        system.IDs
}

// Service is the use cases around devices. It is safe for concurrent use.
type Service struct{ Needs }

// New makes the service.
func New(n Needs) *Service { return &Service{n} }

// EnrollInput is a wish to bind a device.
type EnrollInput struct {
	Channel string
	Name    string // empty: what the channel calls itself
	To      string // for channels that send; as typed
	Locale  string
	Client  string
}

// Enrolled is a device that waits for its proof.
type Enrolled struct {
	Device    device.Device
	Challenge challenges.View
}

// Enroll binds a device to the caller as soon as it has answered its challenge.
// Whoever has one already must have proven lately that it is they: else a stolen
// token could add another one.
func (s *Service) Enroll(ctx context.Context, c sessions.Caller, in EnrollInput) (Enrolled, error) {
	via, err := s.Channels.Get(in.Channel)
	if err != nil {
		return Enrolled{}, err
	}
	p := s.Tenants.Policy(c.Tenant)
	if via.Backup || p.TwoFactor.Mode == policy.Off {
		return Enrolled{}, channels.ErrNotConfigured
	}
	if c.Devices > 0 {
		if err := s.Sessions.RequireFresh(c); err != nil {
			return Enrolled{}, err
		}
	}
	d, err := s.draft(c, via, in, p)
	if err != nil {
		return Enrolled{}, err
	}
	account, err := s.Store.Account(ctx, c.Tenant, c.User.ID)
	if err != nil {
		return Enrolled{}, err
	}
	err = s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error { return tx.Devices().Add(ctx, d) })
	if err != nil {
		return Enrolled{}, err
	}
	view, err := s.Challenges.Enroll(ctx, challenges.EnrollInput{Caller: c, Account: account, Device: d, Locale: in.Locale, Client: in.Client})
	if err != nil {
		_ = s.Store.Do(context.WithoutCancel(ctx), func(ctx context.Context, tx store.Tx) error { return tx.Devices().Delete(ctx, c.Tenant, d.ID) })
		return Enrolled{}, err
	}
	return Enrolled{Device: d, Challenge: view}, nil
}

func (s *Service) draft(c sessions.Caller, via channels.Instance, in EnrollInput, p policy.Policy) (device.Device, error) {
	d := device.Device{
		ID: s.IDs.New(), Tenant: c.Tenant, User: c.User.ID, Channel: via.ID, Name: via.Title,
		Status: device.Pending, CreatedAt: s.Clock.Now(),
	}
	if in.Name != "" {
		name, err := cleanName(in.Name)
		if err != nil {
			return d, err
		}
		d.Name = name
	}
	sends := via.Address == channel.Email || via.Address == channel.Phone
	switch {
	case sends && in.To == "":
		return d, challenges.ErrRequest.With(fault.Field{Pointer: "/to", Code: "field_required", Detail: "Say which address this device is."})
	case !sends && in.To != "":
		return d, challenges.ErrRequest.With(fault.Field{Pointer: "/to", Code: "not_allowed", Detail: "This channel has no addresses."})
	case sends:
		to, err := s.Contacts.Parse(contact.Kind(via.Address), in.To, p.Identity.Region)
		if f, ok := fault.Of(err); ok {
			return d, challenges.ErrRequest.With(fault.Field{Pointer: "/to", Code: f.Code, Detail: f.Text})
		}
		d.Address = to.Value
		return d, err
	}
	return d, nil
}

func cleanName(raw string) (string, error) {
	name := strings.TrimSpace(raw)
	if name == "" || utf8.RuneCountInString(name) > device.MaxName || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return "", challenges.ErrRequest.With(fault.Field{Pointer: "/name", Code: "invalid_name", Detail: "Use 1 to 64 characters."})
	}
	return name, nil
}

// List gives the caller's devices in the order in which they were made: at most
// limit of them, those after the one named after. Sheets of recovery codes are
// not devices in this sense.
func (s *Service) List(ctx context.Context, c sessions.Caller, after string, limit int) (out []device.Device, err error) {
	err = s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		out, err = tx.Devices().List(ctx, c.Tenant, c.User.ID, after, limit)
		return err
	})
	return out, err
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
		if d, err = owned(ctx, tx, c, id); err != nil {
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
// for a second factor.
func (s *Service) Remove(ctx context.Context, c sessions.Caller, id string) error {
	return s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		account, err := tx.Users().Get(ctx, c.Tenant, c.User.ID)
		if err != nil {
			return err
		}
		d, err := owned(ctx, tx, c, id)
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
		return tx.Journal().Record(ctx, s.event(c, event.DeviceRemoved, id))
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
		d, err = owned(ctx, tx, c, id)
		return err
	})
	return d, err
}

// owned finds a device of the caller's. Somebody else's is not there.
func owned(ctx context.Context, tx store.Tx, c sessions.Caller, id string) (device.Device, error) {
	d, err := tx.Devices().Get(ctx, c.Tenant, id)
	if err != nil {
		return d, err
	}
	if d.User != c.User.ID {
		return device.Device{}, device.ErrNotFound
	}
	return d, nil
}

func (s *Service) event(c sessions.Caller, t event.Type, id string) event.Event {
	return event.Event{
		ID: s.IDs.New(), Tenant: c.Tenant, User: c.User.ID, Type: t, At: s.Clock.Now(), Data: map[string]string{"device": id},
	}
}
