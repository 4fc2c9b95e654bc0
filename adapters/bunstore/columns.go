package bunstore

import (
	"strconv"
	"strings"
)

// kind is a column's type in PostgreSQL, where parameters are cast to it.
type kind string

const (
	text    kind = "text"
	bigint  kind = "bigint"
	boolean kind = "boolean"
	blob    kind = "bytea"
)

// zero is what stands for a column of a row that an outer join did not find.
func (k kind) zero() string {
	switch k {
	case bigint:
		return "0"
	case boolean:
		return "false"
	case blob:
		return "NULL"
	case text:
	}
	return "''"
}

// columns are a table's columns in the order of args and dest of its row.
type columns []struct {
	name string
	kind kind
}

// list names all columns, each with the prefix ("c.").
func (c columns) list(prefix string) string {
	out := make([]string, len(c))
	for i, x := range c {
		out[i] = prefix + x.name
	}
	return strings.Join(out, ", ")
}

// optional names all columns of a row that an outer join may not find.
func (c columns) optional(prefix string) string {
	out := make([]string, len(c))
	for i, x := range c {
		out[i] = "coalesce(" + prefix + x.name + ", " + x.kind.zero() + ")"
		if x.kind == blob {
			out[i] = prefix + x.name
		}
	}
	return strings.Join(out, ", ")
}

// values are the columns' parameters, counted from first.
func (c columns) values(first int) string {
	out := make([]string, len(c))
	for i := range c {
		out[i] = "$" + strconv.Itoa(first+i)
	}
	return strings.Join(out, ", ")
}

// casts are the columns' parameters for PostgreSQL, counted from first.
func (c columns) casts(first int) string {
	out := make([]string, len(c))
	for i, x := range c {
		out[i] = "$" + strconv.Itoa(first+i) + "::" + string(x.kind)
	}
	return strings.Join(out, ", ")
}

// insert is the statement that adds one row.
func (c columns) insert(table string) string {
	return "INSERT INTO " + table + " (" + c.list("") + ") VALUES (" + c.values(1) + ")"
}

// pick is the start of the statement that reads rows.
func (c columns) pick(table string) string { return "SELECT " + c.list("") + " FROM " + table }
