package support

import (
	"context"
	"strings"
	"unicode/utf8"

	"github.com/countersign/countersign/app/challenges"
	"github.com/countersign/countersign/app/channels"
	"github.com/countersign/countersign/app/notices"
	"github.com/countersign/countersign/domain/device"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/fault"
	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/message"
)

// ErrImport means that a device cannot be taken over as it was asked for.
var ErrImport = fault.New(fault.Invalid, "invalid_request", "This device cannot be imported.")

// Import is a device that somebody has set up with another system.
type Import struct {
	Act

	Channel string
	Name    string // "" is what the channel calls itself
	Secret  []byte `json:"-"` // that the device shares with its system
}

// Import binds a device that was set up elsewhere, so that people who move here
// need not set it up again. It counts at once: the other system has seen that it
// works. It refuses with channels.ErrNotConfigured where the channel is not there
// or shares no secrets, and with ErrImport what is no secret.
func (s *Service) Import(ctx context.Context, in Import) (device.Device, error) {
	if err := s.check(in.Act, false); err != nil {
		return device.Device{}, err
	}
	via, err := s.Channels.Get(in.Channel)
	if err != nil {
		return device.Device{}, err
	}
	importer, ok := channel.As[channel.Importer](via.Channel)
	if !ok {
		return device.Device{}, channels.ErrNotConfigured.Saying("Devices of this channel share no secret that could be imported.")
	}
	credential, err := importer.Import(in.Secret)
	if err != nil {
		return device.Device{}, ErrImport.Because(err)
	}
	one := device.Device{
		ID: s.IDs.New(), Tenant: in.Tenant, User: in.User, Channel: via.ID, Name: strings.TrimSpace(in.Name), Status: device.Active,
		CreatedAt: s.Clock.Now(),
	}
	if one.Name == "" {
		one.Name = via.Title
	}
	if utf8.RuneCountInString(one.Name) > device.MaxName || !utf8.ValidString(one.Name) || strings.ContainsFunc(one.Name, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return device.Device{}, ErrImport.Saying("A name has at most 64 printable characters.")
	}
	if one.Credential, err = s.Sealer.Seal(credential, challenges.PlaceOfCredential(one.Tenant, one.ID)); err != nil {
		return device.Device{}, err
	}
	return one, s.do(ctx, in.Act, func(ctx context.Context, d *doing) error {
		if err := d.tx.Devices().Add(ctx, one); err != nil {
			return err
		}
		if err := s.record(ctx, d, event.DeviceEnrolled, "device", one.ID, "channel", one.Channel, "imported", "yes"); err != nil {
			return err
		}
		return s.Notices.Tell(ctx, d.tx, notices.Telling{
			Account: d.account, Kind: message.DeviceAdded, Data: map[string]string{"name": one.Name}, Now: d.now,
		})
	})
}
