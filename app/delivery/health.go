package delivery

import (
	"context"
	"sync"
	"time"
)

// health remembers how the last real message of each channel fared, so that
// decoys fare alike and nobody can tell them by the state of their delivery.
type health struct {
	mu   sync.Mutex // guards last
	last map[string]fate
}

type fate struct {
	took time.Duration
	err  error
}

func newHealth() *health { return &health{last: map[string]fate{}} }

func (h *health) learn(channel string, took time.Duration, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last[channel] = fate{took: took, err: err}
}

// pretend takes as long as the channel's last real message, of which some time is
// spent already, and ends as it did.
func (h *health) pretend(ctx context.Context, channel string, spent time.Duration) error {
	h.mu.Lock()
	f := h.last[channel]
	h.mu.Unlock()
	timer := time.NewTimer(f.took - spent)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return f.err
	}
}
