package load

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

func TestPercentilesAreThoseOfTheTimes(t *testing.T) {
	r := Result{times: hdrhistogram.New(shortest, longest, digits)}
	for i := int64(1); i <= 1000; i++ {
		if err := r.times.RecordValue(i * 100); err != nil {
			t.Fatal(err)
		}
	}
	for p, want := range map[float64]time.Duration{50: 50 * time.Millisecond, 95: 95 * time.Millisecond, 99: 99 * time.Millisecond} {
		if got := r.Percentile(p); got < want*999/1000 || got > want*1002/1000 {
			t.Errorf("p%v: got %s, want %s", p, got, want)
		}
	}
	if (Result{}).Percentile(50) != 0 || (Result{}).Rate() != 0 {
		t.Error("nothing measured is not zero")
	}
}

func TestRunCountsEveryOperationOfEveryUser(t *testing.T) {
	var calls atomic.Int64
	budget := [3]int{5, 7, 9}
	r, err := Run(t.Context(), Plan{Users: 3, Length: time.Minute, Op: func(_ context.Context, user int) error {
		if budget[user] == 0 {
			return ErrDry
		}
		budget[user]--
		calls.Add(1)
		return nil
	}})
	if err != nil || r.Ops != 21 || calls.Load() != 21 || !r.Dry || r.times.TotalCount() != 21 {
		t.Errorf("got %+v, %v after %d calls", r, err, calls.Load())
	}
}

func TestRunEndsWhenItsTimeIsUp(t *testing.T) {
	r, err := Run(t.Context(), Plan{Users: 2, Length: 20 * time.Millisecond, Op: func(context.Context, int) error { return nil }})
	if err != nil || r.Dry || r.Ops < 2 || r.Elapsed < 20*time.Millisecond || r.Elapsed > 10*time.Second {
		t.Errorf("got %+v, %v", r, err)
	}
}

func TestTheFirstErrorEndsARun(t *testing.T) {
	broken := errors.New("broken")
	_, err := Run(t.Context(), Plan{Users: 4, Length: time.Minute, Op: func(ctx context.Context, user int) error {
		if user == 3 {
			return broken
		}
		<-ctx.Done()
		return nil
	}})
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

func TestEachDoesEverythingOnceAndReportsErrors(t *testing.T) {
	var done [100]atomic.Int64
	err := Each(t.Context(), 7, len(done), func(_ context.Context, _, i int) error { done[i].Add(1); return nil })
	if err != nil {
		t.Fatal(err)
	}
	for i := range done {
		if done[i].Load() != 1 {
			t.Errorf("%d was done %d times", i, done[i].Load())
		}
	}
	broken := errors.New("broken")
	err = Each(t.Context(), 2, 1000, func(_ context.Context, _, i int) error {
		if i == 999 {
			return broken
		}
		return nil
	})
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

func TestPoolLetsThingsRest(t *testing.T) {
	p := NewPool[int](time.Minute)
	start := time.Now()
	for i := range 10 {
		p.Put(i, start.Add(time.Duration(i)*time.Second))
	}
	if _, err := p.Take(start.Add(59 * time.Second)); !errors.Is(err, ErrDry) {
		t.Errorf("got %v before anything has rested", err)
	}
	for want := range 10 {
		now := start.Add(time.Minute + time.Duration(want)*time.Second)
		got, err := p.Take(now)
		if err != nil || got != want {
			t.Fatalf("got %d, %v; want %d", got, err, want)
		}
		p.Put(got, now)
	}
	if _, err := p.Take(start.Add(119 * time.Second)); !errors.Is(err, ErrDry) || p.Len() != 10 {
		t.Errorf("got %v and %d things; what was used must rest again", err, p.Len())
	}
}

func TestAwaitWaitsForRestAndCanBeEnded(t *testing.T) {
	p := NewPool[int](time.Hour)
	p.Put(1, time.Now().Add(-2*time.Hour))
	p.Put(2, time.Now())
	if err := p.Await(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Await(ctx, 2); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
