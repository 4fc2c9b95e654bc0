package configfile

import (
	"reflect"
	"strconv"
	"strings"
)

// decoder fills a struct from nodes and collects what is wrong.
type decoder struct {
	*Loaded
	problems Problems
	found    map[string]origin // where each path stands, once it was met
}

// run fills a struct, checks it, and remembers where everything came from.
func (d *decoder) run(n *node, v reflect.Value, path, base string) {
	d.found = map[string]origin{}
	if n.key.file != "" {
		d.found[path] = n.key
	}
	d.section(n, v, path)
	d.validate(v, path)
	d.remember(root{path, base, v}, d.found)
}

func (d *decoder) add(at origin, path, text, hint string) {
	d.problems = append(d.problems, at.problem(path, text, hint))
}

func (d *decoder) expected(n *node, path, what, hint string) {
	d.add(n.at, path, "expected "+what+", got "+n.describe(), hint)
}

// value fills v, under the rules of the field that v is in or an item of.
func (d *decoder) value(n *node, v reflect.Value, f field, path string) {
	d.found[path] = n.key
	if v.Kind() == reflect.Pointer {
		d.pointer(n, v, f, path)
		return
	}
	t := v.Type()
	switch {
	case t == rawType:
		v.Set(reflect.ValueOf(Raw{node: n, path: path, owner: d.Loaded}))
	case isScalar(t):
		d.scalar(n, v, f, path)
	case t.Kind() == reflect.Slice:
		d.list(n, v, f, path)
	case t.Kind() == reflect.Map:
		d.mapping(n, v, f, path)
	default:
		d.section(n, v, path)
	}
}

// pointer fills what a pointer leads to. The default behind it is copied, as
// it may be shared. A section without content leaves the pointer as it is.
func (d *decoder) pointer(n *node, v reflect.Value, f field, path string) {
	if n.kind == nothing && !isScalar(deref(v.Type())) {
		return
	}
	fresh := reflect.New(v.Type().Elem())
	if v.IsNil() {
		setDefaults(fresh)
	} else {
		fresh.Elem().Set(v.Elem())
	}
	d.value(n, fresh.Elem(), f, path)
	v.Set(fresh)
}

// setDefaults asks a new item for its defaults.
func setDefaults(pointer reflect.Value) {
	if s, ok := reflect.TypeAssert[interface{ SetDefaults() }](pointer); ok {
		s.SetDefaults()
	}
}

// section fills a struct.
func (d *decoder) section(n *node, v reflect.Value, path string) {
	if n.kind == nothing {
		return
	}
	if n.kind != section {
		d.expected(n, path, "a section of names and values", "")
		return
	}
	fields := fieldsOf(v.Type())
	var rest *field
	for i, f := range fields {
		if f.inline {
			rest = &fields[i]
		}
	}
	for _, e := range n.entries {
		f, isFile, ok := lookup(fields, e.key)
		switch {
		case ok && isFile:
			d.secretFile(n, e.value, v.FieldByIndex(f.index), f, path)
		case ok:
			d.value(e.value, v.FieldByIndex(f.index), f, join(path, f.name))
		case rest != nil:
			d.inline(e, v.FieldByIndex(rest.index), path)
		default:
			d.add(e.value.key, path, "unknown key "+strconv.Quote(e.key), unknownHint(e.key, fields))
		}
	}
}

// lookup finds the field that takes a key, and whether the key names the file
// of a secret.
func lookup(fields []field, key string) (f field, isFile, ok bool) {
	for _, f := range fields {
		if !f.inline && f.name == key {
			return f, false, true
		}
	}
	for _, f := range fields {
		if f.secret && f.name+fileSuffix == key {
			return f, true, true
		}
	}
	return field{}, false, false
}

// unknownHint says which key was probably meant, or in which of the sections
// below the key would be known.
func unknownHint(key string, fields []field) string {
	var names []string
	for _, f := range fields {
		if f.inline {
			continue
		}
		names = append(names, f.name)
		if f.secret {
			names = append(names, f.name+fileSuffix)
		}
	}
	if hint := DidYouMean(key, names); hint != "" {
		return hint
	}
	for _, f := range fields {
		if t := deref(f.typ); isStruct(t) {
			if _, _, ok := lookup(fieldsOf(t), key); ok {
				return "It belongs into the section " + strconv.Quote(f.name) + "."
			}
		}
	}
	return ""
}

// inline puts a key aside for whoever knows what it means.
func (d *decoder) inline(e entry, v reflect.Value, path string) {
	if v.IsNil() {
		v.Set(reflect.MakeMap(v.Type()))
	}
	path = join(path, e.key)
	d.found[path] = e.value.key
	v.SetMapIndex(reflect.ValueOf(e.key), reflect.ValueOf(Raw{node: e.value, path: path, owner: d.Loaded}))
}

// list fills a slice. It replaces the default.
func (d *decoder) list(n *node, v reflect.Value, f field, path string) {
	items := n.items
	switch {
	case n.kind == list:
	case n.kind == scalar && n.tag == "" && isScalar(deref(v.Type().Elem())):
		items = split(n)
	case n.kind == nothing:
		d.expected(n, path, "a list", "Write [] for an empty one, or remove the key.")
		return
	default:
		d.expected(n, path, "a list", "")
		return
	}
	out := reflect.MakeSlice(v.Type(), len(items), len(items))
	for i, item := range items {
		setDefaults(out.Index(i).Addr())
		d.value(item, out.Index(i), f.item(), path+"["+strconv.Itoa(i)+"]")
	}
	v.Set(out)
	d.checkLength(n, len(items), f, path, "items")
}

// split makes a list of comma-separated text.
func split(n *node) []*node {
	if strings.TrimSpace(n.text) == "" {
		return nil
	}
	var items []*node
	for part := range strings.SplitSeq(n.text, ",") {
		items = append(items, &node{kind: scalar, text: strings.TrimSpace(part), at: n.at, key: n.key})
	}
	return items
}

// mapping fills a map. Its default keeps the keys that are not given.
func (d *decoder) mapping(n *node, v reflect.Value, f field, path string) {
	if n.kind == nothing {
		return
	}
	if n.kind != section {
		d.expected(n, path, "a section of names and values", "")
		return
	}
	t := v.Type()
	out := reflect.MakeMap(t)
	for it := v.MapRange(); it.Next(); {
		out.SetMapIndex(it.Key(), it.Value())
	}
	for _, e := range n.entries {
		key := reflect.ValueOf(e.key).Convert(t.Key())
		item := reflect.New(t.Elem())
		if old := out.MapIndex(key); old.IsValid() {
			item.Elem().Set(old)
		} else {
			setDefaults(item)
		}
		d.value(e.value, item.Elem(), f.item(), join(path, e.key))
		out.SetMapIndex(key, item.Elem())
	}
	v.Set(out)
	d.checkLength(n, out.Len(), f, path, "entries")
}

// join makes the path of a key.
func join(path, key string) string {
	if path == "" {
		return key
	}
	if key == "" {
		return path
	}
	return path + "." + key
}
