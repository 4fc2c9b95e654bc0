package fiberapi

import (
	"encoding/json"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/countersign/countersign/domain/challenge"
)

// code is what was typed. A value of any other type, null too, is taken for a
// code that does not look like one, and is not the same as no code at all.
type code struct {
	given bool
	text  *string // nil if it was no string
}

// UnmarshalJSON never fails: what is wrong with a code is said in the order of
// answers, not here.
func (k *code) UnmarshalJSON(raw []byte) error {
	var text *string
	k.given = true
	if json.Unmarshal(raw, &text) == nil {
		k.text = text
	}
	return nil
}

// Schema describes the field.
func (code) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Examples: []any{"042137"}}
}

// read is the code, nil if none was given. Nonsense is refused here already,
// because it comes before the question whether the challenge exists.
func (k code) read() (*string, error) {
	if !k.given {
		return nil, nil //nolint:nilnil // no code is no error
	}
	if k.text == nil {
		return nil, challenge.ErrMalformed
	}
	if clean, ok := challenge.Clean(*k.text); !ok || challenge.Formats(clean) == nil {
		return nil, challenge.ErrMalformed
	}
	return k.text, nil
}

// typed is what was typed, as it is; nil if nothing was. What is no text is no
// code, and is as wrong as any.
func (k code) typed() *string {
	if k.given && k.text == nil {
		return new(string)
	}
	return k.text
}

// object is a JSON object that is handed on as it came.
type object json.RawMessage

// UnmarshalJSON takes objects only.
func (o *object) UnmarshalJSON(raw []byte) error {
	if len(raw) == 0 || raw[0] != '{' {
		return &json.UnmarshalTypeError{Value: "value", Type: reflect.TypeFor[object]()}
	}
	*o = append((*o)[:0], raw...)
	return nil
}

// Schema describes the field.
func (object) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true}
}

// patch is a text that may be left out (nothing changes) or be null (it is
// emptied), as in RFC 7396.
type patch struct {
	given bool
	text  string
}

// UnmarshalJSON reads a string or null.
func (p *patch) UnmarshalJSON(raw []byte) error {
	p.given, p.text = true, ""
	return json.Unmarshal(raw, &p.text)
}

// Schema describes the field.
func (patch) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Nullable: true}
}

// change is the text as a pointer, nil if it stays as it is.
func (p patch) change() *string {
	if !p.given {
		return nil
	}
	return &p.text
}

// raw is JSON that a channel made for a browser.
type raw json.RawMessage

// MarshalJSON gives it as it is.
func (r raw) MarshalJSON() ([]byte, error) { return r, nil }

// Schema describes the field.
func (raw) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true}
}
