package main

import (
	"context"
	"slices"
	"time"

	"github.com/countersign/countersign/test/bench/api"
	"github.com/countersign/countersign/test/bench/target"
)

// setting is the server that operations are measured on, one after the other.
type setting string

const (
	plain     setting = ""          // the default policy; checks, memory and statements are its
	passwords setting = "passwords" // the same, a server of its own: hashes leave memory behind that would be taken for others'
	allRules  setting = "all rules" // everything that can be at work for every sign-in
)

func settings() []setting { return []setting{plain, passwords, allRules} }

// suffix tells what happens in a setting from what happens in the plain one.
func (t setting) suffix() string {
	if t == plain {
		return ""
	}
	return ", " + string(t)
}

// rest is how long an address is left alone between two codes: a little more
// than the policy's wait between two messages.
func (t setting) rest() time.Duration {
	if t == allRules {
		return 1100 * time.Millisecond
	}
	return 31 * time.Second
}

// of lists the operations that were chosen and belong to a setting.
func (o *options) of(t setting) (out []operation) {
	for _, op := range o.ops {
		if op.setting == t {
			out = append(out, op)
		}
	}
	return out
}

func (o *options) has(t setting) bool {
	return slices.ContainsFunc(o.ops, func(op operation) bool { return op.setting == t })
}

// checkListed sees to it that the lists are at work where all rules are on.
func checkListed(ctx context.Context, s *stand, c *api.Client) error {
	p := s.stranger()
	_, err := c.Start(api.Wish{To: target.Listed, From: p.from})
	if _, err := refused(err, "destination_blocked"); err != nil {
		return err
	}
	_, err = s.admit(ctx, c, p)
	return err
}
