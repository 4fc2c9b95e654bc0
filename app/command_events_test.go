package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/countersign/countersign/adapters/memstore"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/ports/store"
)

// screen is what a command prints.
type screen struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

// ids lists the events that were printed, by the number in "n".
func (s *screen) ids() (out []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for line := range strings.Lines(s.text.String()) {
		_, n, _ := strings.Cut(strings.TrimSpace(line), "n=")
		out = append(out, n)
	}
	return out
}

func put(t *testing.T, s store.Store, numbers ...int) {
	t.Helper()
	err := s.Do(t.Context(), func(ctx context.Context, tx store.Tx) error {
		for _, n := range numbers {
			e := event.Event{
				ID: fmt.Sprintf("0194-%06d", n), Tenant: "default", User: fmt.Sprint("user", n%2), Type: event.SessionStarted,
				At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Data: map[string]string{"n": fmt.Sprint(n)},
			}
			if n%10 == 0 {
				e.Type = event.UserCreated
			}
			if err := tx.Journal().Record(ctx, e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func upTo(n int) (all []int) {
	for i := 1; i <= n; i++ {
		all = append(all, i)
	}
	return all
}

func TestTailPrintsTheNewestOldestFirst(t *testing.T) {
	s := memstore.New()
	put(t, s, upTo(1200)...)
	for name, c := range map[string]struct {
		tail tail
		want string
	}{
		"three":           {tail{lines: 3, pattern: "*"}, "[1198 1199 1200]"},
		"of a person":     {tail{lines: 2, pattern: "*", user: "user1"}, "[1197 1199]"},
		"of a type":       {tail{lines: 2, pattern: "user.*"}, "[1190 1200]"},
		"of another type": {tail{lines: 2, pattern: "device.*"}, "[]"},
		"no one":          {tail{lines: 0, pattern: "*"}, "[]"},
	} {
		var out screen
		c.tail.tenant = "default"
		if err := c.tail.run(t.Context(), &out, s); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(out.ids()); got != c.want {
			t.Errorf("%s: printed %s, want %s", name, got, c.want)
		}
	}
	var out screen
	all := tail{tenant: "default", lines: 2000, pattern: "*"}
	if err := all.run(t.Context(), &out, s); err != nil || len(out.ids()) != 1200 || out.ids()[0] != "1" {
		t.Errorf("printed %d of 1200, %v", len(out.ids()), err)
	}
}

func TestTailFollowsWhatComesAlsoOutOfOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New()
		put(t, s, 1, 2)
		ctx, cancel := context.WithCancel(t.Context())
		var out screen
		done := make(chan error)
		follow := tail{tenant: "default", lines: 1, pattern: "*", follow: true}
		go func() { done <- follow.run(ctx, &out, s) }()
		look := func() {
			time.Sleep(1100 * time.Millisecond) // of the bubble
			synctest.Wait()
		}
		look()
		put(t, s, 3, 5)
		look()
		put(t, s, 4) // began before 5 and committed after it
		look()
		time.Sleep(time.Minute)
		put(t, s, func() (many []int) {
			for i := range 1300 { // more than one page
				many = append(many, 6+i)
			}
			return many
		}()...)
		look()
		got := out.ids()
		if len(got) != 1304 || fmt.Sprint(got[:5]) != "[2 3 5 4 6]" || got[1303] != "1305" {
			t.Errorf("printed %d: %s … %s", len(got), got[:min(len(got), 6)], got[len(got)-1])
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if len(follow.seen) != 1300 {
			t.Errorf("%d ids are remembered, want those of the last seconds", len(follow.seen))
		}
	})
}

func TestTailPrintsWordsThatDoNothing(t *testing.T) {
	e := event.Event{
		ID: "1", Tenant: "default", User: "ann", Type: event.DeviceRenamed, At: time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC),
		Data: map[string]string{"name": "a b\x1b[2J", "device": "7"},
	}
	var text, line bytes.Buffer
	if err := (&tail{}).print(&text, e); err != nil {
		t.Fatal(err)
	}
	if got, want := text.String(), "2026-01-02 03:04:05.006  device.renamed               user=ann  device=7  name=\"a b\\x1b[2J\"\n"; got != want {
		t.Errorf("printed %q\nwant %q", got, want)
	}
	if err := (&tail{asJSON: true}).print(&line, e); err != nil {
		t.Fatal(err)
	}
	if got, want := line.String(), `{"id":"1","tenant":"default","user_id":"ann","type":"device.renamed","at":"2026-01-02T03:04:05.006Z","data":{"device":"7","name":"a b\u001b[2J"}}`+"\n"; got != want {
		t.Errorf("printed %s", got)
	}
}
