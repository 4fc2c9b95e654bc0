package configfile

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong with a configuration. A Validate method
// returns one with a Path relative to its struct, or several joined; its place
// is filled in by whoever called Validate.
type Problem struct {
	File   string // the file, "environment NAME" or "flag --name"; empty if it is nowhere
	Line   int    // from 1; 0 outside of files
	Column int    // from 1, in characters; 0 outside of files
	Path   string // "policy.challenge.life"; of an unknown or repeated key, the section it is in
	Text   string // what is wrong, without a full stop, never with a secret in it
	Hint   string // how to put it right, whole sentences; may be empty
}

// Error gives place, path, text and hint in one line.
func (p Problem) Error() string {
	var b strings.Builder
	if place := (origin{file: p.File, line: p.Line, column: p.Column}).String(); p.File != "" {
		b.WriteString(place + ": ")
	}
	if p.Path != "" {
		b.WriteString(p.Path + ": ")
	}
	b.WriteString(p.Text)
	if p.Hint != "" {
		b.WriteString(". " + p.Hint)
	}
	return b.String()
}

// Problems is everything that is wrong with a configuration, in the order of
// the file, then of the environment and the flags.
type Problems []Problem

// Error gives one problem per line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// orNil sorts the problems and returns nil for none.
func (ps Problems) orNil() error {
	if len(ps) == 0 {
		return nil
	}
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(
			cmp.Compare(min(b.Line, 1), min(a.Line, 1)),
			cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.File, b.File))
	})
	return ps
}

// layer says how strong a source is.
type layer int

const (
	fromDefault layer = iota
	fromFile
	fromEnv
	fromFlag
)

// origin is where a value or a key stands.
type origin struct {
	layer  layer
	file   string // as in Problem
	line   int
	column int
}

// String gives "countersign.yaml:14:3", "environment NAME", "flag --name" or "default".
func (o origin) String() string {
	switch {
	case o.file == "":
		return "default"
	case o.line == 0:
		return o.file
	}
	return fmt.Sprintf("%s:%d:%d", o.file, o.line, o.column)
}

// problem makes a problem that stands here.
func (o origin) problem(path, text, hint string) Problem {
	return Problem{File: o.file, Line: o.line, Column: o.column, Path: path, Text: text, Hint: hint}
}

// flatten takes apart what a Validate method returned.
func flatten(err error) []Problem {
	switch e := err.(type) { //nolint:errorlint // the tree is walked by hand
	case nil:
		return nil
	case Problem:
		return []Problem{e}
	case *Problem:
		return []Problem{*e}
	case Problems:
		return e
	case interface{ Unwrap() []error }:
		var all []Problem
		for _, inner := range e.Unwrap() {
			all = append(all, flatten(inner)...)
		}
		return all
	}
	if p, ok := errors.AsType[*Problem](err); ok {
		return []Problem{*p}
	}
	if p, ok := errors.AsType[Problem](err); ok {
		return []Problem{p}
	}
	return []Problem{{Text: err.Error()}}
}
