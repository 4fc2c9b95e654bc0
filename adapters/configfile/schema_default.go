package configfile

import (
	"encoding"
	"encoding/json"
	"reflect"
	"time"
)

func (d *describer) defaultOf(v reflect.Value, f field) json.RawMessage {
	if d.bare {
		return nil
	}
	return defaultOf(v, f)
}

// defaultOf writes a default as JSON. Empty text and empty lists are none, and
// nor are secrets.
func defaultOf(v reflect.Value, f field) json.RawMessage {
	t := v.Type()
	var plain any
	switch {
	case hidden(f, t), (isText(t) || v.Kind() == reflect.String) && v.IsZero():
		return nil
	case v.Kind() == reflect.Slice && !isText(t):
		return listDefault(v, f)
	case t == durationType:
		plain = short(time.Duration(v.Int()))
	case isText(t):
		m, ok := reflect.TypeAssert[encoding.TextMarshaler](v)
		if !ok {
			return nil
		}
		b, err := m.MarshalText()
		if err != nil {
			return nil
		}
		plain = string(b)
	default:
		plain = v.Interface()
	}
	out, err := json.Marshal(plain)
	if err != nil {
		return nil
	}
	return out
}

func listDefault(v reflect.Value, f field) json.RawMessage {
	if v.Len() == 0 || !isScalar(v.Type().Elem()) {
		return nil
	}
	items := make([]json.RawMessage, v.Len())
	for i := range items {
		if items[i] = defaultOf(v.Index(i), f); items[i] == nil {
			return nil
		}
	}
	out, err := json.Marshal(items)
	if err != nil {
		return nil
	}
	return out
}
