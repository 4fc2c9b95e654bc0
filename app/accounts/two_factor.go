package accounts

import (
	"context"

	"github.com/countersign/countersign/app/challenges"
	"github.com/countersign/countersign/app/channels"
	"github.com/countersign/countersign/app/sessions"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/policy"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/message"
	"github.com/countersign/countersign/ports/store"
)

// TwoFactor is how an account stands with its second factor.
type TwoFactor struct {
	Required     bool
	Devices      int // confirmed, without sheets of recovery codes
	RecoveryLeft int
}

// TwoFactor shows how the caller stands.
func (s *Service) TwoFactor(ctx context.Context, c sessions.Caller) (t TwoFactor, err error) {
	err = s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		t, err = s.twoFactor(ctx, tx, c)
		return err
	})
	return t, err
}

// RequireTwoFactor switches the second factor on or off. It is never on without
// a device, and never changed without a fresh proof.
func (s *Service) RequireTwoFactor(ctx context.Context, c sessions.Caller, on bool) (t TwoFactor, err error) {
	mode := s.Tenants.Policy(c.Tenant).TwoFactor.Mode
	if mode == policy.Off {
		return t, channels.ErrNotConfigured
	}
	data := map[string]string{"required": yesNo(on)}
	err = s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		account, err := tx.Users().Get(ctx, c.Tenant, c.User.ID)
		if err != nil {
			return err
		}
		if t, err = s.twoFactor(ctx, tx, c); err != nil {
			return err
		}
		if on && t.Devices == 0 {
			return user.ErrNoSecondThing
		}
		if account.TwoFactor == on {
			return nil
		}
		if err := s.Sessions.RequireFresh(c); err != nil {
			return err
		}
		account.TwoFactor, account.ResetAt, t.Required = on, s.Clock.Now(), on || mode == policy.Required
		if err := tx.Users().Save(ctx, account.User); err != nil {
			return err
		}
		if err := s.tell(ctx, tx, c, account, message.TwoFactorChanged, data); err != nil {
			return err
		}
		return tx.Journal().Record(ctx, s.event(c, event.TwoFactorChanged, data))
	})
	if err == nil {
		s.Notices.Wake()
	}
	return t, err
}

func (s *Service) twoFactor(ctx context.Context, tx store.Tx, c sessions.Caller) (TwoFactor, error) {
	account, err := tx.Users().Get(ctx, c.Tenant, c.User.ID)
	if err != nil {
		return TwoFactor{}, err
	}
	t := TwoFactor{Required: account.TwoFactor || s.Tenants.Policy(c.Tenant).TwoFactor.Mode == policy.Required}
	all, err := tx.Devices().List(ctx, c.Tenant, c.User.ID, "", 0)
	for _, d := range all {
		switch {
		case d.SecondFactor():
			t.Devices++
		case d.Backup:
			t.RecoveryLeft += s.remaining(d)
		}
	}
	return t, err
}

// remaining counts the codes of a sheet that are left.
func (s *Service) remaining(d store.Device) int {
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

func yesNo(on bool) string {
	if on {
		return "yes"
	}
	return "no"
}
