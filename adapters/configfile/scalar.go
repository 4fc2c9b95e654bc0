package configfile

import (
	"encoding"
	"math"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// reading is why a piece of text could not be read.
type reading struct {
	expected string // "a duration such as 5m"
	got      string // in place of what describe says
	text     string // in place of both
	hint     string
}

// scalar fills a value that is one piece of text.
func (d *decoder) scalar(n *node, v reflect.Value, f field, path string) {
	if n.kind != scalar {
		hint := ""
		if n.kind == nothing {
			hint = "Give it a value, or remove the key."
		}
		d.expected(n, path, expectation(v.Type()), hint)
		return
	}
	if len(f.enum) > 0 && !d.inEnum(n, f, path) {
		return
	}
	r := read(n, v)
	if r == nil {
		d.checkScalar(n, v, f, path)
		return
	}
	if r.got == "" {
		r.got = n.describe()
	}
	if r.text == "" {
		r.text = "expected " + r.expected + ", got " + r.got
	} else if hidden(f, v.Type()) {
		r.text = "this value cannot be used here"
	}
	d.add(n.at, path, r.text, r.hint)
}

// expectation names what a type takes.
func expectation(t reflect.Type) string {
	switch {
	case t == durationType:
		return "a duration such as 5m"
	case t == reflect.TypeFor[netip.Prefix]():
		return "a network such as 10.0.0.0/8"
	case t == reflect.TypeFor[netip.Addr]():
		return "an address such as 192.0.2.1"
	case t == reflect.TypeFor[netip.AddrPort]():
		return "an address and port such as 192.0.2.1:8080"
	case isText(t):
		return "text"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "text"
	case reflect.Float32, reflect.Float64:
		return "a number"
	}
	return "a whole number"
}

// read sets v from the text of a node; the node's tag, if it has one, must fit.
func read(n *node, v reflect.Value) *reading {
	t := v.Type()
	switch {
	case t == durationType:
		return readDuration(n, v)
	case isText(t):
		return readText(n, v)
	}
	switch t.Kind() {
	case reflect.Bool:
		return readBool(n, v)
	case reflect.String:
		if r := wantText(n, t); r != nil {
			return r
		}
		v.SetString(n.text)
		return nil
	}
	return readNumber(n, v)
}

// wantText refuses numbers and booleans that were not put in quotes.
func wantText(n *node, t reflect.Type) *reading {
	if n.tag == "!!int" || n.tag == "!!float" || n.tag == "!!bool" {
		return &reading{expected: expectation(t), hint: "Put it in quotes."}
	}
	return nil
}

func readBool(n *node, v reflect.Value) *reading {
	switch strings.ToLower(n.text) {
	case "true":
		if n.tag == "" || n.tag == "!!bool" {
			v.SetBool(true)
			return nil
		}
	case "false":
		if n.tag == "" || n.tag == "!!bool" {
			v.SetBool(false)
			return nil
		}
	}
	return &reading{expected: "true or false"}
}

func readNumber(n *node, v reflect.Value) *reading {
	bad := &reading{expected: expectation(v.Type())}
	if n.tag == "!!str" {
		if _, err := strconv.ParseFloat(n.text, 64); err == nil {
			bad.hint = "Remove the quotes."
		}
		return bad
	}
	if n.tag == "!!bool" {
		return bad
	}
	bits := v.Type().Bits()
	switch v.Kind() {
	case reflect.Float32, reflect.Float64:
		x, err := strconv.ParseFloat(n.text, bits)
		if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
			return bad
		}
		v.SetFloat(x)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		x, err := strconv.ParseInt(n.text, 10, bits)
		if err != nil || leadingZero(n.text) {
			return bad.why(err, n)
		}
		v.SetInt(x)
	default:
		x, err := strconv.ParseUint(strings.TrimPrefix(n.text, "+"), 10, bits)
		if err != nil || leadingZero(n.text) {
			return bad.why(err, n)
		}
		v.SetUint(x)
	}
	return nil
}

// leadingZero finds numbers that YAML 1.1 takes as octal and YAML 1.2 does not.
func leadingZero(text string) bool {
	digits := strings.TrimLeft(text, "+-")
	return len(digits) > 1 && digits[0] == '0'
}

// why explains numbers that are of another sort than wanted.
func (r *reading) why(err error, n *node) *reading {
	switch {
	case leadingZero(n.text):
		r.hint = "Write it in decimal, without leading zeros."
	case err != nil && strings.HasPrefix(n.text, "-") && n.describe() == "a number":
		r.got = "a negative one or one that is too small"
	case err != nil && n.tag == "!!int":
		r.got = "one that is too large or not decimal"
	case n.tag == "!!float":
		r.got = "one with a fraction or an exponent"
	}
	return r
}

func readDuration(n *node, v reflect.Value) *reading {
	bad := &reading{expected: expectation(durationType)}
	if _, err := strconv.ParseFloat(n.text, 64); err == nil {
		bad.got, bad.hint = "a number without a unit", "Add one: "+n.text+"s, "+n.text+"m or "+n.text+"h."
		return bad
	}
	x, err := time.ParseDuration(n.text)
	switch {
	case err != nil:
		if days, isDays := strings.CutSuffix(n.text, "d"); isDays {
			if k, err := strconv.ParseUint(days, 10, 16); err == nil {
				bad.got, bad.hint = "days", "Write it in hours: "+strconv.FormatUint(24*k, 10)+"h."
			}
		}
		return bad
	case x < 0:
		bad.got = "a negative one"
		return bad
	}
	v.SetInt(int64(x))
	return nil
}

// readText lets a type read itself. A type that is a number underneath may be
// written as one.
func readText(n *node, v reflect.Value) *reading {
	if k := v.Kind(); k == reflect.String || k == reflect.Struct || k == reflect.Slice || k == reflect.Array {
		if r := wantText(n, v.Type()); r != nil {
			return r
		}
	}
	u, ok := reflect.TypeAssert[encoding.TextUnmarshaler](v.Addr())
	if !ok {
		return &reading{expected: "text"}
	}
	if err := u.UnmarshalText([]byte(n.text)); err != nil {
		r := &reading{expected: expectation(v.Type())}
		if r.expected == "text" {
			r.text = err.Error()
		}
		return r
	}
	return nil
}
