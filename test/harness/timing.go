package harness

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Timed is a request whose time is compared with that of others.
type Timed struct {
	Name string
	Make func() func() // prepares one request, and gives what is timed
}

// Alike is how alike times have to be.
type Alike struct {
	Each      int     // samples of each request in one round
	Rounds    int     // after which it gives up
	Tolerance float64 // of medians: 0.2 lets the slowest take a fifth longer than the quickest
}

// Compare makes the requests in turns that change and compares the medians of their
// times. It says "" as soon as they are alike, and what they are if they are not
// after all rounds: on a machine that does much else one round may be unlucky,
// but what really takes longer takes longer in each.
func (l Alike) Compare(all ...Timed) string {
	took := make([][]time.Duration, len(all))
	for i := range all {
		all[i].Make()() // whoever comes first pays for what is made once
	}
	for range l.Rounds {
		for turn := range l.Each * len(all) {
			i := (turn + turn/len(all)) % len(all) // nobody always comes after the same one
			do := all[i].Make()
			began := time.Now()
			do()
			took[i] = append(took[i], time.Since(began))
		}
		if l.alike(took) {
			return ""
		}
	}
	var said []string
	for i, t := range all {
		said = append(said, fmt.Sprintf("%s: %s", t.Name, median(took[i]).Round(10*time.Microsecond)))
	}
	return fmt.Sprintf("medians of %d: %s", len(took[0]), strings.Join(said, ", "))
}

func (l Alike) alike(took [][]time.Duration) bool {
	quickest, slowest := median(took[0]), median(took[0])
	for _, t := range took[1:] {
		quickest, slowest = min(quickest, median(t)), max(slowest, median(t))
	}
	return float64(slowest) <= float64(quickest)*(1+l.Tolerance)
}

func median(all []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)/2]
}
