package attack_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/test/harness"
)

// told is how well two samples can be told apart: the area under the curve of
// true over false positives (ROC), which is how often one of a is greater than
// one of b. 0.5 is not at all. No machine's speed is in it, and no outlier counts
// for more than one.
func told(a, b []time.Duration) float64 {
	b = slices.Sorted(slices.Values(b))
	wins := 0.0
	for _, x := range a {
		below, _ := slices.BinarySearch(b, x)
		upTo, _ := slices.BinarySearch(b, x+1)
		wins += float64(below) + float64(upTo-below)/2
	}
	return wins / float64(len(a)) / float64(len(b))
}

func TestToldMeasuresWhatItSays(t *testing.T) {
	for _, x := range []struct {
		a, b []time.Duration
		want float64
	}{
		{[]time.Duration{1, 2, 3}, []time.Duration{1, 2, 3}, 0.5}, {[]time.Duration{9, 8}, []time.Duration{1, 2}, 1},
		{[]time.Duration{1}, []time.Duration{5, 6}, 0}, {[]time.Duration{2, 4}, []time.Duration{1, 3}, 0.75},
	} {
		if got := told(x.a, x.b); got != x.want {
			t.Errorf("%v and %v: %v, want %v", x.a, x.b, got, x.want)
		}
	}
}

// In turns that are drawn, so that neither sort has the quieter moments.
func TestA038TimeTellsNobodyWhoIsKnown(t *testing.T) {
	const (
		each   = 150 // samples of each sort in a run; the deviation of the area is 0.033 then
		runs   = 3   // on a machine that does much else one may be unlucky
		people = 6   // of each sort; nobody's failures in a row come near the end
		room   = 0.15
	)
	apart(t, harness.Options{Policy: closed + patient}, func(t *testing.T, _ *harness.Server, c *harness.Client) {
		var sorts [2][]string // unknown, known
		for range people {
			sorts[0], sorts[1] = append(sorts[0], fresh()), append(sorts[1], fresh())
		}
		for _, to := range sorts[1] {
			c.Post("/v1/users", map[string]string{"email": to, "password": knows}).Want(http.StatusCreated)
			c.SignIn(to)
		}
		var turns []int
		for range each {
			turns = append(turns, 0, 1)
		}
		timed := func(took *[]time.Duration, ask func() harness.Answer) harness.Answer {
			began := time.Now()
			a := ask()
			*took = append(*took, time.Since(began))
			return a
		}
		var said []string
		for range runs {
			var starts, answers [2][]time.Duration
			rand.Shuffle(len(turns), func(i, j int) { turns[i], turns[j] = turns[j], turns[i] })
			for i, sort := range append(slices.Clone(turns[:20]), turns...) {
				to := map[string]string{"to": sorts[sort][i%people]}
				a := timed(&starts[sort], func() harness.Answer { return c.Post("/v1/challenges", to) }).Want(http.StatusAccepted)
				timed(&answers[sort], func() harness.Answer { return c.Verify(a.Text("id"), "000000") })
				if i == 19 { // whoever comes first pays for what is made once
					starts, answers = [2][]time.Duration{}, [2][]time.Duration{}
				}
				if i%50 == 0 {
					forget(c)
				}
			}
			start, answer := told(starts[1], starts[0]), told(answers[1], answers[0])
			t.Logf("%.2f by a challenge, %.2f by a wrong code", start, answer)
			if max(start, answer) <= 0.5+room && min(start, answer) >= 0.5-room {
				return
			}
			said = append(said, fmt.Sprintf("%.2f by a challenge, %.2f by a wrong code", start, answer))
		}
		t.Errorf("known people are told from unknown ones by time: %s; want 0.35 to 0.65", strings.Join(said, "; "))
	})
}
