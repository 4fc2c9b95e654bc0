// Package pgtap stands between a client and a PostgreSQL server and counts the
// statements that are executed, BEGIN and COMMIT included, by the frontend
// messages of the protocol (PostgreSQL manual, 55.7).
package pgtap

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/url"
	"strings"
	"sync"
)

// Codes of the messages that precede a session.
const (
	sslRequest = 80877103
	gssRequest = 80877104
	cancel     = 80877102
)

// most bounds one message; ours are a few kilobytes.
const most = 16 << 20

var errMessage = errors.New("not a message of PostgreSQL's protocol")

// Tap counts statements. It is safe for concurrent use.
type Tap struct {
	listener net.Listener
	server   string
	ended    sync.WaitGroup

	mu     sync.Mutex // guards the rest
	counts map[string]int
	conns  map[net.Conn]struct{}
	closed bool
}

// Open starts a tap in front of the server at the URL, and returns the URL that
// leads through it.
func Open(address string) (*Tap, string, error) {
	u, err := url.Parse(address)
	if err != nil || u.Port() == "" {
		return nil, "", errors.New("the address of PostgreSQL is no URL with a port")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", fmt.Errorf("listen for PostgreSQL's clients: %w", err)
	}
	t := &Tap{listener: listener, server: u.Host, counts: map[string]int{}, conns: map[net.Conn]struct{}{}}
	u.Host = listener.Addr().String()
	q := u.Query()
	q.Set("sslmode", "disable")
	u.RawQuery = q.Encode()
	t.ended.Go(t.accept)
	return t, u.String(), nil
}

// Reset forgets what was counted.
func (t *Tap) Reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.counts)
}

// Counts says how often each statement was executed, by its text.
func (t *Tap) Counts() map[string]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.counts)
}

// Close cuts all connections.
func (t *Tap) Close() error {
	err := t.listener.Close()
	t.mu.Lock()
	t.closed = true
	for c := range t.conns {
		_ = c.Close()
	}
	t.mu.Unlock()
	t.ended.Wait()
	return err
}

func (t *Tap) accept() {
	for {
		client, err := t.listener.Accept()
		if err != nil {
			return
		}
		t.ended.Go(func() { t.serve(client) })
	}
}

// hold remembers a connection so that Close can cut it.
func (t *Tap) hold(c net.Conn) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		_ = c.Close()
		return false
	}
	t.conns[c] = struct{}{}
	return true
}

func (t *Tap) release(c net.Conn) {
	_ = c.Close()
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.conns, c)
}

func (t *Tap) serve(client net.Conn) {
	if !t.hold(client) {
		return
	}
	defer t.release(client)
	server, err := net.Dial("tcp", t.server)
	if err != nil || !t.hold(server) {
		return
	}
	defer t.release(server)
	t.ended.Go(func() {
		_, _ = io.Copy(client, server)
		_ = client.Close()
	})
	if greet(client, server) == nil {
		_ = t.relay(client, server)
	}
}

// greet passes the start of a session on. Offers to encrypt are declined: what
// is encrypted cannot be counted.
func greet(client io.ReadWriter, server io.Writer) error {
	for {
		var head [8]byte
		if _, err := io.ReadFull(client, head[:]); err != nil {
			return err
		}
		size, code := binary.BigEndian.Uint32(head[:4]), binary.BigEndian.Uint32(head[4:])
		if size < 8 || size > 1<<16 {
			return errMessage
		}
		if code == sslRequest || code == gssRequest {
			if _, err := client.Write([]byte{'N'}); err != nil {
				return err
			}
			continue
		}
		if _, err := server.Write(head[:]); err != nil {
			return err
		}
		if _, err := io.CopyN(server, client, int64(size)-8); err != nil || code == cancel {
			return errors.Join(err, io.EOF)
		}
		return nil
	}
}

// relay passes messages on and counts.
func (t *Tap) relay(client io.Reader, server io.Writer) error {
	s := session{statements: map[string]string{}, portals: map[string]string{}}
	for {
		raw, err := message(client)
		if err != nil {
			return err
		}
		if texts := s.see(raw[0], raw[5:]); len(texts) > 0 {
			t.mu.Lock()
			for _, text := range texts {
				t.counts[text]++
			}
			t.mu.Unlock()
		}
		if _, err := server.Write(raw); err != nil {
			return err
		}
	}
}

// message reads one: a type, its length, and what belongs to it.
func message(r io.Reader) ([]byte, error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(head[1:])
	if size < 4 || size > most {
		return nil, errMessage
	}
	raw := make([]byte, 1+size)
	copy(raw, head[:])
	_, err := io.ReadFull(r, raw[5:])
	return raw, err
}

// session is what a client has prepared.
type session struct{ statements, portals map[string]string }

// see returns the texts of the statements that a message executes.
func (s *session) see(kind byte, body []byte) []string {
	one, rest := text(body)
	two, _ := text(rest)
	switch kind {
	case 'P': // Parse: statement, text
		s.statements[one] = squeeze(two)
	case 'B': // Bind: portal, statement
		s.portals[one] = s.statements[two]
	case 'E': // Execute: portal
		return []string{s.portals[one]}
	case 'Q': // Query: text of one or more statements
		var texts []string
		for part := range strings.SplitSeq(one, ";") {
			if part = squeeze(part); part != "" {
				texts = append(texts, part)
			}
		}
		return texts
	}
	return nil
}

// text reads a string that ends with a zero byte.
func text(body []byte) (string, []byte) {
	before, after, _ := bytes.Cut(body, []byte{0})
	return string(before), after
}

func squeeze(s string) string { return strings.Join(strings.Fields(s), " ") }
