package gotool

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// question is the test that asks the kit what is wrong with a package. It is
// compiled with that package, and written nowhere near it: so what reads Go is no
// part of our binary.
const question = `package %s_test

import (
	"testing"

	subject %q
	"` + Module + `/ports/channel/channeltest"
)

func TestCountersignLint(t *testing.T) {
	channeltest.Lint(t, ".")
	channeltest.Docs(t, subject.Plugin())
}
`

// Lint says what is wrong with a plugin that its tests do not see: in its sources,
// beside them, and in what is said of its configuration. With fix, the files that
// follow from the configuration are written. The error means that it could not be
// looked at.
func Lint(ctx context.Context, dir string, fix bool) ([]string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	out, err := goCommand(ctx, dir, "list", "-f", "{{.Name}} {{.ImportPath}}", ".").CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("find the package: %w\n%s", err, strings.TrimSpace(string(out)))
	}
	name, path, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
	scratch, err := os.MkdirTemp("", "countersign-lint-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(scratch) }() // it is in the system's temporary folder
	test, overlay := filepath.Join(scratch, "question.go"), filepath.Join(scratch, "overlay.json")
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {filepath.Join(dir, "countersign_lint_test.go"): test}})
	if err != nil {
		return nil, err
	}
	err = errors.Join(
		os.WriteFile(test, fmt.Appendf(nil, question, name, path), 0o600),
		os.WriteFile(overlay, replace, 0o600))
	if err != nil {
		return nil, err
	}
	args := []string{"test", "-json", "-count=1", "-overlay", overlay, "-run", "^TestCountersignLint$", "."}
	if fix {
		args = append(args, "-update")
	}
	return answer(goCommand(ctx, dir, args...))
}

// answer runs the question and returns what it finds.
func answer(cmd *exec.Cmd) (found []string, err error) {
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	failed := cmd.Run() != nil
	h := hearing{said: map[string][]string{}, parents: map[string]bool{}, tell: func(b Behaviour) {
		if b.Outcome == Failed {
			found = append(found, b.Said...)
		}
	}}
	if err := h.listen(&out); err != nil {
		return nil, fmt.Errorf("read what go test says: %w", err)
	}
	if said := h.rest.String() + complaint.String(); failed && h.heard == 0 {
		if strings.Contains(said, "undefined: subject.Plugin") {
			return []string{"there is no func Plugin() channel.Plugin"}, nil
		}
		return nil, fmt.Errorf("%w:\n%s", ErrNotBuilt, strings.TrimSpace(said))
	}
	return found, nil
}
