// Bench measures the built server: how many sign-ins and other operations it
// does per second, what each costs, and what must not work whatever the speed.
// It is a closed loop over loopback, beside which server and database run on
// the same machine; everything it starts and makes, it ends and removes.
//
//	go run ./test/bench                                   all of it, in less than eight minutes
//	go run ./test/bench -store sqlite -op signin -users 32
//	go run ./test/bench -paired ./before -op signin       this source against another binary
//
// The environment's COUNTERSIGN_BENCH_POSTGRES is the URL of a PostgreSQL where
// databases may be made; without it one is started.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/countersign/countersign/test/bench/postgres"
	"github.com/countersign/countersign/test/bench/procfs"
	"github.com/countersign/countersign/test/bench/target"
)

// postgresVariable names a PostgreSQL to be used.
const postgresVariable = "COUNTERSIGN_BENCH_POSTGRES"

// options are what the command line says.
type options struct {
	stores  []string
	ops     []operation
	users   []int
	seconds float64
	rounds  int
	devices int
	limit   time.Duration
	dir     string
	json    string
	paired  string
	binary  string
	logs    string
	quick   bool
	strict  bool
}

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

// parse reads the command line.
func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	var stores, ops, users string
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&stores, "store", "sqlite,postgres", "what to store in")
	f.StringVar(&ops, "op", "all", "operations: "+names(operations()))
	f.StringVar(&users, "users", "1,8,32,64", "how many users at the same time")
	f.Float64Var(&o.seconds, "seconds", 4, "length of a cell")
	f.IntVar(&o.rounds, "rounds", 1, "how often each cell is measured; the median counts")
	f.IntVar(&o.devices, "devices", 2000, "how many authenticators a TOTP cell may use up")
	f.DurationVar(&o.limit, "limit", 8*time.Minute, "when to give up")
	f.StringVar(&o.dir, "dir", "", "where data lies meanwhile; a disk, if durability is to cost what it costs")
	f.StringVar(&o.json, "json", "", "file to write everything to")
	f.StringVar(&o.binary, "binary", "", "server to measure; built if empty")
	f.StringVar(&o.paired, "paired", "", "another server, to compare with in turns")
	f.StringVar(&o.logs, "logs", "", "directory for the log of a server that ends badly")
	f.BoolVar(&o.quick, "quick", false, "cells only")
	f.BoolVar(&o.strict, "strict", false, "fail if a figure is not what it must be")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	err := errors.Join(o.readStores(stores), o.readOps(ops), o.readUsers(users))
	if f.NArg() > 0 || o.seconds <= 0 || o.seconds > 60 || o.rounds < 1 || o.rounds > 100 || o.devices < 1 {
		err = errors.Join(err, errors.New("seconds are at most 60, rounds 1 to 100, devices at least 1, and there are no arguments"))
	}
	if err != nil {
		fmt.Fprintln(stderr, "bench:", err)
	}
	return o, err
}

func (o *options) readStores(text string) error {
	o.stores = strings.Split(text, ",")
	for _, s := range o.stores {
		if s != "sqlite" && s != "postgres" {
			return fmt.Errorf("there is no store %q", s)
		}
	}
	return nil
}

func (o *options) readOps(text string) error {
	o.ops = operations()
	if text == "all" {
		return nil
	}
	chosen := strings.Split(text, ",")
	for _, name := range chosen {
		if order(name) < 0 {
			return fmt.Errorf("there is no operation %q: %s", name, names(operations()))
		}
	}
	o.ops = slices.DeleteFunc(o.ops, func(op operation) bool { return !slices.Contains(chosen, op.name) })
	return nil
}

func (o *options) readUsers(text string) error {
	for part := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 1 || n > 1024 {
			return fmt.Errorf("%q is not a number of users from 1 to 1024", part)
		}
		o.users = append(o.users, n)
	}
	return nil
}

func names(ops []operation) string {
	var all []string
	for _, o := range ops {
		all = append(all, o.name)
	}
	return strings.Join(all, ",")
}

// size is how much a cell with so many users may need.
func (o *options) size(users int) size {
	return size{users: users, length: time.Duration(o.seconds * float64(time.Second)), most: o.devices}
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
		b.trouble(store, b.measure(ctx, store))
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

// measure does everything on one store.
func (b *bench) measure(ctx context.Context, store string) (err error) {
	s, err := newStand(ctx, b.binary, store, b.dir, b.postgres)
	defer func() { err = errors.Join(err, s.Close()) }()
	if err != nil {
		return err
	}
	s.keep = b.logs
	f := footprint{Store: store}
	if b.quick {
		err = s.start(ctx, s.database)
	} else {
		b.say("%s: cold start, idle", store)
		err = errors.Join(s.rise(ctx, &f), s.watch(ctx, &f))
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
	if f.Loaded, err = s.server.Memory(); err != nil {
		return err
	}
	b.report.Footprints = append(b.report.Footprints, f)
	return errors.Join(s.lost(), s.stop(), b.tally(ctx, s))
}

// cells measures every cell of a store.
func (b *bench) cells(ctx context.Context, s *stand) error {
	for _, op := range b.ops {
		if op.early == nil {
			continue
		}
		if err := op.early(ctx, s, b.size(slices.Max(b.users))); err != nil {
			return fmt.Errorf("prepare %s: %w", op.name, err)
		}
	}
	for round := range b.rounds {
		for _, users := range b.users {
			for _, op := range b.ops {
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

// lost is an error if codes came that nobody waited for.
func (s *stand) lost() error {
	if n := s.sink.Lost(); n > 0 {
		return fmt.Errorf("%d codes came that nobody waited for", n)
	}
	return nil
}

// tally counts statements, where that is possible.
func (b *bench) tally(ctx context.Context, s *stand) error {
	if s.postgres == nil {
		return nil
	}
	b.say("%s: statements", s.store)
	all, err := s.tallies(ctx)
	b.report.Tallies = append(b.report.Tallies, all...)
	return err
}
