// Package sink is a mail server on the loopback interface that keeps nothing:
// it hands the code in each message to whoever waits for that recipient.
package sink

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emersion/go-smtp"
)

// ErrLate means that no message came in time.
var ErrLate = errors.New("no mail came")

// Sink takes mail. It is safe for concurrent use.
type Sink struct {
	server     *smtp.Server
	addr       string
	ended      chan error
	unexpected atomic.Int64

	mu      sync.Mutex // guards waiting
	waiting map[string]chan string
}

// New starts a sink on a free port.
func New() (*Sink, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for mail: %w", err)
	}
	s := &Sink{addr: listener.Addr().String(), ended: make(chan error, 1), waiting: map[string]chan string{}}
	s.server = smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &session{sink: s}, nil }))
	s.server.Domain, s.server.MaxMessageBytes, s.server.MaxRecipients = "localhost", 1<<20, 1
	s.server.ReadTimeout, s.server.WriteTimeout = time.Minute, time.Minute
	s.server.ErrorLog = quiet{}
	go func() { s.ended <- s.server.Serve(listener) }()
	return s, nil
}

// Addr is host:port of the sink.
func (s *Sink) Addr() string { return s.addr }

// Lost counts codes that nobody waited for.
func (s *Sink) Lost() int64 { return s.unexpected.Load() }

// Close stops taking mail.
func (s *Sink) Close() error {
	err := s.server.Close()
	<-s.ended
	if err != nil {
		return fmt.Errorf("stop taking mail: %w", err)
	}
	return nil
}

// Mail is a message that is expected.
type Mail struct {
	sink *Sink
	to   string
	code chan string
}

// Expect announces that somebody will wait for the next message to a recipient.
// It must be called before the message can come.
func (s *Sink) Expect(to string) Mail {
	m := Mail{sink: s, to: strings.ToLower(to), code: make(chan string, 1)}
	s.mu.Lock()
	s.waiting[m.to] = m.code
	s.mu.Unlock()
	return m
}

// Code waits for the message.
func (m Mail) Code(ctx context.Context, patience time.Duration) (string, error) {
	select { // the usual case costs no timer
	case code := <-m.code:
		return code, nil
	default:
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case code := <-m.code:
		return code, nil
	case <-ctx.Done():
		m.Forget()
		return "", ctx.Err()
	case <-timer.C:
		m.Forget()
		return "", fmt.Errorf("%w within %s", ErrLate, patience)
	}
}

// Forget ends the waiting.
func (m Mail) Forget() {
	m.sink.mu.Lock()
	defer m.sink.mu.Unlock()
	if m.sink.waiting[m.to] == m.code {
		delete(m.sink.waiting, m.to)
	}
}

// arrive hands the code to whoever waits. Mail without one is a notice, or it
// cannot be read: then whoever waits hears that it is late.
func (s *Sink) arrive(to string, message []byte) {
	code, ok := Code(message)
	if !ok {
		return
	}
	to = strings.ToLower(to)
	s.mu.Lock()
	ch := s.waiting[to]
	delete(s.waiting, to)
	s.mu.Unlock()
	if ch == nil {
		s.unexpected.Add(1)
		return
	}
	ch <- code
}

// session is one connection. The library calls it from one goroutine.
type session struct {
	sink *Sink
	to   string
	body []byte
}

func (s *session) Reset()                               {}
func (s *session) Logout() error                        { return nil }
func (s *session) Mail(string, *smtp.MailOptions) error { return nil }
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = to
	return nil
}

// Data reads one message. The buffer is used again for the next one.
func (s *session) Data(r io.Reader) error {
	s.body = s.body[:0]
	for {
		if len(s.body) == cap(s.body) {
			s.body = append(s.body, make([]byte, 4096)...)[:len(s.body)]
		}
		n, err := r.Read(s.body[len(s.body):cap(s.body)])
		s.body = s.body[:len(s.body)+n]
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("read a message: %w", err)
		}
	}
	s.sink.arrive(s.to, s.body)
	return nil
}

// quiet drops what the library would log: connections that end are no news.
type quiet struct{}

func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}
