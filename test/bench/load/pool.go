package load

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Pool lends things that must rest between two uses, the longest rested first.
// It is safe for concurrent use.
type Pool[T any] struct {
	rest time.Duration

	mu    sync.Mutex // guards queue, from head on
	queue []rested[T]
	head  int
}

type rested[T any] struct {
	thing T
	since time.Time
}

// NewPool makes an empty pool whose things rest that long.
func NewPool[T any](rest time.Duration) *Pool[T] { return &Pool[T]{rest: rest} }

// Put gives a thing (back), used last at the given time.
func (p *Pool[T]) Put(thing T, used time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.head > len(p.queue)/2 {
		n := copy(p.queue, p.queue[p.head:])
		clear(p.queue[n:])
		p.queue, p.head = p.queue[:n], 0
	}
	p.queue = append(p.queue, rested[T]{thing, used})
}

// Take lends the thing that has rested longest, or reports ErrDry if none has
// rested enough.
func (p *Pool[T]) Take(now time.Time) (T, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var none T
	if p.head == len(p.queue) || now.Sub(p.queue[p.head].since) < p.rest {
		return none, ErrDry
	}
	thing := p.queue[p.head].thing
	p.head++
	return thing, nil
}

// Len is how many things there are, rested or not.
func (p *Pool[T]) Len() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.queue) - p.head
}

// Await waits until the first n things, or all there are, have rested.
func (p *Pool[T]) Await(ctx context.Context, n int) error {
	p.mu.Lock()
	var until time.Time
	for _, r := range p.queue[p.head:min(p.head+n, len(p.queue))] {
		if ready := r.since.Add(p.rest); ready.After(until) {
			until = ready
		}
	}
	p.mu.Unlock()
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait until things have rested: %w", context.Cause(ctx))
	}
}
