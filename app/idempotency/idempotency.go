// Package idempotency answers the repetition of a request like the request
// itself, so that a client that heard no answer may ask again.
package idempotency

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"github.com/countersign/countersign/domain/fault"
	"github.com/countersign/countersign/ports/seal"
	"github.com/countersign/countersign/ports/store"
	"github.com/countersign/countersign/ports/system"
)

// ErrConflict means that a key stands for another request, or for one that is
// still at work.
var ErrConflict = fault.New(fault.Conflict, "idempotency_conflict", "This Idempotency-Key was used for another request.")

// ErrKey means that a key is too long.
var ErrKey = fault.New(fault.Malformed, "malformed_request", "An Idempotency-Key has 1 to 255 characters.")

// How long answers are kept, and how long a first request may be at work before
// it counts as lost.
const (
	keep  = 24 * time.Hour
	work  = time.Minute
	maxID = 255
)

// Needs is what the service is made of.
type Needs struct {
	Store  store.UnitOfWork
	Sealer seal.Sealer
	Clock  system.Clock
}

// Service remembers answers. It is safe for concurrent use.
type Service struct{ Needs }

// New makes the service.
func New(n Needs) *Service { return &Service{n} }

// Request is a request that names itself.
type Request struct {
	Tenant string
	Route  string // method and path
	Caller string // the credential, if any: it is hashed
	Key    string
	Body   []byte
}

// Answer is what was answered.
type Answer struct {
	Status int
	Body   []byte
}

// Once answers a request by calling work, unless it was answered before.
// Answers that blame us (5xx) are not kept: the repetition may fare better.
func (s *Service) Once(ctx context.Context, r Request, answer func() (Answer, error)) (a Answer, replayed bool, err error) {
	if len(r.Key) > maxID {
		return Answer{}, false, ErrKey
	}
	id, print := r.id(), sha256.Sum256(r.Body)
	sealed, err := s.Sealer.Seal(print[:], place(id, "request")) // bodies hold passwords: their hashes would be guessed at
	if err != nil {
		return Answer{}, false, err
	}
	known, err := s.reserve(ctx, id, print[:], sealed)
	if err != nil {
		return Answer{}, false, err
	}
	if known != nil {
		body, err := s.Sealer.Open(known.Body, place(id, "body"))
		return Answer{Status: known.Status, Body: body}, true, err
	}
	a, err = answer()
	ends := s.Clock.Now().Add(keep)
	if err != nil || a.Status >= 500 {
		ends = s.Clock.Now() // forgotten at once
	}
	return a, false, errors.Join(err, s.remember(context.WithoutCancel(ctx), id, sealed, a, ends))
}

func (s *Service) reserve(ctx context.Context, id string, print, request []byte) (known *store.Answer, err error) {
	now := s.Clock.Now()
	err = s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		known = nil
		old, err := tx.Journal().Recall(ctx, id, now)
		if errors.Is(err, store.ErrNoAnswer) {
			return tx.Journal().Remember(ctx, store.Answer{Key: id, Request: request, ExpiresAt: now.Add(work)})
		}
		if err != nil {
			return err
		}
		then, err := s.Sealer.Open(old.Request, place(id, "request"))
		if err != nil {
			return err
		}
		if !bytes.Equal(then, print) {
			return ErrConflict
		}
		if old.Status == 0 {
			return ErrConflict.Saying("The first request with this Idempotency-Key is still at work. Ask again in a moment.")
		}
		known = &old
		return nil
	})
	return known, err
}

func (s *Service) remember(ctx context.Context, id string, request []byte, a Answer, ends time.Time) error {
	sealed, err := s.Sealer.Seal(a.Body, place(id, "body"))
	if err != nil {
		return err
	}
	return s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		return tx.Journal().Remember(ctx, store.Answer{Key: id, Request: request, Status: a.Status, Body: sealed, ExpiresAt: ends})
	})
}

// id names the request without telling the caller's credential.
func (r Request) id() string {
	sum := sha256.Sum256([]byte(strings.Join([]string{r.Tenant, r.Route, r.Caller, r.Key}, "\x00")))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func place(id, column string) string {
	return seal.Place{Table: "answers", Row: id, Column: column}.String()
}
