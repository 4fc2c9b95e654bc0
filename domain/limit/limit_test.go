package limit

import (
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/countersign/countersign/domain/fault"
)

var noon = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

func TestWaitsDoubleFromTheFirstThatIsNotFree(t *testing.T) {
	def := Throttle{Free: 5, Factor: 30 * time.Second, Cap: time.Hour}
	otp := Throttle{Free: 0, Factor: time.Second, Cap: time.Hour}
	s := time.Second
	for name, x := range map[string]struct {
		throttle Throttle
		want     []time.Duration // after 1, 2, 3, … failures
	}{
		"default": {def, []time.Duration{0, 0, 0, 0, 0, 30 * s, 60 * s, 120 * s, 240 * s, 480 * s, 960 * s, 1920 * s, 3600 * s, 3600 * s}},
		"no free failures": {otp, []time.Duration{
			1 * s, 2 * s, 4 * s, 8 * s, 16 * s, 32 * s, 64 * s, 128 * s, 256 * s, 512 * s, 1024 * s, 2048 * s, 3600 * s,
		}},
		"no waits": {Throttle{Cap: time.Hour}, []time.Duration{0, 0, 0}},
	} {
		for i, want := range x.want {
			if got := x.throttle.Wait(i + 1); got != want {
				t.Errorf("%s: %v after %d failures, want %v", name, got, i+1, want)
			}
		}
	}
	for _, n := range []int{34, 35, 36, 37, 64, 100, 1 << 40} {
		if got := def.Wait(n); got != time.Hour {
			t.Errorf("%v after %d failures, want the cap", got, n)
		}
	}
	if def.Wait(0) != 0 || def.Wait(-1) != 0 {
		t.Error("a wait without a failure")
	}
}

func TestWaitNeitherFallsNorExceedsItsCap(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		th := Throttle{
			Free:   rapid.IntRange(0, 20).Draw(rt, "free"),
			Factor: time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(rt, "factor")),
			Cap:    time.Duration(rapid.Int64Range(int64(time.Hour), int64(24*time.Hour)).Draw(rt, "cap")),
		}
		n := rapid.IntRange(0, 200).Draw(rt, "failures")
		if a, b := th.Wait(n), th.Wait(n+1); a < 0 || b < a || b > th.Cap {
			rt.Fatalf("%v after %d failures, %v after the next", a, n, b)
		}
	})
}

func TestALockedCounterCountsNothing(t *testing.T) {
	th := Throttle{Free: 1, Factor: time.Minute, Cap: time.Hour, DisableAt: 4}
	var c Counter
	now := noon
	charge := func(want error, after time.Duration) {
		t.Helper()
		before := c
		err := c.Charge(th, now)
		f, _ := fault.Of(err)
		if !errors.Is(err, want) || err != nil && (f.After != after || c != before) {
			t.Fatalf("charge: %v, counter %+v, before %+v", err, c, before)
		}
	}
	charge(nil, 0)
	charge(nil, 0)
	charge(ErrLocked, time.Minute)
	now = now.Add(time.Minute - 1)
	charge(ErrLocked, 1)
	now = now.Add(1)
	charge(nil, 0)
	charge(ErrLocked, 2*time.Minute)
	now = now.Add(2 * time.Minute)
	charge(nil, 0)
	now = now.Add(1000 * time.Hour)
	charge(ErrLocked, time.Hour)
	c.Refund()
	charge(nil, 0)
	c = Counter{LockedUntil: now.Add(time.Hour)}
	c.Refund()
	if c != (Counter{}) {
		t.Errorf("refunding nothing gives %+v", c)
	}
}

func TestWindowsNeverHoldMoreThanTheirMost(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := Rule{Max: rapid.IntRange(1, 4).Draw(rt, "max"), Window: time.Minute}
		var w Window
		now := noon
		var taken []time.Time // since the window began, not given back
		rt.Repeat(map[string]func(*rapid.T){
			"take": func(rt *rapid.T) {
				if len(taken) > 0 && !now.Before(w.Ends) {
					taken = nil
				}
				before := w
				ok := w.Take(r, now)
				if ok != (len(taken) < r.Max) {
					rt.Fatalf("take gives %v with %d of %d", ok, len(taken), r.Max)
				}
				if ok {
					taken = append(taken, now)
				} else if w != before {
					rt.Fatal("a refused take changed the window")
				}
			},
			"give back": func(*rapid.T) {
				w.GiveBack(now)
				if len(taken) > 0 && now.Before(w.Ends) {
					taken = taken[1:]
				}
			},
			"wait": func(rt *rapid.T) {
				now = now.Add(rapid.SampledFrom([]time.Duration{1, time.Second, 30 * time.Second, time.Minute}).Draw(rt, "wait"))
			},
			"": func(rt *rapid.T) {
				if w.Count < 0 || w.Count > r.Max {
					rt.Fatalf("%d of %d", w.Count, r.Max)
				}
			},
		})
	})
}

func TestRulesReadWhatTheyWrite(t *testing.T) {
	for _, bad := range []string{"", "5", "/1h", "5/", "0/1h", "-1/1h", "5/1", "5/999ms", "5/-1h", "x/1h", "5/1h/2", "5.5/1h", "9999999999999999999/1h"} {
		if r, err := ParseRule(bad); !errors.Is(err, ErrRule) {
			t.Errorf("%q gives %v, %v", bad, r, err)
		}
	}
	if r, err := ParseRule(" 10/24h "); err != nil || r != (Rule{Max: 10, Window: 24 * time.Hour}) {
		t.Errorf("got %v, %v", r, err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		r := Rule{Max: rapid.IntRange(1, 1<<30).Draw(rt, "max"), Window: time.Duration(rapid.Int64Range(int64(time.Second), 1<<55).Draw(rt, "window"))}
		if got, err := ParseRule(r.String()); err != nil || got != r {
			rt.Fatalf("%s is read as %v, %v", r, got, err)
		}
	})
}

func TestRefusalsSayWhenToComeBack(t *testing.T) {
	w := Window{Count: 1, Ends: noon.Add(time.Minute)}
	for _, x := range []struct {
		cooldown bool
		at       time.Time
		want     *fault.Error
		after    time.Duration
	}{
		{false, noon, ErrExceeded, time.Minute},
		{true, noon, ErrCooldown, time.Minute},
		{false, noon.Add(time.Minute - 1), ErrExceeded, time.Second},
	} {
		err := Charge{Cooldown: x.cooldown}.Refusal(w, x.at)
		if f, _ := fault.Of(err); !errors.Is(err, x.want) || f.After != x.after {
			t.Errorf("got %v, want %v after %v", err, x.want, x.after)
		}
	}
}
