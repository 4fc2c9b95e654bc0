package channeltest

import (
	"runtime"
	"strings"
	"time"

	"github.com/countersign/countersign/ports/channel"
)

// leaks checks that Close ends everything the channel has started.
func (s Suite) leaks(t T) {
	before := goroutines()
	r := s.open(t)
	cred, _ := r.enroll(t)
	sc, o, resp := r.authenticate(t, cred)
	r.verify(t, sc.Challenge, o.State, resp)
	if p, ok := channel.As[channel.Prober](r.ch); ok {
		_ = p.Probe(t.Context())
	}
	r.close(t)

	left := fresh(before)
	deadline := time.After(patience)
	for len(left) > 0 {
		select {
		case <-deadline:
			t.Errorf("%d goroutines are left after Close; one of them:\n%s", len(left), left[0])
			return
		case <-time.After(5 * time.Millisecond):
			left = fresh(before)
		}
	}
}

// fresh lists the goroutines that were not there before, without those of test
// servers and of other tests.
func fresh(before map[string]string) []string {
	var list []string
	for id, stack := range goroutines() {
		if _, old := before[id]; !old && !ours(stack) {
			list = append(list, stack)
		}
	}
	return list
}

func ours(stack string) bool {
	for _, frame := range []string{"testing.tRunner", "testing.(*T).Run", "net/http.(*conn).serve", "net/http.(*connReader)", "net/http.(*Server)", "os/signal."} {
		if strings.Contains(stack, frame) {
			return true
		}
	}
	return false
}

// goroutines lists all stacks by goroutine.
func goroutines() map[string]string {
	buf := make([]byte, 1<<20)
	all := map[string]string{}
	for _, stack := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		id, _, _ := strings.Cut(stack, " [")
		all[id] = stack
	}
	return all
}
