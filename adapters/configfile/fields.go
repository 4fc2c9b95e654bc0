package configfile

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// field is what the tags of a struct field say. The zero value is a field
// without rules.
type field struct {
	index  []int
	name   string
	typ    reflect.Type
	owner  string // "Type.Field", for documentation
	doc    string
	enum   []string
	min    limit
	max    limit
	schema string // name of the field at the top that a Raw is like
	secret bool
	inline bool // takes the keys that nobody else takes
}

// limit is a min or max tag. Durations are compared as nanoseconds.
type limit struct {
	text  string // as in the tag; empty for none
	value float64
}

var (
	durationType = reflect.TypeFor[time.Duration]()
	rawType      = reflect.TypeFor[Raw]()
	rawsType     = reflect.TypeFor[map[string]Raw]()
	decoderType  = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// isText reports whether values of t read themselves from text.
func isText(t reflect.Type) bool {
	return t != rawType && reflect.PointerTo(t).Implements(decoderType)
}

// isScalar reports whether t is given as one piece of text.
func isScalar(t reflect.Type) bool {
	if t == rawType {
		return false
	}
	switch t.Kind() {
	case reflect.Bool, reflect.String, reflect.Float32, reflect.Float64,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return true
	}
	return isText(t)
}

// isStruct reports whether t is a section whose keys are known.
func isStruct(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t != rawType && !isText(t)
}

func deref(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

// fieldsOf lists the fields of a struct type that checkType accepted.
func fieldsOf(t reflect.Type) []field {
	fs, _ := readFields(t)
	return fs
}

// readFields lists the fields of a struct type, and says what is wrong with
// its tags.
func readFields(t reflect.Type) ([]field, error) {
	var fs []field
	for i := range t.NumField() {
		sf := t.Field(i)
		name, inline, skip := keyOf(sf)
		if skip {
			continue
		}
		if inline && isStruct(sf.Type) {
			inner, err := readFields(sf.Type)
			if err != nil {
				return nil, err
			}
			for _, f := range inner {
				f.index = append([]int{i}, f.index...)
				fs = append(fs, f)
			}
			continue
		}
		f, err := readField(t, sf)
		if err != nil {
			return nil, fmt.Errorf("field %s.%s: %w", t.Name(), sf.Name, err)
		}
		f.name, f.inline = name, inline
		if inline && sf.Type != rawsType {
			return nil, fmt.Errorf("field %s.%s: only a struct or a map[string]Raw can be inline", t.Name(), sf.Name)
		}
		fs = append(fs, f)
	}
	return fs, nil
}

// keyOf reads the name of a field from its tags.
func keyOf(sf reflect.StructField) (name string, inline, skip bool) {
	if !sf.IsExported() {
		return "", false, true
	}
	tag, tagged := sf.Tag.Lookup("yaml")
	if !tagged {
		tag = sf.Tag.Get("json")
	}
	name, options, _ := strings.Cut(tag, ",")
	if name == "-" {
		return "", false, true
	}
	for option := range strings.SplitSeq(options, ",") {
		inline = inline || option == "inline"
	}
	if sf.Anonymous && name == "" && isStruct(sf.Type) {
		inline = true
	}
	if name == "" {
		name = snake(sf.Name)
	}
	return name, inline, false
}

func readField(owner reflect.Type, sf reflect.StructField) (field, error) {
	f := field{
		index:  []int{sf.Index[0]},
		typ:    sf.Type,
		owner:  owner.Name() + "." + sf.Name,
		doc:    sf.Tag.Get("doc"),
		schema: sf.Tag.Get("schema"),
		secret: sf.Tag.Get("secret") == "file" || (isText(deref(sf.Type)) && deref(sf.Type).Name() == "Secret"),
	}
	if enum := sf.Tag.Get("enum"); enum != "" {
		f.enum = strings.Split(enum, ",")
	}
	if t := deref(sf.Type); f.secret && t.Kind() != reflect.String && !isText(t) {
		return f, fmt.Errorf("a %s cannot be a secret", sf.Type)
	}
	var err error
	if f.min, err = readLimit(sf, "min"); err == nil {
		f.max, err = readLimit(sf, "max")
	}
	return f, err
}

func readLimit(sf reflect.StructField, tag string) (limit, error) {
	text := sf.Tag.Get(tag)
	if text == "" {
		return limit{}, nil
	}
	if deref(sf.Type) == durationType {
		d, err := time.ParseDuration(text)
		if err != nil {
			return limit{}, fmt.Errorf("read tag %s: %w", tag, err)
		}
		return limit{text, float64(d)}, nil
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return limit{}, fmt.Errorf("read tag %s: %w", tag, err)
	}
	return limit{text, n}, nil
}

// snake makes a key of a Go name: "PublicURL" is public_url.
func snake(name string) string {
	var b strings.Builder
	runes := []rune(name)
	for i, r := range runes {
		if i > 0 && unicode.IsUpper(r) &&
			(!unicode.IsUpper(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1])) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// checkType says what in a type cannot be configuration.
func checkType(t reflect.Type, seen map[reflect.Type]bool) error {
	t = deref(t)
	switch {
	case t == rawType || isScalar(t):
		return nil
	case t.Kind() == reflect.Slice:
		return checkType(t.Elem(), seen)
	case t.Kind() == reflect.Map && t.Key().Kind() == reflect.String:
		return checkType(t.Elem(), seen)
	case t.Kind() != reflect.Struct:
		return fmt.Errorf("type %s is not supported", t)
	case seen[t]:
		return nil
	}
	seen[t] = true
	fs, err := readFields(t)
	if err != nil {
		return err
	}
	names := map[string]bool{}
	for _, f := range fs {
		if names[f.name] {
			return fmt.Errorf("type %s has two fields called %q", t, f.name)
		}
		names[f.name] = true
		if err := checkType(f.typ, seen); err != nil {
			return fmt.Errorf("field %s: %w", f.owner, err)
		}
	}
	return nil
}
