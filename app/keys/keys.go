// Package keys is about the credentials of other programs: it makes, checks and
// ends API keys.
package keys

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/countersign/countersign/domain/apikey"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/fault"
	"github.com/countersign/countersign/ports/store"
	"github.com/countersign/countersign/ports/system"
)

// Prefix begins every API key, so that a leaked one is recognised.
const Prefix = "csk_"

// A key is Prefix, then base64url( id (16) ‖ secret (32) ).
const (
	idBytes     = 16
	secretBytes = 32
	maxName     = 64 // runes
)

// ErrRequest means that a key cannot be made as it was asked for.
var ErrRequest = fault.New(fault.Invalid, "invalid_request", "Something in the request will not do.")

// Needs is what the service is made of.
type Needs struct {
	Store  store.Store
	Clock  system.Clock
	IDs    system.IDs
	Random io.Reader
}

// Service makes and checks keys. It is safe for concurrent use.
type Service struct{ Needs }

// New makes the service.
func New(n Needs) *Service { return &Service{n} }

// Wish is a key to be made.
type Wish struct {
	Tenant string
	Name   string
	Scopes []apikey.Scope
	Life   time.Duration // 0: does not run out
	By     string        // who makes it, for the record
}

// Create makes a key, and its text, which is shown once and kept nowhere.
func (s *Service) Create(ctx context.Context, w Wish) (apikey.Key, string, error) {
	if err := w.check(); err != nil {
		return apikey.Key{}, "", err
	}
	secret := make([]byte, secretBytes)
	if _, err := io.ReadFull(s.Random, secret); err != nil {
		return apikey.Key{}, "", fmt.Errorf("draw a key: %w", err)
	}
	now, id := s.Clock.Now(), s.IDs.New()
	raw, err := hex.DecodeString(strings.ReplaceAll(id, "-", ""))
	if err != nil || len(raw) != idBytes {
		return apikey.Key{}, "", errors.New("name a key: the id is no UUID")
	}
	sum := sha256.Sum256(secret)
	k := apikey.Key{ID: id, Tenant: w.Tenant, Name: w.Name, Scopes: w.Scopes, Hash: sum[:], CreatedAt: now}
	if w.Life > 0 {
		k.ExpiresAt = now.Add(w.Life)
	}
	err = s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		if err := tx.Keys().Add(ctx, k); err != nil {
			return err
		}
		return tx.Journal().Record(ctx, s.fact(k, event.KeyCreated, w.By, now))
	})
	return k, Prefix + base64.RawURLEncoding.EncodeToString(append(raw, secret...)), err
}

func (w Wish) check() error {
	var bad []fault.Field
	if w.Name == "" || utf8.RuneCountInString(w.Name) > maxName {
		bad = append(bad, fault.Field{Pointer: "/name", Code: "invalid_name", Detail: "Use 1 to 64 characters."})
	}
	if len(w.Scopes) == 0 {
		bad = append(bad, fault.Field{Pointer: "/scopes", Code: "field_required", Detail: "Choose verify, admin, or both."})
	}
	for _, scope := range w.Scopes {
		if scope != apikey.Verify && scope != apikey.Admin {
			bad = append(bad, fault.Field{Pointer: "/scopes", Code: "unknown_value", Detail: "Choose verify, admin, or both."})
			break
		}
	}
	if bad != nil {
		return ErrRequest.With(bad...)
	}
	return nil
}

// Authenticate finds the key that a text is, or refuses with apikey.ErrInvalid
// whatever is wrong with it: another tenant's key is none of this one's.
func (s *Service) Authenticate(ctx context.Context, tenant, text string) (k apikey.Key, err error) {
	id, secret, ok := read(text)
	if !ok {
		return k, apikey.ErrInvalid
	}
	now := s.Clock.Now()
	if k, err = s.Store.Key(ctx, id); errors.Is(err, apikey.ErrNotFound) {
		return apikey.Key{}, apikey.ErrInvalid
	}
	if err != nil {
		return apikey.Key{}, err
	}
	sum := sha256.Sum256(secret)
	if !hmac.Equal(sum[:], k.Hash) || k.Tenant != tenant || !k.Alive(now) {
		return apikey.Key{}, apikey.ErrInvalid
	}
	if now.Sub(k.LastUsedAt) < time.Hour {
		return k, nil
	}
	return k, s.used(ctx, k.ID, now)
}

// used notes when a key was last used. It is read again, so that the end of a key
// is not undone.
func (s *Service) used(ctx context.Context, id string, now time.Time) error {
	return s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		k, err := tx.Keys().Get(ctx, id)
		if err != nil {
			return err
		}
		k.LastUsedAt = now
		return tx.Keys().Save(ctx, k)
	})
}

func read(text string) (id string, secret []byte, ok bool) {
	rest, ok := strings.CutPrefix(text, Prefix)
	if !ok || len(rest) != base64.RawURLEncoding.EncodedLen(idBytes+secretBytes) {
		return "", nil, false
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(rest)
	if err != nil {
		return "", nil, false
	}
	h := hex.EncodeToString(raw[:idBytes])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:], raw[idBytes:], true
}

// List gives a tenant's keys, oldest first.
func (s *Service) List(ctx context.Context, tenant string) (all []apikey.Key, err error) {
	err = s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		all, err = tx.Keys().List(ctx, tenant)
		return err
	})
	return all, err
}

// Revoke ends a key: apikey.ErrNotFound if the tenant has no such key. Ending one
// twice changes nothing.
func (s *Service) Revoke(ctx context.Context, tenant, id, by string) error {
	now := s.Clock.Now()
	return s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		k, err := tx.Keys().Get(ctx, id)
		if err != nil {
			return err
		}
		if k.Tenant != tenant {
			return apikey.ErrNotFound
		}
		if !k.RevokedAt.IsZero() {
			return nil
		}
		k.RevokedAt = now
		if err := tx.Keys().Save(ctx, k); err != nil {
			return err
		}
		return tx.Journal().Record(ctx, s.fact(k, event.KeyRevoked, by, now))
	})
}

func (s *Service) fact(k apikey.Key, t event.Type, by string, now time.Time) event.Event {
	return event.Event{
		ID: s.IDs.New(), Tenant: k.Tenant, Type: t, At: now, Data: map[string]string{"key": k.ID, "name": k.Name, "by": by},
	}
}
