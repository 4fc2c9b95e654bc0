package configfile

import (
	"slices"
	"strings"
)

// Raw is a part of a configuration whose struct is not known when the whole is
// read: a plugin's own settings. The zero value is an empty part. It never
// shows what it holds, as there may be secrets in it.
type Raw struct {
	node  *node
	path  string
	base  string
	owner *Loaded
}

// Over returns the part as one that lies over the section at a path of the
// whole: what the part does not give is explained as coming from there. The
// struct that is decoded into holds those values already.
func (r Raw) Over(path string) Raw {
	r.base = path
	return r
}

// Decode reads the part into the struct that into points to, which holds the
// defaults, just as Load does with a whole: strictly, with Problems that name
// places in the file, and with everything that the environment and flags say
// about this part. Validate methods are called. It may be called repeatedly.
func (r Raw) Decode(into any) error {
	v, err := target(into)
	if err != nil {
		return err
	}
	if r.owner == nil {
		r.owner = &Loaded{origins: map[string]origin{}}
	}
	tree := &node{}
	if r.node != nil {
		tree = r.node.clone()
	}
	o := &overlay{typ: v.Type(), root: tree, parts: r.owner.parts}
	o.applyAll(tree.pending)
	d := &decoder{Loaded: r.owner, problems: o.problems}
	d.run(tree, v, r.path, r.base)
	return d.problems.orNil()
}

// Keys returns the keys of the part, sorted. Those that only the environment
// gives are a guess: the whole rest of the name in lower case, as long as
// nobody knows the struct.
func (r Raw) Keys() []string {
	if r.node == nil {
		return nil
	}
	var keys []string
	for _, e := range r.node.entries {
		keys = append(keys, e.key)
	}
	for _, v := range r.node.pending {
		under := func(key string) bool {
			return envName(key) == v.name || strings.HasPrefix(v.name, envName(key)+"_")
		}
		if !slices.ContainsFunc(keys, under) {
			keys = append(keys, strings.ToLower(v.name))
		}
	}
	slices.Sort(keys)
	return keys
}

// Position returns where the part stands: "countersign.yaml:14:3",
// "environment NAME", or "default" if it is not given.
func (r Raw) Position() string {
	if r.node == nil {
		return origin{}.String()
	}
	return r.node.key.String()
}

// Path returns the path of the part in the whole: "channels.email.email".
func (r Raw) Path() string { return r.path }

// String returns position and path, and nothing of the content.
func (r Raw) String() string { return r.path + " (" + r.Position() + ")" }

// GoString is String, for %#v.
func (r Raw) GoString() string { return r.String() }
