package httpsender

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/countersign/countersign/ports/channel"
)

// tracked is a sender whose gateway reports back.
type tracked struct{ *sender }

// report is an inbound request, read.
type report struct {
	channel.Inbound

	fields any // of its body or query
}

// Track reads reports of what became of messages, once their signature holds.
// Those about anything that is not the end are left out.
func (t *tracked) Track(ctx context.Context, in channel.Inbound) ([]channel.Report, error) {
	q := t.recipe.Receipts
	r, err := q.read(in)
	if err != nil {
		return nil, err
	}
	if t.judge == nil {
		return nil, fmt.Errorf("%w: what signs the reports of %s is not configured", channel.ErrForged, t.recipe.Name)
	}
	if err := t.judge(ctx, r); errors.Is(err, channel.ErrUnavailable) {
		return nil, err
	} else if err != nil {
		return nil, fmt.Errorf("%w: %w", channel.ErrForged, err)
	}
	if q.Inside != "" {
		r.fields = decodeJSON([]byte(word(r.fields, q.Inside)))
	}
	var list []channel.Report
	for _, event := range find(r.fields, q.Each) {
		if one, ok := q.fate(event); ok {
			list = append(list, one)
		}
	}
	return list, nil
}

// read finds the fields of a report. Nothing is believed yet.
func (q *receipts) read(in channel.Inbound) (report, error) {
	r := report{Inbound: in}
	switch q.Content {
	case "json":
		if r.fields = decodeJSON(in.Body); r.fields == nil {
			return r, fmt.Errorf("%w: no JSON", channel.ErrForged)
		}
		return r, nil
	case "query":
		return r.flatten(in.Query)
	default:
		form, err := url.ParseQuery(string(in.Body))
		if err != nil {
			return r, fmt.Errorf("%w: no form", channel.ErrForged)
		}
		return r.flatten(form)
	}
}

// flatten refuses fields that are there twice: who signs and who reads could take
// different ones.
func (r report) flatten(form url.Values) (report, error) {
	all := make(map[string]any, len(form))
	for name, values := range form {
		if len(values) != 1 {
			return r, fmt.Errorf("%w: a field is there twice", channel.ErrForged)
		}
		all[name] = values[0]
	}
	r.fields = all
	return r, nil
}

// fate sorts one report.
func (q *receipts) fate(event any) (channel.Report, bool) {
	id := word(event, q.ID.Field)
	if q.ID.Until != "" {
		id, _, _ = strings.Cut(id, q.ID.Until)
	}
	if id = bare(id); id == "" {
		return channel.Report{}, false
	}
	for _, o := range q.Outcomes {
		if !o.holds(event) {
			continue
		}
		one := channel.Report{Receipt: channel.Receipt{ID: id}, Complained: o.Outcome == "complained"}
		one.Delivered = one.Complained || o.Outcome == "delivered"
		if !one.Delivered {
			one.Err = kind(o.Outcome)
		}
		return one, true
	}
	return channel.Report{}, false
}

func (o outcome) holds(event any) bool {
	for path, m := range o.Fields {
		if !m.has(words(event, path)) {
			return false
		}
	}
	return true
}

// header is the one value of a header; empty if there is none, or more.
func (r report) one(name string) string {
	var found []string
	for key, values := range r.Header {
		if strings.EqualFold(key, name) {
			found = append(found, values...)
		}
	}
	if len(found) != 1 {
		return ""
	}
	return found[0]
}

// authorization reads the credentials of HTTP basic authentication.
func (r report) authorization() (user, password string, ok bool) {
	return (&http.Request{Header: http.Header{"Authorization": {r.one("Authorization")}}}).BasicAuth()
}
