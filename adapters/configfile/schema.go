package configfile

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// Docs are descriptions that go before those of the doc tags. The key is a path
// ("channels.*.use", with a star for any key or item) or "Type.Field".
type Docs map[string]string

// durationPattern matches the durations that Load takes.
const durationPattern = `^\+?(0|([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))*)$`

// schema is the part of JSON Schema 2020-12 that we use.
type schema struct {
	Dialect       string             `json:"$schema,omitempty"`
	Description   string             `json:"description,omitempty"`
	Type          string             `json:"type,omitempty"`
	Enum          []string           `json:"enum,omitempty"`
	Default       json.RawMessage    `json:"default,omitempty"`
	Pattern       string             `json:"pattern,omitempty"`
	Minimum       json.Number        `json:"minimum,omitempty"`
	Maximum       json.Number        `json:"maximum,omitempty"`
	MinLength     json.Number        `json:"minLength,omitempty"`
	MaxLength     json.Number        `json:"maxLength,omitempty"`
	MinItems      json.Number        `json:"minItems,omitempty"`
	MaxItems      json.Number        `json:"maxItems,omitempty"`
	MinProperties json.Number        `json:"minProperties,omitempty"`
	MaxProperties json.Number        `json:"maxProperties,omitempty"`
	Items         *schema            `json:"items,omitempty"`
	Properties    map[string]*schema `json:"properties,omitempty"`
	Additional    json.RawMessage    `json:"additionalProperties,omitempty"`
}

// Schema describes the files that Load takes for a struct, as JSON Schema
// 2020-12. The defaults are what of holds; secrets have none. What a Raw holds
// is left open.
func Schema(of any, docs Docs) ([]byte, error) { return SchemaWith(of, docs, nil) }

// SchemaWith is Schema for a struct with inline keys, when all of them are
// known: parts gives the struct, filled with defaults, for each key.
func SchemaWith(of any, docs Docs, parts map[string]any) ([]byte, error) {
	v := reflect.ValueOf(of)
	for v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct {
		return nil, fmt.Errorf("describe %T: need a struct", of)
	}
	d := describer{docs: docs, parts: parts, open: map[reflect.Type]bool{}}
	s, err := d.root(v)
	if err != nil {
		return nil, fmt.Errorf("describe %T: %w", of, err)
	}
	s.Dialect = "https://json-schema.org/draft/2020-12/schema"
	return json.MarshalIndent(s, "", "  ")
}

type describer struct {
	docs  Docs
	parts map[string]any
	top   reflect.Value
	bare  bool                  // without defaults: they are inherited
	open  map[reflect.Type]bool // structs around the current one
}

func (d *describer) root(v reflect.Value) (*schema, error) {
	if err := checkType(v.Type(), map[reflect.Type]bool{}); err != nil {
		return nil, err
	}
	d.top = v
	return d.describe(v, field{}, "")
}

// describe makes the schema of a value under the rules of a field.
func (d *describer) describe(v reflect.Value, f field, path string) (*schema, error) {
	for v.Kind() == reflect.Pointer {
		inner := reflect.New(v.Type().Elem())
		if v.IsNil() {
			setDefaults(inner)
			f.secret = f.secret || !isStruct(inner.Elem().Type()) // no default
		} else {
			inner = v
		}
		v = inner.Elem()
	}
	s := &schema{Description: d.doc(f, path)}
	t := v.Type()
	switch {
	case t == rawType && f.schema != "":
		return d.like(s, f, path)
	case t == rawType:
		return s, nil
	case isScalar(t):
		return d.scalar(s, v, f), nil
	case t.Kind() == reflect.Slice:
		s.Type, s.MinItems, s.MaxItems = "array", number(f.min), number(f.max)
		s.Default = d.defaultOf(v, f)
		items, err := d.fresh(t.Elem(), f, path)
		s.Items = items
		return s, err
	case t.Kind() == reflect.Map:
		s.Type, s.MinProperties, s.MaxProperties = "object", number(f.min), number(f.max)
		items, err := d.fresh(t.Elem(), f, path)
		if err != nil {
			return nil, err
		}
		s.Additional, err = json.Marshal(items)
		return s, err
	}
	return d.object(s, v, path)
}

// like describes a Raw that has the keys of a field at the top.
func (d *describer) like(s *schema, f field, path string) (*schema, error) {
	for _, other := range fieldsOf(d.top.Type()) {
		if other.name != f.schema {
			continue
		}
		inner := describer{docs: d.docs, top: d.top, bare: true, open: map[reflect.Type]bool{}}
		out, err := inner.describe(d.top.FieldByIndex(other.index), field{}, path)
		if out != nil {
			out.Description = s.Description
		}
		return out, err
	}
	return nil, fmt.Errorf("there is no field %q to be like", f.schema)
}

// fresh describes the items of a list or a map.
func (d *describer) fresh(t reflect.Type, f field, path string) (*schema, error) {
	item := reflect.New(t)
	setDefaults(item)
	f = f.item()
	f.doc, f.owner = "", ""
	if !isStruct(deref(t)) {
		f.secret = true // an item that is there has no default
	}
	return d.describe(item.Elem(), f, join(path, "*"))
}

func (d *describer) doc(f field, path string) string {
	for _, key := range []string{path, f.owner} {
		if text := d.docs[key]; key != "" && text != "" {
			return text
		}
	}
	return f.doc
}

// object describes a struct.
func (d *describer) object(s *schema, v reflect.Value, path string) (*schema, error) {
	t := v.Type()
	if d.open[t] {
		return nil, fmt.Errorf("type %s contains itself", t)
	}
	d.open[t] = true
	defer delete(d.open, t)
	s.Type, s.Additional, s.Properties = "object", json.RawMessage("false"), map[string]*schema{}
	for _, f := range fieldsOf(t) {
		if f.inline {
			if err := d.inline(s, path); err != nil {
				return nil, err
			}
			continue
		}
		p, err := d.describe(v.FieldByIndex(f.index), f, join(path, f.name))
		if err != nil {
			return nil, err
		}
		s.Properties[f.name] = p
		if f.secret {
			s.Properties[f.name+fileSuffix] = &schema{Type: "string", Description: "Name of a file that holds " + f.name + "."}
		}
	}
	return s, nil
}

// inline describes the keys that other fields leave over.
func (d *describer) inline(s *schema, path string) error {
	if d.parts == nil {
		s.Additional = json.RawMessage("true")
		return nil
	}
	for key, part := range d.parts {
		v := reflect.Indirect(reflect.ValueOf(part))
		if !v.IsValid() || v.Kind() != reflect.Struct {
			return fmt.Errorf("part %q: need a struct", key)
		}
		if err := checkType(v.Type(), map[reflect.Type]bool{}); err != nil {
			return fmt.Errorf("part %q: %w", key, err)
		}
		p, err := d.describe(v, field{}, join(path, key))
		if err != nil {
			return fmt.Errorf("part %q: %w", key, err)
		}
		s.Properties[key] = p
	}
	return nil
}

// scalar describes a value that is one piece of text. Limits of durations go
// into the description, as JSON Schema cannot compare them.
func (d *describer) scalar(s *schema, v reflect.Value, f field) *schema {
	s.Enum, s.Default = f.enum, d.defaultOf(v, f)
	switch {
	case v.Type() == durationType:
		s.Type, s.Pattern = "string", durationPattern
		s.Description = strings.TrimSpace(s.Description + " " + between(f))
		return s
	case isText(v.Type()):
		s.Type = "string"
		return s
	case v.Kind() == reflect.String:
		s.Type, s.MinLength, s.MaxLength = "string", number(f.min), number(f.max)
		return s
	case v.Kind() == reflect.Bool:
		s.Type = "boolean"
		return s
	}
	s.Type, s.Minimum, s.Maximum = "integer", number(f.min), number(f.max)
	if v.CanUint() && s.Minimum == "" {
		s.Minimum = "0"
	}
	if v.CanFloat() {
		s.Type = "number"
	}
	return s
}

func between(f field) string {
	switch {
	case f.min.text != "" && f.max.text != "":
		return "From " + f.min.text + " to " + f.max.text + "."
	case f.min.text != "":
		return "At least " + f.min.text + "."
	case f.max.text != "":
		return "At most " + f.max.text + "."
	}
	return ""
}

func number(l limit) json.Number { return json.Number(l.text) }
