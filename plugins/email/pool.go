package email

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/countersign/countersign/ports/channel"
)

// pool keeps connections warm, because connecting, encrypting and signing in
// takes several round trips more than the message itself.
type pool struct {
	dialer dialer
	places chan struct{} // one for each connection that may be in use

	mu     sync.Mutex // guards the rest
	idle   []*link    // the warmest last
	closed bool
}

func newPool(d dialer) *pool { return &pool{dialer: d, places: make(chan struct{}, d.cfg.Connections)} }

// enter waits for a place; release gives it back.
func (p *pool) enter(ctx context.Context) (release func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("%w: %w", channel.ErrUnavailable, err)
	}
	select {
	case p.places <- struct{}{}:
		return func() { <-p.places }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: all connections are busy: %w", channel.ErrUnavailable, ctx.Err())
	}
}

// take finds a warm connection.
func (p *pool) take() (*link, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle) == 0 {
		return nil, false
	}
	l := p.idle[len(p.idle)-1]
	p.idle = p.idle[:len(p.idle)-1]
	l.expiry.Stop()
	return l, true
}

// put keeps a connection for the next message, for a while.
func (p *pool) put(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.dialer.cfg.Idle == 0 {
		l.drop()
		return
	}
	l.expiry = time.AfterFunc(p.dialer.cfg.Idle, func() { p.expire(l) })
	p.idle = append(p.idle, l)
}

// expire hangs up, unless somebody has taken the connection just now.
func (p *pool) expire(l *link) {
	p.mu.Lock()
	at := slices.Index(p.idle, l)
	if at >= 0 {
		p.idle = slices.Delete(p.idle, at, at+1)
	}
	p.mu.Unlock()
	if at >= 0 {
		l.quit()
	}
}

// finish keeps the connection if it is in a known state, and explains err.
func (p *pool) finish(ctx context.Context, l *link, err error) error {
	if l.reusable(err) && ctx.Err() == nil {
		p.put(l)
	} else {
		l.drop()
	}
	return explain(ctx, err)
}

func (p *pool) close() {
	p.mu.Lock()
	idle := p.idle
	p.idle, p.closed = nil, true
	p.mu.Unlock()
	for _, l := range idle {
		l.expiry.Stop()
		l.quit()
	}
}
