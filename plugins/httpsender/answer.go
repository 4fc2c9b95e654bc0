package httpsender

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/channel/dial"
)

// mostAnswer is how much of an answer is read, in bytes.
const mostAnswer = 64 << 10

// answer is what a gateway said.
type answer struct {
	status int
	header http.Header
	json   any // nil if it is none, or too long
}

// do makes the request. What a client's error says is kept out of ours, as it
// holds the URL.
func (s *sender) do(ctx context.Context, r *http.Request) (answer, error) {
	resp, err := s.client.Do(r) //nolint:gosec // the recipe names the host
	if err != nil {
		return answer{}, s.unreachable(ctx, err)
	}
	defer resp.Body.Close() //nolint:errcheck // it was only read
	raw, err := io.ReadAll(io.LimitReader(resp.Body, mostAnswer+1))
	if err != nil {
		return answer{}, s.unreachable(ctx, err)
	}
	a := answer{status: resp.StatusCode, header: resp.Header}
	if len(raw) <= mostAnswer {
		a.json = decodeJSON(raw)
	}
	return a, nil
}

func (s *sender) unreachable(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %w", channel.ErrUnavailable, ctx.Err())
	case errors.Is(err, dial.ErrPrivate):
		return fmt.Errorf("%w: %w", channel.ErrRefused, dial.ErrPrivate)
	default:
		return fmt.Errorf("%w: no answer from the gateway of %s", channel.ErrUnavailable, s.recipe.Name)
	}
}

// holds reports whether all of the condition is true of an answer.
func (c condition) holds(a answer) bool {
	if len(c.Status) > 0 && !slices.Contains(c.Status, a.status) {
		return false
	}
	for path, m := range c.JSON {
		if !m.has(words(a.json, path)) {
			return false
		}
	}
	for name, m := range c.Headers {
		if !m.has(a.header.Values(name)) {
			return false
		}
	}
	return true
}

// sort puts an answer into the core's words. What is no success and in no rule is
// sorted by its status; a request that the gateway does not understand is for the
// operator, and a success that does not look like one may be none, so it is tried
// again.
func (s *sender) sort(a answer) (channel.Receipt, error) {
	if slices.ContainsFunc(s.recipe.Success, func(c condition) bool { return c.holds(a) }) {
		return channel.Receipt{ID: s.recipe.Receipt.of(a)}, nil
	}
	for _, r := range s.recipe.Errors {
		if r.holds(a) {
			return channel.Receipt{}, s.class(r, a)
		}
	}
	if err := channel.StatusError(&http.Response{StatusCode: a.status, Header: a.header}); err != nil {
		return channel.Receipt{}, err
	}
	kind := channel.ErrRefused
	if a.status < http.StatusMultipleChoices {
		kind = channel.ErrUnavailable
	}
	return channel.Receipt{}, fmt.Errorf("%w: %s answered HTTP status %d", kind, s.recipe.Name, a.status)
}

// class is the error of a rule. Its text is the recipe's: what the gateway wrote
// may quote the address.
func (s *sender) class(r rule, a answer) error {
	if r.Class == "throttled" {
		return &channel.ThrottledError{After: s.wait(r.After, a)}
	}
	text := fmt.Sprintf("%s answered HTTP status %d", s.recipe.Name, a.status)
	if r.Help != "" {
		text += ": " + r.Help
	}
	return fmt.Errorf("%w: %s", kind(r.Class), text)
}

// kind is the error of a class.
func kind(class string) error {
	switch class {
	case "unavailable":
		return channel.ErrUnavailable
	case "undeliverable":
		return channel.ErrUndeliverable
	case "throttled":
		return &channel.ThrottledError{}
	default:
		return channel.ErrRefused
	}
}

// longest is how long a gateway may put us off.
const longest = 24 * time.Hour

// wait is how long the answer says that we should stay away: in the recipe's
// header, or in Retry-After; 0 if in neither.
func (s *sender) wait(a after, from answer) time.Duration {
	n, err := strconv.ParseInt(strings.TrimSpace(from.header.Get(a.Header)), 10, 48)
	switch {
	case a.Header == "" || err != nil:
		busy := channel.StatusError(&http.Response{StatusCode: http.StatusTooManyRequests, Header: from.header})
		if t, ok := errors.AsType[*channel.ThrottledError](busy); ok {
			return min(t.After, longest)
		}
		return 0
	case a.Unit == "epoch":
		return min(max(0, time.Unix(n, 0).Sub(s.env.Now())), longest)
	default:
		return time.Duration(min(max(0, n), int64(longest/time.Second))) * time.Second
	}
}

// of is the gateway's name for the message, as its reports will have it.
func (r receipt) of(a answer) string {
	switch {
	case r.Header != "":
		return bare(a.header.Get(r.Header))
	case r.JSON != "":
		return bare(word(a.json, r.JSON))
	default:
		return ""
	}
}

// longestID is how much of a name is kept, in bytes.
const longestID = 256

// bare is a name without the brackets of RFC 5322; nothing if it is no name.
func bare(id string) string {
	id = strings.Trim(id, "<>")
	if len(id) > longestID || !plain(id) {
		return ""
	}
	return id
}
