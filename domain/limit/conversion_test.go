package limit

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestRoomIsWhatTheRuleSays(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := Conversion{Sends: rapid.IntRange(1, 100).Draw(rt, "sends"), Below: rapid.IntRange(1, 100).Draw(rt, "below")}
		answered, sent := rapid.IntRange(0, 200).Draw(rt, "answered"), rapid.IntRange(0, 30000).Draw(rt, "sent")
		stopped := sent >= c.Sends && answered*100 < c.Below*sent
		if more := sent < c.Room(answered); more == stopped {
			rt.Fatalf("%+v: %d sent and %d answered: another one may go out: %v", c, sent, answered, more)
		}
	})
	if (Conversion{}).On() || !(Conversion{Sends: 1}).On() {
		t.Error("only the zero conversion stops nothing")
	}
}

func TestSpansFollowEachOther(t *testing.T) {
	c := Conversion{Sends: 20, Within: 10 * time.Minute}
	first := c.Span(noon)
	for after, want := range map[time.Duration]int64{-time.Microsecond: -1, 0: 0, 10*time.Minute - 1: 0, 10 * time.Minute: 1, 25 * time.Minute: 2} {
		if got := c.Span(noon.Add(after)) - first; got != want {
			t.Errorf("%s later it is span %d, want %d", after, got, want)
		}
	}
}
