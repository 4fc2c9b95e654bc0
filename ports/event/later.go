package event

import "time"

// LaterError is what a listener returns from Hear that does not want to hear the
// fact again before some time has passed.
type LaterError struct {
	After time.Duration // from now
	Err   error         // why; it holds nothing secret
}

// Error says why.
func (e *LaterError) Error() string { return e.Err.Error() }

// Unwrap gives the reason.
func (e *LaterError) Unwrap() error { return e.Err }
