// Package configfile reads a YAML configuration strictly into a tree of Go
// structs, and lets the environment and flags override any value of it. It
// knows nothing of what the structs mean: names, rules and documentation come
// from their tags.
//
// The tags are:
//
//	yaml:"name" or json:"name"  the key; without one, the name in snake_case
//	yaml:",inline"              a map[string]Raw that takes the keys nobody else takes, or a struct whose keys are the parent's
//	min:"1" max:"64"            limits of a number, of a duration, or of the length of text, list or map
//	schema:"policy"             on a Raw: its keys are those of the field of that name at the top, for the schema
//	enum:"off,on"               the only values, also of the items of a list
//	secret:"file"               never shown; the key with _file behind it names a file that holds it
//	doc:"..."                   one sentence, for explain and for the schema
//
// A struct may have a method Validate() error; see Problem. A struct that is
// made for an item of a list or a map may have a method SetDefaults().
package configfile

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"sync"
)

// Source is everything a configuration is read from.
type Source struct {
	File      string            // name of the file, for messages and for relative names of secret files
	Data      []byte            // content of the file, at most 1 MiB; empty is valid
	Environ   []string          // "NAME=value", as os.Environ gives it
	Prefix    string            // variables that start so are ours: "COUNTERSIGN_"; empty ignores the environment
	IgnoreEnv []string          // variables that are ours but no configuration; a trailing * stands for anything
	Flags     map[string]string // path to value: "database.url"
	FlagNames map[string]string // path to name, where the flag is not called as its path: "database.url" to "database"
	Parts     []string          // likely names of inline keys (plugin types), to split names of variables with
	// StrictFiles refuses secret files that everybody on the machine may read.
	StrictFiles bool
}

// maxSize is how many bytes of configuration are read.
const maxSize = 1 << 20

// Load reads src into the struct that into points to, which holds the
// defaults. Flags win over the environment, the environment over the file, the
// file over the defaults. Lists are replaced, sections and maps are merged.
//
// What is wrong with the configuration comes back all at once, as Problems;
// another error means that the struct itself cannot be used. After an error
// the struct is in no defined state.
func Load(into any, src Source) (*Loaded, error) {
	v, err := target(into)
	if err != nil {
		return nil, err
	}
	src.File = cmp.Or(src.File, "configuration")
	p := &parser{file: src.File}
	tree := p.parse(src.Data)
	l := &Loaded{
		origins: map[string]origin{},
		file:    src.File,
		parts:   src.Parts,
		strict:  src.StrictFiles,
	}
	d := &decoder{Loaded: l, problems: p.problems}
	if tree != nil {
		o := &overlay{typ: v.Type(), root: tree, parts: src.Parts}
		o.applyAll(src.overrides())
		d.problems = append(d.problems, o.problems...)
		d.run(tree, v, "", "")
	}
	if err := d.problems.orNil(); err != nil {
		return nil, err
	}
	return l, nil
}

// target returns the struct that into leads to, if its type can be used.
func target(into any) (reflect.Value, error) {
	v := reflect.ValueOf(into)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		return v, fmt.Errorf("read configuration into %T: need a pointer to a struct", into)
	}
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct {
		return v, fmt.Errorf("read configuration into %T: need a pointer to a struct", into)
	}
	if err := checkType(v.Type(), map[reflect.Type]bool{}); err != nil {
		return v, fmt.Errorf("read configuration into %T: %w", into, err)
	}
	return v, nil
}

// Loaded knows where each value of a configuration came from. It may be used
// by several goroutines at once, as long as nobody changes the configuration.
type Loaded struct {
	mu      sync.Mutex
	origins map[string]origin
	roots   []root
	file    string
	parts   []string
	strict  bool
}

// String tells nothing, as the configuration holds secrets.
func (l *Loaded) String() string { return "configuration from " + l.file }

// GoString is String, for %#v.
func (l *Loaded) GoString() string { return l.String() }

// root is a struct that was filled, and its place in the whole.
type root struct {
	path  string
	base  string // where values come from that the part does not give; see Raw.Over
	value reflect.Value
}

// remember keeps what a decoder learnt.
func (l *Loaded) remember(part root, origins map[string]origin) {
	l.mu.Lock()
	defer l.mu.Unlock()
	maps.Copy(l.origins, origins)
	for i := range l.roots {
		if l.roots[i].path == part.path {
			l.roots[i] = part
			return
		}
	}
	l.roots = append(l.roots, part)
}
