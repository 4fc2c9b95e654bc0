package gotool

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// Behaviour is one thing that the kit, or another test, has looked at.
type Behaviour struct {
	Name    string   `json:"name"` // in words: "when the provider hangs while we begin"
	Outcome Outcome  `json:"outcome"`
	Said    []string `json:"said,omitempty"` // what is wrong, or why it was left out
}

// Outcome is what became of a behaviour.
type Outcome string

// The outcomes.
const (
	OK     Outcome = "ok"
	Failed Outcome = "failed"
	Left   Outcome = "left out" // it is not about this plugin
)

// ErrNotBuilt means that the tests of a plugin did not run: they do not compile,
// or there are none.
var ErrNotBuilt = errors.New("the tests did not run")

// ErrNoKit means that no test of a plugin runs the conformance kit.
var ErrNoKit = errors.New("no test here calls channeltest.Run, so nothing is known about the plugin")

// goCommand calls the go command in a folder. When ctx ends it is interrupted,
// and killed if that does not help.
func goCommand(ctx context.Context, dir string, args ...string) *exec.Cmd {
	return gentle(exec.CommandContext(ctx, "go", args...), dir) //nolint:gosec // the arguments are ours
}

// stopping is how long an interrupted command may take.
const stopping = 15 * time.Second

func gentle(cmd *exec.Cmd, dir string) *exec.Cmd {
	cmd.Dir = dir
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = stopping
	return cmd
}

// Test runs the tests of the package in a folder and tells of every behaviour as
// soon as it is known; race looks for data races too. It reports whether all is
// well. The error says that nothing was tested.
func Test(ctx context.Context, dir string, race bool, tell func(Behaviour)) (bool, error) {
	args := []string{"test", "-json", "-count=1"}
	if race {
		args = append(args, "-race")
	}
	cmd := goCommand(ctx, dir, append(args, ".")...)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.StdoutPipe()
	if err != nil {
		return false, err
	}
	if err := cmd.Start(); err != nil {
		return false, fmt.Errorf("go is needed for this: %w", err)
	}
	h := hearing{said: map[string][]string{}, parents: map[string]bool{}, tell: tell}
	readErr := h.listen(out)
	failed := cmd.Wait() != nil
	switch {
	case readErr != nil:
		return false, fmt.Errorf("read what go test says: %w", readErr)
	case ctx.Err() != nil:
		return false, ctx.Err()
	case h.heard == 0:
		return false, fmt.Errorf("%w:\n%s", ErrNotBuilt, strings.TrimSpace(h.rest.String()+complaint.String()))
	case !h.kit:
		return false, ErrNoKit
	}
	return !failed, nil
}

// hearing makes behaviours of what go test -json says (cmd/test2json).
type hearing struct {
	said    map[string][]string // by test
	parents map[string]bool     // tests that only hold others
	rest    strings.Builder     // what is about no test
	heard   int
	kit     bool // one of them is the kit's
	tell    func(Behaviour)
}

type happening struct{ Action, Test, Output string }

func (h *hearing) listen(r io.Reader) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e happening
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			fmt.Fprintln(&h.rest, lines.Text())
			continue
		}
		h.hear(e)
	}
	return lines.Err()
}

func (h *hearing) hear(e happening) {
	if e.Test == "" {
		h.rest.WriteString(e.Output)
		return
	}
	switch e.Action {
	case "run":
		if i := strings.LastIndexByte(e.Test, '/'); i > 0 && !seeded(e.Test) {
			h.parents[e.Test[:i]] = true
		}
	case "output":
		if text := strings.TrimSpace(e.Output); text != "" && !strings.HasPrefix(text, "=== ") && !strings.HasPrefix(text, "--- ") {
			h.said[e.Test] = append(h.said[e.Test], plain(text))
		}
	case "pass", "fail", "skip":
		h.judge(e)
	}
}

func (h *hearing) judge(e happening) {
	h.heard++
	said := h.said[e.Test]
	delete(h.said, e.Test)
	_, below, _ := strings.Cut(e.Test, "/")
	h.kit = h.kit || below == "descriptor" || below == "enroll_and_authenticate" // what cannot be comes no farther than the first
	if seeded(e.Test) && e.Action != "fail" || h.parents[e.Test] && (e.Action == "pass" || len(said) == 0) {
		return // what is below has been told
	}
	b := Behaviour{Name: inWords(e.Test), Outcome: OK}
	switch e.Action {
	case "fail":
		b.Outcome, b.Said = Failed, said
	case "skip":
		b.Outcome, b.Said = Left, said
	}
	h.tell(b)
}

// seeded reports whether a test is one of many inputs of a fuzz target.
func seeded(test string) bool { return strings.Contains(test, "/seed#") }

// inWords undoes what go test makes of names.
func inWords(test string) string {
	first, below, found := strings.Cut(test, "/")
	if !found {
		return first
	}
	return strings.NewReplacer("_", " ", "/", " ").Replace(below)
}

// plain drops the "file.go:12: " before what a test says, which with the kit is a
// place in our sources, and says how files that are made are made.
func plain(text string) string {
	place, said, ok := strings.Cut(text, ": ")
	if ok && strings.Contains(place, ".go:") && !strings.Contains(place, " ") {
		text = said
	}
	if stale, _, ok := strings.Cut(text, ": run go test -run "); ok {
		return stale + ": countersign plugin lint --fix writes it"
	}
	return text
}
