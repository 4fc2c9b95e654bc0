package configfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// kind is the shape of a node.
type kind int

const (
	nothing kind = iota // null, or a key without a value
	scalar
	list
	section
)

// node is a piece of configuration, whoever gave it.
type node struct {
	kind    kind
	tag     string // "!!str", "!!int", ... of a scalar of the file; "" if it is text from elsewhere
	text    string
	items   []*node
	entries []entry
	at      origin     // where the value begins
	key     origin     // where its key begins; equals at if there is none
	pending []override // for a subtree whose struct is not known yet
}

type entry struct {
	key   string
	value *node
}

// child returns the value of a key, or nil. It may be called on nil.
func (n *node) child(key string) *node {
	if n == nil {
		return nil
	}
	for _, e := range n.entries {
		if e.key == key {
			return e.value
		}
	}
	if i, ok := n.index(key); ok {
		return n.items[i]
	}
	return nil
}

// index reads a key as the place of an item of a list, from 0.
func (n *node) index(key string) (int, bool) {
	i, err := strconv.Atoi(key)
	return i, err == nil && n.kind == list && i >= 0 && i < len(n.items) && strconv.Itoa(i) == key
}

// set puts a value under a key, in place of what is there.
func (n *node) set(key string, value *node) {
	for i := range n.entries {
		if n.entries[i].key == key {
			n.entries[i].value = value
			return
		}
	}
	n.entries = append(n.entries, entry{key, value})
}

// remove takes a key away.
func (n *node) remove(key string) {
	for i := range n.entries {
		if n.entries[i].key == key {
			n.entries = append(n.entries[:i:i], n.entries[i+1:]...)
			return
		}
	}
}

// clone copies the sections and lists of a tree, so that set and remove leave the
// original alone.
func (n *node) clone() *node {
	c := *n
	c.entries = make([]entry, len(n.entries))
	for i, e := range n.entries {
		c.entries[i] = entry{e.key, e.value.clone()}
	}
	c.items = make([]*node, len(n.items))
	for i, item := range n.items {
		c.items[i] = item.clone()
	}
	return &c
}

// describe names what the node is, for "expected this, got that".
func (n *node) describe() string {
	switch n.kind {
	case nothing:
		return "nothing"
	case list:
		return "a list"
	case section:
		return "a section"
	case scalar: // see below
	}
	switch n.tag {
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return n.text
	}
	return "text"
}

// parser turns YAML into nodes, and refuses what a configuration does not need.
type parser struct {
	file     string
	problems Problems
}

// parse returns the root section, which is empty for an empty file, or nil if
// the file cannot be read at all.
func (p *parser) parse(data []byte) *node {
	top := origin{layer: fromFile, file: p.file, line: 1, column: 1}
	empty := &node{kind: nothing, at: top, key: top}
	if len(data) > maxSize {
		p.problems = append(p.problems, top.problem("", fmt.Sprintf("the file is larger than %d bytes", maxSize), ""))
		return nil
	}
	docs, err := documents(data)
	if err != nil {
		p.problems = append(p.problems, syntaxProblem(p.file, data, err))
		return nil
	}
	if len(docs) == 0 {
		return empty
	}
	if len(docs) > 1 {
		p.refuse(docs[1], "a second document begins here", "Keep one document per file, without a line of ---.")
	}
	if len(docs[0].Content) == 0 {
		return empty
	}
	return p.build(docs[0].Content[0])
}

// documents reads all YAML documents of a file. The library is not trusted to
// survive every input.
func documents(data []byte) (docs []*yaml.Node, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("yaml: %v", r)
		}
	}()
	dec := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var doc yaml.Node
		switch err := dec.Decode(&doc); {
		case errors.Is(err, io.EOF):
			return docs, nil
		case err != nil:
			return nil, err
		}
		docs = append(docs, &doc)
	}
}

func (p *parser) origin(y *yaml.Node) origin {
	return origin{layer: fromFile, file: p.file, line: y.Line, column: y.Column}
}

func (p *parser) refuse(y *yaml.Node, text, hint string) {
	p.problems = append(p.problems, p.origin(y).problem("", text, hint))
}

// build converts one YAML node and everything below it.
func (p *parser) build(y *yaml.Node) *node {
	n := &node{at: p.origin(y), key: p.origin(y)}
	switch {
	case y.Kind == yaml.AliasNode:
		p.refuse(y, "aliases such as *"+y.Value+" are not supported", "Write the value out.")
		return nil
	case y.Anchor != "":
		p.refuse(y, "anchors such as &"+y.Anchor+" are not supported", "Write the value out wherever it is needed.")
	case y.Style&yaml.TaggedStyle != 0:
		p.refuse(y, "tags such as "+y.Tag+" are not supported", "Write the value without it.")
	}
	switch y.Kind {
	case yaml.MappingNode:
		n.kind = section
		p.buildEntries(n, y.Content)
	case yaml.SequenceNode:
		n.kind = list
		for _, item := range y.Content {
			if c := p.build(item); c != nil {
				n.items = append(n.items, c)
			}
		}
	default:
		n.kind, n.tag, n.text = scalar, y.ShortTag(), y.Value
		if n.tag == "!!null" {
			n.kind = nothing
		}
	}
	return n
}

// buildEntries converts the keys and values of a section.
func (p *parser) buildEntries(n *node, content []*yaml.Node) {
	first := map[string]int{}
	for i := 0; i+1 < len(content); i += 2 {
		key := content[i]
		switch {
		case key.Kind == yaml.ScalarNode && key.ShortTag() == "!!merge":
			p.refuse(key, "merge keys (<<) are not supported", "Write the values out.")
			continue
		case key.Kind != yaml.ScalarNode || key.ShortTag() == "!!null":
			p.refuse(key, "expected a name as key", "")
			continue
		case key.Anchor != "":
			p.refuse(key, "anchors such as &"+key.Anchor+" are not supported", "Write the value out wherever it is needed.")
		}
		if line, twice := first[key.Value]; twice {
			p.refuse(key, "the key "+strconv.Quote(key.Value)+" is given twice, first in line "+strconv.Itoa(line), "Remove one of them.")
			continue
		}
		first[key.Value] = key.Line
		value := p.build(content[i+1])
		if value == nil {
			continue
		}
		value.key = p.origin(key)
		if value.kind == nothing {
			value.at = value.key
		}
		n.entries = append(n.entries, entry{key.Value, value})
	}
}
