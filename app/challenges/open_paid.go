package challenges

import (
	"context"
	"errors"

	"github.com/countersign/countersign/app/channels"
	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/meter"
	"github.com/countersign/countersign/ports/store"
)

// errNoPreview means that a channel is not made as the port asks.
var errNoPreview = errors.New("the channel reaches people when it begins, and has no preview")

// openPaid is for channels whose Begin reaches the person, such as providers that
// make and send codes of their own. Asking them costs money, so the price is paid
// and committed before they are asked, and they are never asked about somebody
// who is not there.
func (s *Service) openPaid(ctx context.Context, in StartInput, a aim, c challenge.Challenge) (opened, error) {
	preview, ok := channel.As[channel.Previewer](a.via.Channel)
	if !ok {
		return opened{}, errNoPreview
	}
	asked, err := s.asked(c, a.account, a.device)
	if err != nil {
		return opened{}, err
	}
	p := s.Tenants.Policy(c.Tenant)
	if c.Format, c.Prompt, err = keep(preview.Preview(asked)); err != nil {
		return opened{}, err
	}
	c.Round, c.Delivery, c.Sends, c.MaxSends = 0, challenge.Queued, 1, p.Challenge.Sends
	c.ResendAt = c.CreatedAt.Add(p.Challenge.ResendAfter)
	if err := s.Store.Start(ctx, store.Start{Challenge: c, Windows: s.windows(in, c, p), Now: c.CreatedAt}); err != nil {
		s.countLimit(err)
		return opened{}, err
	}
	s.Meter.Count(meter.ChallengesStarted, meter.L("purpose", string(c.Purpose)), meter.L("channel", c.Channel))
	show, err := s.reach(ctx, &c, a)
	if err != nil {
		return opened{}, errors.Join(err, s.lost(context.WithoutCancel(ctx), c))
	}
	v := s.view(c)
	v.Prompt.Show = show
	return opened{View: v, show: show}, nil
}

// reach asks the channel to reach the person, keeps what it wants to remember, and
// gives what is shown once. A challenge whose first message must not go out is a
// decoy from then on: the channel knows nothing of it.
func (s *Service) reach(ctx context.Context, c *challenge.Challenge, a aim) (show []string, err error) {
	if c.Decoy {
		return nil, s.pretend(ctx, c)
	}
	if !s.sends(a.via, contact.Contact{Kind: c.Kind, Value: c.Destination}) {
		c.Decoy = c.Sends == 1
		return nil, s.pretend(ctx, c)
	}
	pays, err := s.ranges.Pay(ctx, *c)
	switch {
	case err != nil:
		return nil, err
	case !pays:
		c.Decoy = c.Sends == 1
		return nil, s.pretend(ctx, c)
	}
	kept, start := *c, s.Clock.Now()
	o, err := s.begin(ctx, c, a)
	s.pace.learn(c.Channel, began, fate{s.Clock.Now().Sub(start), err})
	if err != nil {
		s.ranges.GiveBack(ctx, kept)
		return nil, err
	}
	c.Format, c.Prompt = kept.Format, kept.Prompt // as the preview promised
	c.Delivery, c.Sends, c.MaxSends, c.ResendAt = challenge.Sent, kept.Sends, kept.MaxSends, kept.ResendAt
	return o.Prompt.Show, s.update(ctx, *c)
}

// pretend takes as long as the channel did last, and ends as that did.
func (s *Service) pretend(ctx context.Context, c *challenge.Challenge) error {
	if err := s.pace.pretend(ctx, c.Channel, began); err != nil {
		return err
	}
	c.Round, c.Delivery = c.Round+1, challenge.Sent
	return s.update(ctx, *c)
}

// fits reports whether a challenge's code can come by another channel: it was
// said what the code looks like, and a provider makes its own.
func fits(via channels.Instance, c challenge.Challenge) bool {
	if !via.Costs {
		return true
	}
	preview, ok := channel.As[channel.Previewer](via.Channel)
	if !ok {
		return false
	}
	format, _, err := keep(preview.Preview(channel.Challenge{Purpose: channel.Authenticate, Locale: c.Locale}))
	return err == nil && format == c.Format
}

// update stores what a channel said of a challenge that goes on.
func (s *Service) update(ctx context.Context, c challenge.Challenge) error {
	return s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		now, err := tx.Challenges().Get(ctx, c.Tenant, c.Handle)
		if err != nil {
			return err
		}
		now.State, now.Round, now.Delivery = c.State, c.Round, c.Delivery
		now.Decoy = now.Decoy || c.Decoy
		return tx.Challenges().Save(ctx, now)
	})
}

// lost ends a challenge that reached nobody, and gives the pause before the next
// one back.
func (s *Service) lost(ctx context.Context, c challenge.Challenge) error {
	return s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		now, err := tx.Challenges().Get(ctx, c.Tenant, c.Handle)
		if err != nil {
			return err
		}
		now.Delivery = challenge.Failed
		if err := now.Cancel(); err != nil {
			return err
		}
		if err := tx.Challenges().Save(ctx, now); err != nil {
			return err
		}
		return tx.Challenges().Refund(ctx, "", []string{CooldownKey(c)}, s.Clock.Now())
	})
}

// unsent takes back another message that reached nobody, and gives its pause
// back. The message before may have arrived: its code works as it did.
func (s *Service) unsent(ctx context.Context, before challenge.Challenge) error {
	return s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		now, err := tx.Challenges().Get(ctx, before.Tenant, before.Handle)
		if err != nil {
			return err
		}
		now.Unsend(before)
		if err := tx.Challenges().Save(ctx, now); err != nil {
			return err
		}
		return tx.Challenges().Refund(ctx, "", []string{CooldownKey(before)}, s.Clock.Now())
	})
}
