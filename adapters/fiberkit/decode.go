package fiberkit

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"

	"github.com/countersign/countersign/domain/fault"
)

// maxDepth bounds how deep a body may nest.
const maxDepth = 16

// Decode reads a JSON body strictly. encoding/json alone would take the last of
// two equal keys, fold the case of names and ignore what follows the value: each
// of them lets two readers of one request disagree about it.
func Decode(c *fiber.Ctx, into any) error {
	_, err := DecodeBut(c, into, "")
	return err
}

// DecodeBut is Decode where the body may also have a member that is not read into
// anything. It reports whether somebody filled it in: a form with a field that
// people do not see sends it empty. Without a name there is no such member.
func DecodeBut(c *fiber.Ctx, into any, name string) (filled bool, err error) {
	body, err := Body(c)
	if err != nil {
		return false, err
	}
	if len(body) == 0 {
		body = []byte("{}")
	} else if MediaType(c) != fiber.MIMEApplicationJSON {
		return false, ErrUnsupported
	}
	if err := strict(body, into, name); err != nil || name == "" {
		return false, err
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(body, &all); err != nil {
		return false, ErrMalformed.Because(err)
	}
	value := string(all[name])
	return value != "" && value != `""` && value != "null", nil
}

// Body is the body as it came. Fiber would unpack a compressed one without any
// bound on what comes out, so these are refused.
func Body(c *fiber.Ctx) ([]byte, error) {
	if packed := c.Get(fiber.HeaderContentEncoding); packed != "" && !strings.EqualFold(packed, "identity") {
		return nil, ErrUnsupported.Saying("Send the body without compression.")
	}
	return c.BodyRaw(), nil
}

// MediaType is the media type of the body, in lower case and without parameters.
func MediaType(c *fiber.Ctx) string {
	typ, _, _ := strings.Cut(c.Get(fiber.HeaderContentType), ";")
	return strings.ToLower(strings.TrimSpace(typ))
}

// Strict reads one JSON value into a struct, see Decode.
func Strict(body []byte, into any) error { return strict(body, into, "") }

func strict(body []byte, into any, also string) error {
	if !utf8.Valid(body) {
		return ErrMalformed.Saying("The body must be UTF-8.")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := (reader{d, also}).walk(reflect.TypeOf(into).Elem(), "", 0); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return ErrMalformed.Saying("Something follows the JSON value.")
	}
	if err := json.Unmarshal(body, into); err != nil {
		if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			pointer := "/" + strings.ReplaceAll(wrong.Field, ".", "/")
			return ErrMalformed.With(fault.Field{Pointer: pointer, Code: "wrong_type", Detail: "A value of another type belongs here."})
		}
		return ErrMalformed.Because(err)
	}
	return nil
}

// reader reads one body.
type reader struct {
	*json.Decoder
	also string // a member that the body itself may have besides
}

// walk reads one value, and checks the names in it against the type that it
// will be read into. Types that read themselves are not looked into.
func (d reader) walk(t reflect.Type, at string, depth int) error {
	token, err := d.Token()
	if err != nil || depth > maxDepth {
		return ErrMalformed.Because(err)
	}
	delim, ok := token.(json.Delim)
	if !ok {
		if at == "" {
			return ErrMalformed.Saying("The body must be a JSON object.")
		}
		return nil
	}
	if delim == '[' && at == "" {
		return ErrMalformed.Saying("The body must be a JSON object.")
	}
	if delim == '{' {
		err = d.members(t, at, depth)
	} else {
		err = d.elements(t, at, depth)
	}
	if err != nil {
		return err
	}
	if _, err = d.Token(); err != nil { // the closing one
		return ErrMalformed.Because(err)
	}
	return nil
}

func (d reader) members(t reflect.Type, at string, depth int) error {
	seen := map[string]bool{}
	known := fields(t)
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return ErrMalformed.Because(err)
		}
		name, _ := token.(string)
		here := at + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
		if seen[name] {
			return ErrMalformed.With(fault.Field{Pointer: here, Code: "duplicate", Detail: "This name stands here twice."})
		}
		seen[name] = true
		var inner reflect.Type
		if known != nil {
			typ, ok := known[name]
			if !ok && (at != "" || d.also == "" || name != d.also) {
				return ErrUnknown.With(fault.Field{Pointer: here, Code: "unknown_field", Detail: "There is no such field."})
			}
			inner = typ
		}
		if err := d.walk(inner, here, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (d reader) elements(t reflect.Type, at string, depth int) error {
	var inner reflect.Type
	if t != nil && t.Kind() == reflect.Slice {
		inner = t.Elem()
	}
	for d.More() {
		if err := d.walk(inner, at+"/-", depth+1); err != nil {
			return err
		}
	}
	return nil
}

// fields are the names that a struct knows; nil for whatever is no plain struct.
func fields(t reflect.Type) map[string]reflect.Type {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == nil || t.Kind() != reflect.Struct || reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]()) {
		return nil
	}
	out := make(map[string]reflect.Type, t.NumField())
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name != "" && name != "-" {
			out[name] = f.Type
		}
	}
	return out
}
