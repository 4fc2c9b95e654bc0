package attack_test

import (
	"bytes"
	"fmt"
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

// letter is a message that was taken.
type letter struct {
	to, id, code string
	at           time.Time
}

// sink is a mail server on loopback that keeps what it takes, and can be made
// to wait, to refuse and to act at the worst moment.
type sink struct {
	address string

	mu      sync.Mutex // guards the rest
	letters []letter
	trouble error                // of a letter that cannot be read
	held    chan struct{}        // senders wait until it is closed; nil: nobody waits
	refuse  func(to string) bool // for good
	taken   func()               // called when a letter is kept, before its sender is told
	refused map[string]int       // how often a recipient was refused
}

// openSink serves until the test ends. The address may be "127.0.0.1:0".
func openSink(t *testing.T, address string) *sink {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatalf("open the mail server: %v", err)
	}
	s := &sink{address: l.Addr().String(), refused: map[string]int{}}
	srv := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &conversation{sink: s}, nil }))
	srv.Domain, srv.ErrorLog = "localhost", log.New(io.Discard, "", 0)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = srv.Serve(l)
	}()
	t.Cleanup(func() {
		s.release()
		_ = srv.Close()
		<-done
		if s.trouble != nil {
			t.Errorf("a letter cannot be read: %v", s.trouble)
		}
	})
	return s
}

// hold lets senders wait before they can say anything.
func (s *sink) hold() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = make(chan struct{})
}

func (s *sink) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held != nil {
		close(s.held)
		s.held = nil
	}
}

func (s *sink) gate() chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.held
}

// onTaken calls f whenever a letter was taken.
func (s *sink) onTaken(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken = f
}

func (s *sink) refuses(to string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse == nil || !s.refuse(to) {
		return false
	}
	s.refused[to]++
	return true
}

func (s *sink) keep(to string, raw []byte) {
	one, err := read(raw)
	one.to, one.at = to, time.Now()
	s.mu.Lock()
	if err != nil {
		s.trouble = err
	}
	s.letters = append(s.letters, one)
	then := s.taken
	s.mu.Unlock()
	if then != nil {
		then()
	}
}

// by gives what was taken, by recipient.
func (s *sink) by() map[string][]letter {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string][]letter{}
	for _, l := range s.letters {
		out[l.to] = append(out[l.to], l)
	}
	return out
}

// await waits until every recipient has a letter.
func (s *sink) await(t *testing.T, patience time.Duration, recipients ...string) map[string][]letter {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		got, missing := s.by(), 0
		for _, to := range recipients {
			if len(got[to]) == 0 {
				missing++
			}
		}
		if missing == 0 {
			return got
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d letters have not come within %s", missing, len(recipients), patience)
		}
	}
}

// conversation is what one sender says.
type conversation struct {
	*sink
	to string
}

func (c *conversation) Reset()        { c.to = "" }
func (c *conversation) Logout() error { return nil }

func (c *conversation) Mail(string, *smtp.MailOptions) error {
	if gate := c.gate(); gate != nil {
		<-gate
	}
	return nil
}

func (c *conversation) Rcpt(to string, _ *smtp.RcptOptions) error {
	if c.refuses(to) {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "nobody of that name"}
	}
	c.to = to
	return nil
}

func (c *conversation) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	c.keep(c.to, raw)
	return nil
}

var sixDigits = regexp.MustCompile(`\b[0-9]{6}\b`)

// read finds the name of a letter and the code in its plain text.
func read(raw []byte) (letter, error) {
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return letter{}, err
	}
	text, err := plain(m)
	if err != nil {
		return letter{}, err
	}
	one := letter{id: m.Header.Get("Message-ID"), code: sixDigits.FindString(text)}
	if one.id == "" || one.code == "" {
		return one, fmt.Errorf("no Message-ID %q or no code in %d bytes of text", one.id, len(text))
	}
	return one, nil
}

func plain(m *mail.Message) (string, error) {
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		return "", err
	}
	body, coding := m.Body, m.Header.Get("Content-Transfer-Encoding")
	if strings.HasPrefix(kind, "multipart/") {
		part, err := multipart.NewReader(m.Body, params["boundary"]).NextPart() // which undoes quoted-printable
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
