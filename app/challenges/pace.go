package challenges

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/countersign/countersign/ports/channel"
)

// Steps of a channel whose fate is remembered.
const (
	began  = "begin"
	judged = "verify"
)

// pace remembers how a channel's provider fared last, so that people who are not
// there take as long and fare alike: while it is down, they would be the only ones
// who are sent something. It is safe for concurrent use; the zero pace has seen
// nothing.
type pace struct {
	mu   sync.Mutex // guards last
	last map[string]fate
}

// fate is how long a step took, and ErrUnavailable if it failed.
type fate struct {
	took time.Duration
	err  error
}

// learn keeps the fate of a step with somebody who is there. Failures that say
// nothing about the next address, or about the provider, are forgotten.
func (p *pace) learn(id, step string, f fate) {
	if f.err != nil && (!errors.Is(f.err, ErrUnavailable) || errors.Is(f.err, channel.ErrUndeliverable)) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.last == nil {
		p.last = map[string]fate{}
	}
	p.last[id+" "+step] = f
}

// pretend takes as long as the step did last, if ctx does not end before, and
// fails as that did.
func (p *pace) pretend(ctx context.Context, id, step string) error {
	p.mu.Lock()
	f := p.last[id+" "+step]
	p.mu.Unlock()
	if f.took <= 0 {
		return f.err
	}
	t := time.NewTimer(f.took)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
	return f.err
}
