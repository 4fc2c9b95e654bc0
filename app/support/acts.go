package support

import (
	"context"
	"strconv"

	"github.com/countersign/countersign/app/channels"
	"github.com/countersign/countersign/app/notices"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/device"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/message"
	"github.com/countersign/countersign/ports/store"
)

// Done says what an act has done.
type Done struct {
	Devices  int // that were removed
	Sessions int // that have ended
	Counters int // of failures in a row that were cleared
}

// Reset takes all second factors away from somebody who has lost them: devices,
// recovery codes, remembered browsers. Everything under way is worthless, all
// sessions end, and the person is told at every address they have proven.
func (s *Service) Reset(ctx context.Context, a Act) (done Done, err error) {
	if err := s.check(a, true); err != nil {
		return done, err
	}
	err = s.do(ctx, a, func(ctx context.Context, d *doing) error {
		done = Done{}
		was := d.account.TwoFactor
		all, err := d.tx.Devices().List(ctx, d.Tenant, d.account.ID, "", 0)
		if err != nil {
			return err
		}
		for _, one := range all {
			if err := d.tx.Devices().Delete(ctx, d.Tenant, one.ID); err != nil {
				return err
			}
			if err := s.record(ctx, d, event.DeviceRemoved, "device", one.ID); err != nil {
				return err
			}
		}
		d.account.TwoFactor, d.account.ResetAt = false, d.now
		if err := d.tx.Users().Save(ctx, d.account.User); err != nil {
			return err
		}
		if err := s.record(ctx, d, event.TwoFactorChanged, "required", "no", "reset", "yes"); err != nil {
			return err
		}
		done.Devices = len(all)
		if done.Sessions, err = s.end(ctx, d); err != nil {
			return err
		}
		return s.tellReset(ctx, d, was, all)
	})
	return done, err
}

// tellReset tells a person what they have lost. It goes to every address: an
// attacker who talked support into this may hold one of them.
func (s *Service) tellReset(ctx context.Context, d *doing, was bool, removed []device.Device) error {
	for _, i := range d.account.Identifiers {
		if i.Kind == contact.Username || !i.Verified() {
			continue
		}
		t := notices.Telling{Account: d.account, Kind: message.TwoFactorChanged, To: i.Contact, Data: map[string]string{"required": "no"}, Now: d.now}
		if was {
			if err := s.Notices.Tell(ctx, d.tx, t); err != nil {
				return err
			}
			continue
		}
		for _, one := range removed {
			if !one.SecondFactor() {
				continue
			}
			t.Kind, t.Data = message.DeviceRemoved, map[string]string{"name": one.Name}
			if err := s.Notices.Tell(ctx, d.tx, t); err != nil {
				return err
			}
		}
	}
	return nil
}

// Unlock forgets the failures in a row that keep a person out: those of their
// addresses, devices and password.
func (s *Service) Unlock(ctx context.Context, a Act) (done Done, err error) {
	if err := s.check(a, false); err != nil {
		return done, err
	}
	err = s.do(ctx, a, func(ctx context.Context, d *doing) error {
		done = Done{}
		all, err := d.tx.Devices().List(ctx, d.Tenant, d.account.ID, "", 0)
		if err != nil {
			return err
		}
		for _, key := range s.Challenges.CountersOf(d.account, all) {
			c, err := d.tx.Counters().Read(ctx, key)
			if err != nil {
				return err
			}
			if c.Failures == 0 {
				continue
			}
			if err := d.tx.Counters().Clear(ctx, key); err != nil {
				return err
			}
			done.Counters++
		}
		return s.record(ctx, d, event.DeviceUnlocked, "counters", strconv.Itoa(done.Counters))
	})
	return done, err
}

// SignOut ends all sessions of a person.
func (s *Service) SignOut(ctx context.Context, a Act) (done Done, err error) {
	if err := s.check(a, false); err != nil {
		return done, err
	}
	err = s.do(ctx, a, func(ctx context.Context, d *doing) (err error) {
		done.Sessions, err = s.end(ctx, d)
		return err
	})
	return done, err
}

// Block keeps a person out: they look unknown to strangers, all sessions end, and
// everything under way is worthless. Blocking twice changes nothing.
func (s *Service) Block(ctx context.Context, a Act) (done Done, err error) {
	if err := s.check(a, true); err != nil {
		return done, err
	}
	err = s.do(ctx, a, func(ctx context.Context, d *doing) error {
		done = Done{}
		if d.account.Status == user.Blocked {
			return nil
		}
		d.account.Status, d.account.ResetAt = user.Blocked, d.now
		if err := d.tx.Users().Save(ctx, d.account.User); err != nil {
			return err
		}
		if err := s.record(ctx, d, event.UserBlocked); err != nil {
			return err
		}
		done.Sessions, err = s.end(ctx, d)
		return err
	})
	return done, err
}

// Unblock lets a person in again. Unblocking who is not blocked changes nothing.
func (s *Service) Unblock(ctx context.Context, a Act) error {
	if err := s.check(a, false); err != nil {
		return err
	}
	return s.do(ctx, a, func(ctx context.Context, d *doing) error {
		if d.account.Status != user.Blocked {
			return nil
		}
		d.account.Status = user.Active
		if err := d.tx.Users().Save(ctx, d.account.User); err != nil {
			return err
		}
		return s.record(ctx, d, event.UserUnblocked)
	})
}

// RecoveryCodes makes a new sheet of recovery codes for somebody who is locked
// out; the old codes are dead. Each lets them in once. The person is told.
func (s *Service) RecoveryCodes(ctx context.Context, a Act) ([]string, error) {
	if err := s.check(a, true); err != nil {
		return nil, err
	}
	account, err := s.Store.Account(ctx, a.Tenant, a.User)
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
	err = s.do(ctx, a, func(ctx context.Context, d *doing) error {
		if err := replaceSheet(ctx, d, *sheet); err != nil {
			return err
		}
		if err := s.record(ctx, d, event.RecoveryCodesIssued, "device", sheet.ID); err != nil {
			return err
		}
		return s.Notices.Tell(ctx, d.tx, notices.Telling{
			Account: d.account, Kind: message.DeviceAdded, Data: map[string]string{"name": sheet.Name}, Now: d.now,
		})
	})
	if err != nil {
		return nil, err
	}
	return codes, nil
}

func replaceSheet(ctx context.Context, d *doing, sheet store.Device) error {
	all, err := d.tx.Devices().List(ctx, d.Tenant, d.account.ID, "", 0)
	if err != nil {
		return err
	}
	for _, old := range all {
		if !old.Backup {
			continue
		}
		if err := d.tx.Devices().Delete(ctx, d.Tenant, old.ID); err != nil {
			return err
		}
	}
	return d.tx.Devices().Add(ctx, sheet)
}
