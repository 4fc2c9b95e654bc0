package passwordtest

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"

	domain "github.com/countersign/countersign/domain/password"
	"github.com/countersign/countersign/ports/password"
)

const (
	slots = 2
	queue = 3
)

// hall is where those who run are held until the suite lets them go.
type hall struct {
	h      password.Hasher
	hash   domain.Hash
	held   atomic.Bool
	inside atomic.Int32
	most   atomic.Int32
	exit   chan struct{}
	ends   chan error // how each one that came ended
}

// crowd runs a test in a bubble, where it is known when nobody moves any more.
func crowd(t *testing.T, open opener, fn func(t *testing.T, c *hall)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := &hall{exit: make(chan struct{}), ends: make(chan error, 100)}
		s := plain()
		s.Slots, s.Queue, s.Normalize = slots, queue, c.normalize
		c.h = open(t, s).Hasher
		c.hash = mustHash(t, c.h, right)
		c.held.Store(true)
		fn(t, c)
		if n := c.inside.Load(); n != 0 {
			t.Errorf("%d are still inside", n)
		}
		if n := c.most.Load(); n != slots {
			t.Errorf("at most %d ran at once, and %d may", n, slots)
		}
		c.held.Store(false)
		if same, _ := mustCompare(t, c.h, c.hash, right); !same {
			t.Error("after the crowd, the right password is wrong")
		}
	})
}

func (c *hall) normalize(text string) string {
	if !c.held.Load() {
		return text
	}
	for n := c.inside.Add(1); ; {
		if m := c.most.Load(); n <= m || c.most.CompareAndSwap(m, n) {
			break
		}
	}
	<-c.exit
	c.inside.Add(-1)
	return text
}

// come lets n more callers in, of all sorts, until none can go further.
func (c *hall) come(ctx context.Context, n int) {
	for i := range n {
		go func() {
			var err error
			switch i % 3 {
			case 0:
				_, err = c.h.Hash(ctx, right)
			case 1:
				_, _, err = c.h.Compare(ctx, c.hash, right)
			default:
				_, _, err = c.h.Compare(ctx, "", right)
			}
			c.ends <- err
		}()
	}
	synctest.Wait()
}

// ended checks how those ended that have by now.
func (c *hall) ended(t *testing.T, good, busy int) {
	t.Helper()
	for n := len(c.ends); n > 0; n-- {
		switch err := <-c.ends; {
		case err == nil:
			good--
		case errors.Is(err, password.ErrBusy):
			silent(t, err, right, string(c.hash))
			busy--
		default:
			t.Errorf("one ended with %v", err)
		}
	}
	if good != 0 || busy != 0 {
		t.Errorf("of those that should have ended, %d did not well, and %d were not told that it is busy", good, busy)
	}
}

// free lets n go.
func (c *hall) free(n int) {
	for range n {
		c.exit <- struct{}{}
		synctest.Wait()
	}
}

func bounded(t *testing.T, open opener) {
	crowd(t, open, func(t *testing.T, c *hall) {
		c.come(t.Context(), slots+queue)
		c.ended(t, 0, 0)
		if n := c.inside.Load(); n != slots {
			t.Errorf("%d run, not %d", n, slots)
		}
		c.come(t.Context(), 3) // one of each sort
		c.ended(t, 0, 3)
		c.free(1)
		c.ended(t, 1, 0)
		c.come(t.Context(), 2) // one takes the free place
		c.ended(t, 0, 1)
		c.free(slots + queue)
		c.ended(t, slots+queue, 0)
	})
}

func leaves(t *testing.T, open opener) {
	crowd(t, open, func(t *testing.T, c *hall) {
		gone, leave := context.WithCancel(t.Context())
		c.come(t.Context(), slots)
		c.come(gone, queue)
		leave()
		synctest.Wait()
		c.ended(t, 0, queue)
		c.come(gone, 3) // who has left does not even queue
		c.ended(t, 0, 3)
		c.come(t.Context(), queue) // their places are free
		c.ended(t, 0, 0)
		c.free(slots + queue)
		c.ended(t, slots+queue, 0)
		c.come(gone, 3) // nor runs, however free it is
		c.ended(t, 0, 3)
		_, err := c.h.Hash(gone, right)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("it is not told why: %v", err)
		}
	})
}
