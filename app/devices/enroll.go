package devices

import (
	"context"
	"net/netip"
	"strings"
	"unicode/utf8"

	"github.com/countersign/countersign/app/challenges"
	"github.com/countersign/countersign/app/channels"
	"github.com/countersign/countersign/app/sessions"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/device"
	"github.com/countersign/countersign/domain/fault"
	"github.com/countersign/countersign/domain/policy"
	"github.com/countersign/countersign/domain/rule"
	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/store"
)

// EnrollInput is a wish to bind a device.
type EnrollInput struct {
	Channel string
	Name    string // empty: what the channel calls itself
	To      string // for channels that send; as typed
	Locale  string
	Client  string
	IP      netip.Addr // the client's network address
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
	fresh := d.ID
	err = s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) (err error) {
		d, err = s.add(ctx, tx, d)
		return err
	})
	if err != nil {
		return Enrolled{}, err
	}
	view, err := s.Challenges.Enroll(ctx, challenges.EnrollInput{Caller: c, Account: account, Device: d, Locale: in.Locale, Client: in.Client})
	if err != nil && d.ID == fresh {
		_ = s.Store.Do(context.WithoutCancel(ctx), func(ctx context.Context, tx store.Tx) error { return tx.Devices().Delete(ctx, c.Tenant, d.ID) })
	}
	if err != nil {
		return Enrolled{}, err
	}
	return Enrolled{Device: d, Challenge: view}, nil
}

// maxDevices is how many devices a person may have.
const maxDevices = 20

// ErrTooMany means that a person has as many devices as anybody may.
var ErrTooMany = fault.New(fault.Conflict, "too_many_devices", "You have as many devices as anybody may have. Remove one first.")

// add gives the device as it is stored: one address is one device, so one that
// waits for its proof already is asked again. It makes room by dropping devices
// that have waited too long. Whoever adds at the same moment waits for the user.
func (s *Service) add(ctx context.Context, tx store.Tx, d device.Device) (device.Device, error) {
	if _, err := tx.Users().Get(ctx, d.Tenant, d.User); err != nil {
		return d, err
	}
	all, err := tx.Devices().List(ctx, d.Tenant, d.User, "", 0)
	if err != nil {
		return d, err
	}
	n := 0
	for _, old := range all {
		switch {
		case old.Backup:
		case d.Address != "" && old.Channel == d.Channel && old.Address == d.Address && old.Confirmed():
			return d, device.ErrLinked.Saying("This address is one of your devices already.")
		case old.Lapsed(d.CreatedAt):
			if err := tx.Devices().Delete(ctx, old.Tenant, old.ID); err != nil {
				return d, err
			}
		case d.Address != "" && old.Channel == d.Channel && old.Address == d.Address:
			old.Name = d.Name
			return old, tx.Devices().Save(ctx, old)
		default:
			n++
		}
	}
	if n >= maxDevices {
		return d, ErrTooMany
	}
	return d, tx.Devices().Add(ctx, d)
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
		if err == nil {
			err = s.Gate.Serve(c.Tenant, rule.Asked{Contact: to, Address: in.IP})
		}
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
