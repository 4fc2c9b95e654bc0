package channeltest

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"time"

	"github.com/countersign/countersign/ports/channel"
)

// wire is the counterpart of provider for protocols other than HTTP.
func (s Suite) wire(t T) {
	if s.Wire == nil {
		t.Skipf("no such provider")
	}
	t.Run("stays silent", func(t T) {
		s.dial(t, func(conn net.Conn, done <-chan struct{}) { <-done })
	})
	t.Run("is dropped at once", func(t T) {
		s.dial(t, func(net.Conn, <-chan struct{}) {})
	})
	t.Run("speaks another language", func(t T) {
		s.dial(t, func(conn net.Conn, _ <-chan struct{}) { _, _ = conn.Write([]byte("\x15\x03\x01\x00\x02\x02\x28\r\n")) })
	})
	t.Run("is refused", func(t T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatalf("listen: %v", err)
		}
		addr := l.Addr().String()
		if err := l.Close(); err != nil {
			t.Fatalf("close: %v", err)
		}
		s.fails(t, addr)
	})
}

// dial runs one call against a server that treats connections like this.
func (s Suite) dial(t T, treat func(conn net.Conn, done <-chan struct{})) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	var asked atomic.Bool
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			asked.Store(true)
			treat(conn, done)
			_ = conn.Close()
		}
	}()
	s.fails(t, l.Addr().String())
	close(done)
	_ = l.Close()
	<-ended
	if !asked.Load() {
		t.Errorf("Wire is given, but that server was never asked")
	}
}

// fails wants one call to end in time, and to blame the provider.
func (s Suite) fails(t T, addr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	r := s.rig().with(s.Wire(addr))
	err := r.reopen(t)
	if err == nil && !within(patience, func() { err = r.ask(ctx, nil) }) {
		t.Errorf("the deadline was ignored")
		return
	}
	if !errors.Is(err, channel.ErrUnavailable) {
		t.Errorf("wrong error: %v", err)
	}
	if err != nil {
		r.quiet(t, err)
	}
}
