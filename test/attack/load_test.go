package attack_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign/test/harness"
)

// fact is something that a server has said, and must still be true after a
// crash; or something it may have done without being able to say so.
type fact struct {
	id, code, refresh string
	acknowledged      bool // the sign-in
	revoked           bool // and that it was ended
}

// ledger keeps the facts of all workers.
type ledger struct {
	mu    sync.Mutex
	facts []fact
}

func (l *ledger) add(f fact) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.facts = append(l.facts, f)
}

// work signs people in, again and again, and ends every fifth session.
func work(c *harness.Client, l *ledger, stop <-chan struct{}) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		to := fresh()
		asked, err := c.Try(http.MethodPost, "/v1/challenges", map[string]string{"to": to})
		if err != nil || asked.Status != http.StatusAccepted {
			continue
		}
		sent, err := c.Try(http.MethodGet, "/dev/inbox/latest?wait=1s&to="+url.QueryEscape(to), nil)
		if err != nil || sent.Status != http.StatusOK {
			continue
		}
		f := fact{id: asked.Text("id"), code: sent.Text("code")}
		done, err := guess(c, f.id, f.code)
		f.acknowledged, f.refresh = err == nil && done.Status == http.StatusOK, done.Text("refresh_token")
		if f.acknowledged && n%5 == 4 {
			ended, err := c.Try(http.MethodPost, "/v1/tokens/revoke", map[string]string{"token": f.refresh})
			f.revoked = err == nil && ended.Status == http.StatusNoContent
			if !f.revoked {
				f.refresh = "" // nobody knows
			}
		}
		l.add(f)
	}
}

func TestF003WhatWasAcknowledgedSurvivesCrashes(t *testing.T) {
	t.Parallel()
	harness.Stores(t, func(t *testing.T, store harness.Store) {
		t.Parallel()
		s := harness.Start(t, harness.Options{Store: store, Log: "warn", Env: sober})
		l, stop := &ledger{}, make(chan struct{})
		var workers sync.WaitGroup
		for range 4 {
			workers.Go(func() { work(s.Client(t), l, stop) })
		}
		slowest := time.Duration(0)
		tick := time.NewTicker(2 * time.Second)
		defer tick.Stop()
		for range 8 {
			<-tick.C
			s.Kill()
			began := time.Now()
			s.Restart()
			slowest = max(slowest, time.Since(began))
		}
		close(stop)
		workers.Wait()
		if slowest > 10*time.Second {
			t.Errorf("starting again took up to %s", slowest)
		}
		counts := audit(t, s.Client(t), l.facts)
		text, _ := json.Marshal(counts)
		t.Logf("8 kills; ready again within %s; %s", slowest.Round(time.Millisecond), text)
		if counts["acknowledged"] < 20 {
			t.Errorf("only %d sign-ins were acknowledged: the crashes have shown nothing", counts["acknowledged"])
		}
	})
}

// audit asks for every fact again.
func audit(t *testing.T, c *harness.Client, facts []fact) map[string]int {
	t.Helper()
	counts := map[string]int{}
	for _, f := range facts {
		again := c.Verify(f.id, f.code)
		switch {
		case f.acknowledged:
			counts["acknowledged"]++
			again.WantCode(http.StatusNotFound, "challenge_not_found")
		case again.Status == http.StatusOK:
			counts["signed in later"]++
			c.Verify(f.id, f.code).WantCode(http.StatusNotFound, "challenge_not_found")
		default:
			counts["unanswered: "+again.Code()]++
		}
		refresh := map[string]string{"refresh_token": f.refresh}
		switch {
		case f.refresh == "":
		case f.revoked:
			counts["revoked"]++
			c.Post("/v1/tokens/refresh", refresh).Want(http.StatusUnauthorized)
		default:
			c.Post("/v1/tokens/refresh", refresh).Want(http.StatusOK)
		}
	}
	return counts
}
