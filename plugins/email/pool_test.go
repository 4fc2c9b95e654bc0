package email_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign/ports/channel"
)

func TestManyMessagesShareAConnection(t *testing.T) {
	srv := serve(t, how{tls: "starttls", auth: true})
	s := sender(t, fmt.Sprintf(`{"addr":%q,"from":"a@b.example","ca_file":%q,"username":%q,"password":%q}`, srv.addr, srv.caFile, user, password))
	for range 20 {
		if _, err := s.Send(t.Context(), message()); err != nil {
			t.Fatal(err)
		}
	}
	if sessions, mails := srv.seen(); len(mails) != 20 || sessions > 2 { // TLS begins a second session on the same connection
		t.Errorf("%d mails over %d sessions", len(mails), sessions)
	}
}

func TestColdConnectionIsReplacedOnce(t *testing.T) {
	srv := serve(t, how{tls: "none"})
	s := sender(t, plainConfig(srv.addr))
	for round := range 3 {
		if _, err := s.Send(t.Context(), message()); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		srv.hangUp()
	}
	if sessions, mails := srv.seen(); len(mails) != 3 || sessions != 3 {
		t.Errorf("%d mails over %d sessions", len(mails), sessions)
	}
}

func TestIdleConnectionsAreGivenUp(t *testing.T) {
	srv := serve(t, how{tls: "none"})
	s := sender(t, strings.Replace(plainConfig(srv.addr), "{", `{"idle":"0s",`, 1))
	for range 2 {
		if _, err := s.Send(t.Context(), message()); err != nil {
			t.Fatal(err)
		}
	}
	if sessions, _ := srv.seen(); sessions != 2 {
		t.Errorf("%d sessions", sessions)
	}
}

func TestBreakInTheMiddleIsNotSentTwice(t *testing.T) {
	srv := serve(t, how{tls: "none"})
	s := sender(t, plainConfig(srv.addr))
	if _, err := s.Send(t.Context(), message()); err != nil {
		t.Fatal(err)
	}
	var tries sync.Map
	srv.say(script{onData: func() error { tries.Store(time.Now(), true); srv.hangUp(); return errors.New("gone") }})
	_, err := s.Send(t.Context(), message())
	count := 0
	tries.Range(func(any, any) bool { count++; return true })
	if !errors.Is(err, channel.ErrUnavailable) || count != 1 {
		t.Errorf("tried %d times: %v", count, err)
	}
}

func TestHangingServerIsLeftAtTheDeadline(t *testing.T) {
	srv := serve(t, how{tls: "none"})
	s := sender(t, plainConfig(srv.addr))
	release := make(chan struct{})
	defer close(release)
	srv.say(script{onData: func() error { <-release; return nil }})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	done := make(chan error, 1)
	go func() { _, err := s.Send(ctx, message()); done <- err }()
	select {
	case err := <-done:
		if !errors.Is(err, channel.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("the deadline was ignored")
	}
}

func TestParallelSendsShareFewConnections(t *testing.T) {
	srv := serve(t, how{tls: "none"})
	s := sender(t, strings.Replace(plainConfig(srv.addr), "{", `{"connections":3,`, 1))
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Go(func() {
			m := message()
			m.Key = fmt.Sprint("outbox-", i)
			if _, err := s.Send(t.Context(), m); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	sessions, mails := srv.seen()
	keys := map[string]bool{}
	for _, m := range mails {
		_, id, _ := strings.Cut(m.raw, "Message-ID: ")
		keys[strings.SplitN(id, "\r\n", 2)[0]] = true
	}
	if len(keys) != 60 || sessions > 3 {
		t.Errorf("%d different mails over %d sessions", len(keys), sessions)
	}
}
