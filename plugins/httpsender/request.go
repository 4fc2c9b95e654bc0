package httpsender

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/mail"
	"net/url"
	"regexp"
	"strings"

	"github.com/countersign/countersign/ports/channel"
)

// e164 is a telephone number (ITU-T E.164).
var e164 = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)

// acceptable refuses addresses that are more than one, or none, and whatever
// could end a line where a gateway writes headers of its own.
func (s *sender) acceptable(m channel.Message) error {
	switch channel.AddressKind(s.recipe.Address) {
	case channel.Phone:
		if !e164.MatchString(m.To) {
			return fmt.Errorf("%w: not a telephone number", channel.ErrUndeliverable)
		}
	default:
		if a, err := mail.ParseAddress(m.To); err != nil || a.Address != m.To || control(m.To) {
			return fmt.Errorf("%w: not an e-mail address", channel.ErrUndeliverable)
		}
	}
	if control(m.Subject) {
		return fmt.Errorf("%w: control characters in the subject", channel.ErrRefused)
	}
	return nil
}

func control(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool {
		return r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == '\u2028' || r == '\u2029'
	})
}

// plain reports whether a text is one line of ASCII.
func plain(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' })
}

// request is what the recipe makes of a message. Its errors are the core's, and
// hold no value.
func (s *sender) request(ctx context.Context, m channel.Message) (*http.Request, error) {
	q, values := s.recipe.Request, s.message(m)
	at, err := s.url(values)
	if err != nil {
		return nil, s.unfit(err)
	}
	content, kind, err := q.content(values)
	if err != nil {
		return nil, s.unfit(err)
	}
	r, err := http.NewRequestWithContext(ctx, q.Method, at, bytes.NewReader(content))
	if err != nil {
		return nil, s.unfit(errors.New("the URL cannot be used")) // the error holds it
	}
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "Countersign")
	for name, t := range q.Headers {
		v, err := t.fill(values)
		if absent(err) {
			continue
		}
		if err == nil && !plain(v) {
			err = fmt.Errorf("the header %s would not be plain", name)
		}
		if err != nil {
			return nil, s.unfit(err)
		}
		r.Header.Set(name, v)
	}
	if err := s.sign(r, content); err != nil {
		return nil, s.unfit(err)
	}
	return r, nil
}

// unfit is for messages that the recipe cannot send: a notice without a code,
// where the provider takes nothing but codes.
func (s *sender) unfit(err error) error {
	return fmt.Errorf("%w: the recipe %s cannot send this: %w", channel.ErrRefused, s.recipe.Name, err)
}

func absent(err error) bool { return errors.Is(err, errAbsent) || errors.Is(err, errAround) }

// url joins endpoint, path and query. What is filled in is escaped, so it stays
// within its segment.
func (s *sender) url(values scope) (string, error) {
	var b strings.Builder
	b.WriteString(s.endpoint.String())
	for _, t := range s.recipe.Request.Path.segments {
		whole, err := t.fill(values)
		if absent(err) {
			continue
		}
		if err != nil {
			return "", err
		}
		if whole == "." || whole == ".." || !plain(whole) {
			return "", errors.New("a part of the path is not plain")
		}
		b.WriteString("/" + url.PathEscape(whole))
	}
	query, err := fields(s.recipe.Request.Query, values)
	if err != nil {
		return "", err
	}
	if len(query) > 0 {
		b.WriteString("?" + strings.ReplaceAll(query.Encode(), "+", "%20"))
	}
	return b.String(), nil
}

// fields fills a form or a query.
func fields(templates map[string]text, values scope) (url.Values, error) {
	filled := url.Values{}
	for name, t := range templates {
		v, err := t.fill(values)
		if absent(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		filled.Set(name, v)
	}
	return filled, nil
}

// content is the body, and its type.
func (q request) content(values scope) ([]byte, string, error) {
	switch {
	case q.JSON != nil:
		v, err := q.JSON.build(values)
		if err != nil {
			return nil, "", err
		}
		raw, err := json.Marshal(v)
		if err != nil {
			return nil, "", errors.New("the body is no JSON")
		}
		return raw, "application/json", nil
	case q.Form != nil:
		form, err := fields(q.Form, values)
		return []byte(form.Encode()), "application/x-www-form-urlencoded", err
	default:
		return nil, "", nil
	}
}
