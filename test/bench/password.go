package main

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/countersign/countersign/test/bench/api"
	"github.com/countersign/countersign/test/bench/load"
)

// secret is everybody's password.
const secret = "violet lantern 47 harbour"

// hashes is how many passwords one core compares in a second at most.
const hashes = 100

// uses is how often one person signs in: their network address may do so 20
// times in ten minutes, and making them took two of these.
const uses = 15

// knower is somebody who has a password.
type knower struct {
	person
	left int // sign-ins
}

// register makes an account with a password, and proves its address: until then
// nobody can sign in with it. The claim says that it was they who registered.
func (s *stand) register(ctx context.Context, c *api.Client) (p person, err error) {
	p = s.stranger()
	if p.claim, err = c.Register(api.Form{Email: p.mail, Password: secret}, p.from); err != nil {
		return p, fmt.Errorf("register: %w", err)
	}
	if _, err := s.signIn(ctx, c, p, "signed_in"); err != nil {
		return p, fmt.Errorf("prove an address: %w", err)
	}
	return p, nil
}

func preparePassword(ctx context.Context, s *stand, z size) (job, error) {
	knowing := load.NewPool[*knower](0)
	many := hashes * float64(runtime.NumCPU())
	err := s.each(ctx, z.users+z.upTo(hashes, many)/uses, func(ctx context.Context, c *api.Client, _ int) error {
		p, err := s.register(ctx, c)
		knowing.Put(&knower{p, uses}, time.Now())
		return err
	})
	return job{do: func(_ context.Context, c *api.Client, _ int) error {
		k, err := knowing.Take(time.Now())
		if err != nil {
			return err
		}
		if k.left--; k.left > 0 {
			defer func() { knowing.Put(k, time.Now()) }()
		}
		_, err = c.SignIn(api.Credentials{Identifier: k.mail, Password: secret}, k.from, "signed_in")
		return err
	}}, err
}

func checkPassword(ctx context.Context, s *stand, c *api.Client) (err error) {
	p := s.stranger()
	if p.claim, err = c.Register(api.Form{Email: p.mail, Password: secret}, p.from); err != nil {
		return err
	}
	right, wrong := api.Credentials{Identifier: p.mail, Password: secret}, api.Credentials{Identifier: p.mail, Password: secret + "!"}
	_, err = c.SignIn(right, p.from, "")
	if _, err := refused(err, "invalid_credentials"); err != nil {
		return fmt.Errorf("before the proof: %w", err)
	}
	if _, err := s.signIn(ctx, c, p, "signed_in"); err != nil {
		return err
	}
	_, err = c.SignIn(wrong, p.from, "")
	if _, err := refused(err, "invalid_credentials"); err != nil {
		return fmt.Errorf("a wrong password: %w", err)
	}
	_, err = c.SignIn(right, p.from, "signed_in")
	return err
}
