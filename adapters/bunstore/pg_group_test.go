package bunstore_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/countersign/countersign/adapters/bunstore"
	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/limit"
	"github.com/countersign/countersign/ports/store"
)

// crew are steps of one group, the first of which is held up on its way.
type crew struct {
	t       *testing.T
	group   *bunstore.Group
	release chan struct{}
	done    sync.WaitGroup
	begun   int

	mu     sync.Mutex
	trips  [][]string        // names that went together
	alone  map[string]string // names that went alone, and why
	result map[string]error
}

func newCrew(t *testing.T, together func(names []string) ([]string, error)) *crew {
	c := &crew{t: t, release: make(chan struct{}), alone: map[string]string{}, result: map[string]error{}}
	c.group = bunstore.NewGroup(func(names []string) ([]string, error) {
		c.mu.Lock()
		c.trips = append(c.trips, slices.Sorted(slices.Values(names)))
		c.mu.Unlock()
		return together(names)
	})
	on := make(chan struct{})
	c.goes(t.Context(), "first", []string{"a"}, func() {
		close(on)
		<-c.release
	})
	<-on
	return c
}

// goes begins a step.
func (c *crew) goes(ctx context.Context, name string, rows []string, alone func()) {
	c.begun++
	c.done.Go(func() {
		err := c.group.Do(ctx, name, rows, func(refused bool) error {
			c.mu.Lock()
			c.alone[name] = map[bool]string{true: "refused", false: "free"}[refused]
			c.mu.Unlock()
			if alone != nil {
				alone()
			}
			return nil
		})
		c.mu.Lock()
		c.result[name] = err
		c.mu.Unlock()
	})
}

// end waits for all but the first one, who is held up until then: none of the
// others waits for longer than it has patience.
func (c *crew) end() {
	began := time.Now()
	for back := 0; back < c.begun-1; {
		if time.Since(began) > 10*time.Second {
			c.t.Error("the others wait for the first one")
			break
		}
		runtime.Gosched()
		c.mu.Lock()
		back = len(c.result)
		c.mu.Unlock()
	}
	close(c.release)
	c.done.Wait()
}

func all(names []string) ([]string, error) { return names, nil }

// A slow machine may split those who wait into more trips, so what is tested is
// who may not go with whom.
func TestStepsThatShareARowGoAfterEachOther(t *testing.T) {
	c := newCrew(t, all)
	for i := range 8 {
		c.goes(t.Context(), fmt.Sprint("x", i), []string{"b", fmt.Sprint(i)}, nil)
		c.goes(t.Context(), fmt.Sprint("y", i), []string{fmt.Sprint("y", i)}, nil)
	}
	c.end()
	for _, trip := range c.trips {
		n := 0
		for _, name := range trip {
			if name[0] == 'x' {
				n++
			}
		}
		if n > 1 {
			t.Errorf("%v went together, and change the same row", trip)
		}
	}
	for name, err := range c.result {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(c.result) != 17 {
		t.Errorf("%d came back, want 17", len(c.result))
	}
}

func TestWhoWasRefusedGoesAloneAndTheOthersDoNot(t *testing.T) {
	c := newCrew(t, func(names []string) ([]string, error) {
		return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == "bad" }), nil
	})
	for i := range 6 {
		name := fmt.Sprint("good", i)
		if i == 3 {
			name = "bad"
		}
		c.goes(t.Context(), name, []string{name}, nil)
	}
	c.end()
	together := slices.Concat(c.trips...)
	for name, why := range c.alone {
		if refused := slices.Contains(together, name); refused != (why == "refused") || refused && name != "bad" {
			t.Errorf("%s went alone (%s)", name, why)
		}
	}
}

func TestAStatementThatWasTakenBackIsTriedAlone(t *testing.T) {
	for name, x := range map[string]struct {
		failure error
		alone   bool
	}{
		"an error":      {&pgconn.PgError{Code: "40P01", SeverityUnlocalized: "ERROR"}, true},
		"the end of it": {&pgconn.PgError{Code: "57P01", SeverityUnlocalized: "FATAL"}, false},
		"a broken line": {errors.New("connection reset"), false},
	} {
		var c *crew
		for tries := 0; c == nil || len(c.trips) == 0 && tries < 20; tries++ { // until some do go together
			c = newCrew(t, func(names []string) ([]string, error) { return names[:1], x.failure })
			for i := range 4 {
				c.goes(t.Context(), fmt.Sprint(i), []string{fmt.Sprint(i)}, nil)
			}
			c.end()
		}
		for _, who := range slices.Concat(c.trips...) {
			why, alone := c.alone[who]
			if alone != x.alone || alone && why != "free" || !alone && !errors.Is(c.result[who], x.failure) {
				t.Errorf("%s: alone %t (%s), %v", name, alone, why, c.result[who])
			}
		}
	}
}

func TestWhoGivesUpBeforeItsTurnDoesNothing(t *testing.T) {
	c := newCrew(t, all)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	c.goes(gone, "gone", []string{"a"}, nil)
	c.end()
	_, alone := c.alone["gone"]
	went := alone || slices.Contains(slices.Concat(c.trips...), "gone")
	if err := c.result["gone"]; went == errors.Is(err, context.Canceled) {
		t.Errorf("went: %t, and came back with %v", went, err)
	}
}

// What is done together must be what is done alone, for those who are refused too.
func TestManySignInsAtOnceShareStatements(t *testing.T) {
	ear := &listener{}
	s, err := bunstore.OpenTraced(t.Context(), serverURL(t), ear)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	v := crowd(t, s)
	const n = 200
	var refused, wrong atomic.Int64
	full := limit.Charge{Rule: limit.Rule{Max: n / 4, Window: time.Hour}, Key: "everybody's"}
	var wait sync.WaitGroup
	begin := make(chan struct{})
	ear.reset()
	for i := range n {
		wait.Go(func() {
			<-begin
			if err := v.signIn(t.Context(), i); err != nil {
				t.Error(err)
			}
			c, m := v.question(person(i))
			err := s.Start(t.Context(), store.Start{Challenge: c, Message: &m, Windows: []limit.Charge{full}, Now: v.now})
			if errors.Is(err, limit.ErrExceeded) {
				refused.Add(1)
			}
			_, err = s.Charge(t.Context(), store.Charge{Tenant: "default", Handle: c.Handle, Formats: challenge.Formats("12345"), Now: v.now})
			if errors.Is(err, challenge.ErrMalformed) || errors.Is(err, challenge.ErrNotFound) {
				wrong.Add(1)
			}
		})
	}
	close(begin)
	wait.Wait()
	if refused.Load() != n-n/4 || wrong.Load() != n {
		t.Errorf("%d refused for a full window, want %d; %d for their format or because they never began, want %d", refused.Load(), n-n/4, wrong.Load(), n)
	}
	for i := range n {
		if who, err := s.Account(t.Context(), "default", person(i).ID); err != nil || !who.LastSignIn.Equal(v.now) {
			t.Fatalf("person %d was last seen %v, %v", i, who.LastSignIn, err)
		}
	}
	shared := 0
	for _, q := range ear.reset() {
		if bunstore.IsShared(q) {
			shared++
		}
	}
	if shared == 0 {
		t.Error("nobody went together")
	}
}
