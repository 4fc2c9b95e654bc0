// Package webhook tells an endpoint of somebody else what has happened: one
// signed POST for each event, in the form of Standard Webhooks. Events hold
// neither secrets nor full addresses, so neither do webhooks.
package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/ports/channel/dial"
	port "github.com/countersign/countersign/ports/event"
	"github.com/countersign/countersign/ports/signature"
	"github.com/countersign/countersign/ports/system"
)

// Options describe one endpoint.
type Options struct {
	Name   string   // of the endpoint's place in the queue; it lasts
	URL    string   // see CheckURL
	Secret string   // one or more of "whsec_<base64>", separated by white space; it signs with each
	Events []string // patterns of event types; see event.Type.Matches
	// AllowPrivate lets plain HTTP be used, and addresses that are not public.
	AllowPrivate bool
	Clock        system.Clock // that receivers compare theirs with
	Log          *slog.Logger
}

// Endpoint is a listener elsewhere. It is safe for concurrent use. Make one with New.
type Endpoint struct {
	Options

	keys   []signature.Key
	client *http.Client
	off    atomic.Bool // it answered that it is gone
}

var _ port.Listener = (*Endpoint)(nil)

// How an endpoint is spoken to.
const (
	limit      = 10 * time.Second // of one request, with its answer
	mostBody   = 4 << 10          // bytes of an answer's body that are read, so that the connection can be used again
	mostReason = 200              // bytes of an error that are kept: part of it may come from the other side
	mostLater  = 24 * time.Hour   // that an answer may put us off
	offPause   = time.Hour        // between two tries at an endpoint that is off, none of which leaves this process
)

// New makes an endpoint. It connects to nothing yet.
func New(o Options) (*Endpoint, error) {
	if err := CheckURL(o.URL, o.AllowPrivate); err != nil {
		return nil, err
	}
	keys, err := signature.ParseKeys(o.Secret)
	if err != nil {
		return nil, err
	}
	return &Endpoint{Options: o, keys: keys, client: dial.Client(limit, o.AllowPrivate)}, nil
}

// Name is what the endpoint's place in the queue is called.
func (e *Endpoint) Name() string { return e.Options.Name }

// Wants reports whether the endpoint is told of facts of this type.
func (e *Endpoint) Wants(t event.Type) bool { return slices.ContainsFunc(e.Events, t.Matches) }

// Close lets go of connections that are kept.
func (e *Endpoint) Close() { e.client.CloseIdleConnections() }

// errOff is why nothing is sent to an endpoint that answered 410.
var errOff = errors.New("the endpoint said that it is gone, and is off until a restart")

// Hear sends one fact. Any answer of 2xx is a yes. An endpoint that answers 410
// is off until this process ends: its facts stay in the queue.
func (e *Endpoint) Hear(ctx context.Context, fact event.Event) error {
	if e.off.Load() {
		return &port.LaterError{After: offPause, Err: errOff}
	}
	body, err := encode(fact)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, e.URL, bytes.NewReader(body))
	if err != nil {
		return errors.New("make the request: the URL cannot be used") // the error holds it
	}
	r.Header = signature.Sign(e.keys, fact.ID, body, e.Clock.Now())
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "Countersign")
	answer, err := e.client.Do(r)
	if err != nil {
		return reason(err)
	}
	defer answer.Body.Close() //nolint:errcheck // it was only read
	_, _ = io.CopyN(io.Discard, answer.Body, mostBody)
	return e.judge(answer)
}

// judge says whether an answer is a yes.
func (e *Endpoint) judge(answer *http.Response) error {
	status := answer.StatusCode
	err := fmt.Errorf("the endpoint answered %d", status)
	switch {
	case status >= 200 && status <= 299:
		return nil
	case status == http.StatusGone:
		if !e.off.Swap(true) {
			e.Log.Error("a webhook is switched off until a restart: its endpoint answered 410 Gone. Its events wait for three days",
				"webhook", e.Options.Name)
		}
		return &port.LaterError{After: offPause, Err: errOff}
	case status >= 300 && status <= 399:
		return fmt.Errorf("%w; redirects are not followed", err)
	}
	if after, ok := e.later(answer.Header.Get("Retry-After")); ok {
		return &port.LaterError{After: after, Err: err}
	}
	return err
}

// later reads Retry-After (RFC 9110 section 10.2.3): seconds, or a date.
func (e *Endpoint) later(text string) (time.Duration, bool) {
	if seconds, err := strconv.Atoi(text); err == nil && seconds >= 0 {
		return time.Duration(min(seconds, int(mostLater/time.Second))) * time.Second, true
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(0, at.Sub(e.Clock.Now())), mostLater), true
	}
	return 0, false
}

// reason is why a request failed, without the URL, which may hold a secret.
func reason(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	text := err.Error()
	return fmt.Errorf("the endpoint cannot be told: %s", text[:min(len(text), mostReason)])
}

// envelope is the body of a webhook.
type envelope struct {
	Type      event.Type        `json:"type"`
	Timestamp string            `json:"timestamp"` // when it happened
	Data      map[string]string `json:"data"`
}

// encode writes a fact. What the fact itself says stands beside what every fact
// says, and never in its place.
func encode(fact event.Event) ([]byte, error) {
	at := fact.At.UTC().Format(time.RFC3339Nano)
	data := map[string]string{}
	maps.Copy(data, fact.Data)
	delete(data, "user_id")
	maps.Copy(data, map[string]string{"id": fact.ID, "tenant": fact.Tenant, "type": string(fact.Type), "at": at})
	if fact.User != "" {
		data["user_id"] = fact.User
	}
	return json.Marshal(envelope{fact.Type, at, data})
}
