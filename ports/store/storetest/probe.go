package storetest

import (
	"context"
	"errors"
	"time"

	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/limit"
	"github.com/countersign/countersign/ports/store"
)

// errBack makes a unit of work not happen.
var errBack = errors.New("taken back by the test")

// marker is a wait that no throttle of the kit gives otherwise.
const marker = 977777 * time.Second

// The port has no way to read counters and windows, because nothing but a
// refusal depends on them. So the kit reads them by being refused.

// probe reads counters without changing them: each of its charges is refused,
// by the counter or by a window that is full.
type probe struct {
	k      *kit
	full   limit.Charge
	handle string
	tenant string
}

// newProbe makes a probe of the counter key.
func (k *kit) newProbe(key string) probe {
	k.Helper()
	p := probe{k: k, full: limit.Charge{Rule: limit.Rule{Max: 1, Window: 200000 * time.Hour}, Key: k.name("full")}}
	c := k.question()
	c.Counter, c.Delivery, c.Allowed, c.ExpiresAt = key, challenge.NoDelivery, 1_000_000, k.now.Add(200000*time.Hour)
	k.ok(k.Start(k.ctx, store.Start{Challenge: c, Windows: []limit.Charge{p.full}, Now: k.now}), "start probe")
	p.handle, p.tenant = c.Handle, c.Tenant
	return p
}

// counter reads how many failures there are, and for how long it is locked.
func (p probe) counter(now time.Time) (failures int, locked time.Duration) {
	p.k.Helper()
	if err := p.refusal(limit.Throttle{}, now); errors.Is(err, limit.ErrLocked) {
		locked = after(err)
	}
	for {
		t := limit.Throttle{DisableAt: failures + 1, Cap: marker}
		if after(p.refusal(t, now)) != marker {
			return failures, locked
		}
		failures++
	}
}

func (p probe) refusal(t limit.Throttle, now time.Time) error {
	p.k.Helper()
	_, err := p.k.Charge(p.k.ctx, store.Charge{
		Tenant: p.tenant, Handle: p.handle, Formats: six, Throttle: t, Windows: []limit.Charge{p.full}, Now: now,
	})
	if !errors.Is(err, limit.ErrLocked) && !errors.Is(err, limit.ErrExceeded) {
		p.k.Fatalf("a charge with a full window: %v", err)
	}
	return err
}

// taken reads how often a window was taken, and for how long it is open yet
// (at least a second), in a unit of work that is taken back.
func (k *kit) taken(key string, now time.Time) (count int, open time.Duration) {
	k.Helper()
	err := k.Do(k.ctx, func(ctx context.Context, tx store.Tx) error {
		for count = 0; ; count++ {
			c := limit.Charge{Rule: limit.Rule{Max: count + 1, Window: time.Second}, Key: key}
			err := tx.Challenges().Take(ctx, []limit.Charge{c}, now)
			if err == nil {
				return errBack
			}
			if !errors.Is(err, limit.ErrExceeded) {
				return err
			}
			open = after(err)
		}
	})
	k.refused(err, errBack, "read window")
	return count, open
}

// wantTaken checks how often a window was taken.
func (k *kit) wantTaken(c limit.Charge, want int) {
	k.Helper()
	if got, _ := k.taken(c.Key, k.now); got != want {
		k.Fatalf("window %s was taken %d times, want %d", c.Key, got, want)
	}
}

// wantFailures checks how many failures a probe sees.
func (p probe) wantFailures(want int) {
	p.k.Helper()
	if got, _ := p.counter(p.k.now); got != want {
		p.k.Fatalf("the counter counts %d failures, want %d", got, want)
	}
}
