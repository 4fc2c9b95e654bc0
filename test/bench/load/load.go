// Package load drives an operation in a closed loop: each user begins the next
// one as soon as the last has ended.
package load

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// ErrDry means that what an operation needs is used up. It ends the loop of
// one user and is no failure.
var ErrDry = errors.New("what was prepared is used up")

// Bounds of what is recorded, in microseconds, and how exactly: three digits.
const (
	shortest = 1
	longest  = 60_000_000
	digits   = 3
)

// Plan is one measurement.
type Plan struct {
	Users  int
	Length time.Duration
	// Op does one operation for the user with that number, from 0. It is called
	// from one goroutine per user.
	Op func(ctx context.Context, user int) error
}

// Result is what was measured.
type Result struct {
	Ops     int64
	Elapsed time.Duration // until the last operation ended
	Dry     bool          // it ended early for want of something prepared

	times *hdrhistogram.Histogram // microseconds
}

// Rate is operations per second.
func (r Result) Rate() float64 {
	if r.Elapsed <= 0 {
		return 0
	}
	return float64(r.Ops) / r.Elapsed.Seconds()
}

// Percentile is a time that p percent of the operations did not exceed.
func (r Result) Percentile(p float64) time.Duration {
	if r.times == nil {
		return 0
	}
	return time.Duration(r.times.ValueAtQuantile(p)) * time.Microsecond
}

// Run measures. The first error ends it for all users and is returned.
// Operations under way when the time is up are finished and counted.
func Run(ctx context.Context, p Plan) (Result, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	loops := make([]loop, p.Users)
	var wg sync.WaitGroup
	began := time.Now()
	for user := range loops {
		loops[user].times = hdrhistogram.New(shortest, longest, digits)
		wg.Go(func() {
			if err := loops[user].run(ctx, p, user, began.Add(p.Length)); err != nil {
				cancel(fmt.Errorf("user %d, operation %d: %w", user, loops[user].ops, err))
			}
		})
	}
	wg.Wait()
	r := Result{Elapsed: time.Since(began), times: hdrhistogram.New(shortest, longest, digits)}
	for i := range loops {
		r.Ops += loops[i].ops
		r.Dry = r.Dry || loops[i].dry
		r.times.Merge(loops[i].times)
	}
	return r, context.Cause(ctx)
}

// loop is what one user has done.
type loop struct {
	ops   int64
	dry   bool
	times *hdrhistogram.Histogram
}

func (l *loop) run(ctx context.Context, p Plan, user int, end time.Time) error {
	for now := time.Now(); now.Before(end) && ctx.Err() == nil; {
		err := p.Op(ctx, user)
		took := time.Since(now)
		if errors.Is(err, ErrDry) {
			l.dry = true
			return nil
		}
		if err != nil {
			return err
		}
		l.ops++
		if err := l.times.RecordValue(min(max(took.Microseconds(), shortest), longest)); err != nil {
			return fmt.Errorf("record a time: %w", err)
		}
		now = now.Add(took)
	}
	return nil
}

// Each does something n times with the given number of workers, and stops at
// the first error.
func Each(ctx context.Context, workers, n int, do func(ctx context.Context, worker, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan int)
	var wg sync.WaitGroup
	for worker := range workers {
		wg.Go(func() {
			for i := range next {
				if err := do(ctx, worker, i); err != nil {
					cancel(err)
					return
				}
			}
		})
	}
feed:
	for i := range n {
		select {
		case next <- i:
		case <-ctx.Done():
			break feed
		}
	}
	close(next)
	wg.Wait()
	return context.Cause(ctx)
}
