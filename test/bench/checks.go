package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/countersign/countersign/test/bench/api"
)

// check is something that must not work, whatever the speed.
type check struct {
	name string
	run  func(ctx context.Context, s *stand, c *api.Client) error
	in   setting
}

func checks() []check {
	return []check{
		{name: "a wrong code is refused and counted, the right one still works, and works once", run: checkOnce},
		{name: "a code that cannot be one costs no attempt", run: checkMalformed},
		{name: "after five wrong codes the right one is refused", run: checkExhausted},
		{name: "of 16 right codes at once one wins", run: checkRace},
		{name: "of 32 wrong codes at once five are evaluated", run: checkGuesses},
		{name: "the code of another challenge is wrong", run: checkForeign},
		{name: "a TOTP code works once", run: checkReplay},
		{name: "a refresh token sent twice gives the same answer", run: checkRotation},
		{name: "a password counts once its address is proven, and a wrong one does not", run: checkPassword, in: passwords},
		{name: "who is on a list is refused, who is on none is not", run: checkListed, in: allRules},
	}
}

// verdict is the result of a check.
type verdict struct {
	Store   string `json:"store"`
	Name    string `json:"name"`
	Failure string `json:"failure,omitempty"`
}

// check runs the checks of the stand's setting.
func (s *stand) check(ctx context.Context) (out []verdict) {
	for _, one := range checks() {
		if one.in != s.setting {
			continue
		}
		v := verdict{Store: s.store, Name: one.name}
		clients, hangUp, err := s.clients(1)
		if err == nil {
			err = one.run(ctx, s, clients[0])
			hangUp()
		}
		if err != nil {
			v.Failure = err.Error()
		}
		out = append(out, v)
	}
	return out
}

// refused demands that an answer was refused with a code.
func refused(err error, codes ...string) (*api.Problem, error) {
	if err == nil {
		return nil, errors.New("it was accepted")
	}
	p, ok := api.Refused(err)
	if !ok {
		return nil, err
	}
	if slices.Contains(codes, p.Code) {
		return p, nil
	}
	return p, fmt.Errorf("it was refused otherwise: %w", err)
}

// off is a code that is not the right one.
func off(code string, by int) string {
	n, err := strconv.Atoi(code)
	if err != nil {
		return "000000"
	}
	return fmt.Sprintf("%06d", (n+by)%1_000_000)
}

func checkOnce(ctx context.Context, s *stand, c *api.Client) error {
	p := s.stranger()
	id, code, err := s.ask(ctx, c, p)
	if err != nil {
		return err
	}
	_, err = c.Verify(api.Answer{ID: id, Code: off(code, 1), From: p.from})
	if problem, err := refused(err, "invalid_code"); err != nil {
		return fmt.Errorf("wrong code: %w", err)
	} else if problem.AttemptsLeft == nil || *problem.AttemptsLeft != attempts-1 {
		return fmt.Errorf("wrong code: it was not counted: %w", problem)
	}
	if _, err := c.Verify(api.Answer{ID: id, Code: code, From: p.from, Want: "signed_in"}); err != nil {
		return fmt.Errorf("right code: %w", err)
	}
	_, err = c.Verify(api.Answer{ID: id, Code: code, From: p.from})
	if _, err := refused(err, "challenge_not_found"); err != nil {
		return fmt.Errorf("right code again: %w", err)
	}
	return nil
}

func checkMalformed(ctx context.Context, s *stand, c *api.Client) error {
	p := s.stranger()
	id, code, err := s.ask(ctx, c, p)
	if err != nil {
		return err
	}
	for range attempts + 1 {
		_, err = c.Verify(api.Answer{ID: id, Code: code[:3], From: p.from})
		if _, err := refused(err, "malformed_code"); err != nil {
			return err
		}
	}
	_, err = c.Verify(api.Answer{ID: id, Code: code, From: p.from, Want: "signed_in"})
	return err
}

func checkExhausted(ctx context.Context, s *stand, c *api.Client) error {
	p := s.stranger()
	id, code, err := s.ask(ctx, c, p)
	if err != nil {
		return err
	}
	for i := range attempts {
		_, err = c.Verify(api.Answer{ID: id, Code: off(code, i+1), From: p.from})
		if _, err := refused(err, "invalid_code"); err != nil {
			return fmt.Errorf("wrong code %d: %w", i+1, err)
		}
	}
	_, err = c.Verify(api.Answer{ID: id, Code: code, From: p.from})
	_, err = refused(err, "challenge_exhausted")
	return err
}

// together answers a challenge n times at once, and counts the answers by what
// became of them.
func (s *stand) together(n int, a func(i int) api.Answer) (accepted, evaluated int64, err error) {
	clients, hangUp, err := s.clients(n)
	if err != nil {
		return 0, 0, err
	}
	defer hangUp()
	var yes, no atomic.Int64
	var other atomic.Value
	var wg sync.WaitGroup
	for i, c := range clients {
		wg.Go(func() {
			_, err := c.Verify(a(i))
			p, ok := api.Refused(err)
			switch {
			case err == nil:
				yes.Add(1)
			case ok && p.Code == "invalid_code":
				no.Add(1)
			case !ok || p.Status >= 500:
				other.Store(err.Error())
			}
		})
	}
	wg.Wait()
	if text, ok := other.Load().(string); ok {
		err = errors.New(text)
	}
	return yes.Load(), no.Load(), err
}

func checkRace(ctx context.Context, s *stand, c *api.Client) error {
	p := s.stranger()
	id, code, err := s.ask(ctx, c, p)
	if err != nil {
		return err
	}
	won, _, err := s.together(16, func(int) api.Answer { return api.Answer{ID: id, Code: code, From: p.from, Want: "signed_in"} })
	if err == nil && won != 1 {
		err = fmt.Errorf("%d won", won)
	}
	return err
}

func checkGuesses(ctx context.Context, s *stand, c *api.Client) error {
	p := s.stranger()
	id, code, err := s.ask(ctx, c, p)
	if err != nil {
		return err
	}
	won, evaluated, err := s.together(32, func(i int) api.Answer { return api.Answer{ID: id, Code: off(code, i+1), From: p.from} })
	if err == nil && (won != 0 || evaluated != attempts) {
		err = fmt.Errorf("%d were evaluated, %d accepted", evaluated, won)
	}
	return err
}

func checkForeign(ctx context.Context, s *stand, c *api.Client) error {
	p, q := s.stranger(), s.stranger()
	id, right, err := s.ask(ctx, c, p)
	if err != nil {
		return err
	}
	_, code, err := s.ask(ctx, c, q)
	if err != nil || code == right { // one in a million
		return err
	}
	_, err = c.Verify(api.Answer{ID: id, Code: code, From: p.from})
	_, err = refused(err, "invalid_code")
	return err
}

func checkReplay(ctx context.Context, s *stand, c *api.Client) error {
	a := &authenticator{person: s.stranger()}
	in, err := s.admit(ctx, c, a.person)
	if err != nil {
		return err
	}
	e, err := c.Enroll(in.Access, a.from)
	if err != nil {
		return err
	}
	if a.secret, err = e.Secret(); err != nil {
		return err
	}
	if _, err := a.answer(c, e.Challenge.ID, "device_confirmed"); err != nil {
		return err
	}
	used := a.step
	test, err := c.TestDevice(e.Device.ID, in.Access, a.from)
	if err != nil {
		return err
	}
	a.step = used - 1 // so that the code is computed again
	_, err = a.answer(c, test.ID, "signed_in")
	if _, err := refused(err, "invalid_code"); err != nil {
		return fmt.Errorf("the code that was used: %w", err)
	}
	if _, err := a.answer(c, test.ID, "signed_in"); err != nil {
		return fmt.Errorf("the next code: %w", err)
	}
	return nil
}

func checkRotation(ctx context.Context, s *stand, c *api.Client) error {
	p := s.stranger()
	in, err := s.admit(ctx, c, p)
	if err != nil {
		return err
	}
	one, err := c.Rotate(in.Refresh, p.from)
	if err != nil {
		return err
	}
	two, err := c.Rotate(in.Refresh, p.from)
	if err == nil && (one.Refresh != two.Refresh || one.Refresh == in.Refresh) {
		err = errors.New("the answers differ")
	}
	return err
}
