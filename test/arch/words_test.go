package arch_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// foreign finds what is true of one workplace only: paths of a machine, and hosts
// that packages and images are fetched from. They are put together here so that
// this file does not name them either.
var foreign = regexp.MustCompile(strings.Join([]string{
	`(^|[^\w.-])/` + `work/`,
	`/tmp/` + `w/`,
	`bash` + `_jobs`,
	`before` + `-stop`,
	`\bproxy\.` + `golang\.org`, `\bsum\.` + `golang\.org`, `\bgo` + `proxy\.(io|cn)`,
	`\bregistry\.` + `npm`, `\bpypi\.` + `org`, `\bcrates\.` + `io`, `\brubygems\.` + `org`,
	`\bregistry-1\.` + `docker`, `\bindex\.` + `docker`, `\bgh` + `cr\.io`, `\bquay\.` + `io`, `\bgcr\.` + `io`,
	`\bartifact` + `ory\b`,
}, "|"))

// named says in which lines a text names something foreign.
func named(file, text string) (found []string) {
	for i, line := range strings.Split(text, "\n") {
		if word := foreign.FindString(line); word != "" {
			found = append(found, fmt.Sprintf("%s:%d: names %q", file, i+1, strings.TrimSpace(word)))
		}
	}
	return found
}

// tracked gives the names of all files that are in the repository, or will be.
func tracked(t *testing.T) []string {
	t.Helper()
	out, err := run(top(t), nil, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	if err != nil {
		t.Fatalf("this test is about what is in the repository, so it needs one: %v", err)
	}
	return strings.Split(strings.TrimSuffix(out, "\x00"), "\x00")
}

func TestNames(t *testing.T) {
	for _, file := range tracked(t) {
		text, err := os.ReadFile(filepath.Join(top(t), file))
		if os.IsNotExist(err) {
			continue // removed, and not yet committed
		}
		if err != nil {
			t.Fatal(err)
		}
		if bytes.IndexByte(text, 0) < 0 { // pictures name nothing
			report(t, append(named("the name of "+file, file), named(file, string(text))...))
		}
	}
}

func TestNamesCatchWhatTheyAreFor(t *testing.T) {
	for _, line := range []string{
		"cd /" + "work/main", `"/` + `work/x"`, "/tmp/" + "w/brief", "https://proxy." + "golang.org,direct", "pull gh" + "cr.io/x/y",
	} {
		if found := named("x.md", "first\n"+line); len(found) != 1 || !strings.HasPrefix(found[0], "x.md:2: ") {
			t.Errorf("%q led to %q", line, found)
		}
	}
	for _, line := range []string{"/net" + "work/x", "app/" + "work/x", "/tmp/" + "words", "gettext.io", "the work/life of go"} {
		if found := named("x.md", line); len(found) > 0 {
			t.Errorf("%q led to %q", line, found)
		}
	}
}
