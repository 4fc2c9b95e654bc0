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
		language, _, _ := strings.Cut(b.language, " ")
		if language == "go" && wholeProgram.MatchString(b.text) {
			out = append(out, snippet{at: file + ":" + strconv.Itoa(b.line), text: b.text})
		}
	}
	return out
}

// build compiles a program as a reader would who has this checkout beside it: in
// a module of its own that takes ours from the disk. Nothing is fetched.
func build(t *testing.T, text string) error {
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
	name := strings.TrimSuffix(module, "/")
	mod := strings.Replace(string(ours), "module "+name+"\n", "module example.com/snippet\n", 1) +
		"\nrequire " + name + " v0.0.0\n\nreplace " + name + " => " + top(t) + "\n"
	for file, content := range map[string]string{"go.mod": mod, "go.sum": string(sums), "main.go": text} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, err = run(dir, []string{"GOFLAGS=-mod=mod", "GOPROXY=off", "GOWORK=off"}, "go", "build", "-o", os.DevNull, ".")
	return err
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
