package arch_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/countersign/countersign/adapters/gotool"
)

// guide is the page for people who write channels.
const guide = "docs/plugins.md"

// filesIn gives the files that a document shows in full: "go file=pager/pager.go".
func filesIn(doc string) map[string]string {
	files := map[string]string{}
	_, blocks := split(doc)
	for _, b := range blocks {
		if _, name, ok := strings.Cut(b.language, " file="); ok {
			files[name] = b.text
		}
	}
	return files
}

func TestThePluginOfTheGuidePassesTheKit(t *testing.T) {
	files := filesIn(documents(t)[guide])
	for _, name := range []string{"pager/pager.go", "pager/pager_test.go", "main.go"} {
		if files[name] == "" {
			t.Fatalf("%s does not show %s", guide, name)
		}
	}
	dir := beside(t, "example.com/pagers", files)
	if _, err := run(dir, alone, "go", "vet", "./..."); err != nil {
		t.Fatal(err)
	}
	if _, err := run(dir, alone, "go", "test", "-count=1", "-run", "TestDocs", "./pager", "-update"); err != nil {
		t.Fatal(err)
	}
	out, err := run(dir, alone, "go", "test", "-count=1", "-v", "./...")
	if err != nil || !strings.Contains(out, "--- PASS: TestConformance/when_the_provider/is_busy_while_we_begin") || !strings.Contains(out, "--- PASS: TestDocs") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestTheGuideShowsWhatIsWritten(t *testing.T) {
	ours := filepath.Join(t.TempDir(), "keypad")
	if _, err := gotool.New(gotool.Plan{Name: "keypad", Dir: ours, Kind: gotool.Channel, Checkout: top(t)}); err != nil {
		t.Fatal(err)
	}
	written, err := os.ReadFile(filepath.Join(ours, "keypad.go"))
	if err != nil {
		t.Fatal(err)
	}
	_, blocks := split(documents(t)[guide])
	excerpts := slices.DeleteFunc(blocks, func(b block) bool { return b.language != "go from=keypad" })
	if len(excerpts) != 2 {
		t.Errorf("%d excerpts, not 2", len(excerpts))
	}
	for _, b := range excerpts {
		if !strings.Contains(string(written), b.text) {
			t.Errorf("%s:%d is not in what plugin new writes", guide, b.line)
		}
	}
}

func TestFilesInDocumentsAreFound(t *testing.T) {
	doc := "```go file=a/b.go\npackage b\n```\n```go\npackage c\n```\n```go file=main.go\npackage main\n```\n"
	files := filesIn(doc)
	if len(files) != 2 || files["a/b.go"] != "package b\n" || files["main.go"] != "package main\n" {
		t.Errorf("%q", files)
	}
	if found := snippets("x.md", doc); len(found) > 0 {
		t.Errorf("files of a module were taken for programs: %v", found)
	}
}
