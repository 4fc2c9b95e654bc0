package arch_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var wholeProgram = regexp.MustCompile(`(?m)\A(?://.*\n|\s*\n)*package main$`)

// snippet is a program that a document shows in full.
type snippet struct {
	at   string // "README.md:12"
	text string
}

func snippets(file, doc string) (out []snippet) {
	_, blocks := split(doc)
	for _, b := range blocks {
		language, about, _ := strings.Cut(b.language, " ")
		if language == "go" && !strings.HasPrefix(about, "file=") && wholeProgram.MatchString(b.text) {
			out = append(out, snippet{at: file + ":" + strconv.Itoa(b.line), text: b.text})
		}
	}
	return out
}

// build compiles a program as a reader would who has this checkout beside it: in
// a module of its own that takes ours from the disk. Nothing is fetched.
func build(t *testing.T, text string) error {
	t.Helper()
	dir := beside(t, "example.com/snippet", map[string]string{"main.go": text})
	_, err := run(dir, alone, "go", "build", "-o", os.DevNull, ".")
	return err
}

// alone keeps the go command away from the network and from workspaces.
var alone = []string{"GOFLAGS=-mod=mod", "GOPROXY=off", "GOWORK=off"}

// beside writes a module that takes ours from this checkout.
func beside(t *testing.T, name string, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	ours, err := os.ReadFile(filepath.Join(top(t), "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile(filepath.Join(top(t), "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	us := strings.TrimSuffix(module, "/")
	files["go.sum"] = string(sums)
	files["go.mod"] = strings.Replace(string(ours), "module "+us+"\n", "module "+name+"\n", 1) +
		"\nrequire " + us + " v0.0.0\n\nreplace " + us + " => " + top(t) + "\n"
	for file, content := range files {
		at := filepath.Join(dir, filepath.FromSlash(file))
		if err := os.MkdirAll(filepath.Dir(at), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestSnippets(t *testing.T) {
	docs := documents(t)
	for file, doc := range docs {
		for _, s := range snippets(file, doc) {
			t.Run(s.at, func(t *testing.T) {
				if err := build(t, s.text); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func TestSnippetsAreFound(t *testing.T) {
	doc := strings.Join([]string{
		"```go", "package main", "", "func main() {}", "```",
		"```go", "func half() {}", "```",
		"```yaml", "package main", "```",
		"````go title=x", "// Package main waits.", "", "package main", "````",
		"```go", "package mainly", "```",
	}, "\n")
	var at []string
	for _, s := range snippets("x.md", doc) {
		at = append(at, s.at)
	}
	if !slices.Equal(at, []string{"x.md:1", "x.md:12"}) {
		t.Errorf("programs were found at %q", at)
	}
}

func TestSnippetsAreCompiledAgainstThisCheckout(t *testing.T) {
	program := func(name string) string {
		return "package main\n\nimport \"" + module + "domain/fault\"\n\nfunc main() { println(fault." + name + ") }\n"
	}
	if err := build(t, program("NotFound")); err != nil {
		t.Errorf("a good program does not compile: %v", err)
	}
	if err := build(t, program("NoSuchKind")); err == nil || !strings.Contains(err.Error(), "NoSuchKind") {
		t.Errorf("a program that names what is not there led to: %v", err)
	}
}
