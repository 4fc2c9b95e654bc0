// Package memstore is a store.Store in memory, for development, for tests and
// for embedding where nothing need survive. One mutex makes every unit of work
// serial, and an undo log makes it all or nothing. It has no rules of its own:
// whatever a contract leaves to the domain, it calls the domain for.
package memstore

import (
	"context"
	"fmt"
	"sync"

	"github.com/countersign/countersign/ports/store"
)

var _ store.Store = (*Store)(nil)

// Store keeps everything in maps. It is safe for concurrent use and shares no
// memory with its callers. Make one with New.
type Store struct {
	mu     sync.Mutex
	closed bool
	state  *state
}

// New returns an empty store.
func New() *Store { return &Store{state: newState()} }

// Do runs fn once, alone. If fn fails or panics, nothing has happened.
func (s *Store) Do(ctx context.Context, fn func(ctx context.Context, tx store.Tx) error) error {
	return s.work(ctx, "unit of work", func(st *state) error { return fn(ctx, tx{st}) })
}

// Ping reports whether the store is open.
func (s *Store) Ping(ctx context.Context) error {
	return s.work(ctx, "ping", func(*state) error { return nil })
}

// Close forgets everything. Closing twice is harmless.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed, s.state = true, newState()
	return nil
}

// work runs fn alone, and undoes what it did unless it returns nil.
func (s *Store) work(ctx context.Context, what string, fn func(*state) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s in memory: %w", what, err)
	}
	if s.closed {
		return store.ErrUnavailable
	}
	done := false
	defer func() { s.state.log.end(done) }()
	if err := fn(s.state); err != nil {
		return err
	}
	done = true
	return nil
}
