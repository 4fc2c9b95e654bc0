package arch_test

import (
	"fmt"
	"go/ast"
	"slices"
	"strings"
	"testing"
)

// impure is what of the standard library has no place in the domain: whatever
// waits, reaches out, tells the time or draws lots. Folders count with what is
// in them.
var impure = []string{
	"context", "crypto/rand", "database/sql", "embed", "fmt", "io/fs", "log", "math/rand", "net", "os",
	"path/filepath", "plugin", "runtime", "sync", "syscall", "testing", "unsafe",
}

// pure is what only computes although it stands below something that does not.
var pure = []string{"net/netip", "net/url"}

// clockwork is what of package time has no place in the domain: time comes in as
// an argument.
var clockwork = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}

func checkDomain(all []source) (found []string) {
	for _, s := range production(all) {
		if !below(s.pkg, "domain") {
			continue
		}
		for _, imported := range s.imports() {
			if slices.Contains(pure, imported) {
				continue
			}
			if slices.ContainsFunc(impure, func(i string) bool { return below(imported, i) }) {
				found = append(found, fmt.Sprintf("%s imports %s: the domain computes, and nothing else", s.name, imported))
			}
		}
		for _, use := range s.uses("time", clockwork...) {
			found = append(found, use+": time comes in as an argument")
		}
	}
	return found
}

// borders are the places where the world is looked at: there, and in what is
// only for tests, time, environment and exit are allowed.
var borders = []string{"adapters/system", "adapters/configfile", "cmd", "test"}

func atBorder(pkg string) bool {
	return pkg == "app" || slices.ContainsFunc(borders, func(b string) bool { return below(pkg, b) })
}

// checkBorders keeps the world out of everything but its borders. Kits may not
// look at the clock either, but are allowed to fail loudly.
func checkBorders(all []source) (found []string) {
	for _, s := range production(all) {
		for _, imported := range s.imports() {
			if below(imported, "math/rand") {
				found = append(found, fmt.Sprintf("%s imports %s: chance comes from the injected reader", s.name, imported))
			}
		}
		found = append(found, s.inits()...)
		if atBorder(s.pkg) {
			continue
		}
		for _, use := range s.uses("os", "Exit", "Getenv", "LookupEnv", "Environ", "ExpandEnv") {
			found = append(found, use+": only configuration and main may")
		}
		for _, use := range s.uses("fmt", "Print", "Printf", "Println") {
			found = append(found, use+": log or return")
		}
		if isKit(s.pkg) {
			continue
		}
		found = append(found, s.panics()...)
		if !below(s.pkg, "domain") { // whose clocks are checked above
			for _, use := range s.uses("time", "Now", "Since", "Until") {
				found = append(found, use+": take a clock")
			}
		}
	}
	return found
}

// uses says where a file mentions names of an imported package, called or not.
func (s source) uses(imported string, names ...string) (found []string) {
	known := s.imports()
	ast.Inspect(s.file, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := sel.X.(*ast.Ident); ok && known[x.Name] == imported && slices.Contains(names, sel.Sel.Name) {
			found = append(found, fmt.Sprintf("%s: %s.%s", s.at(n), imported, sel.Sel.Name))
		}
		return true
	})
	if known["."+imported] != "" {
		found = append(found, fmt.Sprintf("%s: dot import of %s", s.name, imported))
	}
	return found
}

// panics finds where a program would rather end than say what is wrong.
func (s source) panics() (found []string) {
	ast.Inspect(s.file, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			if f, ok := call.Fun.(*ast.Ident); ok && f.Name == "panic" {
				found = append(found, s.at(n)+": panic: return an error")
			}
		}
		return true
	})
	return found
}

// inits finds functions that run before anybody asked for them.
func (s source) inits() (found []string) {
	for _, d := range s.file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
			found = append(found, s.at(f)+": func init: plain constructors, listed by whoever wants them")
		}
	}
	return found
}

func TestDomainIsPure(t *testing.T) {
	report(t, checkDomain(sources(t)))
}

func TestTheWorldComesInAtTheBorders(t *testing.T) {
	report(t, checkBorders(sources(t)))
}

func TestPurityCatchesWhatItIsFor(t *testing.T) {
	file := func(name string, lines ...string) map[string]string {
		return map[string]string{name: "package x\n\n" + strings.Join(lines, "\n") + "\n"}
	}
	sow(t, checkDomain, []seed{
		{"the domain may compute", file("domain/x/x.go", `import "time"`, "func f(t time.Time) time.Time { return t.Add(time.Second) }"), ""},
		{"the domain does not wait", file("domain/x/x.go", `import _ "context"`), "imports context"},
		{"the domain speaks no HTTP", file("domain/x/x.go", `import _ "net/http"`), "imports net/http"},
		{"the domain draws no lots", file("domain/x/x.go", `import _ "math/rand/v2"`), "imports math/rand/v2"},
		{"math itself computes", file("domain/x/x.go", `import _ "math"`), ""},
		{"the domain has no clock", file("domain/x/x.go", `import "time"`, "var f = time.Now"), "time.Now"},
		{"a clock under another name is one", file("domain/x/x.go", `import w "time"`, "func f(t w.Time) w.Duration { return w.Since(t) }"), "x.go:4: time.Since"},
		{"a clock without a name is one", file("domain/x/x.go", `import . "time"`, "var f = Now"), "dot import of time"},
		{"others may import more", file("app/x/x.go", `import _ "context"`), ""},
		{"tests may import more", file("domain/x/x_test.go", `import _ "fmt"`), ""},
	})
	sow(t, checkBorders, []seed{
		{"a use case takes a clock", file("app/x/x.go", `import "time"`, "var f = time.Now"), "take a clock"},
		{"the system's clock is one", file("adapters/system/x.go", `import "time"`, "var f = time.Now"), ""},
		{"an adapter reads no environment", file("adapters/x/x.go", `import "os"`, `var f = os.Getenv("X")`), "os.Getenv"},
		{"nobody exits but main", file("plugins/x/x.go", `import "os"`, "func f() { os.Exit(1) }"), "os.Exit"},
		{"main exits", file("cmd/x/x.go", `import "os"`, "func f() { os.Exit(1) }"), ""},
		{"nobody prints", file("adapters/x/x.go", `import "fmt"`, `func f() { fmt.Println("x") }`), "fmt.Println"},
		{"writing is not printing", file("adapters/x/x.go", `import "fmt"`, `var s = fmt.Sprint("x")`), ""},
		{"weak chance is nowhere", file("cmd/x/x.go", `import _ "math/rand"`), "imports math/rand"},
		{"nothing runs by itself", file("cmd/x/x.go", "func init() {}"), "func init"},
		{"nobody panics", file("adapters/x/x.go", `func f() { panic("x") }`), "return an error"},
		{"a kit may, to see what happens", file("ports/x/xtest/x.go", `func f() { panic("x") }`), ""},
		{"a method may be called init", file("cmd/x/x.go", "type y int", "func (y) init() {}"), ""},
		{"a package below the root is not the root", file("app/x/x.go", `import "os"`, `var f = os.Environ()`), "os.Environ"},
	})
}
