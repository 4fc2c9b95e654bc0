package channeltest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fine is a plugin with nothing wrong in it.
const fine = `// Package sms sends.
package sms

import (
	"time"

	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/channel/provider"
)

var limit = 5 * time.Second

var kinds = map[string]int{"a": 1}

// Plugin is it.
func Plugin() channel.Plugin {
	limit := limit
	limit++
	_ = channel.Descriptor{Type: "acme_sms"}
	_ = provider.Ask
	return channel.Plugin{}
}
`

// looked is what inspect finds in one file.
func looked(t *testing.T, name, text string) []string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	found, err := inspect(dir)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestNothingIsFoundWhereNothingIsWrong(t *testing.T) {
	if found := looked(t, "sms.go", fine); len(found) > 0 {
		t.Errorf("%q", found)
	}
}

func TestEachMistakeIsFound(t *testing.T) {
	imports := func(path string) string {
		return strings.Replace(fine, "\t\"time\"\n", "\t\"time\"\n\t\""+path+"\"\n", 1)
	}
	body := func(path, line string) string {
		return strings.Replace(imports(path), "	_ = provider.Ask\n", "	"+line+"\n", 1)
	}
	for name, c := range map[string]struct{ file, text, want string }{
		"a file's name":     {"acmeSMS.go", fine, "acmeSMS.go: files are named"},
		"a type's name":     {"sms.go", strings.Replace(fine, `"acme_sms"`, `"AcmeSMS"`, 1), `sms.go:19: the type "AcmeSMS"`},
		"no comment":        {"sms.go", strings.TrimPrefix(fine, "// Package sms sends.\n"), "has 0 comments"},
		"another comment":   {"sms.go", strings.Replace(fine, "// Package sms", "// This", 1), "does not begin"},
		"init":              {"sms.go", fine + "\nfunc init() {}\n", "sms.go:24: func init"},
		"the clock":         {"sms.go", body("os", "_ = time.Now"), "time.Now: take Env.Now"},
		"another clock":     {"sms.go", body("os", "_ = time.Since"), "take Env.Now"},
		"waiting":           {"sms.go", body("os", "time.Sleep(1)"), "do not wait"},
		"chance":            {"sms.go", body("crypto/rand", "_ = rand.Reader"), "take Env.Random"},
		"weak chance":       {"sms.go", imports("math/rand/v2"), "imports math/rand/v2"},
		"another client":    {"sms.go", body("net/http", "_ = http.DefaultClient"), "take Env.HTTP"},
		"the environment":   {"sms.go", body("os", `_ = os.Getenv("X")`), "os.Getenv"},
		"the end":           {"sms.go", body("os", "os.Exit(1)"), "os.Exit"},
		"printing":          {"sms.go", body("fmt", `fmt.Println("x")`), "fmt.Println"},
		"another log":       {"sms.go", imports("log"), "imports log"},
		"the default log":   {"sms.go", body("log/slog", `slog.Info("x")`), "take Env.Log"},
		"the core":          {"sms.go", imports(countersign + "domain/fault"), "imports " + countersign + "domain/fault"},
		"a port beside":     {"sms.go", imports(countersign + "ports/store"), "nothing else"},
		"the kit":           {"sms.go", imports(countersign + "ports/channel/channeltest"), "is for tests"},
		"a dot":             {"sms.go", strings.Replace(fine, "\t\"time\"", "\t. \"time\"", 1), "dot import"},
		"a changing global": {"sms.go", strings.Replace(fine, "	limit := limit\n", "", 1), "sms.go:17: limit is a global"},
		"a changing map":    {"sms.go", body("os", `kinds["b"] = 2`), "kinds is a global"},
		"a shrinking map":   {"sms.go", body("os", `delete(kinds, "a")`), "kinds is a global"},
		"a lock":            {"sms.go", body("sync", "mu.Lock()") + "\nvar mu sync.Mutex\n", "mu is a global"},
	} {
		t.Run(name, func(t *testing.T) {
			if found := looked(t, c.file, c.text); len(found) != 1 || !strings.Contains(found[0], c.want) {
				t.Errorf("found %q, not one thing about %q", found, c.want)
			}
		})
	}
}

func TestWhatIsAskedOfOthersHoldsForOurPlugins(t *testing.T) {
	dirs, err := filepath.Glob("../../../plugins/*")
	if err != nil || len(dirs) < 5 {
		t.Fatalf("%d plugins, %v", len(dirs), err)
	}
	for _, dir := range dirs {
		if found, err := inspect(dir); err != nil || len(found) > 0 {
			t.Errorf("%s: %q, %v", dir, found, err)
		}
	}
}
