package arch_test

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/token"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/countersign/countersign/adapters/fiberkit"
	"github.com/countersign/countersign/domain/fault"
)

// problemsPage is the golden list of refusals. It is a page for users, so a
// renamed code is seen for what it is: a breaking change.
const problemsPage = "docs/problems.md"

// shared are the codes that several packages declare on purpose, because a
// caller shall not, or need not, tell them apart.
var shared = map[string]string{
	"not_found":           "whatever is missing looks alike, also if it is somebody else's",
	"invalid_token":       "RFC 6750 has one name for all that is wrong with a token",
	"malformed_request":   "whatever cannot be understood, be it body, header or method",
	"rate_limited":        "too often, be it within a challenge or within a window",
	"not_configured":      "a channel or a route that is not switched on",
	"invalid_request":     "the fields say what is wrong",
	"forbidden":           "the sentence says what would have to be different",
	"storage_unavailable": "no room at the moment, whatever it is that is short",
	"assertion_replayed":  "used before, whichever channel it came through",
}

// refusal is one fault.New in the sources.
type refusal struct {
	at, kind, code, text string
}

var goodCode = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)

// refusals reads every declaration of a fault. What is not written out cannot be
// read here, and is a finding.
func refusals(all []source) (out []refusal, found []string) {
	kinds := kindsOf(all)
	for _, s := range production(all) {
		name := s.nameOf(module + "domain/fault")
		ast.Inspect(s.file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || name == "" || !isSelector(call.Fun, name, "New") || len(call.Args) != 3 {
				return true
			}
			r := refusal{at: s.at(n)}
			var plain [3]bool
			r.kind, plain[0] = kindText(call.Args[0], name, kinds)
			r.code, plain[1] = constant(call.Args[1])
			r.text, plain[2] = constant(call.Args[2])
			if plain != [3]bool{true, true, true} {
				found = append(found, r.at+": kind, code and text of a fault are constants that stand here")
				return true
			}
			out = append(out, r)
			return true
		})
	}
	return out, found
}

// kindsOf reads the constants of type fault.Kind: "NotFound" is "not_found".
func kindsOf(all []source) map[string]string {
	out := map[string]string{}
	for _, s := range production(all) {
		if s.pkg != "domain/fault" {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			v, ok := n.(*ast.ValueSpec)
			if !ok || len(v.Names) != 1 || len(v.Values) != 1 {
				return true
			}
			if t, ok := v.Type.(*ast.Ident); ok && t.Name == "Kind" {
				out[v.Names[0].Name], _ = constant(v.Values[0])
			}
			return true
		})
	}
	return out
}

// nameOf is what a file calls an imported package, "" if it does not import it.
func (s source) nameOf(imported string) string {
	for name, what := range s.imports() {
		if what == imported {
			return name
		}
	}
	return ""
}

func isSelector(e ast.Expr, pkg, name string) bool {
	sel, ok := e.(*ast.SelectorExpr)
	if !ok || sel.Sel.Name != name {
		return false
	}
	x, ok := sel.X.(*ast.Ident)
	return ok && x.Name == pkg
}

// kindText is a kind's value. The empty kind is an accident's.
func kindText(e ast.Expr, pkg string, kinds map[string]string) (string, bool) {
	if text, ok := constant(e); ok {
		return text, text == ""
	}
	for name, value := range kinds {
		if isSelector(e, pkg, name) {
			return value, true
		}
	}
	return "", false
}

// constant reads a string literal, or several that are added.
func constant(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return text, err == nil && e.Kind == token.STRING
	case *ast.BinaryExpr:
		left, ok := constant(e.X)
		right, also := constant(e.Y)
		return left + right, ok && also && e.Op == token.ADD
	}
	return "", false
}

// checkFaults wants each code once, or shared on purpose and then of one kind.
func checkFaults(all []source) []string {
	list, found := refusals(all)
	first := map[string]refusal{}
	for _, r := range list {
		if !goodCode.MatchString(r.code) {
			found = append(found, fmt.Sprintf("%s: the code %q is not lower_snake_case", r.at, r.code))
		}
		if !strings.HasSuffix(r.text, ".") {
			found = append(found, fmt.Sprintf("%s: the text of %s is no sentence", r.at, r.code))
		}
		before, again := first[r.code]
		switch {
		case !again:
			first[r.code] = r
		case shared[r.code] == "":
			found = append(found, fmt.Sprintf("%s: the code %s is declared in %s already", r.at, r.code, before.at))
		case before.kind != r.kind:
			found = append(found, fmt.Sprintf("%s: the code %s is %s here and %s in %s", r.at, r.code, r.kind, before.kind, before.at))
		}
	}
	return found
}

// problems writes the page of all refusals, by HTTP status and code.
func problems(list []refusal) string {
	type key struct {
		status     int
		code, kind string
	}
	texts := map[key][]string{}
	for _, r := range list {
		k := key{fiberkit.Status(fault.Kind(r.kind)), r.code, cmp.Or(r.kind, "accident")}
		texts[k] = append(texts[k], strings.ReplaceAll(r.text, "|", `\|`))
	}
	rows := slices.SortedFunc(maps.Keys(texts), func(a, b key) int {
		return cmp.Or(cmp.Compare(a.status, b.status), cmp.Compare(a.code, b.code), cmp.Compare(a.kind, b.kind))
	})
	var b strings.Builder
	b.WriteString(problemsHead)
	status := 0
	for _, k := range rows {
		if k.status != status {
			status = k.status
			fmt.Fprintf(&b, "\n## %d\n\n| code | kind | what people read |\n|---|---|---|\n", status)
		}
		slices.Sort(texts[k])
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", k.code, k.kind, strings.Join(slices.Compact(texts[k]), "<br>"))
	}
	return b.String()
}

const problemsHead = `<!-- Made by: go test -count=1 ./test/arch -update. Do not edit. -->

# Problems

Every refusal of Countersign has a stable code. Over HTTP it is the member
` + "`code`" + ` of the answer (RFC 9457), and the last part of its ` + "`type`" + `. Programs go
by the code; the sentence is for people and may be improved at any time. A code
that changes or goes is a breaking change and stands in the changelog.

A few refusals never leave the server, and some stand in ` + "`fields`" + ` under another
one's code: what is wrong with one part of a request.
`

//go:generate go test -count=1 -run TestFaultCodes -update .

func TestFaultCodes(t *testing.T) {
	all := sources(t)
	report(t, checkFaults(all))
	list, _ := refusals(all)
	if len(list) < 20 {
		t.Fatalf("only %d faults were found: the sources are not read as they are written", len(list))
	}
	golden(t, problemsPage, problems(list))
}

func TestFaultChecksCatchWhatTheyAreFor(t *testing.T) {
	const kinds = "package fault\n\nconst (\n\tGone Kind = \"gone\"\n\tNotFound Kind = \"not_found\"\n)\n"
	file := func(lines ...string) map[string]string {
		text := "package x\n\nimport \"" + module + "domain/fault\"\n\nvar (\n" + strings.Join(lines, "\n") + "\n)\n"
		return map[string]string{"domain/x/x.go": text, "domain/fault/fault.go": kinds}
	}
	sow(t, checkFaults, []seed{
		{"a fault", file(`a = fault.New(fault.Gone, "a_b", "It is gone.")`), ""},
		{"two codes", file(`a = fault.New(fault.Gone, "a", "It is.")`, `b = fault.New(fault.Gone, "b", "It is.")`), ""},
		{"one code twice", file(`a = fault.New(fault.Gone, "a", "It is.")`, `b = fault.New(fault.Gone, "a", "It was.")`), "declared in domain/x/x.go:6 already"},
		{"a shared code", file(`a = fault.New(fault.NotFound, "not_found", "It is.")`, `b = fault.New(fault.NotFound, "not_found", "It was.")`), ""},
		{"a shared code of two kinds", file(`a = fault.New(fault.NotFound, "not_found", "It is.")`, `b = fault.New(fault.Gone, "not_found", "It was.")`), "is gone here and not_found in"},
		{"a code in another style", file(`a = fault.New(fault.Gone, "notGood", "It is.")`), "not lower_snake_case"},
		{"half a sentence", file(`a = fault.New(fault.Gone, "a", "gone")`), "no sentence"},
		{"a code that is computed", file(`a = fault.New(fault.Gone, "a" + b, "It is.")`), "constants that stand here"},
		{"a kind that is not one", file(`a = fault.New("odd", "a", "It is.")`), "constants that stand here"},
		{"a text in two parts", file(`a = fault.New(fault.Gone, "a", "It is" + " gone.")`), ""},
	})
}

func TestTheProblemsPageShowsEverySentence(t *testing.T) {
	page := problems([]refusal{
		{code: "not_found", kind: "not_found", text: "There is no such thing."},
		{code: "not_found", kind: "not_found", text: "It | was removed."},
		{code: "not_found", kind: "not_found", text: "There is no such thing."},
		{code: "internal_error", text: "Something went wrong."},
	})
	for _, line := range []string{
		"| `not_found` | not_found | It \\| was removed.<br>There is no such thing. |",
		"| `internal_error` | accident | Something went wrong. |",
	} {
		if !strings.Contains(page, line+"\n") {
			t.Errorf("the page lacks the line %q:\n%s", line, page)
		}
	}
	if strings.Index(page, "## 404") > strings.Index(page, "## 500") {
		t.Error("the statuses are not in order")
	}
}
