package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

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
	f.DurationVar(&o.limit, "limit", 15*time.Minute, "when to give up")
	f.StringVar(&o.dir, "dir", "", "where data lies meanwhile; a disk, if durability is to cost what it costs")
	f.StringVar(&o.json, "json", "", "file to write everything to")
	f.StringVar(&o.binary, "binary", "", "server to measure; built if empty")
	f.StringVar(&o.paired, "paired", "", "another server, to compare the operations with in turns, such as sign-in by code: -op signin")
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
