package bunstore

import (
	"context"
	"sync"
	"time"

	"github.com/countersign/countersign/ports/store"
)

// Nobody waits to hear that a message was marked as sent, so those that are
// sent within a moment are marked together: one statement for all of them.
const (
	gathering   = 5 * time.Millisecond
	finishAtOne = 64
	finishLimit = 10 * time.Second
)

// finisher marks messages as sent. It is safe for concurrent use.
type finisher struct {
	mu      sync.Mutex // guards what follows
	waiting []*finishing
	busy    bool // somebody works off what waits
}

// finishing is one message that waits to be marked.
type finishing struct {
	in   store.Finish
	done chan struct{} // closed when what follows is known
	ok   bool
	err  error
}

// sentText marks messages as sent: they are gone, which says it. Should the
// database server lose that, they go out again under the same key: so nobody
// waits for its disk either.
const sentText = `DELETE FROM messages x
	USING unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) AS f(id, tenant, handle, fence)
	WHERE x.handle = f.handle AND x.id = f.id AND x.tenant = f.tenant AND x.fence = f.fence
	RETURNING x.id, set_config('synchronous_commit', 'off', true)`

// sent marks a message together with those that come at the same time.
func (p pooled) sent(ctx context.Context, in store.Finish) (bool, error) {
	f := &finishing{in: in, done: make(chan struct{})}
	p.finisher.mu.Lock()
	p.finisher.waiting = append(p.finisher.waiting, f)
	lead := !p.finisher.busy
	p.finisher.busy = true
	p.finisher.mu.Unlock()
	if lead {
		go p.workOff(context.WithoutCancel(ctx))
	}
	select {
	case <-f.done:
		return f.ok, f.err
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// workOff marks what waits until nothing does.
func (p pooled) workOff(ctx context.Context) {
	for {
		time.Sleep(gathering)
		batch := p.finisher.take()
		if batch == nil {
			return
		}
		p.mark(ctx, batch)
	}
}

// take gives the oldest that wait, or nil and ends the work.
func (f *finisher) take() []*finishing {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.waiting) == 0 {
		f.busy = false
		return nil
	}
	n := min(len(f.waiting), finishAtOne)
	batch := f.waiting[:n:n]
	f.waiting = f.waiting[n:]
	return batch
}

func (p pooled) mark(ctx context.Context, batch []*finishing) {
	ctx, cancel := context.WithTimeout(ctx, finishLimit)
	defer cancel()
	ids, tenants, handles := make([]string, len(batch)), make([]string, len(batch)), make([]string, len(batch))
	fences := make([]int64, len(batch))
	for i, f := range batch {
		ids[i], tenants[i], handles[i] = f.in.ID, f.in.Tenant, f.in.Handle
		fences[i] = int64(f.in.Fence)
	}
	gone := map[string]bool{}
	var id, setting string
	var err error
	for n := range tries {
		if err = pause(ctx, n); err != nil {
			break
		}
		err = p.each(ctx, func(read scan) error {
			err := read(&id, &setting)
			gone[id] = true
			return err
		}, sentText, ids, tenants, handles, fences)
		if !again(err) {
			break
		}
	}
	for _, f := range batch {
		f.ok, f.err = gone[f.in.ID] && err == nil, err
		delete(gone, f.in.ID) // of two that finish the same, one has
		close(f.done)
	}
}
