package fiberapi

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// group is the operations of one tag.
type group struct {
	Name, Anchor string
	Operations   []operationView
}

// operationView is one operation as the page shows it.
type operationView struct {
	ID, Method, Path, Summary, About, Caller string
	Parameters                               []fieldView
	Request                                  string // name of a schema
	Required                                 bool
	Success                                  int
	Answers                                  []string // names of schemas
	Refusals                                 []refusalView
}

// refusalView is the codes of one status.
type refusalView struct {
	Status int
	Text   string
	Codes  []string
}

// schemaView is one schema as the page shows it.
type schemaView struct {
	Name   string
	Fields []fieldView
}

// fieldView is one member.
type fieldView struct {
	Name, Type, Ref, About string
	Required               bool
	Values                 []string
}

// groups shows the document in the order of the table.
func groups(all []operation, doc *huma.OpenAPI) []group {
	var out []group
	for _, o := range all {
		i := slices.IndexFunc(out, func(g group) bool { return g.Name == o.tag })
		if i < 0 {
			i = len(out)
			out = append(out, group{Name: o.tag, Anchor: strings.ReplaceAll(strings.ToLower(o.tag), " ", "-")})
		}
		item := doc.Paths[o.path]
		documented := map[string]*huma.Operation{
			http.MethodGet: item.Get, http.MethodPost: item.Post, http.MethodPut: item.Put, http.MethodPatch: item.Patch, http.MethodDelete: item.Delete,
		}[o.method]
		out[i].Operations = append(out[i].Operations, viewOf(o, documented, doc.Components))
	}
	return out
}

func viewOf(o operation, op *huma.Operation, parts *huma.Components) operationView {
	v := operationView{
		ID: o.id, Method: o.method, Path: o.path, Summary: o.summary, About: o.about, Caller: callerText(o), Success: o.status,
	}
	for _, p := range op.Parameters {
		if p.Ref != "" {
			p = parts.Parameters[p.Ref[strings.LastIndex(p.Ref, "/")+1:]]
		}
		f := field(p.Name, p.Schema, p.Required)
		f.Type, f.About = f.Type+", in the "+p.In, p.Description
		v.Parameters = append(v.Parameters, f)
	}
	if op.RequestBody != nil {
		for _, m := range op.RequestBody.Content {
			v.Request, v.Required = refName(m.Schema), op.RequestBody.Required
		}
	}
	for _, m := range op.Responses[strconv.Itoa(o.status)].Content {
		for _, s := range append([]*huma.Schema{m.Schema}, m.Schema.OneOf...) {
			if name := refName(s); name != "" {
				v.Answers = append(v.Answers, name)
			}
		}
	}
	byStatus := refusals(o)
	for _, status := range slices.Sorted(maps.Keys(byStatus)) {
		v.Refusals = append(v.Refusals, refusalView{Status: status, Text: http.StatusText(status), Codes: byStatus[status]})
	}
	return v
}

func callerText(o operation) string {
	text := map[caller]string{
		nobody: "Anybody may ask.", public: "Anybody may ask; no credential is looked at.",
		anyone: "Without a credential, with a pending token, or with an access token.", person: "With an access token.",
		waiting: "With a pending token.", program: "With an API key.",
		inviter: "With an access token, or an API key of scope admin.", operator: "With an API key of scope admin.",
	}[o.caller]
	if o.fresh {
		text += " May ask for a fresh proof (step-up)."
	}
	return text
}

func schemaViews(doc *huma.OpenAPI) []schemaView {
	all := doc.Components.Schemas.Map()
	var out []schemaView
	for _, name := range slices.Sorted(maps.Keys(all)) {
		s := all[name]
		v := schemaView{Name: name}
		for _, member := range slices.Sorted(maps.Keys(s.Properties)) {
			v.Fields = append(v.Fields, field(member, s.Properties[member], slices.Contains(s.Required, member)))
		}
		slices.SortStableFunc(v.Fields, func(a, b fieldView) int {
			switch {
			case a.Required == b.Required:
				return 0
			case a.Required:
				return -1
			}
			return 1
		})
		out = append(out, v)
	}
	return out
}

func field(name string, s *huma.Schema, required bool) fieldView {
	f := fieldView{Name: name, About: s.Description, Required: required}
	f.Type, f.Ref = typeText(s)
	for _, v := range s.Enum {
		f.Values = append(f.Values, fmt.Sprint(v))
	}
	return f
}

// typeText is a type in words, and the name of the schema it refers to.
func typeText(s *huma.Schema) (text, ref string) {
	switch {
	case s.Ref != "":
		return "", refName(s)
	case s.Type == huma.TypeArray:
		inner, ref := typeText(s.Items)
		if ref != "" {
			return "list of", ref
		}
		return "list of " + inner, ""
	case s.Format == "date-time":
		text = "time"
	default:
		text = s.Type
	}
	if s.Nullable {
		text += " or null"
	}
	return text, ""
}

func refName(s *huma.Schema) string { return strings.TrimPrefix(s.Ref, schemas) }
