package idempotency

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"testing"
	"time"

	"github.com/countersign/countersign/adapters/keyring"
	"github.com/countersign/countersign/adapters/memstore"
	"github.com/countersign/countersign/ports/store"
)

type noon struct{}

func (noon) Now() time.Time { return time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC) }

func TestWhatWasAskedCannotBeGuessedFromWhatIsKept(t *testing.T) {
	ring, err := keyring.Ephemeral(rand.Reader, noon{}.Now())
	if err != nil {
		t.Fatal(err)
	}
	kept := memstore.New()
	s := New(Needs{Store: kept, Sealer: ring, Clock: noon{}})
	r := Request{Tenant: "default", Route: "POST /v1/sign-in/password", Key: "k", Body: []byte(`{"password":"hunter22"}`)}
	answer := func() (Answer, error) { return Answer{Status: 200, Body: []byte("{}")}, nil }
	if _, replayed, err := s.Once(t.Context(), r, answer); err != nil || replayed {
		t.Fatalf("replayed %v, error %v", replayed, err)
	}
	err = kept.Do(t.Context(), func(ctx context.Context, tx store.Tx) error {
		a, err := tx.Journal().Recall(ctx, r.id(), noon{}.Now())
		if hash := sha256.Sum256(r.Body); bytes.Contains(a.Request, hash[:]) {
			t.Error("the hash of a body with a password is kept in clear")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, replayed, err := s.Once(t.Context(), r, answer); err != nil || !replayed {
		t.Errorf("the same again: replayed %v, error %v", replayed, err)
	}
	r.Body = []byte(`{"password":"hunter23"}`)
	if _, _, err := s.Once(t.Context(), r, answer); !errors.Is(err, ErrConflict) {
		t.Errorf("another body under the same key gives %v", err)
	}
}
