package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/countersign/countersign/test/bench/api"
	"github.com/countersign/countersign/test/bench/load"
)

// job is what one cell does, once it is prepared.
type job struct {
	do func(ctx context.Context, c *api.Client, user int) error
}

// operation is something whose speed is measured.
type operation struct {
	name, about string
	prepare     func(ctx context.Context, s *stand, z size) (job, error)
	setting     setting // in which it is measured
	note        string  // what whoever reads the table must know; may be empty
	// early makes what must rest before prepare, so that it rests while other
	// operations are measured. Nil: nothing.
	early func(ctx context.Context, s *stand, z size) error
}

// size is how much a cell may need.
type size struct {
	users  int
	length time.Duration
	most   int // of things that are slow to prepare
}

// upTo is how many operations a cell can do at a rate that we do not expect to
// see exceeded: one user waits for every round trip, many share the cores.
func (z size) upTo(one, many float64) int {
	rate := one * float64(z.users)
	return int(min(rate, many) * z.length.Seconds())
}

// devices is how many authenticators a cell uses up.
func (z size) devices() int { return min(z.upTo(1200, 4000), z.most) }

// operations are all that there are, in the order in which they run: what makes
// known users comes first.
func operations() []operation {
	return []operation{
		{name: "signin-new", about: "sign-in by code, first time: account made, delivery included", prepare: prepareNew},
		{name: "wrong", about: "a wrong code, evaluated and counted", prepare: prepareWrong},
		{name: "refresh", about: "refresh token rotated", prepare: prepareRefresh},
		{name: "totp", about: "second factor: challenge and TOTP code", prepare: prepareTOTP, early: func(ctx context.Context, s *stand, z size) error {
			return s.makeDevices(ctx, z.devices())
		}},
		{name: "signin", about: "sign-in by code, known user, delivery included", prepare: prepareKnown},
		{
			name: "password", about: "sign-in by password, known user. Argon2id takes 20 to 40 ms of a core by intent and dominates: the rate is cores divided by that, whatever else the server does",
			prepare: preparePassword, setting: passwords, note: "argon2id dominates",
		},
		{name: "signin-rules", about: "as signin, with all rules on", prepare: prepareKnown, setting: allRules, note: "all rules on"},
	}
}

func prepareNew(_ context.Context, s *stand, _ size) (job, error) {
	return job{do: func(ctx context.Context, c *api.Client, _ int) error {
		p := s.stranger()
		if _, err := s.admit(ctx, c, p); err != nil {
			return err
		}
		s.people.Put(p, time.Now())
		return nil
	}}, nil
}

func prepareKnown(ctx context.Context, s *stand, z size) (job, error) {
	return job{do: s.signInKnown}, s.needPeople(ctx, z.upTo(800, 2*s.pace))
}

func (s *stand) signInKnown(ctx context.Context, c *api.Client, _ int) error {
	p, err := s.people.Take(time.Now())
	if err != nil {
		return err
	}
	defer func() { s.people.Put(p, time.Now()) }()
	out, err := s.signIn(ctx, c, p, "signed_in")
	if err == nil && out.NewUser {
		err = errors.New("a known user is taken for somebody new")
	}
	return err
}

// attempts is how many answers a challenge takes by default.
const attempts = 5

// question is a challenge that waits for wrong answers.
type question struct {
	id    string
	right int
	from  string
	tried int
}

func prepareWrong(ctx context.Context, s *stand, z size) (job, error) {
	waiting := make([]question, z.upTo(2000, 8*s.pace)/attempts+z.users)
	err := s.each(ctx, len(waiting), func(ctx context.Context, c *api.Client, i int) error {
		p := s.stranger()
		id, code, err := s.ask(ctx, c, p)
		if err != nil {
			return fmt.Errorf("prepare a challenge: %w", err)
		}
		right, err := strconv.Atoi(code)
		waiting[i] = question{id: id, right: right, from: p.from}
		return err
	})
	if err != nil {
		return job{}, err
	}
	var next atomic.Int64
	current := make([]*question, z.users)
	return job{do: func(_ context.Context, c *api.Client, user int) error {
		if current[user] == nil || current[user].tried == attempts {
			n := int(next.Add(1)) - 1
			if n >= len(waiting) {
				return load.ErrDry
			}
			current[user] = &waiting[n]
		}
		return current[user].guess(c)
	}}, nil
}

// guess answers wrongly, and is content if that is what it is told.
func (q *question) guess(c *api.Client) error {
	q.tried++
	code := fmt.Sprintf("%06d", (q.right+q.tried)%1_000_000)
	_, err := c.Verify(api.Answer{ID: q.id, Code: code, From: q.from, Want: "nothing"})
	if err == nil {
		return errors.New("a wrong code was accepted")
	}
	p, ok := api.Refused(err)
	if !ok || p.Status != http.StatusUnprocessableEntity || p.Code != "invalid_code" || p.AttemptsLeft == nil || *p.AttemptsLeft != attempts-q.tried {
		return fmt.Errorf("wrong answer %d of %d was not told so: %w", q.tried, attempts, err)
	}
	return nil
}

func prepareRefresh(ctx context.Context, s *stand, z size) (job, error) {
	type chain struct{ token, from string }
	chains := make([]chain, z.users)
	err := s.each(ctx, len(chains), func(ctx context.Context, c *api.Client, i int) error {
		p := s.stranger()
		out, err := s.admit(ctx, c, p)
		chains[i] = chain{out.Refresh, p.from}
		return err
	})
	return job{do: func(_ context.Context, c *api.Client, user int) error {
		my := &chains[user]
		next, err := c.Rotate(my.token, my.from)
		if err == nil && next.Refresh == my.token {
			err = errors.New("a refresh token was not rotated")
		}
		my.token = next.Refresh
		return err
	}}, err
}

func prepareTOTP(ctx context.Context, s *stand, z size) (job, error) {
	type half struct {
		app     *authenticator
		pending string
	}
	waiting := make([]half, z.devices())
	if err := s.needDevices(ctx, len(waiting)); err != nil {
		return job{}, err
	}
	err := s.each(ctx, len(waiting), func(ctx context.Context, c *api.Client, i int) error {
		a, err := s.devices.Take(time.Now())
		if err != nil {
			return err
		}
		out, err := s.signIn(ctx, c, a.person, "factor_required")
		waiting[i] = half{a, out.Pending}
		return err
	})
	var next atomic.Int64
	return job{do: func(_ context.Context, c *api.Client, _ int) error {
		n := int(next.Add(1)) - 1
		if n >= len(waiting) {
			return load.ErrDry
		}
		a := waiting[n].app
		started, err := c.Start(api.Wish{Purpose: "second_factor", Device: a.device, Bearer: waiting[n].pending, From: a.from})
		if err == nil {
			_, err = a.answer(c, started.ID, "signed_in")
		}
		s.devices.Put(a, time.Now())
		return err
	}}, err
}
