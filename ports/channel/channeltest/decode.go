package channeltest

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign/ports/channel"
)

// Decoder reads a configuration from JSON under the rules of channel.Config,
// as hosts do: strictly, with bounds, durations as text and secrets from files.
func Decoder(raw string) channel.Decode { return decoder(raw, nil) }

// decoder also collects what the configuration hides.
func decoder(raw string, secrets *[]string) channel.Decode {
	if raw == "" {
		raw = "{}"
	}
	return func(into any) error {
		target := reflect.ValueOf(into)
		if target.Kind() != reflect.Pointer || target.IsNil() {
			return errors.New("a configuration is decoded into a pointer")
		}
		return filler{secrets}.fill("", json.RawMessage(raw), target.Elem(), "")
	}
}

type filler struct{ secrets *[]string }

// fill decodes raw into v, which path leads to and tag describes.
func (f filler) fill(path string, raw json.RawMessage, v reflect.Value, tag reflect.StructTag) error {
	switch {
	case v.Type() == reflect.TypeFor[channel.Secret]():
		return f.secret(path, raw, v)
	case v.Type() == reflect.TypeFor[time.Duration]():
		var text string
		if err := json.Unmarshal(raw, &text); err != nil {
			return fmt.Errorf("%s: want a duration such as \"5s\"", path)
		}
		d, err := time.ParseDuration(text)
		if err != nil {
			return fmt.Errorf("%s: want a duration such as \"5s\"", path)
		}
		v.SetInt(int64(d))
	case isText(v.Type()):
		if err := json.Unmarshal(raw, v.Addr().Interface()); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	case v.Kind() == reflect.Struct:
		return f.object(path, raw, v)
	case v.Kind() == reflect.Slice:
		return f.list(path, raw, v, tag)
	case v.Kind() == reflect.Map:
		return f.table(path, raw, v, tag)
	default:
		if err := json.Unmarshal(raw, v.Addr().Interface()); err != nil {
			return fmt.Errorf("%s: want a %s", path, v.Kind())
		}
	}
	return bounds(path, v, tag)
}

func isText(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

func (f filler) secret(path string, raw json.RawMessage, v reflect.Value) error {
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return fmt.Errorf("%s: want a text", path)
	}
	if f.secrets != nil {
		*f.secrets = append(*f.secrets, text)
	}
	v.Set(reflect.ValueOf(channel.NewSecret(text)))
	return nil
}

func (f filler) object(path string, raw json.RawMessage, v reflect.Value) error {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(raw, &keys); err != nil {
		return fmt.Errorf("%s: want an object: %w", path, err)
	}
	var errs []error
	for key, value := range keys {
		at := strings.TrimPrefix(path+"."+key, ".")
		field, file, ok := find(v.Type(), key)
		if !ok {
			errs = append(errs, fmt.Errorf("%s: unknown key", at))
			continue
		}
		if file {
			var err error
			if value, err = contents(value); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", at, err))
				continue
			}
		}
		errs = append(errs, f.fill(at, value, v.FieldByIndex(field.Index), field.Tag))
	}
	return errors.Join(errs...)
}

// find looks a key up; file says that it names a file with a secret in it.
func find(t reflect.Type, key string) (field reflect.StructField, file, ok bool) {
	for field := range fields(t) {
		name := keyOf(field)
		if name == key {
			return field, false, true
		}
		if field.Tag.Get("secret") == "file" && name+"_file" == key {
			return field, true, true
		}
	}
	return reflect.StructField{}, false, false
}

func keyOf(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

// contents reads the file that a JSON text names, without the final newline.
func contents(name json.RawMessage) (json.RawMessage, error) {
	var path string
	if err := json.Unmarshal(name, &path); err != nil {
		return nil, errors.New("want a file name")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return json.Marshal(string(bytes.TrimRight(text, "\r\n")))
}

func (f filler) list(path string, raw json.RawMessage, v reflect.Value, tag reflect.StructTag) error {
	var items []json.RawMessage
	if err := json.Unmarshal(raw, &items); err != nil {
		return fmt.Errorf("%s: want a list", path)
	}
	v.Set(reflect.MakeSlice(v.Type(), len(items), len(items)))
	var errs []error
	for i, item := range items {
		errs = append(errs, f.fill(fmt.Sprintf("%s[%d]", path, i), item, v.Index(i), tag))
	}
	return errors.Join(errs...)
}

func (f filler) table(path string, raw json.RawMessage, v reflect.Value, tag reflect.StructTag) error {
	var items map[string]json.RawMessage
	if err := json.Unmarshal(raw, &items); err != nil {
		return fmt.Errorf("%s: want an object", path)
	}
	v.Set(reflect.MakeMap(v.Type()))
	var errs []error
	for key, item := range items {
		value := reflect.New(v.Type().Elem()).Elem()
		errs = append(errs, f.fill(path+"."+key, item, value, tag))
		v.SetMapIndex(reflect.ValueOf(key).Convert(v.Type().Key()), value)
	}
	return errors.Join(errs...)
}

// bounds enforces the tags min, max and enum.
func bounds(path string, v reflect.Value, tag reflect.StructTag) error {
	if enum := tag.Get("enum"); enum != "" && v.Kind() == reflect.String && !slices.Contains(strings.Split(enum, ","), v.String()) {
		return fmt.Errorf("%s: %q is none of %s", path, v.String(), enum)
	}
	var size float64
	switch {
	case v.CanInt():
		size = float64(v.Int())
	case v.CanUint():
		size = float64(v.Uint())
	case v.CanFloat():
		size = v.Float()
	case v.Kind() == reflect.String:
		size = float64(v.Len())
	default:
		return nil
	}
	if low, ok := limit(tag.Get("min")); ok && size < low {
		return fmt.Errorf("%s: less than %s", path, tag.Get("min"))
	}
	if high, ok := limit(tag.Get("max")); ok && size > high {
		return fmt.Errorf("%s: more than %s", path, tag.Get("max"))
	}
	return nil
}

// limit reads a number or a duration.
func limit(text string) (float64, bool) {
	if n, err := strconv.ParseFloat(text, 64); err == nil {
		return n, true
	}
	d, err := time.ParseDuration(text)
	return float64(d), err == nil
}
