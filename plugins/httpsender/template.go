package httpsender

import (
	"encoding/xml"
	"errors"
	"fmt"
	"net/mail"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// text is a template: plain text with {names} in it, which stand for values.
//
//	{to}            the value; without one, the message cannot be sent
//	{to|digits}     the value, as a function or a table of the recipe makes it
//	{html?}         the value, or nothing; what would be empty is left out
//	{html??}        as before, and the JSON object or list around it is left out too
//	{{ }}           braces
//
// It has no conditions, no loops and no way to make a name out of a value.
type text struct {
	at    position
	parts []part
}

// part is plain text, or a name and what is done with its value.
type part struct {
	plain string
	name  string
	pipes []string
	lax   int // how many question marks
}

// read parses the template.
func (t *text) read(n *yaml.Node) error {
	if n.Kind != yaml.ScalarNode {
		return errors.New("expected a text")
	}
	parsed, err := parseText(n.Value)
	parsed.at = place(n)
	*t = parsed
	return err
}

// hole is what stands between braces.
var hole = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9_.-]*)((?:\|[a-z][a-z0-9_]*)*)(\?{0,2})$`)

func parseText(s string) (text, error) {
	var t text
	var plain strings.Builder
	flush := func() {
		if plain.Len() > 0 {
			t.parts = append(t.parts, part{plain: plain.String()})
			plain.Reset()
		}
	}
	for s != "" {
		switch {
		case strings.HasPrefix(s, "{{"), strings.HasPrefix(s, "}}"):
			plain.WriteByte(s[0])
			s = s[2:]
		case s[0] == '{':
			inside, rest, ok := strings.Cut(s[1:], "}")
			m := hole.FindStringSubmatch(inside)
			if !ok || m == nil {
				return text{}, errors.New("a brace opens what is no {name}, {name|function} or {name?}; write {{ for a brace")
			}
			flush()
			t.parts = append(t.parts, part{name: m[1], pipes: strings.FieldsFunc(m[2], func(r rune) bool { return r == '|' }), lax: len(m[3])})
			s = rest
		case s[0] == '}':
			return text{}, errors.New("a brace closes what none has opened; write }} for a brace")
		default:
			plain.WriteByte(s[0])
			s = s[1:]
		}
	}
	flush()
	return t, nil
}

// constant reports whether the template has no names, and what it says.
func (t text) constant() (string, bool) {
	var b strings.Builder
	for _, p := range t.parts {
		if p.name != "" {
			return "", false
		}
		b.WriteString(p.plain)
	}
	return b.String(), true
}

// missingError means that a message lacks what the recipe cannot do without.
type missingError struct{ name string }

// Error names what is missing.
func (e missingError) Error() string { return e.name + " is missing" }

// scope is where values come from.
type scope struct {
	value  func(name string) (string, error) // for names the recipe was checked to know
	tables map[string]map[string]string
}

// errAbsent means that an optional value is not there: whatever it was for is
// left out.
var errAbsent = errors.New("left out")

// errAround means that what is around it is left out as well.
var errAround = errors.New("left out with what is around it")

// fill puts values into the template.
func (t text) fill(s scope) (string, error) {
	var b strings.Builder
	for _, p := range t.parts {
		if p.name == "" {
			b.WriteString(p.plain)
			continue
		}
		value, err := s.value(p.name)
		if err != nil {
			return "", err
		}
		for _, pipe := range p.pipes {
			if value, err = s.pipe(pipe, value); err != nil {
				return "", err
			}
		}
		if value == "" {
			return "", [...]error{missingError{p.name}, errAbsent, errAround}[p.lax]
		}
		b.WriteString(value)
	}
	return b.String(), nil
}

// functions is every function there is.
var functions = map[string]func(string) (string, error){
	"digits":     func(v string) (string, error) { return strings.TrimPrefix(v, "+"), nil },
	"underscore": func(v string) (string, error) { return strings.ReplaceAll(v, "-", "_"), nil },
	"xml":        escapeXML,
	"email": func(v string) (string, error) {
		a, err := mail.ParseAddress(v)
		if err != nil {
			return "", errors.New("not a sender")
		}
		return a.Address, nil
	},
	"name": func(v string) (string, error) {
		a, err := mail.ParseAddress(v)
		if err != nil {
			return "", errors.New("not a sender")
		}
		return a.Name, nil
	},
}

func escapeXML(v string) (string, error) {
	var b strings.Builder
	err := xml.EscapeText(&b, []byte(v))
	return b.String(), err
}

// pipe applies a function, or looks the value up in a table: whole, then as the
// language that a tag begins with, then as default.
func (s scope) pipe(name, value string) (string, error) {
	if f, ok := functions[name]; ok {
		return f(value)
	}
	table, ok := s.tables[name]
	if !ok {
		return "", fmt.Errorf("there is no function %q", name)
	}
	language, _, _ := strings.Cut(value, "-")
	for _, key := range []string{value, language, "default"} {
		if found, ok := table[key]; ok {
			return found, nil
		}
	}
	return "", nil
}

// path is the path of a URL: what stands between its slashes, each a template of
// its own, so that no value reaches beyond.
type path struct {
	at       position
	segments []text
}

// read parses the segments.
func (p *path) read(n *yaml.Node) error {
	rest, ok := strings.CutPrefix(n.Value, "/")
	if n.Kind != yaml.ScalarNode || !ok {
		return errors.New("expected a path that begins with a slash")
	}
	p.at = place(n)
	for s := range strings.SplitSeq(rest, "/") {
		t, err := parseText(s)
		if err != nil {
			return err
		}
		t.at = p.at
		for _, part := range t.parts {
			if strings.ContainsAny(part.plain, "?#\\%") {
				return errors.New("a path has no query, and is written as it is before it is escaped")
			}
		}
		p.segments = append(p.segments, t)
	}
	return nil
}

// match is what a value may be: one of these, or any that contains one of those.
type match struct {
	is       []string
	contains []string
}

// read takes a value, a list of values, or {contains: …}.
func (m *match) read(n *yaml.Node) error {
	switch n.Kind {
	case yaml.ScalarNode:
		m.is = []string{n.Value}
		return nil
	case yaml.SequenceNode:
		return n.Decode(&m.is)
	case yaml.MappingNode:
		if len(n.Content) == 2 && n.Content[0].Value == "contains" {
			inner := match{}
			err := inner.read(n.Content[1])
			m.contains = inner.is
			if len(inner.is) == 0 {
				err = errors.New("contains takes a text or a list of texts")
			}
			return err
		}
	default: // nothing that is meant here
	}
	return errors.New("expected a value, a list of values, or {contains: text}")
}

// has reports whether one of the values is meant.
func (m match) has(values []string) bool {
	return slices.ContainsFunc(values, func(v string) bool {
		return slices.Contains(m.is, v) || slices.ContainsFunc(m.contains, func(c string) bool { return strings.Contains(v, c) })
	})
}
