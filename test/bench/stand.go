package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/countersign/countersign/test/bench/api"
	"github.com/countersign/countersign/test/bench/hooks"
	"github.com/countersign/countersign/test/bench/load"
	"github.com/countersign/countersign/test/bench/postgres"
	"github.com/countersign/countersign/test/bench/sink"
	"github.com/countersign/countersign/test/bench/target"
)

// patience is how long a mail may take.
const patience = 10 * time.Second

// person is somebody who signs in.
type person struct {
	mail, from string
	claim      string // that they signed up by a form; "" if they did not, or the server knows no claims
}

// stand is a server under test with everything around it.
type stand struct {
	store    string // "sqlite" or "postgres"
	setting  setting
	target   *target.Target
	server   *target.Server
	sink     *sink.Sink
	hooks    *hooks.Receiver  // nil without webhooks
	postgres *postgres.Server // nil for sqlite
	database string           // URL

	people  *load.Pool[person]         // have an account
	devices *load.Pool[*authenticator] // of people who are asked for them
	numbers atomic.Int64               // of people so far
	pace    float64                    // first sign-ins per second while warming up: what to prepare is guessed by it
	closers []func() error
	keep    string // where the log of a server goes that ends badly; empty: nowhere
}

// newStand makes a database, keys, configuration and a mail server. The
// server is not started. Close is due even after an error.
func (b *bench) newStand(ctx context.Context, binary, store string, in setting) (s *stand, err error) {
	s = &stand{store: store, setting: in, keep: b.logs, people: load.NewPool[person](in.rest()), devices: load.NewPool[*authenticator](in.rest())}
	dir, err := os.MkdirTemp(b.dir, store+"-")
	if err != nil {
		return s, fmt.Errorf("make a directory: %w", err)
	}
	s.closers = append(s.closers, func() error { return os.RemoveAll(dir) })
	if store == "postgres" {
		var drop func() error
		if s.database, drop, err = b.postgres.Database(ctx); err != nil {
			return s, err
		}
		s.postgres = b.postgres
		s.closers = append(s.closers, drop)
	} else {
		s.database = "sqlite://" + filepath.Join(dir, "data.db")
	}
	setup := target.Setup{Binary: binary, Dir: dir}
	if err := s.receive(&setup); err != nil {
		return s, err
	}
	if s.target, err = target.New(ctx, setup); err != nil {
		return s, err
	}
	return s, s.target.Migrate(ctx, s.database)
}

// receive starts what the server sends to.
func (s *stand) receive(setup *target.Setup) (err error) {
	if s.sink, err = sink.New(); err != nil {
		return err
	}
	s.closers = append(s.closers, s.sink.Close)
	setup.Mail = s.sink.Addr()
	if s.setting != allRules {
		return nil
	}
	if s.hooks, err = hooks.New(); err != nil {
		return err
	}
	s.closers = append(s.closers, s.hooks.Close)
	setup.Hook = &target.Hook{URL: s.hooks.URL(), Secret: hooks.Secret}
	return nil
}

// start starts the server on the stand's database, or on one that leads there.
func (s *stand) start(ctx context.Context, database string) (err error) {
	s.server, err = s.target.Serve(ctx, database)
	return err
}

// stop ends the server, if one is running.
func (s *stand) stop() error {
	if s.server == nil {
		return nil
	}
	server := s.server
	s.server = nil
	err := server.Stop()
	if err != nil && s.keep != "" {
		err = errors.Join(err, server.KeepLog(filepath.Join(s.keep, "countersign-"+s.store+strings.ReplaceAll(s.setting.suffix(), ", ", "-")+".log")))
	}
	return err
}

// Close removes everything.
func (s *stand) Close() error {
	err := s.stop()
	for _, v := range slices.Backward(s.closers) {
		err = errors.Join(err, v())
	}
	return err
}

// stranger is somebody new, with an address and a network address of their own.
func (s *stand) stranger() person {
	n := s.numbers.Add(1)
	return person{
		mail: fmt.Sprintf("p%d@bench.example", n),
		from: fmt.Sprintf("10.%d.%d.%d", n>>16&0xff, n>>8&0xff, n&0xff),
	}
}

// clients opens one connection for each user. hangUp closes them.
func (s *stand) clients(n int) (clients []*api.Client, hangUp func(), err error) {
	for range n {
		clients = append(clients, api.New(s.server.Addr))
	}
	hangUp = func() {
		for _, c := range clients {
			c.Close()
		}
	}
	for _, c := range clients {
		if err := c.Ready(); err != nil {
			hangUp()
			return nil, nil, err
		}
	}
	return clients, hangUp, nil
}

// ask starts a sign-in and waits for the code that comes by mail.
func (s *stand) ask(ctx context.Context, c *api.Client, p person) (challenge, code string, err error) {
	mail := s.sink.Expect(p.mail)
	started, err := c.Start(api.Wish{To: p.mail, From: p.from})
	if err != nil {
		mail.Forget()
		return "", "", err
	}
	code, err = mail.Code(ctx, patience)
	return started.ID, code, err
}

// signIn does the whole of a sign-in by code. Want is the outcome's status.
func (s *stand) signIn(ctx context.Context, c *api.Client, p person, want string) (api.Outcome, error) {
	id, code, err := s.ask(ctx, c, p)
	if err != nil {
		return api.Outcome{}, err
	}
	return c.Verify(api.Answer{ID: id, Code: code, Claim: p.claim, From: p.from, Want: want})
}

// admit makes an account by signing in for the first time.
func (s *stand) admit(ctx context.Context, c *api.Client, p person) (api.Outcome, error) {
	out, err := s.signIn(ctx, c, p, "signed_in")
	if err == nil && !out.NewUser {
		err = errors.New("somebody new is taken for a known user")
	}
	return out, err
}

// lost is an error if codes came that nobody waited for, or webhooks came wrong
// or not at all.
func (s *stand) lost() error {
	if n := s.sink.Lost(); n > 0 {
		return fmt.Errorf("%d codes came that nobody waited for", n)
	}
	if s.hooks == nil {
		return nil
	}
	if taken, refused := s.hooks.Taken(), s.hooks.Refused(); taken == 0 || refused > 0 {
		return fmt.Errorf("of the webhooks %d were good and %d not", taken, refused)
	}
	return nil
}
