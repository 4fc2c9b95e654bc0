// Package arch_test keeps the repository in the shape that its documents
// describe: who imports whom, how long things are, what every name says, which
// refusals exist, which modules are linked. It reads the sources, so it runs
// with -count=1: the test cache does not see them.
package arch_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/countersign/countersign/"

var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

// source is one Go file.
type source struct {
	pkg  string // folder below the root, with slashes: "domain/fault"
	name string // path below the root: "domain/fault/fault.go"
	text string
	fset *token.FileSet
	file *ast.File
}

func (s source) test() bool { return strings.HasSuffix(s.name, "_test.go") }

// at says where a node is, "domain/fault/fault.go:12".
func (s source) at(n ast.Node) string { return s.name + ":" + strconv.Itoa(s.line(n.Pos())) }

func (s source) line(p token.Pos) int { return s.fset.Position(p).Line }

// imports gives the imported paths by the name under which the file knows them.
func (s source) imports() map[string]string {
	out := map[string]string{}
	for _, i := range s.file.Imports {
		what, _ := strconv.Unquote(i.Path.Value) // the parser has checked it
		name := path.Base(what)
		if i.Name != nil {
			name = i.Name.Name
		} else if isVersion(name) {
			name = path.Base(path.Dir(what))
		}
		if name == "_" || name == "." {
			name += what
		}
		out[name] = what
	}
	return out
}

// isVersion reports whether the end of an import path is "v2" and the like,
// which is not part of the package's name.
func isVersion(s string) bool {
	n, ok := strings.CutPrefix(s, "v")
	_, err := strconv.Atoi(n)
	return ok && err == nil
}

// isKit reports whether a package is the conformance kit of a port.
func isKit(pkg string) bool {
	return strings.HasPrefix(pkg, "ports/") && strings.HasSuffix(path.Base(pkg), "test")
}

// below reports whether pkg is folder or lies in it.
func below(pkg, folder string) bool { return pkg == folder || strings.HasPrefix(pkg, folder+"/") }

func parse(name, text string) (source, error) {
	s := source{pkg: path.Dir(name), name: name, text: text, fset: token.NewFileSet()}
	var err error
	s.file, err = parser.ParseFile(s.fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
	return s, err
}

// root is the folder of go.mod.
var root = sync.OnceValues(func() (string, error) {
	out, err := run("", nil, "go", "env", "GOMOD")
	if err != nil {
		return "", err
	}
	return filepath.Dir(strings.TrimSpace(out)), nil
})

// tree is every Go file of the module, whatever its build tags.
var tree = sync.OnceValues(func() ([]source, error) {
	top, err := root()
	if err != nil {
		return nil, err
	}
	out, err := run(top, nil, "go", "list", "-e", "-json=Dir,GoFiles,CgoFiles,IgnoredGoFiles,TestGoFiles,XTestGoFiles", "./...")
	if err != nil {
		return nil, err
	}
	var all []source
	for d := json.NewDecoder(strings.NewReader(out)); ; {
		var p struct {
			Dir                                                          string
			GoFiles, CgoFiles, IgnoredGoFiles, TestGoFiles, XTestGoFiles []string
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		for _, f := range slices.Concat(p.GoFiles, p.CgoFiles, p.IgnoredGoFiles, p.TestGoFiles, p.XTestGoFiles) {
			s, err := read(top, filepath.Join(p.Dir, f))
			if err != nil {
				return nil, err
			}
			all = append(all, s)
		}
	}
})

func read(top, file string) (source, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return source{}, err
	}
	name, err := filepath.Rel(top, file)
	if err != nil {
		return source{}, err
	}
	return parse(filepath.ToSlash(name), string(text))
}

// run gives what a command prints. What it complains about is in the error.
func run(dir string, env []string, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s%s", strings.Join(cmd.Args, " "), err, complaint.String(), out.String())
	}
	return out.String(), nil
}

func sources(t *testing.T) []source {
	t.Helper()
	all, err := tree()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 50 {
		t.Fatalf("only %d files were found: this test would pass whatever they say", len(all))
	}
	return all
}

// production drops the tests; kits and helpers of tests stay.
func production(all []source) []source {
	return slices.DeleteFunc(slices.Clone(all), source.test)
}

func top(t *testing.T) string {
	t.Helper()
	dir, err := root()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func report(t *testing.T, findings []string) {
	t.Helper()
	slices.Sort(findings)
	for _, f := range findings {
		t.Error(f)
	}
}

// seed is a small tree with a mistake in it, or without: want is part of the one
// finding that it leads to, "" if there is none.
type seed struct {
	says  string
	files map[string]string
	want  string
}

// sow shows that a check finds what it is for, and nothing else.
func sow(t *testing.T, check func([]source) []string, seeds []seed) {
	t.Helper()
	for _, s := range seeds {
		t.Run(s.says, func(t *testing.T) {
			var all []source
			for name, text := range s.files {
				one, err := parse(name, text)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, one)
			}
			found := check(all)
			if s.want == "" && len(found) > 0 {
				t.Fatalf("found %q where nothing is wrong", found)
			}
			if s.want != "" && (len(found) != 1 || !strings.Contains(found[0], s.want)) {
				t.Fatalf("found %q, not one thing about %q", found, s.want)
			}
		})
	}
}

// golden compares a text with the file that holds what it should be.
func golden(t *testing.T, file, got string) {
	t.Helper()
	file = filepath.Join(top(t), filepath.FromSlash(file))
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v (make it with: go test -count=1 ./test/arch -update)", err)
	}
	if d := difference(string(want), got); d != "" {
		t.Errorf("%s is not up to date (go test -count=1 ./test/arch -update):\n%s", file, d)
	}
}

// difference lists the lines that only one of two texts has.
func difference(want, got string) string {
	if want == got {
		return ""
	}
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	var out []string
	for _, l := range w {
		if !slices.Contains(g, l) {
			out = append(out, "- "+l)
		}
	}
	for _, l := range g {
		if !slices.Contains(w, l) {
			out = append(out, "+ "+l)
		}
	}
	if len(out) == 0 {
		out = []string{"the same lines in another order"}
	}
	return strings.Join(out, "\n")
}

func TestGoldenFilesShowWhatChanged(t *testing.T) {
	if d := difference("a\nb\n", "a\nb\n"); d != "" {
		t.Errorf("equal texts differ: %s", d)
	}
	if d := difference("a\nb\n", "a\nc\n"); d != "- b\n+ c" {
		t.Errorf("b became c, and the difference says %q", d)
	}
	if d := difference("a\nb", "b\na"); d == "" {
		t.Error("another order is not seen")
	}
}
