package storetest

import (
	"fmt"
	"reflect"
	"sort"
	"strings"
	"time"
)

// same checks that got is want. An empty slice or map is as good as none; a
// time must be in UTC.
func (k *kit) same(got, want any, what string) {
	k.Helper()
	if diff := difference(got, want); diff != "" {
		k.Fatalf("%s:\n%s", what, diff)
	}
}

// difference lists the lines that only one of two values has.
func difference(got, want any) string {
	g, w := lines(got), lines(want)
	var out []string
	for line := range g {
		if !w[line] {
			out = append(out, "got  "+line)
		}
	}
	for line := range w {
		if !g[line] {
			out = append(out, "want "+line)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i][5:] < out[j][5:] })
	return strings.Join(out, "\n")
}

// lines writes a value as one line for each part that is not zero. It goes by
// reflection because an encoder would mask what it must not show.
func lines(v any) map[string]bool {
	out := map[string]bool{}
	flatten(out, "", reflect.ValueOf(v))
	return out
}

func flatten(out map[string]bool, path string, v reflect.Value) {
	if !v.IsValid() || v.IsZero() && path != "" {
		return
	}
	if t, ok := reflect.TypeAssert[time.Time](v); ok {
		out[path+" = "+instant(t)] = true
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		flatten(out, path, v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			flatten(out, path+"."+v.Type().Field(i).Name, v.Field(i))
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			if v.Len() > 0 {
				out[fmt.Sprintf("%s = %q", path, v.Bytes())] = true
			}
			return
		}
		for i := range v.Len() {
			out[fmt.Sprintf("%s[%d]", path, i)] = true
			flatten(out, fmt.Sprintf("%s[%d]", path, i), v.Index(i))
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			out[fmt.Sprintf("%s[%q] = %q", path, key, v.MapIndex(key))] = true
		}
	default:
		out[fmt.Sprintf("%s = %#v", path, v)] = true
	}
}

func instant(t time.Time) string {
	if t.Location() != time.UTC {
		return "not in UTC: " + t.String()
	}
	return t.Format(time.RFC3339Nano)
}
