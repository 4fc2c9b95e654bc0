package configfile

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// item is the field for the items of a list or a map: limits were about the
// number of items, the rest is about each.
func (f field) item() field {
	f.min, f.max = limit{}, limit{}
	return f
}

// hidden reports whether values must not be shown.
func hidden(f field, t reflect.Type) bool {
	t = deref(t)
	return f.secret || isText(t) && t.Name() == "Secret"
}

func (d *decoder) inEnum(n *node, f field, path string) bool {
	if slices.Contains(f.enum, n.text) {
		return true
	}
	what := "expected one of " + strings.Join(f.enum, ", ")
	if len(f.enum) == 1 {
		what = "expected " + f.enum[0]
	}
	d.add(n.at, path, what+", got "+strconv.Quote(n.text), DidYouMean(n.text, f.enum))
	return false
}

// checkScalar applies the limits to a number, a duration or text.
func (d *decoder) checkScalar(n *node, v reflect.Value, f field, path string) {
	var x float64
	var is string
	switch {
	case v.Kind() == reflect.String:
		d.checkLength(n, utf8.RuneCountInString(v.String()), f, path, "characters")
		return
	case v.CanInt():
		x, is = float64(v.Int()), n.text
	case v.CanUint():
		x, is = float64(v.Uint()), n.text
	case v.CanFloat():
		x, is = v.Float(), n.text
	default:
		return
	}
	if f.min.text != "" && x < f.min.value {
		d.add(n.at, path, "must be at least "+f.min.text+", is "+is, "")
	}
	if f.max.text != "" && x > f.max.value {
		d.add(n.at, path, "must be at most "+f.max.text+", is "+is, "")
	}
}

// checkLength applies the limits to the length of text, list or map.
func (d *decoder) checkLength(n *node, length int, f field, path, unit string) {
	few := func(l limit) string {
		if l.value == 1 {
			return l.text + " " + map[string]string{"characters": "character", "items": "item", "entries": "entry"}[unit]
		}
		return l.text + " " + unit
	}
	if f.min.text != "" && float64(length) < f.min.value {
		text := "must have at least " + few(f.min)
		if length == 0 {
			text = "must not be empty"
		}
		d.add(n.at, path, text, "")
	}
	if f.max.text != "" && float64(length) > f.max.value {
		d.add(n.at, path, "must have at most "+few(f.max), "")
	}
}

// validate asks everything in v that can validate itself, the innermost first.
func (d *decoder) validate(v reflect.Value, path string) {
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return
		}
		v = v.Elem()
	}
	t := v.Type()
	switch {
	case t == rawType || isScalar(t):
		return
	case t.Kind() == reflect.Slice:
		for i := range v.Len() {
			d.validate(v.Index(i), path+"["+strconv.Itoa(i)+"]")
		}
	case t.Kind() == reflect.Map:
		for _, key := range sortedKeys(v) {
			d.validate(v.MapIndex(key), join(path, key.String()))
		}
	case isStruct(t):
		fields := fieldsOf(t)
		for _, f := range fields {
			if !f.inline {
				d.validate(v.FieldByIndex(f.index), join(path, f.name))
			}
		}
		d.ask(v, path, fields)
	}
}

// ask calls the Validate method, if there is one, on a copy if it has to.
func (d *decoder) ask(v reflect.Value, path string, fields []field) {
	if !v.CanAddr() {
		c := reflect.New(v.Type()).Elem()
		c.Set(v)
		v = c
	}
	checked, ok := reflect.TypeAssert[interface{ Validate() error }](v.Addr())
	if !ok {
		return
	}
	for _, p := range flatten(checked.Validate()) {
		if p.Path == "" {
			p.Path, p.Text = named(p.Text, fields)
		}
		p.Path = join(path, p.Path)
		if p.File == "" {
			at := d.nearest(p.Path)
			p.File, p.Line, p.Column = at.file, at.line, at.column
		}
		if !d.reported(p) {
			d.problems = append(d.problems, p)
		}
	}
}

// named finds the field that a message begins with: plugins know nothing of
// Problem, but write "addr is needed" or "addr: cannot be empty".
func named(text string, fields []field) (path, rest string) {
	word, rest, _ := strings.Cut(text, " ")
	for _, f := range fields {
		if !f.inline && rest != "" && strings.TrimSuffix(word, ":") == f.name {
			return f.name, rest
		}
	}
	return "", text
}

// nearest returns where a path stands, or the smallest section around it that
// is in the file.
func (d *decoder) nearest(path string) origin {
	exact := path
	for path != "" {
		if at, ok := d.found[path]; ok && (path == exact || at.layer == fromFile) {
			return at
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	return origin{}
}

// reported reports whether there is a problem with the same value already, or
// with something in it: what follows from a problem is no news.
func (d *decoder) reported(p Problem) bool {
	if p.Path == "" {
		return slices.Contains(d.problems, p)
	}
	return slices.ContainsFunc(d.problems, func(q Problem) bool {
		return q.Path == p.Path || strings.HasPrefix(q.Path, p.Path+".") || strings.HasPrefix(q.Path, p.Path+"[")
	})
}

func sortedKeys(m reflect.Value) []reflect.Value {
	keys := m.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	return keys
}

// short writes a duration as people do: "5m" and not "5m0s".
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
