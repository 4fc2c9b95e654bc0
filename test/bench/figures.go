package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/countersign/countersign/test/bench/procfs"
)

// footprint is what a server costs beside its work.
type footprint struct {
	Store   string        `json:"store"`
	Cold    float64       `json:"cold_start_ms"` // median of five, schema current
	Idle    procfs.Memory `json:"idle"`
	IdleCPU float64       `json:"idle_cpu_percent"` // of a core
	Loaded  procfs.Memory `json:"after_load"`
}

// starts is how many cold starts are measured.
const starts = 5

// idleFor is how long an idle server is watched.
const idleFor = 4 * time.Second

// rise measures cold starts and leaves the last server running.
func (s *stand) rise(ctx context.Context, f *footprint) error {
	var times []time.Duration
	for range starts {
		if err := s.stop(); err != nil {
			return err
		}
		if err := s.start(ctx, s.database); err != nil {
			return err
		}
		times = append(times, s.server.Start)
	}
	slices.Sort(times)
	f.Cold = ms(times[len(times)/2])
	return nil
}

// watch looks at a server that does nothing.
func (s *stand) watch(ctx context.Context, f *footprint) error {
	before, err := s.server.CPU()
	if err != nil {
		return err
	}
	select {
	case <-time.After(idleFor):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	after, err := s.server.CPU()
	if err != nil {
		return err
	}
	f.IdleCPU = 100 * (after - before).Seconds() / idleFor.Seconds()
	f.Idle, err = s.server.Memory()
	return err
}

// figure is a number beside what it must be.
type figure struct {
	Name  string  `json:"name"`
	Store string  `json:"store,omitempty"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	Must  float64 `json:"must"`
	Least bool    `json:"at_least"` // else at most
}

func (f figure) met() bool {
	if f.Least {
		return f.Value >= f.Must
	}
	return f.Value <= f.Must
}

// floor is the processor time of the minimal correct server and its PostgreSQL
// for one sign-in, in milliseconds, and ratio what we may take of it.
const (
	floor = 0.57
	ratio = 2.3
)

// goal is what a cell must reach.
type goal struct {
	store, op string
	users     int
	unit      string
	name      string
	must      float64
	least     bool
	value     func(c *cell) float64
}

func goals() []goal {
	rate := func(c *cell) float64 { return c.Rate }
	total := func(c *cell) float64 { return c.total() }
	p99 := func(c *cell) float64 { return c.P99 }
	p50 := func(c *cell) float64 { return c.P50 }
	return []goal{
		{"postgres", "signin", 32, "/s", "sign-ins, 32 users", 1200, true, rate},
		{"sqlite", "signin", 32, "/s", "sign-ins, 32 users, fsync", 1500, true, rate},
		{"postgres", "signin", 32, "× floor", "CPU per sign-in, server and database", ratio, false, func(c *cell) float64 { return c.total() / floor }},
		{"postgres", "signin", 32, "ms", "CPU per sign-in, server", 0.60, false, func(c *cell) float64 { return c.Server }},
		{"postgres", "signin", 32, "ms", "CPU per sign-in, database", 0.70, false, func(c *cell) float64 { return c.total() - c.Server }},
		{"postgres", "signin", 32, "ms", "p99 of a sign-in, 32 users", 60, false, p99},
		{"sqlite", "signin", 32, "ms", "p99 of a sign-in, 32 users", 60, false, p99},
		{"postgres", "signin-new", 1, "ms", "p50 of a first sign-in, 1 user", 2.5, false, p50},
		{"postgres", "wrong", 32, "/s", "wrong codes, 32 users", 4000, true, rate},
		{"postgres", "wrong", 32, "ms", "CPU per wrong code", 0.35, false, total},
		{"postgres", "refresh", 32, "/s", "refreshes, 32 users", 3000, true, rate},
		{"postgres", "refresh", 32, "ms", "CPU per refresh", 0.45, false, total},
	}
}

// judge puts the figures beside what they must be.
func (r *report) judge(binary string) error {
	info, err := os.Stat(binary)
	if err != nil {
		return fmt.Errorf("weigh the binary: %w", err)
	}
	r.Figures = append(r.Figures, figure{Name: "binary, stripped", Value: float64(info.Size()) / 1e6, Unit: "MB", Must: 30})
	for _, f := range r.Footprints {
		const mib = 1 << 20
		r.Figures = append(r.Figures,
			figure{Name: "cold start to ready", Store: f.Store, Value: f.Cold, Unit: "ms", Must: 60},
			figure{Name: "RSS, idle", Store: f.Store, Value: float64(f.Idle.RSS) / mib, Unit: "MiB", Must: 30},
			figure{Name: "RSS, after the last cell", Store: f.Store, Value: float64(f.Loaded.RSS) / mib, Unit: "MiB", Must: 60},
			figure{Name: "CPU, idle", Store: f.Store, Value: f.IdleCPU, Unit: "% of a core", Must: 0.3})
	}
	for _, t := range r.Tallies {
		if t.Op == "signin" {
			r.Figures = append(r.Figures, figure{Name: fmt.Sprintf("SQL statements per sign-in, %d users", t.Users), Store: "postgres", Value: t.Total, Must: 6})
		}
	}
	cells := r.medians()
	for _, g := range goals() {
		i := slices.IndexFunc(cells, func(c cell) bool {
			return c.Store == g.store && c.Op == g.op && c.Users == g.users && c.Failure == ""
		})
		if i >= 0 {
			r.Figures = append(r.Figures, figure{Name: g.name, Store: g.store, Value: g.value(&cells[i]), Unit: g.unit, Must: g.must, Least: g.least})
		}
	}
	return nil
}

// errFailed means that something in the report failed.
var errFailed = errors.New("something failed; see above")

// verdict is an error if a cell or a check failed, and if strict also if a
// figure is not what it must be.
func (r *report) verdict(strict bool) error {
	bad := len(r.Troubles) > 0
	for _, c := range r.Cells {
		bad = bad || c.Failure != ""
	}
	for _, v := range r.Checks {
		bad = bad || v.Failure != ""
	}
	for _, f := range r.Figures {
		bad = bad || strict && !f.met()
	}
	if bad {
		return errFailed
	}
	return nil
}
