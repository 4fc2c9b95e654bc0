package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/countersign/countersign/test/bench/api"
	"github.com/countersign/countersign/test/bench/load"
	"github.com/countersign/countersign/test/bench/postgres"
	"github.com/countersign/countersign/test/bench/procfs"
)

// cell is one measurement. Times are in milliseconds, processor times per
// operation.
type cell struct {
	Store     string   `json:"store"`
	Op        string   `json:"op"`
	Users     int      `json:"users"`
	Round     int      `json:"round"`
	Ops       int64    `json:"ops"`
	Seconds   float64  `json:"seconds"`
	Rate      float64  `json:"ops_per_s"`
	P50       float64  `json:"p50_ms"`
	P95       float64  `json:"p95_ms"`
	P99       float64  `json:"p99_ms"`
	Server    float64  `json:"server_cpu_ms"`
	Database  *float64 `json:"database_cpu_ms"` // nil: built into the server, or not to be seen
	Generator float64  `json:"generator_cpu_ms"`
	Others    float64  `json:"others_percent"` // of the machine, taken by who has no part in this
	Dry       bool     `json:"ended_early"`    // what was prepared did not last
	Failure   string   `json:"failure,omitempty"`
}

// cpu is the processor time that each of those involved has used.
type cpu struct {
	server, database, generator, machine time.Duration
	seen                                 bool // the database
}

func (s *stand) cpu() (c cpu, err error) {
	c.generator = procfs.Self()
	if c.server, err = s.server.CPU(); err != nil {
		return c, err
	}
	if c.machine, err = procfs.Busy(); err != nil {
		return c, err
	}
	if s.postgres == nil {
		return c, nil
	}
	if c.database, err = s.postgres.CPU(); errors.Is(err, postgres.ErrUnseen) {
		return c, nil
	}
	c.seen = err == nil
	return c, err
}

// request says which cell to measure.
type request struct {
	op    operation
	users int
	round int
	size  size
}

// measure prepares and runs one cell. What goes wrong stands in the cell.
func (s *stand) measure(ctx context.Context, r request) cell {
	out := cell{Store: s.store, Op: r.op.name, Users: r.users, Round: r.round}
	if err := s.fill(ctx, r, &out); err != nil {
		out.Failure = err.Error()
	}
	return out
}

func (s *stand) fill(ctx context.Context, r request, out *cell) error {
	job, err := r.op.prepare(ctx, s, r.size)
	if err != nil {
		return fmt.Errorf("prepare: %w", err)
	}
	clients, hangUp, err := s.clients(r.users)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer hangUp()
	before, err := s.cpu()
	if err != nil {
		return err
	}
	result, failure := load.Run(ctx, load.Plan{Users: r.users, Length: r.size.length, Op: func(ctx context.Context, user int) error {
		return job.do(ctx, clients[user], user)
	}})
	after, err := s.cpu()
	out.note(result, before, after)
	if failure == nil && err == nil && result.Ops == 0 {
		failure = errors.New("no operation was done")
	}
	return errors.Join(failure, err)
}

// note writes the result down.
func (c *cell) note(r load.Result, before, after cpu) {
	c.Ops, c.Seconds, c.Rate, c.Dry = r.Ops, r.Elapsed.Seconds(), r.Rate(), r.Dry
	c.P50, c.P95, c.P99 = ms(r.Percentile(50)), ms(r.Percentile(95)), ms(r.Percentile(99))
	if r.Ops == 0 {
		return
	}
	ours := after.server + after.database + after.generator - before.server - before.database - before.generator
	all := r.Elapsed * time.Duration(runtime.NumCPU())
	c.Others = 100 * max(0, float64(after.machine-before.machine-ours)/float64(all))
	each := func(d time.Duration) float64 { return ms(d) / float64(r.Ops) }
	c.Server, c.Generator = each(after.server-before.server), each(after.generator-before.generator)
	if after.seen {
		database := each(after.database - before.database)
		c.Database = &database
	}
}

// total is the processor time of server and database.
func (c *cell) total() float64 {
	if c.Database == nil {
		return c.Server
	}
	return c.Server + *c.Database
}

func ms(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }

// warm sends a few operations through the server, so that no cell pays for
// connections to the database and for pages that are touched first.
func (s *stand) warm(ctx context.Context) error {
	const n = 400
	began := time.Now()
	defer func() { s.pace = n / time.Since(began).Seconds() }()
	return s.each(ctx, n, func(ctx context.Context, c *api.Client, _ int) error {
		p := s.stranger()
		_, err := s.admit(ctx, c, p)
		s.people.Put(p, time.Now())
		return err
	})
}
