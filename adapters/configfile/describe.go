package configfile

import (
	"fmt"
	"reflect"
	"strings"
)

// Key is what there is to know about one key before anything is configured.
type Key struct {
	Path    string   `json:"path"` // "retry.wait"; items of lists are "keys[].id", those of maps "keys.*.id"
	Type    string   `json:"type"` // in words: "text", "list of text"
	Default string   `json:"default,omitempty"`
	Enum    []string `json:"enum,omitempty"`
	Min     string   `json:"min,omitempty"`
	Max     string   `json:"max,omitempty"`
	Secret  bool     `json:"secret,omitempty"` // path_file is a key as well
	Doc     string   `json:"doc,omitempty"`
}

// Describe lists the keys of a struct in its order. The defaults are what of
// holds; secrets have none.
func Describe(of any) ([]Key, error) {
	v := reflect.ValueOf(of)
	for v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct {
		return nil, fmt.Errorf("describe %T: need a struct", of)
	}
	if err := checkType(v.Type(), map[reflect.Type]bool{}); err != nil {
		return nil, fmt.Errorf("describe %T: %w", of, err)
	}
	return keysBelow(v, "", map[reflect.Type]bool{}), nil
}

// keysBelow lists the keys of a struct, without those of a struct that holds
// itself.
func keysBelow(v reflect.Value, path string, around map[reflect.Type]bool) (keys []Key) {
	if around[v.Type()] {
		return nil
	}
	around[v.Type()] = true
	defer delete(around, v.Type())
	for _, f := range fieldsOf(v.Type()) {
		if f.inline {
			continue // keys that nobody knows
		}
		value, at := v.FieldByIndex(f.index), join(path, f.name)
		inner, way := deref(f.typ), "."
		for inner.Kind() == reflect.Slice || inner.Kind() == reflect.Map {
			way = strings.TrimSuffix(way, ".") + map[bool]string{true: "[].", false: ".*."}[inner.Kind() == reflect.Slice]
			inner = deref(inner.Elem())
		}
		if isStruct(inner) {
			below := reflect.New(inner).Elem()
			if value.Kind() == reflect.Struct {
				below = value
			}
			keys = append(keys, keysBelow(below, at+strings.TrimSuffix(way, "."), around)...)
			continue
		}
		keys = append(keys, f.key(at, value))
	}
	return keys
}

// key describes a field that holds no keys.
func (f field) key(path string, v reflect.Value) Key {
	k := Key{Path: path, Type: typeInWords(f.typ), Enum: f.enum, Min: f.min.text, Max: f.max.text, Secret: hidden(f, f.typ), Doc: f.doc}
	if !k.Secret && !v.IsZero() {
		k.Default = text(v, f)
	}
	return k
}

// typeInWords names what a type takes, without the examples that errors give.
func typeInWords(t reflect.Type) string {
	switch t = deref(t); t.Kind() {
	case reflect.Slice:
		if !isText(t) {
			return "list of " + typeInWords(t.Elem())
		}
	case reflect.Map:
		return "table of " + typeInWords(t.Elem())
	}
	if t == rawType {
		return "anything"
	}
	words, _, _ := strings.Cut(expectation(t), " such as ")
	return strings.TrimPrefix(words, "a ")
}
