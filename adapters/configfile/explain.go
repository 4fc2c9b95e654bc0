package configfile

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// dots stand for a secret.
const dots = "••••"

// Explanation is what there is to know about one value or section.
type Explanation struct {
	Path   string `json:"path"`
	Value  string `json:"value"`         // as one would write it; dots for a secret
	Source string `json:"source"`        // "countersign.yaml:14:3", "environment NAME", "flag --name" or "default"
	Doc    string `json:"doc,omitempty"` // one sentence
}

// Explain tells the value at a path, where it came from, and what it is for.
// Items of lists are written "tenants[0].slug". The keys of a Raw are known
// after its Decode.
func (l *Loaded) Explain(path string) (Explanation, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var e Explanation
	ok := false
	l.walk(func(at string, v reflect.Value, f field) {
		if at == path {
			e = Explanation{Path: path, Value: text(v, f), Source: l.origin(path).String(), Doc: f.doc}
			ok = true
		}
	})
	return e, ok
}

// origin is where the value at a path was given.
func (l *Loaded) origin(path string) origin {
	if at, ok := l.origins[path]; ok {
		return at
	}
	for _, r := range l.roots {
		if rest, ok := strings.CutPrefix(path, r.path); ok && r.base != "" {
			return l.origins[r.base+rest]
		}
	}
	return origin{}
}

// Paths returns the paths of all single values and lists of such, sorted by
// the order of the structs. A map or a list that is empty counts as a value.
func (l *Loaded) Paths() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var paths []string
	l.walk(func(at string, v reflect.Value, _ field) {
		if isLeaf(v) && !slices.Contains(paths, at) {
			paths = append(paths, at)
		}
	})
	return paths
}

// isLeaf reports whether walk finds nothing below v that is worth a path.
func isLeaf(v reflect.Value) bool {
	t := deref(v.Type())
	switch {
	case v.Kind() == reflect.Pointer && v.IsNil(), isScalar(t):
		return true
	case t.Kind() == reflect.Slice:
		return isScalar(deref(t.Elem())) || v.Len() == 0
	case t.Kind() == reflect.Map:
		return v.Len() == 0
	}
	return false
}

// walk visits everything that was read, parts that were decoded later behind
// the whole that they belong to.
func (l *Loaded) walk(visit func(path string, v reflect.Value, f field)) {
	for _, r := range l.roots {
		walk(r.value, field{}, r.path, visit)
	}
}

func walk(v reflect.Value, f field, path string, visit func(string, reflect.Value, field)) {
	for v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	if path != "" {
		visit(path, v, f)
	}
	t := v.Type()
	switch {
	case t.Kind() == reflect.Pointer || t == rawType || isScalar(t):
	case t.Kind() == reflect.Slice:
		if isScalar(deref(t.Elem())) {
			return
		}
		for i := range v.Len() {
			walk(v.Index(i), f.item(), path+"["+strconv.Itoa(i)+"]", visit)
		}
	case t.Kind() == reflect.Map:
		for _, key := range sortedKeys(v) {
			walk(v.MapIndex(key), f.item(), join(path, key.String()), visit)
		}
	case isStruct(t):
		for _, inner := range fieldsOf(t) {
			at := join(path, inner.name)
			if inner.inline {
				walkInline(v.FieldByIndex(inner.index), path, visit)
				continue
			}
			walk(v.FieldByIndex(inner.index), inner, at, visit)
		}
	}
}

func walkInline(v reflect.Value, path string, visit func(string, reflect.Value, field)) {
	for _, key := range sortedKeys(v) {
		visit(join(path, key.String()), v.MapIndex(key), field{})
	}
}

// text writes a value as it could stand in the file, but for the secrets.
func text(v reflect.Value, f field) string {
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return "not set"
		}
		v = v.Elem()
	}
	t := v.Type()
	switch {
	case t == rawType:
		return "known after the plugin was read"
	case isScalar(t):
		return scalarText(v, f)
	case t.Kind() == reflect.Slice:
		items := make([]string, v.Len())
		for i := range items {
			items[i] = text(v.Index(i), f)
		}
		return "[" + strings.Join(items, ", ") + "]"
	case t.Kind() == reflect.Map:
		var pairs []string
		for _, key := range sortedKeys(v) {
			pairs = append(pairs, key.String()+": "+text(v.MapIndex(key), f))
		}
		return "{" + strings.Join(pairs, ", ") + "}"
	case isStruct(t):
		return structText(v, t)
	}
	return ""
}

func structText(v reflect.Value, t reflect.Type) string {
	var pairs []string
	for _, f := range fieldsOf(t) {
		if f.inline {
			for _, key := range sortedKeys(v.FieldByIndex(f.index)) {
				pairs = append(pairs, key.String()+": {…}")
			}
			continue
		}
		pairs = append(pairs, f.name+": "+text(v.FieldByIndex(f.index), f))
	}
	return "{" + strings.Join(pairs, ", ") + "}"
}

func scalarText(v reflect.Value, f field) string {
	switch {
	case hidden(f, v.Type()) && v.IsZero():
		return "not set"
	case hidden(f, v.Type()):
		return dots
	case v.Type() == durationType:
		return short(time.Duration(v.Int()))
	case isText(v.Type()):
		return selfText(v)
	case v.Kind() == reflect.String:
		if v.Len() == 0 || strings.TrimSpace(v.String()) != v.String() || strings.ContainsAny(v.String(), ",:#[]{}\"'\n") {
			return strconv.Quote(v.String())
		}
		return v.String()
	}
	return fmt.Sprint(v.Interface())
}

// selfText asks a value that reads itself from text to write itself.
func selfText(v reflect.Value) string {
	c := reflect.New(v.Type())
	c.Elem().Set(v)
	switch x := c.Interface().(type) {
	case fmt.Stringer:
		return x.String()
	case encoding.TextMarshaler:
		if b, err := x.MarshalText(); err == nil {
			return string(b)
		}
	}
	if v.IsZero() {
		return "not set"
	}
	return "set"
}
