package configfile

import (
	"cmp"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// override is a value from the environment or from a flag.
type override struct {
	name string // what is left of its name, as envName writes it
	text string
	at   origin
}

// overrides lists the variables that are ours by name, then the flags.
func (s Source) overrides() []override {
	var all []override
	for _, pair := range s.Environ {
		name, text, ok := strings.Cut(pair, "=")
		rest, ours := strings.CutPrefix(name, s.Prefix)
		if !ok || !ours || s.Prefix == "" || rest == "" || s.ignored(name) {
			continue
		}
		all = append(all, override{rest, text, origin{layer: fromEnv, file: "environment " + name}})
	}
	slices.SortStableFunc(all, func(a, b override) int { return cmp.Compare(a.name, b.name) })
	for _, path := range slices.Sorted(maps.Keys(s.Flags)) {
		flag := cmp.Or(s.FlagNames[path], strings.NewReplacer(".", "-", "_", "-").Replace(path))
		all = append(all, override{envName(path), s.Flags[path], origin{layer: fromFlag, file: "flag --" + flag}})
	}
	return all
}

func (s Source) ignored(name string) bool {
	return slices.ContainsFunc(s.IgnoreEnv, func(pattern string) bool {
		if start, open := strings.CutSuffix(pattern, "*"); open {
			return strings.HasPrefix(name, start)
		}
		return name == pattern
	})
}

// envName writes a key or a path as variables are written.
func envName(path string) string {
	return strings.NewReplacer(".", "_", "-", "_").Replace(strings.ToUpper(path))
}

// overlay puts overrides into a tree, which is to be decoded into typ.
type overlay struct {
	typ      reflect.Type
	root     *node
	parts    []string
	problems Problems
}

// spot is where an override belongs.
type spot struct {
	keys    []string
	rest    string // what is left of the name, for a Raw
	sibling string // the key that gives the same secret in the other way
	cost    int    // how far-fetched it is
	section bool   // it is no single value
}

// The costs of the guesses at where a key ends, as keys of maps may hold
// underscores. The cheapest reading of a name wins, then the longest of the
// keys that are known and the shortest of the others.
const (
	costPart    = 2 // an inline key that is the name of a part
	costEntry   = 3 // a new key of a map
	costInline  = 8 // a new inline key that nobody heard of
	costSection = 100
)

// maxName is the longest name, in bytes, that is looked for.
const maxName = 256

func (o *overlay) applyAll(all []override) {
	for _, v := range all {
		if len(v.name) > maxName {
			o.problems = append(o.problems, v.at.problem("", "no such setting", ""))
			continue
		}
		best, ok := o.find(o.typ, o.root, v.name)
		switch {
		case !ok:
			o.problems = append(o.problems, v.at.problem("", "no such setting", o.suggest(v)))
		case best.section:
			o.problems = append(o.problems, v.at.problem(strings.Join(best.keys, "."),
				"a section cannot be given in one piece", "Give its values one by one, or write it into the file."))
		default:
			o.apply(best, v)
		}
	}
}

// find reads the rest of a name as keys below a value of type t, which stands
// at n (nil if it is not given yet).
func (o *overlay) find(t reflect.Type, n *node, rest string) (spot, bool) {
	t = deref(t)
	switch {
	case t == rawType:
		return spot{rest: rest}, true
	case isScalar(t) || t.Kind() == reflect.Slice && isScalar(deref(t.Elem())):
		return spot{}, rest == ""
	case rest == "":
		return spot{cost: costSection, section: true}, true
	case t.Kind() == reflect.Map:
		return o.findSplit(t.Elem(), n, rest, costEntry)
	case t.Kind() == reflect.Slice:
		return o.findItem(t.Elem(), n, rest)
	case t.Kind() == reflect.Struct:
		return o.findField(t, n, rest)
	}
	return spot{}, false
}

// findField reads the rest of a name as a field of a struct.
func (o *overlay) findField(t reflect.Type, n *node, rest string) (best spot, ok bool) {
	take := func(s spot, found bool, key string) {
		if found && (!ok || s.cost < best.cost) {
			s.keys = append([]string{key}, s.keys...)
			best, ok = s, true
		}
	}
	fields := fieldsOf(t)
	slices.SortStableFunc(fields, func(a, b field) int { return cmp.Compare(len(b.name), len(a.name)) })
	for _, f := range fields {
		name := envName(f.name)
		switch after, deeper := strings.CutPrefix(rest, name+"_"); {
		case f.inline:
			s, found := o.findSplit(f.typ.Elem(), n, rest, costInline)
			if found {
				take(spot{keys: s.keys[1:], rest: s.rest, cost: s.cost}, true, s.keys[0])
			}
		case rest == name:
			s, found := o.find(f.typ, n.child(f.name), "")
			if f.secret {
				s.sibling = f.name + fileSuffix
			}
			take(s, found, f.name)
		case f.secret && after == "FILE" && deeper:
			take(spot{sibling: f.name}, true, f.name+fileSuffix)
		case deeper:
			s, found := o.find(f.typ, n.child(f.name), after)
			take(s, found, f.name)
		}
	}
	return best, ok
}

// findItem reads the rest of a name as an item of a list, by its place from 0.
// Only items that are there can be changed.
func (o *overlay) findItem(elem reflect.Type, n *node, rest string) (spot, bool) {
	place, after, deeper := strings.Cut(rest, "_")
	item := n.child(place)
	if item == nil || !deeper {
		return spot{}, false
	}
	s, found := o.find(elem, item, after)
	s.keys = append([]string{place}, s.keys...)
	return s, found
}

// findSplit tries every place at which the key of a map may end. Keys that are
// there already cost nothing.
func (o *overlay) findSplit(elem reflect.Type, n *node, rest string, cost int) (best spot, ok bool) {
	for end := 1; end <= len(rest); end++ {
		if end < len(rest) && rest[end] != '_' {
			continue
		}
		key, price := strings.ToLower(rest[:end]), cost
		if cost == costInline && slices.Contains(o.parts, key) {
			price = costPart
		}
		if n != nil {
			for _, e := range n.entries {
				if envName(e.key) == rest[:end] {
					key, price = e.key, 0
				}
			}
		}
		s, found := o.find(elem, n.child(key), strings.TrimPrefix(rest[end:], "_"))
		total := s.cost + price
		if found && (!ok || total < best.cost || total == best.cost && price <= costPart) {
			s.keys, s.cost = append([]string{key}, s.keys...), total
			best, ok = s, true
		}
	}
	return best, ok
}

// apply writes an override into the tree. It does nothing if something other
// than a section or a list is in the way: decoding will say so.
func (o *overlay) apply(s spot, v override) {
	parent, n := o.root, o.root
	for _, key := range s.keys {
		if n.kind == nothing {
			n.kind = section
		}
		if n.kind != section && n.kind != list {
			return
		}
		parent, n = n, n.child(key)
		if n == nil {
			n = &node{at: v.at, key: v.at}
			parent.set(key, n)
		}
	}
	if s.rest != "" {
		n.pending = append(n.pending, override{s.rest, v.text, v.at})
		return
	}
	if other := parent.child(s.sibling); other != nil && other.at.layer < v.at.layer {
		parent.remove(s.sibling)
	}
	parent.set(s.keys[len(s.keys)-1], &node{kind: scalar, text: v.text, at: v.at, key: v.at})
}

// suggest names the variable that was probably meant, or the flag's path.
func (o *overlay) suggest(v override) string {
	best := closest(v.name, o.names(o.typ, o.root, "", 0))
	if best == "" {
		return ""
	}
	if start, ours := strings.CutSuffix(v.at.file, v.name); ours {
		return "Did you mean " + strings.TrimPrefix(start, "environment ") + best + "?"
	}
	return "Did you mean " + strconv.Quote(strings.ToLower(best)) + "?"
}

// maxDepth ends the walk through types that contain themselves.
const maxDepth = 12

// names lists the names of the values that can be given.
func (o *overlay) names(t reflect.Type, n *node, prefix string, depth int) []string {
	t = deref(t)
	switch {
	case depth > maxDepth:
		return nil
	case isScalar(t) || t.Kind() == reflect.Slice && (isScalar(deref(t.Elem())) || n == nil):
		return []string{strings.TrimSuffix(prefix, "_")}
	}
	var all []string
	switch {
	case t.Kind() == reflect.Slice:
		for i, item := range n.items {
			all = append(all, o.names(t.Elem(), item, prefix+strconv.Itoa(i)+"_", depth+1)...)
		}
	case t.Kind() == reflect.Map && n != nil:
		for _, e := range n.entries {
			all = append(all, o.names(t.Elem(), e.value, prefix+envName(e.key)+"_", depth+1)...)
		}
	case isStruct(t):
		for _, f := range fieldsOf(t) {
			if !f.inline {
				all = append(all, o.names(f.typ, n.child(f.name), prefix+envName(f.name)+"_", depth+1)...)
			}
		}
	}
	return all
}
