package channeltest

import (
	"reflect"
	"strings"
	"time"

	"github.com/countersign/countersign/ports/channel"
)

// Node is the part of JSON Schema 2020-12 that configurations need.
type Node struct {
	Schema      string          `json:"$schema,omitempty"`
	Title       string          `json:"title,omitempty"`
	Type        string          `json:"type"`
	Description string          `json:"description,omitempty"`
	Default     any             `json:"default,omitempty"`
	Enum        []string        `json:"enum,omitempty"`
	Pattern     string          `json:"pattern,omitempty"`
	Minimum     *float64        `json:"minimum,omitempty"`
	Maximum     *float64        `json:"maximum,omitempty"`
	MinLength   *int            `json:"minLength,omitempty"`
	MaxLength   *int            `json:"maxLength,omitempty"`
	Items       *Node           `json:"items,omitempty"`
	Properties  map[string]Node `json:"properties,omitempty"`
	Additional  any             `json:"additionalProperties,omitempty"` // false, or a *Node
}

// Schema describes a plugin's configuration.
func Schema(p channel.Plugin) Node {
	n := object(p.ConfigType(), reflect.ValueOf(p.Defaults()))
	n.Schema, n.Title, n.Description = "https://json-schema.org/draft/2020-12/schema", p.Type, p.Summary
	return n
}

func object(t reflect.Type, defaults reflect.Value) Node {
	n := Node{Type: "object", Additional: false, Properties: map[string]Node{}}
	for f := range fields(t) {
		key := keyOf(f)
		var value reflect.Value
		if defaults.IsValid() {
			value = defaults.FieldByIndex(f.Index)
		}
		field := node(f.Type, f.Tag, value)
		field.Description = f.Tag.Get("doc")
		n.Properties[key] = field
		if f.Tag.Get("secret") == "file" {
			n.Properties[key+"_file"] = Node{Type: "string", Description: "A file that holds " + key + ", in place of it."}
		}
	}
	return n
}

func node(t reflect.Type, tag reflect.StructTag, value reflect.Value) Node {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		n := Node{Type: "string", Pattern: `^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$`}
		if value.IsValid() && !value.IsZero() {
			n.Default = shortened(value.Interface().(time.Duration))
		}
		return n
	case isText(t):
		return Node{Type: "string"}
	}
	switch t.Kind() {
	case reflect.Struct:
		return object(t, value)
	case reflect.Slice:
		items := node(t.Elem(), tag, reflect.Value{})
		return Node{Type: "array", Items: &items, Default: given(value)}
	case reflect.Map:
		items := node(t.Elem(), tag, reflect.Value{})
		return Node{Type: "object", Additional: &items}
	case reflect.String:
		return lengths(Node{Type: "string", Enum: split(tag.Get("enum")), Default: given(value)}, tag)
	case reflect.Bool:
		return Node{Type: "boolean", Default: given(value)}
	case reflect.Float32, reflect.Float64:
		return sizes(Node{Type: "number", Default: given(value)}, tag)
	default:
		return sizes(Node{Type: "integer", Default: given(value)}, tag)
	}
}

// given is a default that is worth writing down.
func given(v reflect.Value) any {
	if !v.IsValid() || v.IsZero() {
		return nil
	}
	return v.Interface()
}

func split(enum string) []string {
	if enum == "" {
		return nil
	}
	return strings.Split(enum, ",")
}

func sizes(n Node, tag reflect.StructTag) Node {
	if low, ok := limit(tag.Get("min")); ok {
		n.Minimum = &low
	}
	if high, ok := limit(tag.Get("max")); ok {
		n.Maximum = &high
	}
	return n
}

func lengths(n Node, tag reflect.StructTag) Node {
	if low, ok := limit(tag.Get("min")); ok {
		n.MinLength = new(int(low))
	}
	if high, ok := limit(tag.Get("max")); ok {
		n.MaxLength = new(int(high))
	}
	return n
}

// shortened writes 5m0s as 5m.
func shortened(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
