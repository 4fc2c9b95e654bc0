package federation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/countersign/countersign/ports/channel"
)

// longestAnswer is how much of an answer is read, in bytes.
const longestAnswer = 512 << 10

// Caller asks a provider. Its errors name neither what was asked nor what was
// answered. It follows no redirects: a provider that wants us elsewhere would get
// our secret sent there. It is safe for concurrent use.
type Caller struct {
	client *http.Client
}

// NewCaller asks by a copy of the client.
func NewCaller(c *http.Client) Caller {
	own := *c
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return Caller{&own}
}

// Answer is what a provider said.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Read decodes a body that must be JSON.
func (a Answer) Read(into any) error {
	if a.Status != http.StatusOK && a.Status != http.StatusCreated {
		return fmt.Errorf("%w: HTTP status %d", channel.ErrUnavailable, a.Status)
	}
	if json.Unmarshal(a.Body, into) != nil {
		return fmt.Errorf("%w: the answer is not what it should be", channel.ErrUnavailable)
	}
	return nil
}

// Get asks for a resource; bearer may be empty.
func (c Caller) Get(ctx context.Context, target, bearer string) (Answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, http.NoBody)
	if err != nil {
		return Answer{}, errBadURL
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	return c.Do(req)
}

// Post sends a form. With a name, it is sent as that client (RFC 6749 section
// 2.3.1).
func (c Caller) Post(ctx context.Context, target string, form url.Values, name, secret string) (Answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, strings.NewReader(form.Encode()))
	if err != nil {
		return Answer{}, errBadURL
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if name != "" {
		req.SetBasicAuth(url.QueryEscape(name), url.QueryEscape(secret))
	}
	return c.Do(req)
}

// errBadURL hides the URL, which may carry a token.
var errBadURL = fmt.Errorf("%w: there is no such URL", channel.ErrUnavailable)

// Do sends a request and reads the answer. What StatusError knows is an error.
func (c Caller) Do(req *http.Request) (Answer, error) {
	if req.Header.Get("Accept") == "" {
		req.Header.Set("Accept", "application/json")
	}
	resp, err := c.client.Do(req) //nolint:gosec // the client dials public addresses only
	if err != nil {
		return Answer{}, fmt.Errorf("%w: %w", channel.ErrUnavailable, bare(err))
	}
	defer func() { _ = resp.Body.Close() }() // it was read, or is of no use
	if err := channel.StatusError(resp); err != nil {
		return Answer{}, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, longestAnswer+1))
	switch {
	case err != nil:
		return Answer{}, fmt.Errorf("%w: %w", channel.ErrUnavailable, bare(err))
	case len(body) > longestAnswer:
		return Answer{}, fmt.Errorf("%w: the answer never ends", channel.ErrUnavailable)
	}
	return Answer{Status: resp.StatusCode, Header: resp.Header, Body: body}, nil
}

// bare is an error without the URL, which may carry a token.
func bare(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}
