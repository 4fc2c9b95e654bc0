// Package hooks is a receiver of webhooks on the loopback interface. It checks
// and counts what it is told, and keeps nothing.
package hooks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/countersign/countersign/ports/signature"
)

// Secret is what its webhooks are signed with. It protects nothing.
const Secret = "whsec_YmVuY2hiZW5jaGJlbmNoYmVuY2hiZW5jaGJlbmNo" //nolint:gosec // of a benchmark

// most is the largest body that is read, in bytes.
const most = 1 << 20

// Receiver takes webhooks. It is safe for concurrent use.
type Receiver struct {
	server http.Server
	addr   string
	ended  chan error
	bodies sync.Pool
	good   atomic.Int64
	bad    atomic.Int64
}

// New starts a receiver on a free port.
func New() (*Receiver, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for webhooks: %w", err)
	}
	r := &Receiver{addr: listener.Addr().String(), ended: make(chan error, 1)}
	r.bodies.New = func() any { return new(bytes.Buffer) }
	r.server.Handler, r.server.ReadHeaderTimeout = r, time.Minute
	go func() { r.ended <- r.server.Serve(listener) }()
	return r, nil
}

// URL is where webhooks are to be sent.
func (r *Receiver) URL() string { return "http://" + r.addr + "/hooks" }

// Taken counts the webhooks that were as they must be.
func (r *Receiver) Taken() int64 { return r.good.Load() }

// Refused counts those that could not be read, or whose signature was wrong.
func (r *Receiver) Refused() int64 { return r.bad.Load() }

// Close stops taking webhooks.
func (r *Receiver) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := errors.Join(r.server.Shutdown(ctx), r.server.Close()); err != nil {
		return fmt.Errorf("stop taking webhooks: %w", err)
	}
	if err := <-r.ended; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("take webhooks: %w", err)
	}
	return nil
}

// ServeHTTP takes one webhook.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, ok := r.bodies.Get().(*bytes.Buffer)
	if !ok {
		body = new(bytes.Buffer)
	}
	defer r.bodies.Put(body)
	body.Reset()
	_, err := body.ReadFrom(io.LimitReader(q.Body, most))
	if err == nil {
		err = signature.Verify(Secret, q.Header, body.Bytes(), time.Now())
	}
	if err != nil {
		r.bad.Add(1)
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	r.good.Add(1)
	w.WriteHeader(http.StatusNoContent)
}
