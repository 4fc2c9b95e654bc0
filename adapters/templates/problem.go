package templates

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// Problem is one thing that is wrong with a template.
type Problem struct { //nolint:errname // says what it is
	File string // under the operator's folder, or "shipped/…"
	Line int    // from 1; 0 if it is about the whole file
	Text string // what is wrong, without a full stop

	cause error
}

// Error gives file, line and text in one line.
func (p Problem) Error() string {
	if p.Line > 0 {
		return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Text)
	}
	return p.File + ": " + p.Text
}

// Unwrap gives the cause.
func (p Problem) Unwrap() error { return p.cause }

// Problems is everything that is wrong with a set of templates.
type Problems []Problem //nolint:errname // says what it is

// Error gives one problem a line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives the problems one by one.
func (ps Problems) Unwrap() []error {
	out := make([]error, len(ps))
	for i, p := range ps {
		out[i] = p
	}
	return out
}

// inLine is an error whose line is known.
type inLine struct { //nolint:errname // says what it is
	line int
	err  error
}

func (e inLine) Error() string { return e.err.Error() }
func (e inLine) Unwrap() error { return e.err }

// place is how the engines say where they stumbled: name, line, column, and why.
var place = regexp.MustCompile(`^(?:html/)?template: ?([^:]+):(\d+):(?:\d+:)? ?(?s:(.*))$`)

// complain adds what is wrong with a file, once: a shared file is tried in every
// locale.
func (l *loader) complain(file string, err error) {
	if err == nil {
		return
	}
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range many.Unwrap() {
			l.complain(file, one)
		}
		return
	}
	p := Problem{File: file, Text: err.Error(), cause: err}
	if at, ok := errors.AsType[inLine](err); ok {
		p.Line = at.line
	}
	if m := place.FindStringSubmatch(p.Text); m != nil {
		p.Line, _ = strconv.Atoi(m[2]) // digits, by the pattern
		p.File, p.Text = which(file, m[1]), m[3]
	}
	p.File = l.called(p.File)
	if !l.said[p.Error()] {
		l.said[p.Error()] = true
		l.problems = append(l.problems, p)
	}
}

// which is the file of that name among those that make a layout.
func which(files, name string) string {
	for file := range strings.SplitSeq(files, ", ") {
		if path.Base(file) == name {
			return file
		}
	}
	return files
}

// called is a file as the operator knows it.
func (l *loader) called(files string) string {
	var out []string
	for file := range strings.SplitSeq(files, ", ") {
		if own, ok := strings.CutPrefix(file, overlayPrefix); ok {
			file = path.Join(l.folder, own)
		}
		out = append(out, file)
	}
	return strings.Join(out, ", ")
}

// member is one sentence of a file, as written, and where.
type member struct {
	key  string
	line int
	raw  json.RawMessage
}

// members reads a JSON object in its order, so that problems can name lines, and
// refuses a name that stands in it twice.
func members(raw []byte) (out []member, err error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	line := func() int { return 1 + bytes.Count(raw[:min(int(d.InputOffset()), len(raw))], []byte("\n")) }
	fail := func(err error) error {
		if e, ok := errors.AsType[*json.SyntaxError](err); ok {
			return inLine{1 + bytes.Count(raw[:min(int(e.Offset), len(raw))], []byte("\n")), err}
		}
		if errors.Is(err, io.EOF) {
			err = errors.New("ends too early: a } is missing")
		}
		return inLine{line(), err}
	}
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		if err == nil {
			err = errors.New("is not a JSON object")
		}
		return nil, fail(err)
	}
	seen := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, fail(err)
		}
		m := member{line: line()}
		m.key, _ = t.(string) // a name, or the decoder would have refused it
		if err := d.Decode(&m.raw); err != nil {
			return nil, fail(err)
		}
		if seen[m.key] {
			return nil, inLine{m.line, fmt.Errorf("%q stands here twice", m.key)}
		}
		seen[m.key] = true
		out = append(out, m)
	}
	if _, err := d.Token(); err != nil {
		return nil, fail(err)
	}
	if d.More() {
		return nil, fail(errors.New("goes on after the last }"))
	}
	return out, nil
}
