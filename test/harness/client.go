package harness

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// requestTimeout bounds one request.
const requestTimeout = 30 * time.Second

// Client speaks to a server and its replicas. It is safe for concurrent use,
// but what fails a test (everything but Try and Verdicts of it) belongs to the
// test's own goroutine.
type Client struct {
	t       testing.TB
	servers []*Server
	header  http.Header
	http    *http.Client
	shared  *shared
}

// shared is what all views of a client have in common.
type shared struct {
	mu     sync.Mutex
	offset time.Duration
	seen   map[string]int // messages to an address before its last challenge
}

// Client is a client without credentials. Requests go to this server; the
// inboxes and clocks of its replicas are looked after too.
func (s *Server) Client(t testing.TB) *Client {
	s.mu.Lock()
	defer s.mu.Unlock()
	transport := &http.Transport{MaxIdleConnsPerHost: 256}
	t.Cleanup(transport.CloseIdleConnections)
	return &Client{
		t: t, servers: append([]*Server{s}, s.replicas...), header: http.Header{},
		http: &http.Client{
			Timeout: requestTimeout, Transport: transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		shared: &shared{seen: map[string]int{}},
	}
}

// With is the client with another header on every request.
func (c *Client) With(name, value string) *Client {
	d := *c
	d.header = c.header.Clone()
	d.header.Set(name, value)
	return &d
}

// As is the client with a bearer token on every request; none if it is empty.
func (c *Client) As(token string) *Client {
	if token == "" {
		d := *c
		d.header = c.header.Clone()
		d.header.Del("Authorization")
		return &d
	}
	return c.With("Authorization", "Bearer "+token)
}

// At is the client that asks the nth server: 0 the first, 1 its first replica.
func (c *Client) At(n int) *Client {
	d := *c
	d.servers = append([]*Server{c.servers[n%len(c.servers)]}, c.servers...)
	return &d
}

// Answer is what a server said.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte

	t    testing.TB
	what string
}

// Try makes one request. The body is JSON text ([]byte or string), or a value
// that is written as JSON; nil is no body. Headers are "Name: value"; Host is
// the host that is asked for.
func (c *Client) Try(method, path string, body any, headers ...string) (Answer, error) {
	var content io.Reader
	switch b := body.(type) {
	case nil:
	case []byte:
		content = bytes.NewReader(b)
	case string:
		content = strings.NewReader(b)
	default:
		text, err := json.Marshal(b)
		if err != nil {
			return Answer{}, fmt.Errorf("write the body: %w", err)
		}
		content = bytes.NewReader(text)
	}
	r, err := http.NewRequest(method, c.servers[0].URL+path, content)
	if err != nil {
		return Answer{}, fmt.Errorf("make the request: %w", err)
	}
	r.Header = c.header.Clone()
	if content != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ":")
		r.Header.Set(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	r.Host = r.Header.Get("Host")
	got, err := c.http.Do(r)
	if err != nil {
		return Answer{}, err
	}
	defer got.Body.Close()
	a := Answer{Status: got.StatusCode, Header: got.Header, t: c.t, what: method + " " + path}
	a.Body, err = io.ReadAll(got.Body)
	return a, err
}

// Do makes one request that must be answered; see Try.
func (c *Client) Do(method, path string, body any, headers ...string) Answer {
	c.t.Helper()
	a, err := c.Try(method, path, body, headers...)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
	return a
}

// Post is Do with the method POST.
func (c *Client) Post(path string, body any, headers ...string) Answer {
	c.t.Helper()
	return c.Do(http.MethodPost, path, body, headers...)
}

// Get is Do with the method GET.
func (c *Client) Get(path string, headers ...string) Answer {
	c.t.Helper()
	return c.Do(http.MethodGet, path, nil, headers...)
}

// String is the answer for people.
func (a Answer) String() string { return fmt.Sprintf("%s: %d %s", a.what, a.Status, a.Body) }

// JSON reads the body.
func (a Answer) JSON(into any) {
	a.t.Helper()
	if err := json.Unmarshal(a.Body, into); err != nil {
		a.t.Fatalf("%s: %v", a, err)
	}
}

// Code is the problem's code; "" if it is none.
func (a Answer) Code() string { return a.Text("code") }

// Get is the value at a path like "devices.0.id"; nil if there is none.
func (a Answer) Get(path string) any {
	var at any
	if json.Unmarshal(a.Body, &at) != nil {
		return nil
	}
	for name := range strings.SplitSeq(path, ".") {
		switch v := at.(type) {
		case map[string]any:
			at = v[name]
		case []any:
			n, err := strconv.Atoi(name)
			if err != nil || n < 0 || n >= len(v) {
				return nil
			}
			at = v[n]
		default:
			return nil
		}
	}
	return at
}

// Text is Get for strings; "" if there is none.
func (a Answer) Text(path string) string {
	text, _ := a.Get(path).(string)
	return text
}

// Number is Get for numbers; -1 if there is none.
func (a Answer) Number(path string) int {
	if n, ok := a.Get(path).(float64); ok {
		return int(n)
	}
	return -1
}

// RetryAfter is the header in seconds; -1 without one.
func (a Answer) RetryAfter() int {
	n, err := strconv.Atoi(a.Header.Get("Retry-After"))
	if err != nil {
		return -1
	}
	return n
}

// Want ends the test unless the answer has the status.
func (a Answer) Want(status int) Answer {
	a.t.Helper()
	if a.Status != status {
		a.t.Fatalf("%s, want %d", a, status)
	}
	return a
}

// WantCode ends the test unless the answer is that problem.
func (a Answer) WantCode(status int, code string) Answer {
	a.t.Helper()
	if a.Status != status || a.Code() != code {
		a.t.Fatalf("%s, want %d %s", a, status, code)
	}
	return a
}

// Is reports whether the answer is that problem.
func (a Answer) Is(status int, code string) bool { return a.Status == status && a.Code() == code }
