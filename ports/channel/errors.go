package channel

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// What can be wrong with a provider. Wrap them with %w; never add an address,
// a code or what a provider wrote, which may quote either.
var (
	// ErrUnavailable means the carrier or provider is down: try another channel.
	ErrUnavailable = errors.New("channel unavailable")

	// ErrUndeliverable means this address will never work.
	ErrUndeliverable = errors.New("address undeliverable")

	// ErrRefused means the provider turns us away: credentials, balance or
	// content. Trying again does not help; the operator must act.
	ErrRefused = errors.New("provider refuses us")

	// ErrForged means an inbound request was not sent by who it claims.
	ErrForged = errors.New("callback not authentic")

	// ErrIrrelevant means that an inbound request is authentic and answers no
	// challenge: small talk with a bot. The messenger is thanked all the same, or
	// it would bring it again and again.
	ErrIrrelevant = errors.New("callback answers nothing")
)

// ThrottledError means the provider asks us to come back later.
type ThrottledError struct {
	After time.Duration // how much later; 0 if the provider did not say
}

// Error says how long to wait.
func (e *ThrottledError) Error() string { return fmt.Sprintf("provider asks to wait %s", e.After) }

// StatusError turns a provider's HTTP status into one of the errors above, or
// nil if there is something to read: 2xx and 3xx, and those 4xx whose meaning
// differs between providers. Plugins share it so that the core can trust their
// errors.
func StatusError(resp *http.Response) error {
	switch code := resp.StatusCode; {
	case code == http.StatusTooManyRequests:
		return &ThrottledError{After: retryAfter(resp.Header)}
	case code == http.StatusUnauthorized, code == http.StatusForbidden, code == http.StatusPaymentRequired:
		return fmt.Errorf("%w: HTTP status %d", ErrRefused, code)
	case code >= http.StatusInternalServerError, code == http.StatusRequestTimeout:
		return fmt.Errorf("%w: HTTP status %d", ErrUnavailable, code)
	}
	return nil
}

// retryAfter reads RFC 9110 section 10.2.3: seconds, or a date, which we
// compare with the provider's own clock.
func retryAfter(h http.Header) time.Duration {
	text := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	then, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	now, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return 0
	}
	return max(0, then.Sub(now))
}
