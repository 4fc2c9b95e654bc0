package httpsender

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// body is a JSON value of a request, whose texts are templates. It is made as a
// value and encoded as a whole, so what is filled in cannot become structure.
type body struct {
	at      position
	members map[string]*body // of an object
	items   []*body          // of a list
	text    *text            // of a text
	literal any              // a number, true, false or null
	kind    yaml.Kind
}

// read builds the value that the YAML describes.
func (b *body) read(n *yaml.Node) error {
	b.at, b.kind = place(n), n.Kind
	switch n.Kind {
	case yaml.MappingNode:
		return b.readObject(n)
	case yaml.SequenceNode:
		for _, c := range n.Content {
			item := &body{}
			if err := item.read(c); err != nil {
				return err
			}
			b.items = append(b.items, item)
		}
		return nil
	case yaml.ScalarNode:
		if n.Tag == "!!str" {
			b.text = &text{}
			return b.text.read(n)
		}
		return n.Decode(&b.literal)
	default:
		return errors.New("expected a JSON value")
	}
}

func (b *body) readObject(n *yaml.Node) error {
	b.members = map[string]*body{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind != yaml.ScalarNode || key.Tag == "!!merge" || b.members[key.Value] != nil {
			return errors.New("an object has keys, each of them once")
		}
		member := &body{}
		if err := member.read(n.Content[i+1]); err != nil {
			return err
		}
		b.members[key.Value] = member
	}
	return nil
}

// texts calls each with every template in the value.
func (b *body) texts(each func(text)) {
	if b.text != nil {
		each(*b.text)
	}
	for _, m := range b.members {
		m.texts(each)
	}
	for _, i := range b.items {
		i.texts(each)
	}
}

// build fills the templates. What would be empty because all in it was left out
// is left out as well; errAbsent and errAround say so to whoever holds the value.
func (b *body) build(s scope) (any, error) {
	switch {
	case b.text != nil:
		return b.text.fill(s)
	case b.kind == yaml.MappingNode:
		object := make(map[string]any, len(b.members))
		for key, m := range b.members {
			if err := m.put(s, func(v any) { object[key] = v }); err != nil {
				return nil, err
			}
		}
		return object, empty(len(object), len(b.members))
	case b.kind == yaml.SequenceNode:
		list := make([]any, 0, len(b.items))
		for _, i := range b.items {
			if err := i.put(s, func(v any) { list = append(list, v) }); err != nil {
				return nil, err
			}
		}
		return list, empty(len(list), len(b.items))
	default:
		return b.literal, nil
	}
}

// put builds a part of an object or a list, unless it is left out.
func (b *body) put(s scope, keep func(any)) error {
	v, err := b.build(s)
	switch {
	case errors.Is(err, errAround):
		return errAbsent
	case errors.Is(err, errAbsent):
		return nil
	case err != nil:
		return err
	}
	keep(v)
	return nil
}

func empty(kept, meant int) error {
	if kept == 0 && meant > 0 {
		return errAbsent
	}
	return nil
}

// decodeJSON reads a JSON value; nil if it is none.
func decodeJSON(raw []byte) any {
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil || d.More() {
		return nil
	}
	return v
}

// find lists what stands at a path such as errors.0.field or items.*.id, in which
// a star is every item.
func find(v any, path string) []any {
	if path == "" {
		return []any{v}
	}
	step, rest, _ := strings.Cut(path, ".")
	switch v := v.(type) {
	case map[string]any:
		if next, ok := v[step]; ok {
			return find(next, rest)
		}
	case []any:
		if step == "*" {
			var found []any
			for _, item := range v {
				found = append(found, find(item, rest)...)
			}
			return found
		}
		if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(v) {
			return find(v[i], rest)
		}
	}
	return nil
}

// words lists the texts, numbers and truths at a path as texts.
func words(v any, path string) []string {
	var list []string
	for _, found := range find(v, path) {
		switch found := found.(type) {
		case string:
			list = append(list, found)
		case json.Number:
			list = append(list, found.String())
		case bool:
			list = append(list, strconv.FormatBool(found))
		}
	}
	return list
}

// word is the one text at a path; empty if there is none, or more.
func word(v any, path string) string {
	if list := words(v, path); len(list) == 1 {
		return list[0]
	}
	return ""
}
