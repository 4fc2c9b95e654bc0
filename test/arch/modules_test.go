package arch_test

import (
	"slices"
	"strings"
	"testing"
)

// modulesFile is the golden list of modules that are linked into the binary, so
// that a new dependency is a line that somebody has to approve of.
const modulesFile = "test/arch/modules.txt"

// modules names the modules of go list's output once each, without our own.
func modules(listed string) []string {
	all := strings.Fields(listed)
	slices.Sort(all)
	return slices.DeleteFunc(slices.Compact(all), func(m string) bool { return m+"/" == module })
}

//go:generate go test -count=1 -run TestModules -update .

func TestModules(t *testing.T) {
	// The list differs between systems, and that of the published binary counts.
	out, err := run(top(t), []string{"GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0"},
		"go", "list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", "./cmd/countersign")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, modulesFile, strings.Join(modules(out), "\n")+"\n")
}

func TestModulesAreListedOnce(t *testing.T) {
	got := modules("example.com/b\n\n" + strings.TrimSuffix(module, "/") + "\nexample.com/a\nexample.com/b\n")
	if !slices.Equal(got, []string{"example.com/a", "example.com/b"}) {
		t.Errorf("modules are %q", got)
	}
}
