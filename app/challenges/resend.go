package challenges

import (
	"context"

	"github.com/countersign/countersign/app/channels"
	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/ports/store"
)

// Resend sends the same code again, through the same channel or another one
// that reaches the same address. The attempts are not refilled.
func (s *Service) Resend(ctx context.Context, tenant, handle, instance string) (View, error) {
	p := s.Tenants.Policy(tenant)
	now := s.Clock.Now()
	seen, err := s.Store.Challenge(ctx, tenant, handle, p.Challenge.Live)
	if err != nil {
		return View{}, err
	}
	if err := seen.Refusal(now); err != nil {
		return View{}, err
	}
	via, err := s.again(seen, instance)
	if err != nil {
		return View{}, err
	}
	var c challenge.Challenge
	err = s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		if c, err = tx.Challenges().Get(ctx, tenant, handle); err != nil {
			return err
		}
		if err := c.Resend(now, p.Challenge.ResendAfter); err != nil {
			return err
		}
		c.Channel = via.ID
		if err := tx.Challenges().Take(ctx, s.recipient(c, p), now); err != nil {
			return err
		}
		if err := tx.Challenges().Queue(ctx, *s.message(c, now)); err != nil {
			return err
		}
		return tx.Challenges().Save(ctx, c)
	})
	if err != nil {
		s.countLimit(err)
		return View{}, err
	}
	s.Courier.Wake()
	return s.view(c), nil
}

// again finds the channel for another message.
func (s *Service) again(c challenge.Challenge, instance string) (channels.Instance, error) {
	if instance == "" || instance == c.Channel {
		return s.Channels.Get(c.Channel)
	}
	if c.Device != "" {
		return channels.Instance{}, channels.ErrNotConfigured
	}
	return s.pick(instance, c.Kind)
}
