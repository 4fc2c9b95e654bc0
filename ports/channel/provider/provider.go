// Package provider asks channels' providers over HTTP, so that nothing of what
// was asked or answered gets into an error: URLs and forms hold addresses, codes
// and keys, and answers may quote them.
package provider

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/countersign/countersign/ports/channel"
)

// most is how many bytes of an answer are read. What is longer ends there, and
// is not what anybody expects.
const most = 64 << 10

// Question is one request to a provider.
type Question struct {
	Method   string
	URL      string
	Form     url.Values  // sent as the body, if there is one
	JSON     any         // sent as the body, if there is no Form; bytes are JSON already
	Body     []byte      // sent as it is, if there is neither
	Header   http.Header // goes before what follows from the rest
	User     string      // of HTTP basic authentication; none if empty
	Password string
}

// Answer is what a provider said.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
	Err    error // what the status alone means, as channel.StatusError says; a redirect is channel.ErrRefused
}

// Taken is nil if the provider has taken what was asked of it: a status of 200
// to 299. A status that says nothing by itself, such as 400, is channel.ErrRefused
// here; who can tell a bad address from it reads Body first.
func (a Answer) Taken() error {
	switch {
	case a.Err != nil:
		return a.Err
	case a.Status < 200 || a.Status > 299:
		return fmt.Errorf("%w: HTTP status %d", channel.ErrRefused, a.Status)
	}
	return nil
}

// Ask makes one request, and follows no redirects, which would carry it to
// somebody else. Without an answer the error is channel.ErrUnavailable. It is
// safe for concurrent use and gives up when ctx ends.
func Ask(ctx context.Context, client *http.Client, q Question) (Answer, error) {
	body, kind, err := q.body()
	if err != nil {
		return Answer{}, err
	}
	req, err := http.NewRequestWithContext(ctx, q.Method, q.URL, bytes.NewReader(body))
	if err != nil {
		return Answer{}, errors.New("the request to the provider cannot be made") // the error quotes the URL
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	req.Header.Set("Accept", "application/json")
	for name, values := range q.Header {
		req.Header[http.CanonicalHeaderKey(name)] = values
	}
	if q.User != "" {
		req.SetBasicAuth(q.User, q.Password)
	}
	staying := *client
	staying.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := staying.Do(req)
	if err != nil {
		return Answer{}, silence(ctx)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, most))
	if err != nil {
		return Answer{}, silence(ctx)
	}
	a := Answer{Status: resp.StatusCode, Header: resp.Header, Body: text, Err: channel.StatusError(resp)}
	if a.Status >= 300 && a.Status < 400 {
		a.Err = fmt.Errorf("%w: redirected, HTTP status %d", channel.ErrRefused, a.Status)
	}
	return a, nil
}

// body is what is sent, and its Content-Type if that is known.
func (q Question) body() ([]byte, string, error) {
	if q.Form != nil {
		return []byte(q.Form.Encode()), "application/x-www-form-urlencoded", nil
	}
	switch body := q.JSON.(type) {
	case nil:
		return q.Body, "", nil
	case []byte:
		return body, "application/json", nil
	}
	body, err := json.Marshal(q.JSON)
	if err != nil {
		return nil, "", errors.New("the request to the provider cannot be written as JSON") // the error may quote it
	}
	return body, "application/json", nil
}

// silence is the error when no answer came.
func silence(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: %w", channel.ErrUnavailable, err)
	}
	return fmt.Errorf("%w: no answer", channel.ErrUnavailable)
}

// CheckURL refuses what is not the root of an API, or lets others read what is
// sent there: only this machine may be asked without TLS.
func CheckURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil, u.Host == "", u.User != nil, u.RawQuery != "", u.Fragment != "", strings.HasSuffix(text, "/"):
		return errors.New("not a URL such as https://api.example.com")
	case u.Scheme == "https", u.Scheme == "http" && loopback(u.Hostname()):
		return nil
	}
	return errors.New("must be https")
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
