// Package api is a lean client of the HTTP contract for one user of the load
// generator: one connection, no retries, and every answer is checked.
package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/valyala/fasthttp"
)

// patience is how long one request may take.
const patience = 10 * time.Second

// Client speaks over one connection. It is not safe for concurrent use.
type Client struct {
	base     string
	host     fasthttp.HostClient
	request  fasthttp.Request
	response fasthttp.Response
}

// New makes a client of the server at addr, host:port. It connects at the
// first request.
func New(addr string) *Client {
	c := &Client{base: "http://" + addr}
	c.host = fasthttp.HostClient{
		Addr: addr, MaxConns: 1, MaxIdemponentCallAttempts: 1, MaxIdleConnDuration: 10 * time.Minute,
		ReadTimeout: patience, WriteTimeout: patience, NoDefaultUserAgentHeader: true,
		RetryIfErr: func(*fasthttp.Request, int, error) (bool, bool) { return false, false },
	}
	return c
}

// Close hangs up.
func (c *Client) Close() { c.host.CloseIdleConnections() }

// Problem is a refusal of the server (RFC 9457).
type Problem struct {
	Status       int    `json:"status"`
	Code         string `json:"code"`
	Detail       string `json:"detail"`
	AttemptsLeft *int   `json:"attempts_left"`
}

// Error says what was refused and why.
func (p *Problem) Error() string { return fmt.Sprintf("%d %s: %s", p.Status, p.Code, p.Detail) }

// Refused reports the problem that err is, if it is one.
func Refused(err error) (*Problem, bool) {
	var p *Problem
	ok := errors.As(err, &p)
	return p, ok
}

// call is one request.
type call struct {
	method, path string
	bearer       string
	from         string // network address of the client, as a proxy would say
	body         []byte // JSON, or nil
	want         int    // status
}

// do sends a request and reads the answer into out, unless that is nil.
func (c *Client) do(in call, out any) error {
	c.request.Reset()
	c.response.Reset()
	c.request.Header.SetMethod(in.method)
	c.request.SetRequestURI(c.base + in.path)
	if in.body != nil {
		c.request.Header.SetContentType("application/json")
		c.request.SetBodyRaw(in.body)
	}
	if in.bearer != "" {
		c.request.Header.Set(fasthttp.HeaderAuthorization, "Bearer "+in.bearer)
	}
	if in.from != "" {
		c.request.Header.Set(fasthttp.HeaderXForwardedFor, in.from)
	}
	if err := c.host.Do(&c.request, &c.response); err != nil {
		return fmt.Errorf("%s %s: %w", in.method, route(in.path), err)
	}
	if got := c.response.StatusCode(); got != in.want {
		return fmt.Errorf("%s %s: %w", in.method, route(in.path), problem(got, c.response.Body()))
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(c.response.Body(), out); err != nil {
		return fmt.Errorf("%s %s: read the answer: %w", in.method, route(in.path), err)
	}
	return nil
}

// problem reads a refusal. What is no problem document is one with that status
// and an unknown code.
func problem(status int, body []byte) error {
	p := Problem{}
	if json.Unmarshal(body, &p) != nil || p.Code == "" {
		p.Code = "unexpected_answer"
	}
	p.Status = status
	return &p
}

// route leaves the secret parts out of a path.
func route(path string) string {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if len(part) > 20 {
			parts[i] = "…"
		}
	}
	return strings.Join(parts, "/")
}

// Ready asks whether the server is ready, and so opens the connection.
func (c *Client) Ready() error {
	return c.do(call{method: fasthttp.MethodGet, path: "/readyz", want: fasthttp.StatusOK}, nil)
}
