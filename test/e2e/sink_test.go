package e2e_test

import (
	"io"
	"log"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

// sink is a mail server that does as it is told.
type sink struct {
	addr string
	t    *testing.T

	mu     sync.Mutex // guards the rest
	server *smtp.Server
	listen net.Listener  // of server, or one that nobody answers on
	answer error         // to every recipient
	pause  time.Duration // before a message is taken
	began  int           // messages whose text has begun to arrive
	mails  map[string][]string
	named  map[string][]string // their Message-IDs
}

// newSink is a mail server that works.
func newSink(t *testing.T) *sink {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &sink{t: t, addr: l.Addr().String(), mails: map[string][]string{}, named: map[string][]string{}}
	s.serve(l)
	t.Cleanup(s.down)
	return s
}

func (s *sink) serve(l net.Listener) {
	srv := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &letter{sink: s}, nil }))
	srv.Domain, srv.ErrorLog = "localhost", log.New(io.Discard, "", 0)
	s.mu.Lock()
	s.server, s.listen = srv, l
	s.mu.Unlock()
	go func() { _ = srv.Serve(l) }() // ends with an error when it is closed
}

// down ends the mail server with all its connections.
func (s *sink) down() {
	s.mu.Lock()
	srv, l := s.server, s.listen
	s.server, s.listen = nil, nil
	s.mu.Unlock()
	if l != nil { // the server may not have begun to serve on it, and then would not close it
		_ = l.Close()
	}
	if srv != nil {
		_ = srv.Close()
	}
}

// up starts it again on the same port.
func (s *sink) up() {
	s.t.Helper()
	s.down()
	s.serve(s.open())
}

// hang takes connections and never says a word.
func (s *sink) hang() {
	s.t.Helper()
	s.down()
	l := s.open()
	s.mu.Lock()
	s.listen = l
	s.mu.Unlock()
	go func() {
		var all []net.Conn
		for {
			c, err := l.Accept()
			if err != nil {
				for _, c := range all {
					_ = c.Close()
				}
				return
			}
			all = append(all, c)
		}
	}()
}

func (s *sink) open() net.Listener {
	s.t.Helper()
	l, err := net.Listen("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	return l
}

// refuse makes it answer every recipient with an error; nil ends that.
func (s *sink) refuse(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = err
}

// slow makes every message take its time.
func (s *sink) slow(by time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pause = by
}

// begun counts the messages whose text has begun to arrive.
func (s *sink) begun() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.began
}

// texts are the messages to an address, oldest first, as people read them.
func (s *sink) texts(to string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.mails[to]...)
}

// ids are the Message-IDs of the messages to an address, oldest first.
func (s *sink) ids(to string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.named[to]...)
}

// code waits for the nth message with a code to an address, and gives the code.
func (s *sink) code(to string, n int, form string) string {
	s.t.Helper()
	pattern := regexp.MustCompile(`(?m)(?:^|[^0-9])(` + form + `)(?:[^0-9]|$)`)
	var codes []string
	waitFor(s.t, 10*time.Second, "a message to "+to, func() bool {
		codes = codes[:0]
		for _, text := range s.texts(to) {
			if code := pattern.FindStringSubmatch(text); code != nil {
				codes = append(codes, code[1])
			}
		}
		return len(codes) >= n
	})
	return codes[n-1]
}

// letter is one message on its way.
type letter struct {
	sink *sink
	to   string
}

// Mail takes any sender.
func (l *letter) Mail(string, *smtp.MailOptions) error { return nil }

// Rcpt takes the recipient, or answers as scripted.
func (l *letter) Rcpt(to string, _ *smtp.RcptOptions) error {
	l.sink.mu.Lock()
	defer l.sink.mu.Unlock()
	l.to = to
	return l.sink.answer
}

// Data keeps the text.
func (l *letter) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	l.sink.mu.Lock()
	l.sink.began++
	pause := l.sink.pause
	l.sink.mu.Unlock()
	if pause > 0 {
		<-time.After(pause)
	}
	text, err := plain(string(raw))
	if err != nil {
		return err
	}
	l.sink.mu.Lock()
	defer l.sink.mu.Unlock()
	l.sink.mails[l.to] = append(l.sink.mails[l.to], text)
	if m, err := mail.ReadMessage(strings.NewReader(string(raw))); err == nil {
		l.sink.named[l.to] = append(l.sink.named[l.to], strings.Trim(m.Header.Get("Message-Id"), "<>"))
	}
	return nil
}

// Reset forgets the recipient.
func (l *letter) Reset() { l.to = "" }

// Logout ends the session.
func (l *letter) Logout() error { return nil }

// plain is the first text in a message.
func plain(raw string) (string, error) {
	m, err := mail.ReadMessage(strings.NewReader(raw))
	if err != nil {
		return "", err
	}
	body, coding := io.Reader(m.Body), m.Header.Get("Content-Transfer-Encoding")
	kind, with, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		return "", err
	}
	if strings.HasPrefix(kind, "multipart/") {
		part, err := multipart.NewReader(body, with["boundary"]).NextRawPart()
		if err != nil {
			return "", err
		}
		body, coding = part, part.Header.Get("Content-Transfer-Encoding")
	}
	if strings.EqualFold(coding, "quoted-printable") {
		body = quotedprintable.NewReader(body)
	}
	text, err := io.ReadAll(body)
	return string(text), err
}
