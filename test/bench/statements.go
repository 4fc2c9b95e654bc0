package main

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/countersign/countersign/test/bench/api"
	"github.com/countersign/countersign/test/bench/load"
	"github.com/countersign/countersign/test/bench/pgtap"
)

// statement is how often a statement is executed per operation.
type statement struct {
	Text string  `json:"text"`
	Per  float64 `json:"per_op"`
}

// tally is the statements of one kind of operation at a number of users.
type tally struct {
	Op         string      `json:"op"`
	Users      int         `json:"users"`
	Total      float64     `json:"total"`
	Statements []statement `json:"statements"`
}

// samples is how many operations are counted.
const samples = 300

// tallies counts the statements of sign-ins on a server of its own that is
// connected through a tap. The outbox worker's are included.
func (s *stand) tallies(ctx context.Context) (out []tally, err error) {
	tap, through, err := pgtap.Open(s.database)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, tap.Close()) }()
	if err := s.start(ctx, through); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	if err := s.warm(ctx); err != nil {
		return nil, err
	}
	if err := s.needPeople(ctx, 2*samples); err != nil {
		return nil, err
	}
	for _, one := range s.tallied() {
		counts, err := s.tapped(ctx, tap, one.users, one.do)
		if err != nil {
			return out, err
		}
		t := tally{Op: one.op, Users: one.users, Statements: counts}
		for _, c := range counts {
			t.Total += c.Per
		}
		out = append(out, t)
	}
	return out, nil
}

// taken is what is counted.
type taken struct {
	op    string
	users int
	do    func(context.Context, *api.Client) error
}

// tallied lists what is counted in the stand's setting.
func (s *stand) tallied() []taken {
	known := func(ctx context.Context, c *api.Client) error { return s.signInKnown(ctx, c, 0) }
	first := func(ctx context.Context, c *api.Client) error {
		_, err := s.admit(ctx, c, s.stranger())
		return err
	}
	switch s.setting {
	case plain:
		return []taken{{"signin", 1, known}, {"signin", 32, known}, {"signin-new", 1, first}}
	case allRules:
		return []taken{{"signin-rules", 32, known}}
	case passwords:
	}
	return nil
}

// tapped runs the samples and counts.
func (s *stand) tapped(ctx context.Context, tap *pgtap.Tap, users int, do func(context.Context, *api.Client) error) ([]statement, error) {
	clients, hangUp, err := s.clients(users)
	if err != nil {
		return nil, err
	}
	defer hangUp()
	tap.Reset()
	err = load.Each(ctx, users, samples, func(ctx context.Context, worker, _ int) error { return do(ctx, clients[worker]) })
	if err != nil {
		return nil, err
	}
	select { // for what follows a delivery
	case <-time.After(200 * time.Millisecond):
	case <-ctx.Done():
	}
	counts := tap.Counts()
	var out []statement
	for text := range maps.Keys(counts) {
		out = append(out, statement{text, float64(counts[text]) / samples})
	}
	slices.SortFunc(out, func(a, b statement) int { return cmp.Or(cmp.Compare(b.Per, a.Per), cmp.Compare(a.Text, b.Text)) })
	return out, nil
}
