package channeltest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// source is one Go file.
type source struct {
	name string
	fset *token.FileSet
	file *ast.File
}

// parse reads a file. Its name is as findings tell it.
func parse(name string, text []byte) (source, error) {
	s := source{name: name, fset: token.NewFileSet()}
	var err error
	s.file, err = parser.ParseFile(s.fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
	return s, err
}

// sourcesIn reads the Go files of a folder that are no tests.
func sourcesIn(dir string) ([]source, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	var all []source
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		s, err := parse(filepath.Base(name), text)
		if err != nil {
			return nil, fmt.Errorf("%s cannot be read as Go: %w", name, err)
		}
		all = append(all, s)
	}
	return all, nil
}

// at says where a node is, "sms.go:12".
func (s source) at(n ast.Node) string {
	return s.name + ":" + strconv.Itoa(s.fset.Position(n.Pos()).Line)
}

// imports gives the imported paths by the name under which the file knows them.
func (s source) imports() map[string]string {
	out := map[string]string{}
	for _, i := range s.file.Imports {
		what, _ := strconv.Unquote(i.Path.Value) // the parser has checked it
		name := path.Base(what)
		if n, ok := strings.CutPrefix(name, "v"); ok && n != "" && strings.Trim(n, "0123456789") == "" {
			name = path.Base(path.Dir(what))
		}
		if i.Name != nil {
			name = i.Name.Name
		}
		if name == "_" || name == "." {
			name += what
		}
		out[name] = what
	}
	return out
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
			found = append(found, fmt.Sprintf("%s: %s.%s", s.at(n), path.Base(imported), sel.Sel.Name))
		}
		return true
	})
	return found
}

// functions are the functions and methods of a file.
func (s source) functions() (all []*ast.FuncDecl) {
	for _, d := range s.file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok {
			all = append(all, f)
		}
	}
	return all
}

// globals are the variables of a file that the whole package sees.
func (s source) globals() (all []*ast.ValueSpec) {
	for _, d := range s.file.Decls {
		if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.VAR {
			for _, spec := range g.Specs {
				if v, ok := spec.(*ast.ValueSpec); ok {
					all = append(all, v)
				}
			}
		}
	}
	return all
}
