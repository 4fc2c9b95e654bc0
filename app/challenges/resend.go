package challenges

import (
	"context"
	"errors"

	"github.com/countersign/countersign/app/channels"
	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/fault"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/store"
)

// Resend sends the same code again, through the same channel or another one
// that reaches the same address; a provider that makes codes may send a new one.
// The attempts are not refilled.
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
	var before, c challenge.Challenge
	err = s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		if c, err = tx.Challenges().Get(ctx, tenant, handle); err != nil {
			return err
		}
		if err := awaited(ctx, tx, c); err != nil {
			return err
		}
		if before = c; via.ID != c.Channel {
			c.Round = 0 // the other channel was not asked yet
		}
		if err := c.Resend(now, p.Challenge.ResendAfter); err != nil {
			return err
		}
		if c.Channel = via.ID; via.Costs {
			if err := tx.Challenges().Take(ctx, s.recipient(c, p), now); err != nil {
				return err
			}
			return tx.Challenges().Save(ctx, c)
		}
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
	if via.Costs {
		v, err := s.reachAgain(ctx, via, c)
		if err != nil {
			err = errors.Join(err, s.unsent(context.WithoutCancel(ctx), before))
		}
		return v, err
	}
	s.Courier.Wake()
	return s.view(c), nil
}

// awaited refuses with challenge.ErrNotFound the proof of a change that was given
// up or replaced: it would go out for nothing. What a machine was told that fell
// into the trap belongs to nobody, and goes on as if it were awaited.
func awaited(ctx context.Context, tx store.Tx, c challenge.Challenge) error {
	if c.Purpose != challenge.ChangeIdentifier {
		return nil
	}
	ch, err := tx.Changes().Get(ctx, c.Tenant, c.User, c.Kind)
	if err == nil && ch.ID == c.Extra.Change {
		return nil
	}
	if _, foreseen := fault.Of(err); err != nil && !foreseen {
		return err
	}
	if _, err := tx.Users().Get(ctx, c.Tenant, c.User); c.Decoy && errors.Is(err, user.ErrNotFound) {
		return nil
	}
	return challenge.ErrNotFound
}

// again finds the channel for another message.
func (s *Service) again(c challenge.Challenge, instance string) (channels.Instance, error) {
	if instance == "" || instance == c.Channel {
		return s.Channels.Get(c.Channel)
	}
	if c.Device != "" {
		return channels.Instance{}, channels.ErrNotConfigured
	}
	via, err := s.pick(instance, c.Kind)
	if err == nil && !fits(via, c) {
		err = ErrRequest.With(fault.Field{Pointer: "/channel", Code: "invalid_channel", Detail: "This channel sends codes of another form."})
	}
	return via, err
}

// reachAgain asks a channel that reaches people by itself to do so once more. It
// was paid for.
func (s *Service) reachAgain(ctx context.Context, via channels.Instance, c challenge.Challenge) (View, error) {
	about, err := s.about(ctx, c)
	if err != nil {
		return View{}, err
	}
	a := aim{via: via, device: about.Device}
	if about.User != nil {
		a.account.User = *about.User
	}
	c.Round-- // begin counts it again
	show, err := s.reach(ctx, &c, a)
	if err != nil {
		return View{}, err
	}
	v := s.view(c)
	v.Prompt.Show = show
	return v, nil
}
