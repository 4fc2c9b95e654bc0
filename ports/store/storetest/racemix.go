package storetest

import (
	"context"

	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/limit"
	"github.com/countersign/countersign/ports/store"
)

// mixesOrders has racers charge two windows and two counters in both orders.
func mixesOrders(r *race) {
	v, w := r.window(1_000_000), r.window(1_000_000)
	orders := [][]limit.Charge{{v, w}, {w, v}}
	r.ok(r.Start(r.ctx, store.Start{Challenge: r.question(), Windows: orders[0], Now: r.now}), "start")
	c := r.ask(func(c *challenge.Challenge) { c.Allowed = 1_000_000 })
	d := r.ask(func(c *challenge.Challenge) { c.Allowed = 1_000_000 })
	r.charge(r.pay(c))
	r.charge(r.pay(d))
	const racers, rounds = 6, 8
	won := r.run(racers, nil, func(i int, s store.Store) error {
		for n := range rounds {
			if err := r.mixed(s, n, []challenge.Challenge{c, d}, orders[i%2]); err != nil {
				return err
			}
		}
		return nil
	})
	r.same(won, racers, "how many racers came through")
	r.wantTaken(v, 1+racers*rounds)
	r.wantTaken(w, 1+racers*rounds)
	r.same(r.read(c).Attempts+r.read(d).Attempts, 2+racers*rounds/4*2, "attempts of both challenges")
}

// mixed charges both windows once, each time in another way.
func (r *race) mixed(s store.Store, n int, two []challenge.Challenge, windows []limit.Charge) error {
	switch n % 4 {
	case 0, 1:
		in := r.pay(two[n%2])
		in.Windows = windows
		_, err := s.Charge(r.ctx, in)
		return err
	case 2:
		return s.Start(r.ctx, store.Start{Challenge: r.question(), Windows: windows, Now: r.now})
	}
	return s.Do(r.ctx, func(ctx context.Context, tx store.Tx) error {
		for _, w := range windows {
			if err := tx.Challenges().Take(ctx, []limit.Charge{w}, r.now); err != nil {
				return err
			}
		}
		_, err := tx.Challenges().Get(ctx, home, two[n/4%2].Handle)
		return err
	})
}
