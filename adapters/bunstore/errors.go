package bunstore

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"

	"github.com/countersign/countersign/domain/device"
	"github.com/countersign/countersign/domain/fault"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/store"
)

// What the engines call their failures.
const (
	pgUnique        = "23505"
	pgDivision      = "22012" // our own way of taking a statement back, see pg_steps.go
	pgSerialization = "40001"
	pgDeadlock      = "40P01"
	pgLockTimeout   = "55P03"
	liteBusy        = 5  // primary result code SQLITE_BUSY
	liteConstraint  = 19 // primary result code SQLITE_CONSTRAINT
)

// failure makes an error of a unit of work fit for the port: faults and errors
// of the caller's own go through, what the engine says becomes
// store.ErrUnavailable with its cause.
func failure(what string, err error) error {
	if err == nil {
		return nil
	}
	if _, foreseen := fault.Of(err); foreseen {
		return err
	}
	if taken(err) {
		return user.ErrTaken.Because(err)
	}
	if linked(err) {
		return device.ErrLinked.Because(err)
	}
	var own *callerError
	switch {
	case errors.As(err, &own):
		return own.err
	case errors.Is(err, context.Canceled), constraint(err):
		return fmt.Errorf("%s: %w", what, err)
	}
	return store.ErrUnavailable.Because(fmt.Errorf("%s: %w", what, err))
}

// callerError marks what the function of a unit of work returned itself.
type callerError struct{ err error }

// own marks err, if there is one.
func own(err error) error {
	if err == nil {
		return nil
	}
	return &callerError{err}
}

func (e *callerError) Error() string { return e.err.Error() }
func (e *callerError) Unwrap() error { return e.err }

func pgCode(err error) string {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pg.Code
	}
	return ""
}

// constraint reports whether the engine refused a row that contradicts others.
func constraint(err error) bool {
	if lite, ok := errors.AsType[*sqlite.Error](err); ok {
		return lite.Code()&0xff == liteConstraint
	}
	return strings.HasPrefix(pgCode(err), "23")
}

// taken reports whether an identifier or a user is there already.
func taken(err error) bool {
	if lite, ok := errors.AsType[*sqlite.Error](err); ok {
		said := lite.Error()
		return constraint(err) && (strings.Contains(said, "identifiers.") || strings.Contains(said, "users."))
	}
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pg.Code == pgUnique && (pg.TableName == "identifiers" || pg.TableName == "users")
}

// linked reports whether another device of the channel has the name already.
func linked(err error) bool {
	if lite, ok := errors.AsType[*sqlite.Error](err); ok {
		return constraint(err) && strings.Contains(lite.Error(), "devices.ref")
	}
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pg.Code == pgUnique && pg.ConstraintName == "devices_ref"
}

// again reports whether a transaction would do better on its next try.
func again(err error) bool {
	code := pgCode(err)
	return code == pgSerialization || code == pgDeadlock || code == pgLockTimeout
}
