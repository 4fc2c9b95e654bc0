package bunstore_test

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign/countersign/adapters/bunstore"
	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/limit"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/store"
)

// visitor signs one person in as the core does: by a code in a message.
type visitor struct {
	store *bunstore.Store
	ids   *atomic.Int64
	now   time.Time
	ear   string // who is told of it
}

func (v *visitor) id() string { return fmt.Sprintf("01940000-0000-7000-8000-%012x", v.ids.Add(1)) }

func person(n int) user.Account {
	id := fmt.Sprintf("01930000-0000-7000-8000-%012x", n)
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	return user.Account{
		User: user.User{ID: id, Tenant: "default", Status: user.Active, FirstName: "Ada", CreatedAt: at},
		Identifiers: []user.Identifier{{
			Contact: contact.Contact{Kind: contact.Email, Value: fmt.Sprintf("u%06d@example.com", n)},
			Tenant:  "default", User: id, VerifiedAt: at, CreatedAt: at,
		}},
	}
}

// signIn runs all steps of one sign-in by a known person.
func (v *visitor) signIn(ctx context.Context, n int) error {
	who, err := v.store.Identify(ctx, "default", person(n).Identifiers[0].Contact)
	if err != nil {
		return err
	}
	c, m := v.question(who)
	windows := []limit.Charge{
		{Rule: limit.Rule{Max: 1 << 30, Window: time.Hour}, Key: "ip:" + fmt.Sprint(n%256)},
		{Rule: limit.Rule{Max: 1 << 30, Window: time.Hour}, Key: "recipient:" + c.Destination},
	}
	if err := v.store.Start(ctx, store.Start{Challenge: c, Windows: windows, Message: &m, Now: v.now}); err != nil {
		return err
	}
	done, err := v.store.Finish(ctx, store.Finish{ID: m.ID, Tenant: c.Tenant, Handle: c.Handle, Number: 1, Fence: 1, Outcome: challenge.Sent, Now: v.now})
	if err != nil || !done {
		return fmt.Errorf("finish: %t %w", done, err)
	}
	failures := limit.Charge{Rule: limit.Rule{Max: 1 << 30, Window: time.Hour}, Key: "failures:" + fmt.Sprint(n%256)}
	paid, err := v.store.Charge(ctx, store.Charge{
		Tenant: "default", Handle: c.Handle, Formats: challenge.Formats("123456"), Live: 3, Now: v.now, Windows: []limit.Charge{failures},
		Throttle: limit.Throttle{Free: 5, Factor: 30 * time.Second, Cap: time.Hour, DisableAt: 50},
	})
	if err != nil {
		return err
	}
	return v.store.Settle(ctx, v.success(who, paid, failures.Key))
}

func (v *visitor) question(who user.Account) (challenge.Challenge, store.Message) {
	handle := v.id()
	to := who.Identifiers[0]
	c := challenge.Challenge{
		Handle: handle[24:] + handle, Tenant: "default", Purpose: challenge.SignIn, Channel: "email", Status: challenge.Pending,
		Delivery: challenge.Queued, User: who.ID, Kind: to.Kind, Destination: to.Value, Shown: to.Mask(), Counter: "user:" + who.ID,
		Nonce: make([]byte, 16), KeyID: 1, Format: challenge.Digits(6), Locale: "en", Client: "Firefox on Windows",
		Round: 1, Allowed: 5, Sends: 1, MaxSends: 3, CreatedAt: v.now, ExpiresAt: v.now.Add(5 * time.Minute), ResendAt: v.now.Add(30 * time.Second),
	}
	return c, store.Message{
		ID: v.id(), Tenant: c.Tenant, Handle: c.Handle, Channel: c.Channel, Number: 1, Tries: 1,
		NextAt: v.now, Deadline: c.ExpiresAt, Owner: "me", Leased: v.now.Add(30 * time.Second), Fence: 1,
	}
}

func (v *visitor) success(who user.Account, paid store.Charged, window string) store.Settlement {
	proof := store.Evidence{Channel: "email", Authenticator: who.ID, Factor: "possession", Max: 1, AMR: []string{"otp"}, At: v.now}
	began := event.Event{ID: v.id(), Tenant: "default", User: who.ID, Type: event.SessionStarted, At: v.now, Data: map[string]string{"client": "Firefox on Windows"}}
	var facts []store.Fact
	if v.ear != "" {
		facts = []store.Fact{{Listener: v.ear, Event: began, NextAt: v.now}}
	}
	return store.Settlement{
		Tenant: "default", Handle: paid.Challenge.Handle, Now: v.now,
		Session: &session.Session{
			ID: v.id(), Tenant: "default", User: who.ID, Evidence: []store.Evidence{proof}, Client: "Firefox on Windows",
			Generation: 1, RotatedAt: v.now, CreatedAt: v.now, ExpiresAt: v.now.Add(720 * time.Hour),
		},
		Counter: paid.Challenge.Counter, GiveBack: []string{window},
		Events: []event.Event{began}, Facts: facts,
	}
}

const people = 5000

// crowd fills a store with people.
func crowd(t testing.TB, s *bunstore.Store) *visitor {
	t.Helper()
	v := &visitor{store: s, ids: &atomic.Int64{}, now: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)}
	v.ids.Store(time.Now().UnixMicro() & (1<<44 - 1)) // the database may have seen another run
	if _, err := s.Account(t.Context(), "default", person(people-1).ID); err == nil {
		return v
	}
	for first := 0; first < people; first += 500 {
		err := s.Do(t.Context(), func(ctx context.Context, tx store.Tx) error {
			for n := first; n < first+500; n++ {
				if err := tx.Users().Add(ctx, person(n)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return v
}

// BenchmarkSignIn measures whole sign-ins by 32 people at once. For figures,
// name a server with fsync in COUNTERSIGN_BENCH_POSTGRES.
func BenchmarkSignIn(b *testing.B) {
	for _, engine := range []struct {
		name string
		url  func(testing.TB) string
	}{
		{"sqlite", fileURL},
		{"postgres", func(t testing.TB) string {
			if url := os.Getenv("COUNTERSIGN_BENCH_POSTGRES"); url != "" {
				return url
			}
			return serverURL(t)
		}},
	} {
		b.Run(engine.name, func(b *testing.B) {
			v := crowd(b, open(b, engine.url(b)))
			var turn atomic.Int64
			b.SetParallelism(16) // times two processors
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := v.signIn(context.Background(), int(turn.Add(1))%people); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "sign-ins/s")
		})
	}
}
