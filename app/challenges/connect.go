package challenges

import (
	"context"
	"errors"
	"slices"

	"github.com/countersign/countersign/app/sessions"
	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/device"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/password"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/message"
	"github.com/countersign/countersign/ports/store"
)

// Connections lists the caller's accounts elsewhere, oldest first.
func (s *Service) Connections(ctx context.Context, c sessions.Caller) (out []device.Device, err error) {
	err = s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		all, err := tx.Devices().List(ctx, c.Tenant, c.User.ID, "", 0)
		out = slices.DeleteFunc(all, func(d device.Device) bool { return d.Status != device.Linked })
		return err
	})
	return out, err
}

// Connect lets an account elsewhere sign the caller in from now on:
// device.ErrLinked if it signs in anybody already.
func (s *Service) Connect(ctx context.Context, c sessions.Caller, in Assertion) error {
	if err := s.Sessions.RequireFresh(c); err != nil {
		return err
	}
	w, err := s.judge(ctx, in, challenge.Enroll)
	if err != nil {
		return err
	}
	w.now = s.Clock.Now()
	st, err := s.settlement(w)
	if err != nil {
		return err
	}
	link := session.Link{Channel: w.via.ID, Ref: w.verdict.Ref, Name: w.via.Title}
	st.Then = func(ctx context.Context, tx store.Tx) error { return s.connect(ctx, tx, c.User, link, w.now) }
	w.paid.Challenge.User = c.User.ID
	s.tell(w, &st, message.DeviceAdded, map[string]string{"name": link.Name})
	if err := s.Store.Settle(ctx, st); err != nil {
		return err
	}
	s.wake(st)
	return nil
}

// Disconnect takes an account elsewhere off the caller: user.ErrLastLogin if they
// could not sign in any more, device.ErrNotFound if they have none of that channel.
func (s *Service) Disconnect(ctx context.Context, c sessions.Caller, instance string) error {
	if err := s.Sessions.RequireFresh(c); err != nil {
		return err
	}
	now := s.Clock.Now()
	return s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		account, err := tx.Users().Get(ctx, c.Tenant, c.User.ID)
		if err != nil {
			return err
		}
		all, err := tx.Devices().List(ctx, c.Tenant, c.User.ID, "", 0)
		if err != nil {
			return err
		}
		gone := func(d device.Device) bool { return d.Status == device.Linked && d.Channel == instance }
		if !slices.ContainsFunc(all, gone) {
			return device.ErrNotFound
		}
		if ways, err := s.WaysIn(ctx, tx, account, slices.DeleteFunc(slices.Clone(all), gone)); err != nil || ways == 0 {
			return firstError(err, user.ErrLastLogin)
		}
		for _, d := range all {
			if !gone(d) {
				continue
			}
			if err := tx.Devices().Delete(ctx, d.Tenant, d.ID); err != nil {
				return err
			}
			fact := event.Event{
				ID: s.IDs.New(), Tenant: d.Tenant, User: d.User, Type: event.ConnectionRemoved, At: now,
				Data: map[string]string{"device": d.ID, "channel": d.Channel},
			}
			if err := tx.Journal().Record(ctx, fact); err != nil {
				return err
			}
		}
		return nil
	})
}

// WaysIn counts the ways by which a person with these identifiers and devices can
// sign in: proven addresses that something reaches, a password with a user name or
// a proven address to go with it, accounts elsewhere, and devices that tell by themselves who they are.
func (s *Service) WaysIn(ctx context.Context, tx store.Tx, a user.Account, devices []device.Device) (int, error) {
	n, named := 0, false
	for _, i := range a.Identifiers {
		named = named || i.Verified() || i.Kind == contact.Username
		if i.Verified() && len(s.Channels.Route(i.Kind)) > 0 {
			n++
		}
	}
	for _, d := range devices {
		if via, err := s.Channels.Get(d.Channel); err == nil && via.Identify && d.Status != device.Pending {
			n++
		}
	}
	if !named || !s.Tenants.Policy(a.Tenant).Password.Enabled {
		return n, nil
	}
	switch _, err := tx.Passwords().Get(ctx, a.Tenant, a.ID); {
	case err == nil:
		return n + 1, nil
	case errors.Is(err, password.ErrNone):
		return n, nil
	default:
		return n, err
	}
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
