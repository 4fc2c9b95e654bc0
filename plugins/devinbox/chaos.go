package devinbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/countersign/countersign/ports/channel"
)

// Chaos is how one channel misbehaves.
type Chaos struct {
	FailPercent int           // 0 to 100: how many messages fail
	Delay       time.Duration // how long every message takes
	Status      int           // the HTTP status that stands for the failure; 0 is 503
}

// Validate refuses what makes no sense.
func (c Chaos) Validate() error {
	var errs []error
	if c.FailPercent < 0 || c.FailPercent > 100 {
		errs = append(errs, fmt.Errorf("fail_percent: %d is not within 0 and 100", c.FailPercent))
	}
	if c.Delay < 0 || c.Delay > 5*time.Minute {
		errs = append(errs, fmt.Errorf("delay: %s is not within 0s and 5m", c.Delay))
	}
	if c.Status != 0 && (c.Status < 400 || c.Status > 599) {
		errs = append(errs, fmt.Errorf("status: %d is not within 400 and 599", c.Status))
	}
	return errors.Join(errs...)
}

// err is the failure in the core's words.
func (c Chaos) err() error {
	status := c.Status
	if status == 0 {
		status = http.StatusServiceUnavailable
	}
	if err := channel.StatusError(&http.Response{StatusCode: status, Header: http.Header{}}); err != nil {
		return fmt.Errorf("chaos: %w", err)
	}
	return fmt.Errorf("chaos: %w: HTTP status %d", channel.ErrUndeliverable, status)
}

// SetChaos makes a channel misbehave from now on; the zero Chaos ends it. An
// empty instance means every channel that has no chaos of its own.
func (b *Inbox) SetChaos(instance string, c Chaos) error {
	if err := c.Validate(); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.chaos[instance] = c
	return nil
}

// Chaos is how a channel misbehaves now.
func (b *Inbox) Chaos(instance string) Chaos {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c, own := b.chaos[instance]; own {
		return c
	}
	return b.chaos[""]
}

// suffer waits as long as a message takes, and fails if it is one that fails.
func (c Chaos) suffer(ctx context.Context, random io.Reader) error {
	if c.Delay > 0 {
		timer := time.NewTimer(c.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: %w", channel.ErrUnavailable, err)
	}
	if c.FailPercent == 0 {
		return nil
	}
	n, err := percentile(random)
	if err != nil {
		return fmt.Errorf("%w: no randomness: %w", channel.ErrUnavailable, err)
	}
	if n < c.FailPercent {
		return c.err()
	}
	return nil
}

// percentile draws from 0 to 99. It throws away what would favour the low.
func percentile(random io.Reader) (int, error) {
	var one [1]byte
	for {
		if _, err := io.ReadFull(random, one[:]); err != nil {
			return 0, err
		}
		if one[0] < 200 {
			return int(one[0]) % 100, nil
		}
	}
}
