package channeltest

import (
	"encoding/json"
	"flag"
	"fmt"
	"iter"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/ports/channel"
)

// update rewrites generated files: go test -run TestDocs -update .
var update = flag.Bool("update", false, "rewrite generated files")

// Docs renders CONFIG.md and config.schema.json from the plugin's struct, into
// the folder of the test, and fails if they differ from what is there. With
// -update it rewrites them. A field without a key or a sentence fails too, and
// so does one that looks like a secret and is none.
func Docs(t *testing.T, p channel.Plugin) {
	t.Helper()
	if err := p.Check(); err != nil {
		t.Error(err)
	}
	for _, problem := range lint("", p.ConfigType()) {
		t.Error(problem)
	}
	schema, err := json.MarshalIndent(Schema(p), "", "  ")
	if err != nil {
		t.Fatalf("schema: %v", err)
	}
	golden(t, "CONFIG.md", markdown(p))
	golden(t, "config.schema.json", string(schema)+"\n")
}

func golden(t *testing.T, name, want string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(name)
	if err != nil || string(got) != want {
		t.Errorf("%s is not what the struct says: run go test -run %s -update .", name, t.Name())
	}
}

var snakeCase = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)

// lint says which fields break the rules of channel.Config.
func lint(path string, t reflect.Type) []string {
	var problems []string
	for f := range fields(t) {
		at := path + f.Name
		key := keyOf(f)
		if key == "" {
			problems = append(problems, at+": no json tag")
		}
		if key != "" && !snakeCase.MatchString(key) {
			problems = append(problems, at+": "+key+" is not lower_snake_case")
		}
		if !strings.HasSuffix(f.Tag.Get("doc"), ".") {
			problems = append(problems, at+": no sentence in its doc tag")
		}
		isSecret := f.Type == reflect.TypeFor[channel.Secret]()
		for _, word := range []string{"password", "secret", "token", "_key"} {
			if strings.HasSuffix("_"+key, word) && !isSecret {
				problems = append(problems, at+": looks like a secret, but is no channel.Secret")
			}
		}
		if isSecret && f.Tag.Get("secret") != "file" {
			problems = append(problems, at+`: a secret needs the tag secret:"file"`)
		}
		if nested, ok := structOf(f.Type); ok {
			problems = append(problems, lint(at+".", nested)...)
		}
	}
	return problems
}

// fields lists what can be configured.
func fields(t reflect.Type) iter.Seq[reflect.StructField] {
	return func(yield func(reflect.StructField) bool) {
		for f := range t.Fields() {
			if f.IsExported() && !yield(f) {
				return
			}
		}
	}
}

// structOf finds the struct that a field, or each of its items, holds.
func structOf(t reflect.Type) (reflect.Type, bool) {
	for t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	return t, t.Kind() == reflect.Struct && !isText(t)
}

func markdown(p channel.Plugin) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s (`%s`)\n\n%s\n\n", p.Title, p.Type, p.Summary)
	fmt.Fprintf(&b, "Generated from the plugin's `Config`; do not edit.\n\n")
	if p.ConfigType().NumField() == 0 {
		b.WriteString("There is nothing to configure.\n")
		return b.String()
	}
	b.WriteString("| key | type | default | meaning |\n|---|---|---|---|\n")
	rows(&b, "", p.ConfigType(), reflect.ValueOf(p.Defaults()))
	return b.String()
}

func rows(b *strings.Builder, path string, t reflect.Type, defaults reflect.Value) {
	for f := range fields(t) {
		key := path + keyOf(f)
		var value reflect.Value
		if defaults.IsValid() {
			value = defaults.FieldByIndex(f.Index)
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", key, typeName(f), shown(value), strings.ReplaceAll(f.Tag.Get("doc"), "|", `\|`))
		if f.Tag.Get("secret") == "file" {
			fmt.Fprintf(b, "| `%s_file` | file name | | A file that holds `%s`, in place of it. |\n", key, key)
		}
		if nested, ok := structOf(f.Type); ok {
			inner := reflect.Value{}
			if f.Type.Kind() == reflect.Struct {
				inner = value
			}
			rows(b, key+suffix(f.Type), nested, inner)
		}
	}
}

func suffix(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Slice:
		return "[]."
	case reflect.Map:
		return ".*."
	default:
		return "."
	}
}

// typeName says in words what a field takes.
func typeName(f reflect.StructField) string {
	name := kindName(f.Type)
	if enum := f.Tag.Get("enum"); enum != "" {
		name += ": `" + strings.ReplaceAll(enum, ",", "`, `") + "`"
	}
	low, high := f.Tag.Get("min"), f.Tag.Get("max")
	switch {
	case low != "" && high != "":
		name += ", " + low + " to " + high
	case low != "":
		name += ", at least " + low
	case high != "":
		name += ", at most " + high
	}
	return name
}

func kindName(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return "duration"
	case t == reflect.TypeFor[channel.Secret]():
		return "secret"
	case isText(t), t.Kind() == reflect.String:
		return "text"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "list of " + kindName(t.Elem())
	case reflect.Map:
		return "table of " + kindName(t.Elem())
	case reflect.Struct:
		return "object"
	case reflect.Float32, reflect.Float64:
		return "number"
	default:
		return "whole number"
	}
}

// shown writes a default, or nothing if there is none.
func shown(v reflect.Value) string {
	if !v.IsValid() || v.IsZero() || v.Kind() == reflect.Struct {
		return ""
	}
	if v.Kind() == reflect.Slice || v.Kind() == reflect.Map {
		text, err := json.Marshal(v.Interface())
		if err != nil {
			return ""
		}
		return "`" + string(text) + "`"
	}
	if d, ok := v.Interface().(time.Duration); ok {
		return "`" + shortened(d) + "`"
	}
	return fmt.Sprintf("`%v`", v.Interface())
}
