package main

import (
	"context"
	"fmt"
	"time"

	"github.com/pquerna/otp/hotp"

	"github.com/countersign/countersign/test/bench/api"
	"github.com/countersign/countersign/test/bench/load"
)

// workers is how many prepare at the same time.
const workers = 32

// authenticator is an app with its owner. One goroutine uses it at a time.
type authenticator struct {
	person
	device, secret string
	step           int64 // the last that was used
}

// code is that of the earliest step that is still good: the server takes one
// step before and after its own, and each only once.
func (a *authenticator) code(now time.Time) (string, error) {
	current := now.Unix() / 30
	step := max(a.step+1, current)
	if step > current+1 {
		return "", fmt.Errorf("an authenticator has no unused code: step %d at %d", a.step, current)
	}
	code, err := hotp.GenerateCode(a.secret, uint64(step))
	if err != nil {
		return "", fmt.Errorf("compute a code: %w", err)
	}
	a.step = step
	return code, nil
}

// each does something n times over several connections.
func (s *stand) each(ctx context.Context, n int, do func(ctx context.Context, c *api.Client, i int) error) error {
	if n <= 0 {
		return nil
	}
	clients, hangUp, err := s.clients(min(workers, n))
	if err != nil {
		return err
	}
	defer hangUp()
	return load.Each(ctx, len(clients), n, func(ctx context.Context, worker, i int) error { return do(ctx, clients[worker], i) })
}

// needPeople makes sure that so many known users have rested.
func (s *stand) needPeople(ctx context.Context, n int) error {
	err := s.each(ctx, n-s.people.Len(), func(ctx context.Context, c *api.Client, _ int) error {
		p := s.stranger()
		if _, err := s.admit(ctx, c, p); err != nil {
			return fmt.Errorf("make a known user: %w", err)
		}
		s.people.Put(p, time.Now())
		return nil
	})
	if err != nil {
		return err
	}
	return s.people.Await(ctx, n)
}

// needDevices makes sure that so many authenticators have rested.
func (s *stand) needDevices(ctx context.Context, n int) error {
	if err := s.makeDevices(ctx, n); err != nil {
		return err
	}
	return s.devices.Await(ctx, n)
}

// makeDevices makes sure that there are so many authenticators.
func (s *stand) makeDevices(ctx context.Context, n int) error {
	return s.each(ctx, n-s.devices.Len(), func(ctx context.Context, c *api.Client, _ int) error {
		a, err := s.enroll(ctx, c)
		if err != nil {
			return fmt.Errorf("enrol an authenticator: %w", err)
		}
		s.devices.Put(a, time.Now())
		return nil
	})
}

// enroll makes an account that is asked for a second factor from now on: the
// app is bound, then used once to step up, because switching the second factor
// on demands it.
func (s *stand) enroll(ctx context.Context, c *api.Client) (*authenticator, error) {
	a := &authenticator{person: s.stranger()}
	in, err := s.admit(ctx, c, a.person)
	if err != nil {
		return nil, err
	}
	started, err := c.Enroll(in.Access, a.from)
	if err != nil {
		return nil, err
	}
	if a.secret, err = started.Secret(); err != nil {
		return nil, err
	}
	a.device = started.Device.ID
	if _, err := a.answer(c, started.Challenge.ID, "device_confirmed"); err != nil {
		return nil, err
	}
	test, err := c.TestDevice(a.device, in.Access, a.from)
	if err != nil {
		return nil, err
	}
	up, err := a.answer(c, test.ID, "signed_in")
	if err != nil {
		return nil, err
	}
	return a, c.RequireSecond(up.Access, a.from)
}

// answer gives the app's code to a challenge.
func (a *authenticator) answer(c *api.Client, challenge, want string) (api.Outcome, error) {
	code, err := a.code(time.Now())
	if err != nil {
		return api.Outcome{}, err
	}
	return c.Verify(api.Answer{ID: challenge, Code: code, From: a.from, Want: want})
}
