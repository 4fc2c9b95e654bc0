package bunstore_test

import (
	"context"
	"os"
	"testing"
	"testing/fstest"
	"time"

	"github.com/countersign/countersign/adapters/bunstore"
	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/ports/store"
)

// first is what the schema looked like to begin with.
const first = "20261120000001_first.tx.up.sql"

// kept are rows as the first schema had them.
var kept = []string{
	`INSERT INTO users VALUES ('u1', 'default', 'active', 'Ada', '', 'en', '', false, 1000000, 0)`,
	`INSERT INTO users VALUES ('u2', 'default', 'active', 'Bea', '', 'en', '', false, 1000000, 0)`,
	`INSERT INTO users VALUES ('u3', 'default', 'active', 'Cas', '', 'en', '', false, 1000000, 5000000)`,
	`INSERT INTO identifiers VALUES ('default', 'username', 'bea', 'u2', 0, 1000000)`,
	`INSERT INTO identifiers VALUES ('default', 'email', 'ada@example.com', 'u1', 2000000, 1000000)`,
	`INSERT INTO challenges (handle, tenant, purpose, channel, status, delivery, decoy, user_id, device_id, sign_in_id, session_id, kind,
		destination, shown, counter, key_id, format, locale, client, round, attempts, allowed, sends, max_sends, created_at, expires_at, resend_at)
		VALUES ('h1', 'default', 'sign_in', 'email', 'pending', 'queued', false, 'u1', '', '', '', 'email', 'ada@example.com', '', '', 1,
		'digits-6', 'en', '', 1, 0, 5, 1, 3, 1000000, 9000000, 0)`,
	`INSERT INTO messages VALUES ('m1', 'default', 'h1', 'email', 1, 0, 1000000, 9000000, '', 0, 0)`,
	`INSERT INTO sign_ins VALUES ('w1', 'default', 'u1', '', false, 'curl', 1000000, 9000000, 0)`,
}

func TestWhatTheFirstSchemaHeldIsStillThere(t *testing.T) {
	text, err := os.ReadFile("migrations/" + first)
	if err != nil {
		t.Fatal(err)
	}
	engines(t, func(t *testing.T, url string) {
		if _, _, err := bunstore.MigrateFrom(t.Context(), url, fstest.MapFS{first: {Data: text}}); err != nil {
			t.Fatal(err)
		}
		if err := bunstore.ExecAt(t.Context(), url, kept...); err != nil {
			t.Fatal(err)
		}
		s := open(t, url)
		a, err := s.Identify(t.Context(), "default", contact.Contact{Kind: contact.Email, Value: "ada@example.com"})
		if err != nil || a.FirstName != "Ada" || !a.ResetAt.IsZero() || !a.Identifiers[0].Verified() {
			t.Errorf("the user: %+v, %v", a, err)
		}
		for id, want := range map[string]bool{"u1": false, "u2": true, "u3": false} {
			if u, err := s.Account(t.Context(), "default", id); err != nil || u.Tentative != want {
				t.Errorf("%s is tentative: %v, %v, want %v", id, u.Tentative, err, want)
			}
		}
		w, err := s.SignIn(t.Context(), "default", "w1")
		if err != nil || w.User != "u1" || w.Draft != nil {
			t.Errorf("the sign-in: %+v, %v", w, err)
		}
		now := time.Unix(2, 0)
		got, err := s.Claim(t.Context(), store.Claim{Owner: "o", Max: 5, Lease: time.Second, Now: now})
		if err != nil || len(got) != 1 || got[0].Notice != nil || got[0].Challenge.Handle != "h1" {
			t.Fatalf("the message: %+v, %v", got, err)
		}
		err = s.Settle(t.Context(), store.Settlement{Tenant: "default", Handle: "h1", Now: now, Then: func(ctx context.Context, tx store.Tx) error {
			return tx.Users().Save(ctx, a.User)
		}})
		if err != nil {
			t.Errorf("settle: %v", err)
		}
		if c, err := s.Challenge(t.Context(), "default", "h1", 0); err != nil || c.Status != challenge.Verified || !c.Extra.IsZero() {
			t.Errorf("the challenge: %+v, %v", c, err)
		}
	})
}
