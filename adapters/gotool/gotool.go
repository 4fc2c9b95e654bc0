// Package gotool makes channel plugins by means of the go command: it writes a
// module for a new one, tries it with the conformance kit, looks at its sources,
// and starts it.
package gotool

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// Module is the path of the module that plugins are made for. It is not
// published: plugins' modules take it from a checkout.
const Module = "github.com/countersign/countersign"

// ErrNoCheckout means that nobody knows where our sources are.
var ErrNoCheckout = errors.New("the sources of Countersign were not found; say where your clone is with --checkout DIR")

// Checkout finds our sources: where hint says, else above from, or where the
// module there takes us from, else where this binary was built. The result is
// absolute.
func Checkout(hint, from string) (string, error) {
	if hint != "" {
		dir, err := filepath.Abs(hint)
		if err != nil {
			return "", fmt.Errorf("find the checkout: %w", err)
		}
		if moduleOf(dir) != Module {
			return "", fmt.Errorf("%s is no clone of Countersign: its go.mod should begin with %q", hint, "module "+Module)
		}
		return dir, nil
	}
	if dir, ok := above(from); ok {
		return dir, nil
	}
	// Trimmed paths lead nowhere, and neither do those of another machine.
	if _, file, _, ok := runtime.Caller(0); ok {
		if dir := filepath.Dir(filepath.Dir(filepath.Dir(file))); filepath.IsAbs(dir) && moduleOf(dir) == Module {
			return dir, nil
		}
	}
	return "", ErrNoCheckout
}

// above looks for our sources from a folder upwards.
func above(from string) (string, bool) {
	dir, err := filepath.Abs(from)
	if err != nil {
		return "", false
	}
	for {
		if moduleOf(dir) == Module {
			return dir, true
		}
		if other, ok := replaced(dir); ok && moduleOf(other) == Module {
			return other, true
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", false
		}
		dir = up
	}
}

// moduleOf is the path of the module in a folder; "" if there is none.
func moduleOf(dir string) string {
	for line := range modLines(dir) {
		if name, ok := strings.CutPrefix(line, "module "); ok {
			return strings.Trim(strings.TrimSpace(name), `"`)
		}
	}
	return ""
}

// replaced is where the module in a folder takes ours from.
func replaced(dir string) (string, bool) {
	for line := range modLines(dir) {
		if _, to, ok := strings.Cut(strings.TrimPrefix(line, "replace "), Module+" => "); ok {
			if to = strings.Trim(to, `"`); !filepath.IsAbs(to) {
				to = filepath.Join(dir, to)
			}
			return to, true
		}
	}
	return "", false
}

// modLines gives the lines of a go.mod, without comments and white space around.
func modLines(dir string) func(func(string) bool) {
	text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		text = nil // there is no module here
	}
	return func(yield func(string) bool) {
		for line := range strings.Lines(string(text)) {
			line, _, _ = strings.Cut(line, "//")
			if !yield(strings.TrimSpace(line)) {
				return
			}
		}
	}
}
