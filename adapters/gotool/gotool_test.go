package gotool_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/countersign/countersign/adapters/gotool"
)

// put writes files below a new folder.
func put(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		at := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestNames(t *testing.T) {
	for _, good := range []string{"ntfy", "acme_sms", "acme-sms", "x2", "sms4you"} {
		if err := gotool.CheckName(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{
		"", "a", "Acme", "acme__sms", "_acme", "acme-", "2fa", "acme sms", "../x", "x/y", "é1", "func", "go-to", "chan_nel", "main", "test\n",
		strings.Repeat("a", 32),
	} {
		if err := gotool.CheckName(bad); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if got := gotool.TypeOf("acme-sms"); got != "acme_sms" {
		t.Errorf("the type is %q", got)
	}
}

func TestTheCheckoutIsFound(t *testing.T) {
	ours, err := gotool.Checkout("", ".")
	if err != nil || filepath.Base(filepath.Dir(mustAbs(t, "."))) != "adapters" || ours != filepath.Dir(filepath.Dir(mustAbs(t, "."))) {
		t.Fatalf("from below: %q, %v", ours, err)
	}
	theirs := put(t, map[string]string{"go.mod": "module x // y\n\nreplace github.com/countersign/countersign => " + ours + "\n", "cmd/x/x.go": ""})
	if got, err := gotool.Checkout("", filepath.Join(theirs, "cmd", "x")); err != nil || got != ours {
		t.Errorf("by a module that takes us from there: %q, %v", got, err)
	}
	if got, err := gotool.Checkout(ours, theirs); err != nil || got != ours {
		t.Errorf("named: %q, %v", got, err)
	}
	if _, err := gotool.Checkout(theirs, "."); err == nil {
		t.Error("a folder that is no clone was taken")
	}
}

func mustAbs(t *testing.T, name string) string {
	t.Helper()
	abs, err := filepath.Abs(name)
	if err != nil {
		t.Fatal(err)
	}
	return abs
}

func plan(t *testing.T, kind gotool.Kind) gotool.Plan {
	t.Helper()
	ours, err := gotool.Checkout("", ".")
	if err != nil {
		t.Fatal(err)
	}
	return gotool.Plan{Name: "acme_sms", Dir: filepath.Join(t.TempDir(), "new"), Kind: kind, Checkout: ours}
}

func TestASenderIsShort(t *testing.T) {
	p := plan(t, gotool.Sender)
	files, err := gotool.New(p)
	if err != nil {
		t.Fatal(err)
	}
	for name, most := range map[string]int{"acmesms.go": 40, "acmesms_test.go": 40, "cmd/acmesms/main.go": 10} {
		text, err := os.ReadFile(filepath.Join(p.Dir, name))
		if n := strings.Count(string(text), "\n"); err != nil || n > most {
			t.Errorf("%s has %d lines, more than %d (%v)", name, n, most, err)
		}
	}
	for _, name := range []string{"go.mod", "go.sum", "README.md", ".gitignore", "CONFIG.md", "config.schema.json", "config.go"} {
		if !slices.Contains(files, filepath.Join(p.Dir, name)) {
			t.Errorf("%s is missing in %q", name, files)
		}
	}
}

func TestNothingIsOverwritten(t *testing.T) {
	p := plan(t, gotool.Channel)
	p.Dir = put(t, map[string]string{"README.md": "mine"})
	if _, err := gotool.New(p); !errors.Is(err, gotool.ErrExists) || !strings.Contains(err.Error(), "README.md") {
		t.Errorf("%v", err)
	}
	entries, err := os.ReadDir(p.Dir)
	text, _ := os.ReadFile(filepath.Join(p.Dir, "README.md"))
	if err != nil || len(entries) != 1 || string(text) != "mine" {
		t.Errorf("%d files, README %q, %v", len(entries), text, err)
	}
}

func TestThereAreTwoKinds(t *testing.T) {
	p := plan(t, "pigeon")
	if _, err := gotool.New(p); err == nil {
		t.Error("another kind was written")
	}
}

func TestEveryWordIsPutIn(t *testing.T) {
	for _, kind := range []gotool.Kind{gotool.Sender, gotool.Channel} {
		files, err := gotool.New(plan(t, kind))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			if text, err := os.ReadFile(name); err != nil || strings.Contains(string(text), "{{") {
				t.Errorf("%s has a word that was not put in (%v)", name, err)
			}
		}
	}
}
