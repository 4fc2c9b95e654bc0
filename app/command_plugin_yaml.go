package app

import (
	"fmt"
	"strings"

	"github.com/countersign/countersign/adapters/configfile"
)

// exampleOf is a configuration with one instance of a plugin: its defaults, and
// what has none left open. Keys of lists and tables are left out, because what
// stands there is nobody's default.
func exampleOf(typ string, keys []configfile.Key) string {
	var b strings.Builder
	fmt.Fprintf(&b, "channels:\n  %s:\n    use: %s\n", typ, typ)
	several := 0
	for _, k := range keys {
		if k.Secret {
			several++
		}
	}
	var open []string // sections that the last line was in
	for _, k := range keys {
		if strings.ContainsAny(k.Path, "[*") {
			continue
		}
		parts := strings.Split(k.Path, ".")
		if open == nil {
			fmt.Fprintf(&b, "    %s:\n", typ)
			open = []string{}
		}
		sections := parts[:len(parts)-1]
		for i, s := range sections {
			if i >= len(open) || open[i] != s {
				fmt.Fprintf(&b, "%s%s:\n", indent(i), s)
				open = append(open[:min(i, len(open))], s)
			}
		}
		open = open[:len(sections)]
		name, value := parts[len(parts)-1], k.Default
		switch {
		case k.Secret && several > 1: // each is in a file of its own
			name, value = name+"_file", "/run/secrets/"+typ+"_"+strings.ReplaceAll(k.Path, ".", "_")
		case k.Secret:
			name, value = name+"_file", "/run/secrets/"+typ
		case value == "" && len(k.Enum) > 0:
			value = k.Enum[0]
		case value == "":
			value = empty(k.Type)
		}
		fmt.Fprintf(&b, "%s%s: %s\n", indent(len(sections)), name, value)
	}
	return b.String()
}

func indent(sections int) string { return strings.Repeat("  ", 3+sections) }

// empty is how one writes that there is nothing, by the type in words.
func empty(typ string) string {
	switch first, _, _ := strings.Cut(typ, " "); first {
	case "list":
		return "[]"
	case "table":
		return "{}"
	case "true":
		return "false"
	case "whole", "number":
		return "0"
	case "duration":
		return "0s"
	}
	return `""`
}
