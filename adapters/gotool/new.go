package gotool

import (
	"embed"
	"errors"
	"fmt"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

//go:embed template
var templates embed.FS

// Kind is what sort of plugin is written.
type Kind string

// The kinds.
const (
	Sender  Kind = "sender"  // delivers codes that the core makes
	Channel Kind = "channel" // asks and judges by itself
)

// Plan says which plugin is to be written.
type Plan struct {
	Name     string // "acme_sms" or "acme-sms"
	Dir      string // where to
	Kind     Kind
	Checkout string // absolute path of our sources
	Path     string // of its module; example.com and the package if empty
}

// Names of plugins, and what follows from them.
var nameShape = regexp.MustCompile(`^[a-z][a-z0-9]*([_-][a-z0-9]+)*$`)

// longest is how many characters a type may have: the kit's rule.
const longest = 31

// CheckName says what is wrong with a plugin's name.
func CheckName(name string) error {
	pkg := packageOf(name)
	switch {
	case !nameShape.MatchString(name):
		return fmt.Errorf("%q is no name for a plugin: use lower-case letters, digits and single _ or - between them, such as acme_sms", name)
	case len(name) < 2 || len(name) > longest:
		return fmt.Errorf("%q is no name for a plugin: use 2 to %d characters", name, longest)
	case token.IsKeyword(pkg) || taken(pkg):
		return fmt.Errorf("%q is no name for a plugin: the package would be called %s, which means something else in Go", name, pkg)
	}
	return nil
}

// taken reports whether a package of this name would hide one that its files
// import, or could not be imported.
func taken(pkg string) bool {
	switch pkg {
	case "main", "app", "channel", "channeltest", "provider", "context", "errors", "http", "httptest", "testing", "string", "byte", "error", "nil", "any", "internal", "vendor", "testdata":
		return true
	}
	return false
}

func packageOf(name string) string { return strings.NewReplacer("_", "", "-", "").Replace(name) }

// TypeOf is the type that a plugin of this name has in configurations.
func TypeOf(name string) string { return strings.ReplaceAll(name, "-", "_") }

// words are what stands in templates as {{.Type}} and the like.
type words struct {
	Module, Import, Package, Type, Title, Go, Requires, Checkout string
}

// fill puts the words in. It is no template language: that would keep every
// method of the binary from being dropped by the linker.
func (w words) fill(text []byte) []byte {
	return []byte(strings.NewReplacer(
		"{{.Module}}", w.Module, "{{.Import}}", w.Import, "{{.Package}}", w.Package, "{{.Type}}", w.Type, "{{.Title}}", w.Title,
		"{{.Go}}", w.Go, "{{.Requires}}", w.Requires, "{{.Checkout}}", w.Checkout,
	).Replace(string(text)))
}

// ErrExists means that a file which would be written is there already. Nothing
// was written then.
var ErrExists = errors.New("nothing is overwritten")

// New writes a module with a plugin in it, which compiles and passes the kit as
// it is, and returns its files in the order of their names. CheckName has to be
// asked first.
func New(p Plan) ([]string, error) {
	w, sums, err := p.words()
	if err != nil {
		return nil, err
	}
	files, err := p.render(w)
	if err != nil {
		return nil, err
	}
	files = append(files, file{"go.sum", sums})
	for _, f := range files {
		if _, err := os.Lstat(filepath.Join(p.Dir, f.name)); !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s is there already: %w", filepath.Join(p.Dir, f.name), ErrExists)
		}
	}
	var names []string
	for _, f := range files {
		if err := f.write(p.Dir); err != nil {
			return names, fmt.Errorf("write %s: %w", f.name, err)
		}
		names = append(names, filepath.Join(p.Dir, f.name))
	}
	return names, nil
}

// words reads from our own module what another must have to be built with it
// without asking anybody.
func (p Plan) words() (words, []byte, error) {
	w := words{Module: p.Path, Package: packageOf(p.Name), Type: TypeOf(p.Name), Checkout: p.Checkout}
	if w.Module == "" {
		w.Module = "example.com/" + w.Package
	}
	w.Import = strconv.Quote(w.Module)
	if path.Base(w.Module) != w.Package {
		w.Import = w.Package + " " + w.Import
	}
	title := strings.NewReplacer("_", " ", "-", " ").Replace(p.Name)
	w.Title = strings.ToUpper(title[:1]) + title[1:]
	inside := false
	for line := range modLines(p.Checkout) {
		switch {
		case line == ")":
			inside = false
		case strings.HasPrefix(line, "require ("):
			inside = true
		case inside && line != "":
			w.Requires += "\t" + line + " // indirect\n"
		case strings.HasPrefix(line, "go "):
			w.Go = line
		}
	}
	sums, err := os.ReadFile(filepath.Join(p.Checkout, "go.sum"))
	if err != nil {
		return w, nil, fmt.Errorf("read the checkout: %w", err)
	}
	return w, sums, nil
}

type file struct {
	name string
	text []byte
}

// render fills the templates of one kind and those of both.
func (p Plan) render(w words) (files []file, err error) {
	for _, dir := range []string{path.Join("template", "both"), path.Join("template", string(p.Kind))} {
		entries, err := templates.ReadDir(dir)
		if err != nil {
			return nil, fmt.Errorf("there is no such kind of plugin as %q: %w", p.Kind, err)
		}
		for _, e := range entries {
			text, err := templates.ReadFile(path.Join(dir, e.Name()))
			if err != nil {
				return nil, fmt.Errorf("read a template: %w", err)
			}
			files = append(files, file{w.place(e.Name()), w.fill(text)})
		}
	}
	return files, nil
}

// place is where the file of a template goes.
func (w words) place(name string) string {
	switch name = strings.TrimSuffix(name, ".tmpl"); name {
	case "plugin.go":
		return w.Package + ".go"
	case "plugin_test.go":
		return w.Package + "_test.go"
	case "main.go":
		return filepath.Join("cmd", w.Package, "main.go")
	case "gitignore":
		return ".gitignore"
	}
	return name
}

// write makes the file, and the folders that it is in. It overwrites nothing,
// whoever was faster.
func (f file) write(dir string) error {
	at := filepath.Join(dir, f.name)
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil { //nolint:gosec // sources are for everybody
		return err
	}
	out, err := os.OpenFile(at, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644) //nolint:gosec // sources are for everybody
	if err != nil {
		return err
	}
	_, err = out.Write(f.text)
	return errors.Join(err, out.Close())
}
