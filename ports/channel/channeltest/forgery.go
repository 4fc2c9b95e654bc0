package channeltest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/countersign/countersign/ports/channel"
)

// place leads to one value in JSON, by keys and indexes.
type place []any

// String is how people write it: data.chat, list[0].
func (p place) String() string {
	var b strings.Builder
	for _, step := range p {
		if key, ok := step.(string); ok {
			fmt.Fprintf(&b, ".%s", key)
			continue
		}
		fmt.Fprintf(&b, "[%d]", step)
	}
	if b.Len() == 0 {
		return "value"
	}
	return strings.TrimPrefix(b.String(), ".")
}

// parsed is JSON as Go values, with its numbers as they are written.
func parsed(raw []byte) (any, bool) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	err := d.Decode(&v)
	return v, err == nil
}

// leaves are the texts, numbers and truths in v.
func leaves(v any) (list []place) {
	add := func(step, inner any) {
		for _, rest := range leaves(inner) {
			list = append(list, append(place{step}, rest...))
		}
	}
	switch v := v.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			add(key, v[key])
		}
	case []any:
		for i, inner := range v {
			add(i, inner)
		}
	case nil:
	default:
		list = append(list, place{})
	}
	return list
}

func lookUp(v any, at place) any {
	for _, step := range at {
		switch in := v.(type) {
		case map[string]any:
			key, _ := step.(string)
			v = in[key]
		case []any:
			i, ok := step.(int)
			if !ok || i >= len(in) {
				return nil
			}
			v = in[i]
		default:
			return nil
		}
	}
	return v
}

// gone has a value removed.
func gone(any) any { return nil }

// changed is v with another value at one place, or none if change says nil. What
// is not there is left alone; v itself does not change.
func changed(v any, at place, change func(any) any) any {
	if len(at) == 0 {
		return change(v)
	}
	switch in := v.(type) {
	case map[string]any:
		key, _ := at[0].(string)
		inner, ok := in[key]
		if !ok {
			return v
		}
		out := maps.Clone(in)
		if out[key] = changed(inner, at[1:], change); out[key] == nil {
			delete(out, key)
		}
		return out
	case []any:
		if i, ok := at[0].(int); ok && i < len(in) {
			out := slices.Clone(in)
			out[i] = changed(in[i], at[1:], change)
			return out
		}
	}
	return v
}

// other is another value of the same form.
func other(v any) any {
	switch v := v.(type) {
	case string:
		return otherText(v)
	case json.Number:
		return json.Number(otherText(string(v)))
	case bool:
		return !v
	}
	return v
}

// nearly is a value that begins in the same way.
func nearly(v any) any {
	if text, ok := v.(string); ok {
		return nearlyText(text)
	}
	return other(v)
}

// next is another character of the same kind.
func next(r rune) rune {
	switch {
	case r == '9', r == 'z', r == 'Z':
		return map[rune]rune{'9': '1', 'z': 'a', 'Z': 'A'}[r]
	case r >= '0' && r < '9', r >= 'a' && r < 'z', r >= 'A' && r < 'Z':
		return r + 1
	}
	return r
}

func otherText(s string) string {
	if out := strings.Map(next, s); out != s {
		return out
	}
	return s + "x"
}

// nearlyText begins in the same way. It is the later half that differs, because the
// last character of base64 may mean nothing.
func nearlyText(s string) string { return s[:len(s)/2] + otherText(s[len(s)/2:]) }

// lastWord changes what stands after the scheme in a header such as "Bearer x".
func lastWord(s string, change func(string) string) string {
	i := strings.LastIndexByte(s, ' ') + 1
	return s[:i] + change(s[i:])
}

func each(list []string, change func(string) string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = change(s)
	}
	return out
}

// opaque reports whether a value is long enough to be something that nobody
// guesses. The challenge's own name is known to whoever started it.
func opaque(v any, handle string) bool {
	text, ok := v.(string)
	return ok && len(strings.ReplaceAll(text, handle, "")) >= 16
}

// unfold is what a request says: its query, and its body if that is JSON or a form.
func unfold(in channel.Inbound) any {
	tree := map[string]any{"query": table(in.Query)}
	if body, ok := parsed(in.Body); ok {
		tree["body"] = body
	} else if form := parseQuery(string(in.Body)); len(form) > 0 {
		tree["form"] = table(form)
	}
	return tree
}

// fold is the request that says this in place of what it said.
func fold(in channel.Inbound, tree any) channel.Inbound {
	said, _ := tree.(map[string]any)
	in.Query = untable(said["query"])
	if u, err := url.Parse(in.URL); err == nil && in.URL != "" {
		u.RawQuery = in.Query.Encode()
		in.URL = u.String()
	}
	if body, ok := said["body"]; ok {
		if raw, err := json.Marshal(body); err == nil {
			in.Body = raw
		}
	}
	if form, ok := said["form"]; ok {
		in.Body = []byte(untable(form).Encode())
	}
	return in
}

func table(values url.Values) map[string]any {
	out := map[string]any{}
	for name, list := range values {
		all := make([]any, len(list))
		for i, s := range list {
			all[i] = s
		}
		out[name] = all
	}
	return out
}

func untable(v any) url.Values {
	out := url.Values{}
	named, _ := v.(map[string]any)
	for name, list := range named {
		all, _ := list.([]any)
		for _, s := range all {
			text, _ := s.(string)
			out.Add(name, text)
		}
	}
	return out
}
