package templates

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	htmltemplate "github.com/DataDog/datadog-agent/pkg/template/html"
	texttemplate "github.com/DataDog/datadog-agent/pkg/template/text"
	"golang.org/x/text/language"

	"github.com/countersign/countersign/ports/message"
)

//go:embed shipped
var shipped embed.FS

// layout is one kind and form, ready to render.
type layout struct {
	file string // where it came from, for complaints
	text *texttemplate.Template
	html *htmltemplate.Template // e-mail only
}

// layouts names what has to be there. Each has a .txt file, e-mail an .html beside it.
func layouts() []layoutKey {
	all := []layoutKey{
		{message.Code, message.Email}, {message.Code, message.SMS},
		{message.Code, message.Chat}, {message.Code, message.Voice},
	}
	for _, kind := range message.Notices() {
		all = append(all, layoutKey{kind, message.Email}, layoutKey{kind, message.SMS}, layoutKey{kind, message.Chat})
	}
	return all
}

func (k layoutKey) file(extension string) string {
	return string(k.kind) + "." + string(k.form) + extension
}

// shared is the layout that stands in where a notice has none of its own.
func (k layoutKey) shared() layoutKey {
	if k.kind != message.Code {
		k.kind = anyNotice
	}
	return k
}

// among reports whether the name is that of a file for this layout.
func (k layoutKey) among(name string) bool {
	return name == k.file(".txt") || k.form == message.Email && name == k.file(".html")
}

// loader reads both sets and collects what is wrong with them.
type loader struct {
	files    map[string]string // by path; those of the overlay begin with "overlay/", ours with "shipped/"
	folder   string            // what the operator calls the overlay
	texts    map[string]*texttemplate.Template
	htmls    map[string]*htmltemplate.Template
	problems Problems
	said     map[string]bool
}

const overlayPrefix = "overlay/"

func newLoader(o Options) *loader {
	l := &loader{
		files: map[string]string{}, folder: o.Folder, said: map[string]bool{},
		texts: map[string]*texttemplate.Template{}, htmls: map[string]*htmltemplate.Template{},
	}
	l.read(shipped, "shipped", "")
	if o.Overlay != nil {
		l.read(o.Overlay, ".", overlayPrefix)
	}
	return l
}

// known complains of files for tenants that there are not.
func (l *loader) known(tenants []string) {
	for _, slug := range l.tenants() {
		if slug != "" && tenants != nil && !slices.Contains(tenants, slug) {
			l.complain(overlayPrefix+"tenants/"+slug, errors.New("there is no such tenant"))
		}
	}
}

func (l *loader) read(from fs.FS, root, prefix string) {
	err := fs.WalkDir(from, root, func(name string, d fs.DirEntry, err error) error {
		hidden := name != root && strings.HasPrefix(d.Name(), ".")
		switch {
		case err != nil:
			return err
		case d.IsDir() && hidden:
			return fs.SkipDir
		case d.IsDir(), hidden, strings.HasPrefix(d.Name(), "README"):
			return nil
		}
		raw, err := fs.ReadFile(from, name)
		if err != nil {
			return err
		}
		if err := placed(strings.TrimPrefix(name, "shipped/")); err != nil {
			l.complain(prefix+name, err)
			return nil
		}
		l.files[prefix+name] = strings.ReplaceAll(string(raw), "\r\n", "\n")
		return nil
	})
	l.complain("message templates", err)
}

// placed reports a file that nothing would ever read, most likely a misspelled name.
func placed(name string) error {
	parts := strings.Split(name, "/")
	if parts[0] == "tenants" && len(parts) > 2 {
		parts = parts[2:]
	}
	last := parts[len(parts)-1]
	known := last == wordsFile && len(parts) == 2
	for _, key := range layouts() {
		known = known || key.among(last) || key.shared().among(last)
	}
	if !known || len(parts) > 2 {
		return errors.New("is not the name of a template")
	}
	if len(parts) == 2 {
		if tag, err := language.Parse(parts[0]); err != nil || tag.String() != parts[0] {
			return fmt.Errorf("%q is not a locale in its usual spelling", parts[0])
		}
	}
	return nil
}

// locales lists those that have sentences for everybody.
func (l *loader) locales() []string {
	found := map[string]bool{}
	for name := range l.files {
		if parts := strings.Split(name, "/"); len(parts) == 3 && parts[2] == wordsFile {
			found[parts[1]] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// tenants lists those that have files, and "" for everybody else.
func (l *loader) tenants() []string {
	found := map[string]bool{"": true}
	for name := range l.files {
		if rest, ok := strings.CutPrefix(name, "overlay/tenants/"); ok {
			slug, _, _ := strings.Cut(rest, "/")
			found[slug] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// places lists the folders to look in, the most particular first.
func places(tenant, locale string) []string {
	folders := []string{"overlay/" + locale, "overlay", "shipped/" + locale, "shipped"}
	if tenant == "" {
		return folders
	}
	own := path.Join("overlay/tenants", tenant)
	return append([]string{path.Join(own, locale), own}, folders...)
}

func (l *loader) find(tenant, locale string, key layoutKey, extension string) (file string, found bool) {
	for _, name := range []string{key.file(extension), key.shared().file(extension)} {
		for _, folder := range places(tenant, locale) {
			if _, ok := l.files[folder+"/"+name]; ok {
				return folder + "/" + name, true
			}
		}
	}
	return "shipped/" + key.shared().file(extension), false
}

func (l *loader) bundle(tenant, locale string, tag language.Tag) *bundle {
	b := &bundle{
		tenant: tenant, locale: locale, dir: direction(tag), layouts: map[layoutKey]layout{},
		words: words{tag: tag, texts: map[string]map[string]phrase{}},
	}
	l.gather(b)
	for _, key := range layouts() {
		if lay, ok := l.layout(tenant, locale, key); ok {
			b.layouts[key] = lay
		}
	}
	return b
}

// gather merges the sentences of a bundle.
func (l *loader) gather(b *bundle) {
	folders := places(b.tenant, b.locale)
	slices.Reverse(folders)
	for _, folder := range folders {
		file := folder + "/" + wordsFile
		if raw, ok := l.files[file]; ok {
			l.complain(file, b.words.merge([]byte(raw)))
		}
	}
	if missing := b.words.missing(); len(missing) > 0 {
		l.complain(b.locale+"/"+wordsFile, fmt.Errorf("lacks %s", strings.Join(missing, ", ")))
	}
}

// layout parses the files of one kind and form, each file once.
func (l *loader) layout(tenant, locale string, key layoutKey) (layout, bool) {
	file, found := l.find(tenant, locale, key, ".txt")
	if !found {
		l.complain(file, fs.ErrNotExist)
		return layout{}, false
	}
	lay := layout{file: file, text: l.texts[file]}
	if lay.text == nil {
		parsed, err := texttemplate.New(path.Base(file)).Parse(l.files[file])
		if err != nil {
			l.complain(file, err)
			return layout{}, false
		}
		lay.text, l.texts[file] = parsed, parsed
	}
	if key.form != message.Email {
		return lay, true
	}
	page, found := l.find(tenant, locale, key, ".html")
	if !found {
		l.complain(page, fs.ErrNotExist)
		return layout{}, false
	}
	lay.html = l.htmls[page]
	if lay.html == nil {
		parsed, err := htmltemplate.New(path.Base(page)).Parse(l.files[page])
		if err != nil {
			l.complain(page, err)
			return layout{}, false
		}
		lay.html, l.htmls[page] = parsed, parsed
	}
	lay.file = file + ", " + page
	return lay, true
}
