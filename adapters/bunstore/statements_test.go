package bunstore_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/countersign/countersign/adapters/bunstore"
)

// listener writes down the statements that reach the server.
type listener struct {
	mu   sync.Mutex
	said []string
}

func (l *listener) TraceQueryStart(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.said = append(l.said, strings.Join(strings.Fields(q.SQL), " "))
	return ctx
}

func (l *listener) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func (l *listener) reset() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	said := l.said
	l.said = nil
	return said
}

// The budget is six (D9); we need five, and no BEGIN or COMMIT.
func TestSignInTakesFiveStatements(t *testing.T) {
	ear := &listener{}
	s, err := bunstore.OpenTraced(t.Context(), serverURL(t), ear)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	v := crowd(t, s)
	for _, v.ear = range []string{"", "webhook"} {
		if err := v.signIn(t.Context(), 1); err != nil { // prepares
			t.Fatal(err)
		}
		ear.reset()
		if err := v.signIn(t.Context(), 2); err != nil {
			t.Fatal(err)
		}
		said := ear.reset()
		if len(said) != 5 {
			t.Errorf("a sign-in of which %q is told took %d statements, want 5:\n%s", v.ear, len(said), strings.Join(said, "\n"))
		}
		for _, q := range said {
			if strings.Contains(q, "example.com") {
				t.Errorf("an address stands in the text of a statement: %s", q)
			}
		}
	}
}

// Whoever is told slowly must not slow down those who sign in: SQLite has one
// writer, and that one looks for facts, too.
func TestALongQueueOfFactsIsNotSorted(t *testing.T) {
	s := open(t, fileURL(t))
	plan, err := s.PlanOfClaim(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(plan, "SEARCH f USING INDEX facts_next") {
		t.Errorf("facts that are due are found by:\n%s", plan)
	}
}
