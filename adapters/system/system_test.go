package system_test

import (
	"errors"
	"io"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/uuid"

	adapter "github.com/countersign/countersign/adapters/system"
	"github.com/countersign/countersign/ports/system"
	"github.com/countersign/countersign/ports/system/systemtest"
)

var (
	_ system.Clock = adapter.Clock{}
	_ system.Clock = (*adapter.Movable)(nil)
	_ system.IDs   = adapter.IDs{}
)

func TestClocksTellUTCInWholeMicroseconds(t *testing.T) {
	for name, c := range map[string]system.Clock{"host": adapter.Clock{}, "movable": &adapter.Movable{}} {
		before := time.Now().Truncate(time.Microsecond)
		now := c.Now()
		if now.Before(before) || now.After(time.Now()) {
			t.Errorf("%s: %s is not the present", name, now)
		}
		if now.Location() != time.UTC || now.Nanosecond()%1000 != 0 || now != now.Round(0) {
			t.Errorf("%s: %#v is not UTC, whole and without a monotonic reading", name, now)
		}
	}
}

func TestTheMovableClockRunsOnFromWhereItIsPut(t *testing.T) {
	var c adapter.Movable
	c.Advance(2 * time.Hour)
	if got := c.Advance(-30 * time.Minute); got != 90*time.Minute || c.Offset() != got {
		t.Errorf("the offset is %s, and %s was reported", c.Offset(), got)
	}
	before := time.Now()
	if ahead := c.Now().Sub(before); ahead < 90*time.Minute-time.Microsecond || ahead > 91*time.Minute {
		t.Errorf("the clock is %s ahead", ahead)
	}
	c.Reset()
	if c.Offset() != 0 || c.Now().After(time.Now()) {
		t.Errorf("after the reset it is still %s ahead", c.Offset())
	}
}

func TestIDsAreSortedUUIDsOfVersionSeven(t *testing.T) {
	ids, last := adapter.NewIDs(nil), ""
	for range 1000 {
		text := ids.New()
		id, err := uuid.Parse(text)
		if err != nil || id.Version() != 7 || id.Variant() != uuid.RFC4122 || id.String() != text {
			t.Fatalf("%s is no UUIDv7: %v", text, err)
		}
		if text <= last {
			t.Fatalf("%s came after %s", text, last)
		}
		last = text
	}
}

func TestIDsTakeTheirRandomPartFromTheGivenReader(t *testing.T) {
	tail := func() string { return adapter.NewIDs(systemtest.NewRandom("seed")).New()[19:] }
	if first, second := tail(), tail(); first != second {
		t.Errorf("the same randomness gave %s and %s", first, second)
	}
	if given, host := tail(), adapter.NewIDs(nil).New()[19:]; given == host {
		t.Error("the reader was not used")
	}
}

func TestIDsStayUniqueWhenTheReaderFails(t *testing.T) {
	broken := iotest.ErrReader(errors.New("no randomness"))
	for name, ids := range map[string]adapter.IDs{"broken": adapter.NewIDs(broken), "short": adapter.NewIDs(io.LimitReader(systemtest.NewRandom(""), 3)), "zero": {}} {
		first, second := ids.New(), ids.New()
		if first[19:] == second[19:] || uuid.Validate(first) != nil || first == uuid.Nil.String() {
			t.Errorf("%s: got %s and %s", name, first, second)
		}
	}
}

func TestIDsAreUniqueAmongMany(t *testing.T) {
	ids, seen := adapter.NewIDs(adapter.Random()), sync.Map{}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				if _, twice := seen.LoadOrStore(ids.New(), true); twice {
					t.Error("an id was given out twice")
				}
			}
		})
	}
	wg.Wait()
}
