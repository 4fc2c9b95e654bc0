// Package harness drives the built program from outside, as its users do:
// processes, HTTP and signals, nothing of what is inside.
//
//	func TestMain(m *testing.M) { harness.Main(m) }
package harness

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/countersign/countersign/test/containers"
)

// Main runs the tests of a package and ends the process; see containers.Main.
func Main(m *testing.M) { containers.Main(m) }

// sweeper removes the binary when its input ends: that is when this process
// does, however that comes about.
const sweeper = `cat >/dev/null; rm -rf "$1"`

// built is the one binary of this test process. The pipe is kept so that it
// stays open.
type built struct {
	path string
	pipe io.WriteCloser
}

var build = sync.OnceValues(func() (built, error) {
	root, err := moduleRoot()
	if err != nil {
		return built{}, err
	}
	dir, err := os.MkdirTemp("", "countersign-harness-")
	if err != nil {
		return built{}, fmt.Errorf("make a directory for the binary: %w", err)
	}
	b := built{path: filepath.Join(dir, "countersign")}
	sweep := exec.Command("sh", "-c", sweeper, "sh", dir)
	if b.pipe, err = sweep.StdinPipe(); err != nil {
		return built{}, fmt.Errorf("connect the sweeper: %w", err)
	}
	if err := sweep.Start(); err != nil {
		return built{}, errors.Join(fmt.Errorf("start the sweeper: %w", err), os.RemoveAll(dir))
	}
	compile := exec.Command("go", "build", "-o", b.path, "./cmd/countersign")
	compile.Dir = root
	if out, err := compile.CombinedOutput(); err != nil {
		return built{}, fmt.Errorf("build the binary: %w\n%s", err, out)
	}
	return b, nil
})

// Binary is the path of the program, built once in each test process.
func Binary(t testing.TB) string {
	t.Helper()
	b, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return b.path
}

func moduleRoot() (string, error) {
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("find the module: %w", err)
	}
	return filepath.Dir(strings.TrimSpace(string(out))), nil
}

// NewKeys makes a key file with the program's own command.
func NewKeys(t testing.TB) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "keys.json")
	if out, err := exec.Command(Binary(t), "keys", "new", "--file", file).CombinedOutput(); err != nil {
		t.Fatalf("countersign keys new: %v\n%s", err, out)
	}
	return file
}
