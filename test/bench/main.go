// Bench measures the built server: how many sign-ins and other operations it
// does per second, what each costs, and what must not work whatever the speed.
// It is a closed loop over loopback, beside which server and database run on
// the same machine; everything it starts and makes, it ends and removes.
//
//	go run ./test/bench                                   all of it, in about ten minutes
//	go run ./test/bench -store sqlite -op signin -users 32
//	go run ./test/bench -paired ./before -op signin -users 1,32 -rounds 5
//	                                                      sign-in by code, this source against another binary
//
// What is compared (-paired, and -binary in place of this source) is built with
//
//	go build -trimpath -ldflags "-s -w" -o before ./cmd/countersign
//
// and is asked for nothing but the operations chosen: an older server that lacks
// passwords or rules can still be compared by what it has.
//
// The environment's COUNTERSIGN_BENCH_POSTGRES is the URL of a PostgreSQL where
// databases may be made; without it one is started.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/countersign/countersign/test/bench/postgres"
	"github.com/countersign/countersign/test/bench/procfs"
	"github.com/countersign/countersign/test/bench/target"
)

// postgresVariable names a PostgreSQL to be used.
const postgresVariable = "COUNTERSIGN_BENCH_POSTGRES"

func main() {
	o, err := parse(os.Args[1:], os.Stderr)
	if err != nil {
		os.Exit(2)
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if err := run(ctx, o, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is one run.
type bench struct {
	options
	dir      string
	postgres *postgres.Server // nil if no store needs it
	report   *report
	progress io.Writer
}

// run does all of it. The report is written even if something fails on the way.
func run(ctx context.Context, o options, out, progress io.Writer) (err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, o.limit, errors.New("the time is up: see -limit"))
	defer cancel()
	b := &bench{options: o, progress: progress}
	if b.dir, err = os.MkdirTemp(o.dir, "countersign-bench-"); err != nil {
		return fmt.Errorf("make a directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	if err := os.Chmod(b.dir, 0o711); err != nil { // PostgreSQL runs as somebody else
		return fmt.Errorf("open the directory: %w", err)
	}
	if o.binary == "" {
		b.say("building the server")
		if b.binary, err = target.Build(ctx, b.dir); err != nil {
			return err
		}
	}
	if b.binary, err = filepath.Abs(b.binary); err != nil {
		return fmt.Errorf("find the server: %w", err)
	}
	machine, err := procfs.Describe(b.dir)
	if err != nil {
		return err
	}
	b.report = newReport(machine, time.Now())
	if slices.Contains(o.stores, "postgres") {
		if b.postgres, err = postgres.Open(ctx, os.Getenv(postgresVariable), b.dir); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, b.postgres.Close()) }()
		b.report.Postgres = b.postgres.Version + ", " + b.postgres.Origin
	}
	if o.paired != "" {
		return b.compare(ctx, out)
	}
	for _, store := range o.stores {
		for _, in := range settings() {
			if b.has(in) {
				b.trouble(store+in.suffix(), b.measure(ctx, store, in))
			}
		}
	}
	if err := b.report.judge(b.binary); err != nil {
		return err
	}
	b.report.write(out)
	return errors.Join(b.report.save(o.json), b.report.verdict(o.strict))
}

func (b *bench) say(format string, args ...any) { fmt.Fprintf(b.progress, format+"\n", args...) }

// trouble notes what went wrong with a store.
func (b *bench) trouble(store string, err error) {
	if err != nil {
		b.report.Troubles = append(b.report.Troubles, store+": "+err.Error())
	}
}

// measure does everything on one store and in one setting.
func (b *bench) measure(ctx context.Context, store string, in setting) (err error) {
	s, err := b.newStand(ctx, b.binary, store, in)
	defer func() { err = errors.Join(err, s.Close()) }()
	if err != nil {
		return err
	}
	f := footprint{Store: store}
	whole := in == plain && !b.quick
	if whole {
		b.say("%s: cold start, idle", store)
		err = errors.Join(s.rise(ctx, &f), s.watch(ctx, &f))
	} else {
		err = s.start(ctx, s.database)
	}
	if err != nil {
		return err
	}
	if err := s.warm(ctx); err != nil {
		return fmt.Errorf("warm up: %w", err)
	}
	if !b.quick {
		b.report.Checks = append(b.report.Checks, s.check(ctx)...)
	}
	if err := b.cells(ctx, s); err != nil || b.quick {
		return err
	}
	if whole {
		if f.Loaded, err = s.server.Memory(); err != nil {
			return err
		}
		b.report.Footprints = append(b.report.Footprints, f)
	}
	return errors.Join(s.lost(), s.stop(), b.tally(ctx, s))
}

// cells measures every cell of a store.
func (b *bench) cells(ctx context.Context, s *stand) error {
	ops := b.of(s.setting)
	for _, op := range ops {
		if op.early == nil {
			continue
		}
		if err := op.early(ctx, s, b.size(slices.Max(b.users))); err != nil {
			return fmt.Errorf("prepare %s: %w", op.name, err)
		}
	}
	for round := range b.rounds {
		for _, users := range b.users {
			for _, op := range ops {
				c := s.measure(ctx, request{op, users, round + 1, b.size(users)})
				b.report.Cells = append(b.report.Cells, c)
				b.say("%s", c.row())
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
				if c.Failure == "" {
					continue
				}
				if err := s.server.Alive(time.Second); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// tally counts statements, where that is possible.
func (b *bench) tally(ctx context.Context, s *stand) error {
	if s.postgres == nil || len(s.tallied()) == 0 {
		return nil
	}
	b.say("%s: statements", s.store+s.setting.suffix())
	all, err := s.tallies(ctx)
	b.report.Tallies = append(b.report.Tallies, all...)
	return err
}
