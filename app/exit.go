package app

import (
	"errors"
	"fmt"
	"io"

	"go.uber.org/dig"
)

// Exit codes. They are part of the contract with whoever starts us: a unit file
// says RestartPreventExitStatus=2 3.
const (
	exitOK          = 0
	exitFailure     = 1
	exitUsage       = 2
	exitConfig      = 3 // do not start again before it was changed
	exitDependency  = 4
	exitWarnings    = 5 // under --strict
	exitMissing     = 6
	exitRefused     = 7
	exitInterrupted = 130
)

// exitError is an error with the code that the process ends with.
type exitError struct {
	code int
	err  error
}

// Error is what went wrong, for people.
func (e *exitError) Error() string { return e.err.Error() }

// Unwrap gives what went wrong.
func (e *exitError) Unwrap() error { return e.err }

func exitWith(code int, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*exitError](err); ok {
		return err
	}
	return &exitError{code: code, err: err}
}

func configuration(err error) error { return exitWith(exitConfig, err) }
func dependency(err error) error    { return exitWith(exitDependency, err) }
func usage(err error) error         { return exitWith(exitUsage, err) }
func refused(err error) error       { return exitWith(exitRefused, err) }

// finish tells people what went wrong, without the wiring that it came through,
// and returns the exit code.
func finish(stderr io.Writer, err error) int {
	if err == nil {
		return exitOK
	}
	if e, ok := errors.AsType[*exitError](err); ok {
		if e.code != exitInterrupted { // who interrupts knows
			fmt.Fprintln(stderr, e.err)
		}
		return e.code
	}
	fmt.Fprintln(stderr, dig.RootCause(err))
	return exitFailure
}
