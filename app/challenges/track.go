package challenges

import (
	"context"
	"errors"
	"slices"

	"github.com/countersign/countersign/app/channels"
	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/meter"
	"github.com/countersign/countersign/ports/store"
)

// Track takes a carrier's report on what became of messages. Reports come late,
// twice and in any order: what is known already changes nothing, and a report on a
// message that we know nothing of is nobody's fault. A message that did not arrive
// goes out once more by the next channel of its route, as long as its code works.
// A complaint is an event.
func (s *Service) Track(ctx context.Context, instance string, in channel.Inbound) error {
	via, err := s.Channels.Get(instance)
	if err != nil {
		return err
	}
	tracker, ok := channel.As[channel.Tracker](via.Channel)
	if !ok {
		return channels.ErrNotConfigured
	}
	ctx, cancel := context.WithTimeout(ctx, s.Patience)
	defer cancel()
	reports, err := tracker.Track(ctx, in)
	switch {
	case errors.Is(err, channel.ErrForged):
		return ErrForged
	case err != nil:
		return s.trouble(via.ID, err)
	}
	for _, r := range reports {
		settle := s.note
		if r.Complained {
			settle = s.complained
		}
		if err := settle(ctx, via, r); err != nil {
			return err
		}
	}
	return nil
}

// Greet answers a carrier that asks whether the address for reports is ours. What
// is no such question is a report, as some carriers bring them without a body.
func (s *Service) Greet(ctx context.Context, instance string, in channel.Inbound) (string, error) {
	via, err := s.Channels.Get(instance)
	if err != nil {
		return "", err
	}
	if greeter, ok := channel.As[channel.Greeter](via.Channel); ok {
		answer, err := greeter.Greet(in)
		switch {
		case errors.Is(err, channel.ErrForged):
			return "", ErrForged
		case err != nil:
			return "", s.trouble(via.ID, err)
		case answer != "":
			return answer, nil
		}
	}
	return "", s.Track(ctx, instance, in)
}

// note stores one report.
func (s *Service) note(ctx context.Context, via channels.Instance, r channel.Report) error {
	woken := false
	err := s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		woken = false
		of, err := tx.Receipts().Find(ctx, via.ID, r.Receipt.ID)
		if errors.Is(err, store.ErrNoReceipt) || err == nil && of.Handle == "" {
			return nil
		}
		if err != nil {
			return err
		}
		c, err := tx.Challenges().Get(ctx, of.Tenant, of.Handle)
		if errors.Is(err, challenge.ErrNotFound) {
			return nil
		}
		if err != nil || of.Number != c.Sends || c.Delivery != challenge.Sent {
			return err // an older message, or one that we know the fate of
		}
		switch {
		case r.Delivered:
			c.Delivery = challenge.Delivered
		case r.Err == nil:
			return nil // on its way
		default:
			if woken, err = s.detour(ctx, tx, &c); err != nil {
				return err
			}
		}
		s.Meter.Count(meter.MessagesFinished, meter.L("channel", via.ID), meter.L("outcome", string(c.Delivery)))
		return tx.Challenges().Save(ctx, c)
	})
	if woken {
		s.Courier.Wake()
	}
	return err
}

// complained notes that somebody does not want what we sent. It is the last word
// on a message, so that its receipt goes, and it counts once.
func (s *Service) complained(ctx context.Context, via channels.Instance, r channel.Report) error {
	r.Delivered = true
	if err := s.note(ctx, via, r); err != nil {
		return err
	}
	return s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		of, err := tx.Receipts().Find(ctx, via.ID, r.Receipt.ID)
		if err == nil {
			err = tx.Receipts().Delete(ctx, via.ID, r.Receipt.ID)
		}
		if errors.Is(err, store.ErrNoReceipt) {
			return nil
		}
		if err != nil {
			return err
		}
		e := event.Event{
			ID: s.IDs.New(), Tenant: of.Tenant, Type: event.DeliveryComplained, At: s.Clock.Now(), Data: map[string]string{"channel": via.ID},
		}
		if of.Handle == "" {
			e.Data["kind"] = "notice"
			return tx.Journal().Record(ctx, e)
		}
		c, err := tx.Challenges().Get(ctx, of.Tenant, of.Handle)
		if err != nil && !errors.Is(err, challenge.ErrNotFound) {
			return err
		}
		e.User = c.User
		return tx.Journal().Record(ctx, e)
	})
}

// detour sends the code by the next channel of the route, if there is one, the
// code still works, and somebody may still ask for a message. Else the pause
// before the next message is given back.
func (s *Service) detour(ctx context.Context, tx store.Tx, c *challenge.Challenge) (bool, error) {
	now := s.Clock.Now()
	route := s.Channels.Senders(c.Kind)
	at := slices.IndexFunc(route, func(i channels.Instance) bool { return i.ID == c.Channel })
	if c.Refusal(now) != nil || c.Device != "" || c.SendsLeft() == 0 || at < 0 || at+1 >= len(route) {
		c.Delivery = challenge.Failed
		return false, tx.Challenges().Refund(ctx, "", []string{CooldownKey(*c)}, now)
	}
	if err := c.Resend(now, s.Tenants.Policy(c.Tenant).Challenge.ResendAfter); err != nil {
		return false, err
	}
	c.Channel = route[at+1].ID
	return true, tx.Challenges().Queue(ctx, *s.message(*c, now))
}
