package providers

import (
	"bytes"
	"io"
	"net/http"
	"sync"
	"time"
)

// Silence lets a provider take requests and say nothing, until they are given up
// or it speaks again. The zero Silence speaks. It is safe for concurrent use.
type Silence struct {
	mu    sync.Mutex    // guards the rest
	over  chan struct{} // closed when it speaks again; nil: it speaks
	given []time.Duration
}

// Fall begins the silence. It must not have begun before.
func (s *Silence) Fall() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = make(chan struct{})
}

// Break ends the silence, if it has begun: who waits still is answered now.
func (s *Silence) Break() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over != nil {
		close(s.over)
		s.over = nil
	}
}

// GivenUp says of each request that was given up how long it had waited.
func (s *Silence) GivenUp() []time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]time.Duration(nil), s.given...)
}

// Keeps is a handler that is silent before it serves.
func (s *Silence) Keeps(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.lasts(r) {
			return
		}
		h.ServeHTTP(w, r)
	})
}

// lasts waits while there is silence, and reports whether it outlasted the
// patience of whoever asked.
func (s *Silence) lasts(r *http.Request) bool {
	s.mu.Lock()
	over := s.over
	s.mu.Unlock()
	if over == nil {
		return false
	}
	body, err := io.ReadAll(r.Body) // or the server does not notice who hangs up
	if err != nil {
		return true
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	began := time.Now()
	select {
	case <-over:
		return false
	case <-r.Context().Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.given = append(s.given, time.Since(began))
	return true
}
