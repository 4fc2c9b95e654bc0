package httpsender

import (
	"net/http"
	"net/textproto"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// ours are the names that every recipe has, and which no param may take.
var ours = []string{"to", "text", "html", "subject", "code", "link", "locale", "key", "brand", "receipts_url"}

// lines are those of ours that are one line of plain characters, and so may stand
// in a path or a header.
var lines = []string{"to", "code", "locale", "key", "receipts_url"}

// check says what is wrong with a recipe that could be read, and fills in what
// goes without saying.
func (d *decoder) check(r *recipe) {
	if r.Form == "" {
		r.Form = map[string]string{"email": "email", "phone": "sms"}[r.Address]
	}
	d.checkHead(r)
	d.checkParams(r)
	d.checkTables(r)
	d.checkEndpoint(r)
	d.checkRequest(r)
	d.checkAuth(r)
	d.checkAnswers(r)
	d.checkReceipts(r)
}

func (d *decoder) checkHead(r *recipe) {
	if !names.MatchString(r.Name) {
		d.add(r.At, "name: %q is not made of small letters, digits and _", r.Name)
	}
	if r.Title == "" || !strings.HasSuffix(r.Summary, ".") {
		d.add(r.At, "title and summary, a sentence, are for people and required")
	}
	if u, err := url.Parse(r.Docs); err != nil || u.Scheme != "https" || u.Host == "" {
		d.add(r.At, "docs: the https address of the provider's own documentation is required")
	}
	if r.Address == "" {
		d.add(r.At, "address: email or phone is required")
	}
	if (r.Address == "email") != (r.Form == "email") {
		d.add(r.At, "form: %s does not go with the address %s", r.Form, r.Address)
	}
}

func (d *decoder) checkParams(r *recipe) {
	for name, p := range r.Params {
		if !names.MatchString(name) || slices.Contains(ours, name) {
			d.add(p.At, "params: the name %q is taken, or not made of small letters, digits and _", name)
		}
		if !strings.HasSuffix(p.Doc, ".") {
			d.add(p.At, "params.%s: doc, a sentence, is required", name)
		}
		if p.Secret && p.Default != "" {
			d.add(p.At, "params.%s: a secret has no default", name)
		}
		if _, err := regexp.Compile(p.Pattern); err != nil {
			d.add(p.At, "params.%s: pattern: %s", name, err)
		}
		if p.Default != "" {
			if err := p.fits(p.Default); err != nil {
				d.add(p.At, "params.%s: default: %s", name, err)
			}
		}
	}
}

func (d *decoder) checkTables(r *recipe) {
	for name := range r.Tables {
		if _, taken := functions[name]; taken || !names.MatchString(name) {
			d.add(r.At, "tables: the name %q is a function's, or not made of small letters, digits and _", name)
		}
	}
}

func (d *decoder) checkEndpoint(r *recipe) {
	hosts := r.params(func(p param) bool { return p.Kind == "host" })
	d.checkText(r, r.Endpoint, hosts, "the endpoint takes params of the kind host")
	sample, err := r.Endpoint.fill(scope{value: func(string) (string, error) { return "example.com", nil }, tables: r.Tables})
	if err == nil {
		_, err = checkEndpoint(sample, false)
	}
	if err != nil {
		d.add(r.Endpoint.at, "endpoint: expected https://host")
	}
}

// params lists the params of a recipe that suit.
func (r *recipe) params(suits func(param) bool) (list []string) {
	for name, p := range r.Params {
		if suits(p) {
			list = append(list, name)
		}
	}
	return list
}

// checkText sees to it that a template only names what may stand there.
func (d *decoder) checkText(r *recipe, t text, known []string, hint string) {
	for _, p := range t.parts {
		if p.name != "" && !slices.Contains(known, p.name) {
			d.add(t.at, "{%s} may not stand here: %s", p.name, hint)
		}
		for _, pipe := range p.pipes {
			if _, ok := functions[pipe]; !ok && r.Tables[pipe] == nil {
				d.add(t.at, "{%s|%s}: there is no function or table %q", p.name, pipe, pipe)
			}
		}
	}
}

func (d *decoder) checkRequest(r *recipe) {
	q := r.Request
	if q.Method == "" || len(q.Path.segments) == 0 {
		d.add(q.At, "request: method and path are required")
	}
	if q.JSON != nil && q.Form != nil || q.Method == http.MethodGet && (q.JSON != nil || q.Form != nil) {
		d.add(q.At, "request: either json or form, and neither with GET")
	}
	plain := r.params(func(p param) bool { return p.Kind != "pem" })
	line := slices.Concat(lines, plain)
	for _, s := range q.Path.segments {
		d.checkText(r, s, line, "a path takes params and "+strings.Join(lines, ", "))
	}
	for name, t := range q.Headers {
		canonical := textproto.CanonicalMIMEHeaderKey(name)
		if !token.MatchString(name) || slices.Contains([]string{"Host", "Content-Length", "Content-Type", "Transfer-Encoding", "Connection"}, canonical) {
			d.add(t.at, "request.headers: %q is no header that a recipe may set", name)
		}
		d.checkText(r, t, line, "a header takes params and "+strings.Join(lines, ", "))
	}
	d.checkFilled(r, slices.Concat(ours, plain))
}

// checkFilled is about what is encoded as a whole, and so takes any value.
func (d *decoder) checkFilled(r *recipe, known []string) {
	each := func(t text) {
		d.checkText(r, t, known, "there are the recipe's params and "+strings.Join(ours, ", "))
	}
	for _, fields := range []map[string]text{r.Request.Query, r.Request.Form} {
		for _, t := range fields {
			each(t)
		}
	}
	if r.Request.JSON != nil {
		r.Request.JSON.texts(each)
	}
}

// token is the name of a header (RFC 9110 section 5.6.2).
var token = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")

func (d *decoder) checkAuth(r *recipe) {
	a, n := r.Request.Auth, 0
	var used []text
	if a.Basic != nil {
		n++
		used = append(used, a.Basic.Username, a.Basic.Password)
	}
	if a.Bearer != nil {
		n++
		used = append(used, *a.Bearer)
	}
	if a.SigV4 != nil {
		n++
		used = append(used, a.SigV4.AccessKey, a.SigV4.SecretKey, a.SigV4.Region, a.SigV4.Service)
		if a.SigV4.SessionToken != nil {
			used = append(used, *a.SigV4.SessionToken)
		}
	}
	if a.JWT != nil {
		n++
		used = append(used, a.JWT.Key)
		for _, t := range a.JWT.Claims {
			used = append(used, t)
		}
		if a.JWT.Life == 0 {
			d.add(a.At, "jwt_rs256: life is required")
		}
	}
	if a.SigV4 != nil && !r.Request.unreserved() {
		d.add(a.At, "aws_sigv4: the path has to be plain, without names, and there may be no query")
	}
	if n > 1 {
		d.add(a.At, "auth: at most one scheme")
	}
	d.onlyParams(r, used)
}

// unreserved reports whether nothing in the URL is ever escaped (RFC 3986 section 2.3).
func (q request) unreserved() bool {
	for _, s := range q.Path.segments {
		if v, ok := s.constant(); !ok || !regexp.MustCompile(`^[A-Za-z0-9._~-]+$`).MatchString(v) {
			return false
		}
	}
	return len(q.Query) == 0
}

// onlyParams is for templates of keys.
func (d *decoder) onlyParams(r *recipe, used []text) {
	all := r.params(func(param) bool { return true })
	for _, t := range used {
		if len(t.parts) == 0 {
			d.add(r.Request.Auth.At, "a part of the scheme is missing")
		}
		d.checkText(r, t, all, "only params may")
	}
}

func (d *decoder) checkAnswers(r *recipe) {
	if len(r.Success) == 0 {
		d.add(r.At, "success: at least one condition is required")
	}
	for _, c := range r.Success {
		if len(c.Status) == 0 {
			d.add(c.At, "success: status is required")
		}
		d.checkCondition(c)
	}
	if r.Receipt.Header != "" && r.Receipt.JSON != "" {
		d.add(r.Receipt.At, "receipt: either header or json")
	}
	for _, e := range r.Errors {
		if e.Class == "" || len(e.Status)+len(e.JSON)+len(e.Headers) == 0 {
			d.add(e.At, "errors: a condition and a class are required")
		}
		d.checkCondition(e.condition)
	}
}

func (d *decoder) checkCondition(c condition) {
	for _, s := range c.Status {
		if s < 100 || s > 599 {
			d.add(c.At, "status: %d is none of HTTP's", s)
		}
	}
	for at, m := range c.JSON {
		d.checkMatch(c.At, at, m)
	}
	for at, m := range c.Headers {
		d.checkMatch(c.At, at, m)
	}
}

func (d *decoder) checkMatch(at position, path string, m match) {
	if path == "" || strings.Contains("."+path+".", "..") {
		d.add(at, "%q is no path", path)
	}
	if len(m.is)+len(m.contains) == 0 || slices.Contains(m.contains, "") {
		d.add(at, "%s: expected a value", path)
	}
}
