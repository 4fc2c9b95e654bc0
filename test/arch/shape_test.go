package arch_test

import (
	"fmt"
	"go/ast"
	"go/token"
	"strings"
	"testing"
)

// Limits. Tests may be longer, because they are read one case at a time.
const (
	mostLines     = 300 // of a file
	mostTestLines = 600 // of a file of tests
	mostFuncLines = 60  // of a function, with its first and last line
	mostMethods   = 5   // of an interface, embedded ones counted as one
)

func checkSizes(all []source) (found []string) {
	for _, s := range all {
		most := mostLines
		if s.test() {
			most = mostTestLines
		}
		if n := strings.Count(s.text, "\n"); n > most {
			found = append(found, fmt.Sprintf("%s has %d lines, more than %d", s.name, n, most))
		}
		if s.test() {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if lines := s.line(n.End()) - s.line(n.Pos()) + 1; lines > mostFuncLines {
					found = append(found, fmt.Sprintf("%s: %s has %d lines, more than %d", s.at(n), n.Name.Name, lines, mostFuncLines))
				}
			case *ast.InterfaceType:
				if m := entries(n); m > mostMethods {
					found = append(found, fmt.Sprintf("%s: an interface of %d, more than %d", s.at(n), m, mostMethods))
				}
			}
			return true
		})
	}
	return found
}

func entries(i *ast.InterfaceType) (n int) {
	for _, m := range i.Methods.List {
		n += max(1, len(m.Names))
	}
	return n
}

// checkPackageComments wants exactly one in each package that is no test.
func checkPackageComments(all []source) (found []string) {
	packages := map[string][]string{}
	for _, s := range production(all) {
		packages[s.pkg] = append(packages[s.pkg], "") // so that the package is known
		if s.file.Doc == nil {
			continue
		}
		packages[s.pkg] = append(packages[s.pkg], s.name)
		name := s.file.Name.Name
		if text := s.file.Doc.Text(); name != "main" && !strings.HasPrefix(text, "Package "+name+" ") {
			found = append(found, fmt.Sprintf(`%s: the package comment does not begin with "Package %s "`, s.name, name))
		}
	}
	for pkg, files := range packages {
		n := 0
		for _, f := range files {
			if f != "" {
				n++
			}
		}
		if n != 1 {
			found = append(found, fmt.Sprintf("%s has %d package comments, not one", pkg, n))
		}
	}
	return found
}

// checkDocs wants a comment that begins with the name on everything that others
// can see. A group of constants or variables is one thing.
func checkDocs(all []source) (found []string) {
	for _, s := range production(all) {
		if s.file.Name.Name == "main" {
			continue
		}
		for _, d := range s.file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if seen(d) {
					found = append(found, s.undocumented(d.Name, d.Doc)...)
				}
			case *ast.GenDecl:
				found = append(found, s.undocumentedGroup(d)...)
			}
		}
	}
	return found
}

// seen reports whether others can call a function: one that is exported, and no
// method of a type that is not.
func seen(f *ast.FuncDecl) bool {
	if !f.Name.IsExported() {
		return false
	}
	if f.Recv == nil {
		return true
	}
	t := f.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return true
		}
	}
}

func (s source) undocumented(name *ast.Ident, doc *ast.CommentGroup) []string {
	words := strings.Fields(doc.Text())
	if len(words) > 0 && strings.TrimRight(words[0], ",:") == name.Name {
		return nil
	}
	return []string{fmt.Sprintf("%s: %s has no comment that begins with its name", s.at(name), name.Name)}
}

func (s source) undocumentedGroup(d *ast.GenDecl) (found []string) {
	for _, spec := range d.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			doc := spec.Doc
			if doc == nil && !d.Lparen.IsValid() {
				doc = d.Doc
			}
			if spec.Name.IsExported() {
				found = append(found, s.undocumented(spec.Name, doc)...)
			}
		case *ast.ValueSpec:
			found = append(found, s.undocumentedValue(d, spec)...)
		}
	}
	return found
}

func (s source) undocumentedValue(d *ast.GenDecl, spec *ast.ValueSpec) (found []string) {
	for _, name := range spec.Names {
		switch {
		case !name.IsExported():
		case d.Tok != token.CONST && d.Tok != token.VAR:
		case !d.Lparen.IsValid():
			found = append(found, s.undocumented(name, d.Doc)...)
		case d.Doc == nil && spec.Doc == nil && spec.Comment == nil:
			found = append(found, fmt.Sprintf("%s: neither %s nor its group has a comment", s.at(name), name.Name))
		}
	}
	return found
}

func TestShape(t *testing.T) {
	all := sources(t)
	t.Run("sizes", func(t *testing.T) { report(t, checkSizes(all)) })
	t.Run("package comments", func(t *testing.T) { report(t, checkPackageComments(all)) })
	t.Run("documentation", func(t *testing.T) { report(t, checkDocs(all)) })
}

func TestSizesCatchWhatTheyAreFor(t *testing.T) {
	lines := func(n int) string { return strings.Repeat("//\n", n) }
	body := func(n int) string { return "package x\n\nfunc f() {\n" + lines(n) + "}\n" }
	sow(t, checkSizes, []seed{
		{"a file may be full", map[string]string{"app/x/x.go": "package x\n" + lines(299)}, ""},
		{"a file may not be fuller", map[string]string{"app/x/x.go": "package x\n" + lines(300)}, "has 301 lines"},
		{"a kit is no test", map[string]string{"ports/x/xtest/x.go": "package x\n" + lines(300)}, "has 301 lines"},
		{"a test may be longer", map[string]string{"app/x/x_test.go": "package x\n" + lines(599)}, ""},
		{"a test may not be longest", map[string]string{"app/x/x_test.go": "package x\n" + lines(600)}, "has 601 lines"},
		{"a function may be full", map[string]string{"app/x/x.go": body(58)}, ""},
		{"a function may not be fuller", map[string]string{"app/x/x.go": body(59)}, "f has 61 lines"},
		{"five methods are few", map[string]string{"app/x/x.go": "package x\n\ntype i interface { a(); b(); c(); d(); e() }\n"}, ""},
		{"six methods are many", map[string]string{"app/x/x.go": "package x\n\ntype i interface { a(); b(); c(); d(); e(); error }\n"}, "an interface of 6"},
	})
}

func TestDocumentationChecksCatchWhatTheyAreFor(t *testing.T) {
	file := func(text string) map[string]string { return map[string]string{"app/x/x.go": "package x\n\n" + text} }
	sow(t, checkDocs, []seed{
		{"a comment begins with the name", file("// F does.\nfunc F() {}\n"), ""},
		{"a comment is there", file("func F() {}\n"), "F has no comment"},
		{"a comment begins with nothing else", file("// This does.\nfunc F() {}\n"), "F has no comment"},
		{"a method of an exported type", file("// T is.\ntype T int\n\nfunc (*T) M() {}\n"), "M has no comment"},
		{"a method of a generic type", file("// T is.\ntype T[A any] struct{}\n\nfunc (T[A]) M() {}\n"), "M has no comment"},
		{"a method that nobody sees", file("type t int\n\nfunc (t) M() {}\n"), ""},
		{"a type in a group", file("type (\n\t// A is.\n\tA int\n\n\tB int\n)\n"), "B has no comment"},
		{"a group of constants", file("// The letters.\nconst (\n\tA = 1\n\tB = 2\n)\n"), ""},
		{"a group without a word", file("const (\n\tA = 1 // the first\n\tB = 2\n)\n"), "neither B nor its group"},
		{"a single variable", file("// Something.\nvar E = 1\n"), "E has no comment"},
	})
	one := func(name, text string) map[string]string { return map[string]string{name: text} }
	sow(t, checkPackageComments, []seed{
		{"one comment", one("app/x/x.go", "// Package x is.\npackage x\n"), ""},
		{"no comment", one("app/x/x.go", "package x\n"), "app/x has 0 package comments"},
		{"two comments", map[string]string{"app/x/x.go": "// Package x is.\npackage x\n", "app/x/y.go": "// Package x does.\npackage x\n"}, "has 2"},
		{"another comment", one("app/x/x.go", "// Something else.\npackage x\n"), "does not begin with"},
		{"a command says what it does", one("cmd/x/x.go", "// Countersign asks.\npackage main\n"), ""},
		{"tests need none", one("app/x/x_test.go", "package x\n"), ""},
	})
}
