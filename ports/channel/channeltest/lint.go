package channeltest

import (
	"fmt"
	"go/ast"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// countersign begins the paths of our own packages.
const countersign = "github.com/countersign/countersign/"

// Lint looks at a plugin's sources, and for what should lie beside them: what the
// other checks cannot see. dir is the folder of its package.
func Lint(t *testing.T, dir string) {
	t.Helper()
	found, err := inspect(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "README.md")); err != nil {
		found = append(found, "README.md: there is none; say what the plugin is for and how it is configured")
	}
	for _, f := range found {
		t.Error(f)
	}
}

// inspect looks at the sources.
func inspect(dir string) (found []string, err error) {
	all, err := sourcesIn(dir)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("there are no Go files in %s", dir)
	}
	found = append(found, comments(all)...)
	found = append(found, changing(all)...)
	for _, s := range all {
		found = append(found, s.names()...)
		found = append(found, s.borders()...)
		found = append(found, s.strangers()...)
	}
	return found, nil
}

// names wants files, and types of plugins, in snake_case. Keys are the kit's business.
func (s source) names() (found []string) {
	if !snakeCase.MatchString(strings.TrimSuffix(s.name, ".go")) {
		found = append(found, s.name+": files are named in snake_case")
	}
	ast.Inspect(s.file, func(n ast.Node) bool {
		lit, ok := n.(*ast.CompositeLit)
		if !ok {
			return true
		}
		if sel, ok := lit.Type.(*ast.SelectorExpr); !ok || sel.Sel.Name != "Descriptor" {
			return true
		}
		for _, e := range lit.Elts {
			kv, ok := e.(*ast.KeyValueExpr)
			if !ok {
				continue
			}
			key, _ := kv.Key.(*ast.Ident)
			value, _ := kv.Value.(*ast.BasicLit)
			if key != nil && value != nil && key.Name == "Type" && !snakeCase.MatchString(strings.Trim(value.Value, "`\"")) {
				found = append(found, fmt.Sprintf("%s: the type %s is not in snake_case", s.at(value), value.Value))
			}
		}
		return true
	})
	return found
}

// comments wants one comment on the package.
func comments(all []source) []string {
	n, want := 0, "Package "+all[0].file.Name.Name+" "
	for _, s := range all {
		if s.file.Doc == nil {
			continue
		}
		if n++; !strings.HasPrefix(s.file.Doc.Text(), want) {
			return []string{fmt.Sprintf("%s: the package comment does not begin with %q", s.name, want)}
		}
	}
	if n != 1 {
		return []string{fmt.Sprintf("the package has %d comments, not one that begins with %q", n, want)}
	}
	return nil
}

// borders finds where the world comes in by another way than channel.Env.
func (s source) borders() (found []string) {
	for _, f := range s.functions() {
		if f.Recv == nil && f.Name.Name == "init" {
			found = append(found, s.at(f)+": func init: plugins are values that main lists")
		}
	}
	for _, b := range []struct {
		imported, why string
		names         []string
	}{
		{"time", "take Env.Now", []string{"Now", "Since", "Until"}},
		{"time", "do not wait; the core repeats and counts", []string{"Sleep", "Tick", "After"}},
		{"crypto/rand", "take Env.Random", []string{"Reader", "Read", "Int", "Text", "Prime"}},
		{"net/http", "take Env.HTTP", []string{"DefaultClient", "DefaultTransport", "Get", "Head", "Post", "PostForm"}},
		{"os", "take it from the configuration", []string{"Getenv", "LookupEnv", "Environ", "ExpandEnv"}},
		{"os", "return an error", []string{"Exit"}},
		{"fmt", "take Env.Log, or return it", []string{"Print", "Printf", "Println"}},
		{"log/slog", "take Env.Log", []string{"Default", "Debug", "Info", "Warn", "Error", "Log"}},
	} {
		for _, use := range s.uses(b.imported, b.names...) {
			found = append(found, use+": "+b.why)
		}
	}
	return found
}

// strangers finds imports that a plugin has no business with.
func (s source) strangers() (found []string) {
	for name, imported := range s.imports() {
		rest, own := strings.CutPrefix(imported, countersign)
		switch {
		case imported == "log", strings.HasPrefix(imported, "math/rand"):
			found = append(found, fmt.Sprintf("%s imports %s: take it from channel.Env", s.name, imported))
		case imported == "testing", own && strings.HasSuffix(rest, "/channeltest"):
			found = append(found, fmt.Sprintf("%s imports %s, which is for tests", s.name, imported))
		case own && !mayKnow(rest):
			found = append(found, fmt.Sprintf("%s imports %s: of Countersign a plugin knows ports/channel and nothing else", s.name, imported))
		case strings.HasPrefix(name, "."):
			found = append(found, s.name+": a dot import hides where names come from")
		}
	}
	slices.Sort(found)
	return found
}

// mayKnow reports whether a package of ours is there for plugins.
func mayKnow(pkg string) bool {
	return pkg == "ports/channel" || strings.HasPrefix(pkg, "ports/channel/") || pkg == "ports/signature" || pkg == "plugins/federation"
}

// changing finds variables of the package that a function changes, or that exist
// to be changed. It goes by names: a local variable of the same name hides one.
func changing(all []source) (found []string) {
	globals := map[string]bool{}
	for _, s := range all {
		for _, v := range s.globals() {
			for _, name := range v.Names {
				globals[name.Name] = name.Name != "_"
			}
			if sel, ok := v.Type.(*ast.SelectorExpr); ok {
				if of, ok := sel.X.(*ast.Ident); ok && (of.Name == "sync" || of.Name == "atomic") {
					found = append(found, fmt.Sprintf("%s: %s is a global that changes: keep it in what you open", s.at(v), v.Names[0].Name))
				}
			}
		}
	}
	for _, s := range all {
		for _, f := range s.functions() {
			found = append(found, s.changes(f, globals)...)
		}
	}
	return found
}

func (s source) changes(f *ast.FuncDecl, globals map[string]bool) (found []string) {
	local := map[string]bool{}
	var targets []ast.Expr
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Field:
			for _, name := range n.Names {
				local[name.Name] = true
			}
		case *ast.ValueSpec:
			for _, name := range n.Names {
				local[name.Name] = true
			}
		case *ast.AssignStmt:
			for _, left := range n.Lhs {
				if name, ok := left.(*ast.Ident); ok && n.Tok == token.DEFINE {
					local[name.Name] = true
					continue
				}
				targets = append(targets, left)
			}
		case *ast.RangeStmt:
			if key, ok := n.Key.(*ast.Ident); ok && n.Tok == token.DEFINE {
				local[key.Name] = true
			}
			if value, ok := n.Value.(*ast.Ident); ok && n.Tok == token.DEFINE {
				local[value.Name] = true
			}
		case *ast.IncDecStmt:
			targets = append(targets, n.X)
		case *ast.CallExpr:
			if name, ok := n.Fun.(*ast.Ident); ok && (name.Name == "delete" || name.Name == "clear") && len(n.Args) > 0 {
				targets = append(targets, n.Args[0])
			}
		}
		return true
	})
	for _, x := range targets {
		if name := rootOf(x); name != "" && globals[name] && !local[name] {
			found = append(found, fmt.Sprintf("%s: %s is a global that changes: keep it in what you open", s.at(x), name))
		}
	}
	return found
}

// rootOf is the variable that an expression is a part of.
func rootOf(x ast.Expr) string {
	for {
		switch y := x.(type) {
		case *ast.Ident:
			return y.Name
		case *ast.IndexExpr:
			x = y.X
		case *ast.SelectorExpr:
			x = y.X
		case *ast.StarExpr:
			x = y.X
		case *ast.ParenExpr:
			x = y.X
		default:
			return ""
		}
	}
}
