package httpsender

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// most is how large a recipe may be, in bytes.
const most = 64 << 10

// position is where in a recipe something stands, from 1.
type position struct{ line, column int }

// problem is what is wrong with a recipe, and where.
type problem struct {
	file string
	at   position
	text string
}

// Error is file:line:column and what is wrong.
func (p problem) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", p.file, p.at.line, p.at.column, p.text)
}

// reader is a value that reads itself.
type reader interface {
	read(n *yaml.Node) error
}

// decoder fills structs from YAML, and collects what is wrong.
type decoder struct {
	file     string
	problems []error
}

// readRecipe reads a recipe strictly, and reports every problem with its place.
func readRecipe(file string, content []byte) (*recipe, error) {
	if len(content) > most {
		return nil, fmt.Errorf("%s: larger than %d bytes", file, most)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(content, &doc); err != nil {
		return nil, syntax(file, err)
	}
	if len(doc.Content) != 1 {
		return nil, fmt.Errorf("%s: empty", file)
	}
	d := &decoder{file: file}
	r := &recipe{}
	d.value(doc.Content[0], reflect.ValueOf(r).Elem(), "")
	if len(d.problems) == 0 {
		d.check(r)
	}
	return r, errors.Join(d.problems...)
}

// line is where YAML's reader says that something is wrong.
var line = regexp.MustCompile(`^yaml: line ([0-9]+): (.*)`)

// syntax puts an error about YAML itself into the form of all others. The reader
// knows lines only.
func syntax(file string, err error) error {
	m := line.FindStringSubmatch(err.Error())
	if m == nil {
		return fmt.Errorf("%s:1:1: %w", file, err)
	}
	n, _ := strconv.Atoi(m[1])
	return problem{file, position{n, 1}, m[2]}
}

func (d *decoder) add(at position, format string, args ...any) {
	d.problems = append(d.problems, problem{d.file, at, fmt.Sprintf(format, args...)})
}

func place(n *yaml.Node) position { return position{n.Line, n.Column} }

// value fills v from n. enum lists what a text may be.
func (d *decoder) value(n *yaml.Node, v reflect.Value, enum string) {
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		d.add(place(n), "recipes have no anchors")
		return
	}
	if r, ok := reflect.TypeAssert[reader](v.Addr()); ok {
		if err := r.read(n); err != nil {
			d.add(place(n), "%s", err)
		}
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.value(n, v.Elem(), enum)
	case reflect.Struct:
		d.section(n, v)
	case reflect.Map:
		d.table(n, v, enum)
	case reflect.Slice:
		d.list(n, v, enum)
	default:
		d.scalar(n, v, enum)
	}
}

// pairs walks over a mapping, whose keys are texts and different.
func (d *decoder) pairs(n *yaml.Node, each func(key, value *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		d.add(place(n), "expected keys and values")
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		switch {
		case key.Kind != yaml.ScalarNode || key.Tag == "!!merge":
			d.add(place(key), "expected a key")
		case seen[key.Value]:
			d.add(place(key), "%q is there twice", key.Value)
		default:
			seen[key.Value] = true
			each(key, n.Content[i+1])
		}
	}
}

func (d *decoder) section(n *yaml.Node, v reflect.Value) {
	mark(v, place(n))
	d.pairs(n, func(key, value *yaml.Node) {
		f, ok := field(v.Type(), key.Value)
		if !ok {
			d.add(place(key), "there is no key %q here; there are %s", key.Value, strings.Join(keys(v.Type()), ", "))
			return
		}
		d.value(value, v.FieldByIndex(f.Index), f.Tag.Get("enum"))
	})
}

// mark notes where a section begins.
func mark(v reflect.Value, at position) {
	if f := v.FieldByName("At"); f.IsValid() {
		f.Set(reflect.ValueOf(at))
	}
}

// field finds the field of a key, in what is embedded too.
func field(t reflect.Type, key string) (reflect.StructField, bool) {
	for _, f := range reflect.VisibleFields(t) {
		if key != "" && f.Tag.Get("yaml") == key {
			return f, true
		}
	}
	return reflect.StructField{}, false
}

func keys(t reflect.Type) (list []string) {
	for _, f := range reflect.VisibleFields(t) {
		if key := f.Tag.Get("yaml"); key != "" {
			list = append(list, key)
		}
	}
	return list
}

func (d *decoder) table(n *yaml.Node, v reflect.Value, enum string) {
	v.Set(reflect.MakeMap(v.Type()))
	d.pairs(n, func(key, value *yaml.Node) {
		item := reflect.New(v.Type().Elem()).Elem()
		d.value(value, item, enum)
		v.SetMapIndex(reflect.ValueOf(key.Value), item)
	})
}

func (d *decoder) list(n *yaml.Node, v reflect.Value, enum string) {
	if n.Kind != yaml.SequenceNode {
		d.add(place(n), "expected a list")
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
	for i, item := range n.Content {
		d.value(item, v.Index(i), enum)
	}
}

func (d *decoder) scalar(n *yaml.Node, v reflect.Value, enum string) {
	if n.Kind != yaml.ScalarNode {
		d.add(place(n), "expected a single value")
		return
	}
	if span, ok := reflect.TypeAssert[*time.Duration](v.Addr()); ok {
		parsed, err := time.ParseDuration(n.Value)
		if err != nil || parsed <= 0 {
			d.add(place(n), "expected a time such as 5m")
		}
		*span = parsed
		return
	}
	if err := n.Decode(v.Addr().Interface()); err != nil {
		d.add(place(n), "expected a %s", v.Kind())
		return
	}
	if enum != "" && !slices.Contains(strings.Split(enum, ","), n.Value) {
		d.add(place(n), "%q is none of %s", n.Value, strings.ReplaceAll(enum, ",", ", "))
	}
}
