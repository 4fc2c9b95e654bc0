package systemtest_test

import (
	"bytes"
	"io"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/countersign/countersign/ports/system"
	"github.com/countersign/countersign/ports/system/systemtest"
)

var (
	_ system.Clock = (*systemtest.Clock)(nil)
	_ system.IDs   = (*systemtest.IDs)(nil)
	_ io.Reader    = (*systemtest.Random)(nil)
)

func TestTheClockMovesOnlyByHand(t *testing.T) {
	c := systemtest.NewClock(time.Time{})
	start := c.Now()
	if start.IsZero() || !c.Now().Equal(start) {
		t.Fatalf("the clock ran by itself or stands at zero: %s", start)
	}
	if got := c.Advance(90 * time.Second); got.Sub(start) != 90*time.Second || got != c.Now() {
		t.Errorf("advanced to %s from %s", got, start)
	}
	if got := c.Advance(-90 * time.Second); got != start {
		t.Errorf("moved back to %s, not %s", got, start)
	}
	east := time.FixedZone("east", 3600)
	c.Set(time.Date(2030, 6, 1, 13, 0, 0, 1999, east))
	if want := time.Date(2030, 6, 1, 12, 0, 0, 1000, time.UTC); c.Now() != want {
		t.Errorf("got %s, want %s", c.Now(), want)
	}
}

func TestTheClockMayBeMovedByMany(t *testing.T) {
	c := systemtest.NewClock(time.Time{})
	start := c.Now()
	together(func() { c.Advance(time.Second) })
	if got := c.Now().Sub(start); got != 8*time.Second {
		t.Errorf("eight moves of a second made %s", got)
	}
}

func TestIDsCountAndNeverRepeat(t *testing.T) {
	ids, seen := &systemtest.IDs{}, sync.Map{}
	if got := ids.New(); got != "00000000-0000-7000-8000-000000000001" || got != systemtest.ID(1) {
		t.Errorf("the first id is %s", got)
	}
	together(func() {
		id := ids.New()
		if _, twice := seen.LoadOrStore(id, true); twice || len(id) != 36 {
			t.Errorf("%s is not a new id", id)
		}
	})
	if got := ids.New(); got != systemtest.ID(10) {
		t.Errorf("after nine ids comes %s", got)
	}
}

func TestRandomnessRepeatsForTheSameSeedOnly(t *testing.T) {
	whole := read(t, systemtest.NewRandom("a"), 100)
	if again := read(t, iotest.OneByteReader(systemtest.NewRandom("a")), 100); !bytes.Equal(whole, again) {
		t.Error("reading in other portions gave other bytes")
	}
	if other := read(t, systemtest.NewRandom("b"), 100); bytes.Equal(whole, other) {
		t.Error("another seed gave the same bytes")
	}
	if bytes.Equal(whole[:32], whole[32:64]) {
		t.Error("the stream repeats itself")
	}
}

func TestManyMayShareRandomness(t *testing.T) {
	r, seen := systemtest.NewRandom("shared"), sync.Map{}
	together(func() {
		if _, twice := seen.LoadOrStore(string(read(t, r, 32)), true); twice {
			t.Error("two readers got the same bytes")
		}
	})
}

func read(t *testing.T, r io.Reader, n int) []byte {
	p := make([]byte, n)
	if _, err := io.ReadFull(r, p); err != nil {
		t.Errorf("read %d bytes: %v", n, err)
	}
	return p
}

func together(do func()) {
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(do)
	}
	wg.Wait()
}
