package limit

import "time"

// Throttle says how long to wait after wrong answers in a row, whatever
// challenge, address or replica they came through (NIST SP 800-63B-4, 3.2.2).
type Throttle struct {
	Free      int           // failures without any wait
	Factor    time.Duration // the first wait; each further one is twice as long; 0 means no waits
	Cap       time.Duration // the longest wait
	DisableAt int           // failures after which nothing is evaluated any more; 0 means never
}

// Wait is how long nothing is evaluated after the given number of failures in
// a row: factor·2^(n-free-1), at most cap.
func (t Throttle) Wait(failures int) time.Duration {
	n := failures - t.Free - 1
	if n < 0 || t.Factor <= 0 {
		return 0
	}
	if n > 30 || t.Factor > t.Cap>>n { // shifting the first wait up could overflow
		return t.Cap
	}
	return t.Factor << n
}

// Counter counts failures in a row of one authenticator. It lasts: only a
// success clears it. The zero Counter is clear.
type Counter struct {
	Failures    int
	LockedUntil time.Time // exclusive
}

// Refusal reports why nothing would be evaluated now, or nil.
func (c Counter) Refusal(t Throttle, now time.Time) error {
	if t.DisableAt > 0 && c.Failures >= t.DisableAt {
		return ErrLocked.Retry(max(t.Cap, time.Second)).Saying("Too many wrong tries. This way of proving it is you is switched off.")
	}
	if now.Before(c.LockedUntil) {
		return ErrLocked.Retry(c.LockedUntil.Sub(now))
	}
	return nil
}

// Charge counts a failure before anybody looks at the answer. A success clears
// the counter afterwards, so a thousand parallel guesses cost a thousand.
func (c *Counter) Charge(t Throttle, now time.Time) error {
	if err := c.Refusal(t, now); err != nil {
		return err
	}
	c.Failures++
	c.LockedUntil = time.Time{}
	if wait := t.Wait(c.Failures); wait > 0 {
		c.LockedUntil = now.Add(wait)
	}
	return nil
}

// Refund undoes one Charge for an answer that nobody could judge.
func (c *Counter) Refund() {
	if c.Failures > 0 {
		c.Failures--
	}
	c.LockedUntil = time.Time{}
}
