package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
)

// pair is the same deployment of two servers.
type pair [2]*stand

// letters name the two in what is printed: A is the one under test, B the
// other one.
var letters = [2]string{"A", "B"}

// compare measures every cell in turns on both binaries, so that what changes
// on the machine meanwhile meets both, and prints how A compares to B.
func (b *bench) compare(ctx context.Context, out io.Writer) error {
	other, err := filepath.Abs(b.paired)
	if err != nil {
		return fmt.Errorf("find the other server: %w", err)
	}
	b.report.write(out)
	fmt.Fprintf(out, "\n## A / B, over %d rounds: median (least to most)\nA: %s\nB: %s\n\n", b.rounds, b.binary, other)
	fmt.Fprint(out, "| store | operation | users | ops/s | p50 | p99 | server CPU | database CPU |\n|---|---|---:|---:|---:|---:|---:|---:|\n")
	for _, store := range b.stores {
		for _, in := range settings() {
			if !b.has(in) {
				continue
			}
			if err := b.comparePair(ctx, out, matched{store, in, [2]string{b.binary, other}}); err != nil {
				return err
			}
		}
	}
	return errors.Join(b.report.save(b.json), b.report.verdict(false))
}

// matched says what is compared, and where.
type matched struct {
	store    string
	setting  setting
	binaries [2]string
}

func (b *bench) comparePair(ctx context.Context, out io.Writer, m matched) (err error) {
	var p pair
	for i, binary := range m.binaries {
		s, made := b.newStand(ctx, binary, m.store, m.setting)
		defer func() { err = errors.Join(err, s.Close()) }()
		if made != nil {
			return fmt.Errorf("%s: %w", letters[i], made)
		}
		if err := s.start(ctx, s.database); err != nil {
			return fmt.Errorf("%s: %w", letters[i], err)
		}
		if err := s.warm(ctx); err != nil {
			return fmt.Errorf("%s: %w", letters[i], err)
		}
		p[i] = s
	}
	for _, users := range b.users {
		for _, op := range b.of(m.setting) {
			results, err := b.turns(ctx, p, op, users)
			if err != nil {
				return err
			}
			fmt.Fprintf(out, "| %s | %s | %d |%s\n", m.store, op.name, users, ratios(results))
		}
	}
	return errors.Join(p[0].lost(), p[1].lost())
}

// turns measures a cell A B, B A, A B and so on.
func (b *bench) turns(ctx context.Context, p pair, op operation, users int) (results [2][]cell, err error) {
	for round := range b.rounds {
		for turn := range p {
			i := (turn + round) % 2
			c := p[i].measure(ctx, request{op, users, round + 1, b.size(users)})
			b.say("%s %s", letters[i], c.row())
			if c.Failure != "" {
				return results, fmt.Errorf("%s, %s with %d users: %s", letters[i], op.name, users, c.Failure)
			}
			results[i] = append(results[i], c)
			c.Op = letters[i] + " " + c.Op
			b.report.Cells = append(b.report.Cells, c)
		}
	}
	return results, nil
}

// ratios compares the cells of the same rounds.
func ratios(results [2][]cell) (columns string) {
	for _, value := range []func(c *cell) float64{
		func(c *cell) float64 { return c.Rate },
		func(c *cell) float64 { return c.P50 },
		func(c *cell) float64 { return c.P99 },
		func(c *cell) float64 { return c.Server },
		func(c *cell) float64 { return c.total() - c.Server },
	} {
		var all []float64
		for round := range results[0] {
			if under := value(&results[1][round]); under > 0 {
				all = append(all, value(&results[0][round])/under)
			}
		}
		columns += " " + spread(all) + " |"
	}
	return columns
}

// spread is the median with the least and the most.
func spread(all []float64) string {
	if len(all) == 0 {
		return "–"
	}
	slices.Sort(all)
	middle := (all[(len(all)-1)/2] + all[len(all)/2]) / 2
	return fmt.Sprintf("%.3f (%.3f to %.3f)", middle, all[0], all[len(all)-1])
}
