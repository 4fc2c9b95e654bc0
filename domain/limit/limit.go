// Package limit is the arithmetic of windows and of back-off. It keeps no
// state, reads no clock and knows no storage: whoever stores a Window or a
// Counter obeys the methods here.
package limit

import (
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign/domain/fault"
)

// Refusals. Both always carry when to come back.
var (
	ErrExceeded = fault.New(fault.Throttled, "rate_limited", "Too many requests. Try again later.")
	ErrCooldown = fault.New(fault.Throttled, "cooldown", "A code was sent a moment ago. Wait before asking for another one.")
	ErrLocked   = fault.New(fault.Throttled, "device_locked", "Too many wrong tries. Wait before trying again.")
)

// ErrRule means that a text such as "5/1h" does not say what is allowed.
var ErrRule = fault.New(fault.Invalid, "invalid_limit", `A limit reads like "5/1h": how many, a slash, and within what time.`)

// Rule allows Max things within Window. The window begins with the first of
// them and is not moved by those that follow.
type Rule struct {
	Max    int
	Window time.Duration
}

// ParseRule reads "5/1h". Max is at least 1 and Window at least a second.
func ParseRule(s string) (Rule, error) {
	count, span, ok := strings.Cut(strings.TrimSpace(s), "/")
	if !ok {
		return Rule{}, ErrRule
	}
	most, err := strconv.Atoi(count)
	if err != nil || most < 1 {
		return Rule{}, ErrRule.Because(err)
	}
	window, err := time.ParseDuration(span)
	if err != nil || window < time.Second {
		return Rule{}, ErrRule.Because(err)
	}
	return Rule{Max: most, Window: window}, nil
}

// String writes the rule as ParseRule reads it.
func (r Rule) String() string { return strconv.Itoa(r.Max) + "/" + r.Window.String() }

// Charge takes one from the window that is kept under Key.
type Charge struct {
	Rule
	Key      string // names rule and subject; holds no address in clear
	Cooldown bool   // refused as ErrCooldown and not as ErrExceeded
}

// Refusal is what somebody hears who comes too often.
func (c Charge) Refusal(w Window, now time.Time) error {
	after := max(w.Ends.Sub(now), time.Second)
	if c.Cooldown {
		return ErrCooldown.Retry(after)
	}
	return ErrExceeded.Retry(after)
}

// Window counts what happened since it began. The zero Window is empty.
type Window struct {
	Count int
	Ends  time.Time // exclusive: at Ends a new window begins
}

// Take counts one more, or reports false and leaves the window as it is.
func (w *Window) Take(r Rule, now time.Time) bool {
	if !now.Before(w.Ends) {
		*w = Window{Ends: now.Add(r.Window)}
	}
	if w.Count >= r.Max {
		return false
	}
	w.Count++
	return true
}

// GiveBack undoes one Take, if its window is still open.
func (w *Window) GiveBack(now time.Time) {
	if w.Count > 0 && now.Before(w.Ends) {
		w.Count--
	}
}
