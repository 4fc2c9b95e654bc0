// Package system is the host's time, ids and randomness.
package system

import (
	"bytes"
	"crypto/rand"
	"io"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

// Clock implements the port's Clock with the host's clock. The zero value is
// ready and safe for concurrent use.
type Clock struct{}

// Now returns the present in UTC, cut to microseconds.
func (Clock) Now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// Movable is the host's clock with an offset that can be changed, for
// development and demonstrations: it runs on from wherever it is put. The zero
// value has no offset, and is safe for concurrent use. Never use it in
// production, where whoever moves it decides what has expired.
type Movable struct {
	offset atomic.Int64 // nanoseconds
}

// Now returns the present of the moved clock, in UTC, cut to microseconds.
func (m *Movable) Now() time.Time {
	return time.Now().Add(m.Offset()).UTC().Truncate(time.Microsecond)
}

// Advance moves the clock by d, backwards if d is negative, and returns the
// offset from the host's clock that results.
func (m *Movable) Advance(d time.Duration) time.Duration {
	return time.Duration(m.offset.Add(int64(d)))
}

// Offset returns how far the clock is ahead of the host's.
func (m *Movable) Offset() time.Duration { return time.Duration(m.offset.Load()) }

// Reset puts the clock back to the host's time.
func (m *Movable) Reset() { m.offset.Store(0) }

// Random returns the randomness of the operating system, which is safe for
// concurrent use and never fails: without it the process stops.
func Random() io.Reader { return rand.Reader }

// IDs makes UUIDs of version 7 (RFC 9562 section 5.7), which begin with the
// time by the host's clock, moved or not, and so sort by when they were made.
// Make one with NewIDs. It is as safe for concurrent use as its randomness.
type IDs struct {
	random io.Reader
}

// NewIDs makes ids whose random part comes from random, or from the operating
// system if random is nil.
func NewIDs(random io.Reader) IDs {
	if random == nil {
		random = Random()
	}
	return IDs{random: random}
}

// New returns a new id. Should the given randomness fail, the operating
// system's takes its place: an id that repeats would be worse than one that
// cannot be foretold.
func (i IDs) New() string {
	var seed [16]byte
	if i.random == nil || !fill(i.random, seed[:]) {
		_, _ = rand.Read(seed[:]) // never fails, see Random
	}
	// The only error there could be is that of the reader, which has enough.
	id, _ := uuid.NewV7FromReader(bytes.NewReader(seed[:]))
	return id.String()
}

func fill(r io.Reader, p []byte) bool {
	_, err := io.ReadFull(r, p)
	return err == nil
}
