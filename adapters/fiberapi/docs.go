package fiberapi

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"strings"

	template "github.com/DataDog/datadog-agent/pkg/template/html"
	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"

	"github.com/countersign/countersign/domain/fault"
)

//go:embed web
var web embed.FS

var errNoPage = fault.New(fault.NotFound, "not_found", "There is no page about this code.")

// page is what the template shows.
type page struct {
	Brand, Version, Intro string
	Style                 template.CSS
	Groups                []group
	Schemas               []schemaView
	Problems              []problem
	Problem               *problem // on the page of one problem
}

// render writes the pages, once. They need nothing from elsewhere and no script.
func (a *API) render(doc *huma.OpenAPI) (whole []byte, problems map[string][]byte, err error) {
	style, err := web.ReadFile("web/docs.css")
	if err != nil {
		return nil, nil, fmt.Errorf("read the style of the pages: %w", err)
	}
	t, err := template.New("").Funcs(template.FuncMap{"prose": prose, "lower": strings.ToLower}).ParseFS(web, "web/*.html")
	if err != nil {
		return nil, nil, fmt.Errorf("read the pages: %w", err)
	}
	p := page{
		Brand: a.Brand, Version: a.Version, Intro: introduction, Style: template.CSS(style),
		Groups: groups(a.operations, doc), Schemas: schemaViews(doc), Problems: explained(),
	}
	if whole, err = write(t, "docs.html", p); err != nil {
		return nil, nil, err
	}
	problems = map[string][]byte{}
	for _, one := range p.Problems {
		p.Problem = &one
		if problems[one.Code], err = write(t, "problem.html", p); err != nil {
			return nil, nil, err
		}
	}
	return whole, problems, nil
}

func write(t *template.Template, name string, p page) ([]byte, error) {
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, name, p); err != nil {
		return nil, fmt.Errorf("write %s: %w", name, err)
	}
	return b.Bytes(), nil
}

// policyOf allows a page its own style and nothing else.
func policyOf(style []byte) string {
	sum := sha256.Sum256(style)
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}

// html answers with a page. The policy names the style that stands in it.
func (a *API) html(c *call, body []byte) []byte {
	_, rest, _ := bytes.Cut(body, []byte("<style>"))
	style, _, _ := bytes.Cut(rest, []byte("</style>"))
	c.Set(fiber.HeaderContentSecurityPolicy, policyOf(style))
	return body
}

func (a *API) docsPage(c *call) ([]byte, error) {
	d, err := a.described()
	return a.html(c, d.page), err
}

func (a *API) problemPage(c *call) ([]byte, error) {
	d, err := a.described()
	if err != nil {
		return nil, err
	}
	body, ok := d.problems[c.Params("id")]
	if !ok {
		return nil, errNoPage
	}
	return a.html(c, body), nil
}

// prose turns the little Markdown of our own sentences into HTML: paragraphs
// and code. Everything else is escaped.
func prose(text string) template.HTML {
	var b strings.Builder
	for paragraph := range strings.SplitSeq(text, "\n\n") {
		b.WriteString("<p>")
		for i, part := range strings.Split(paragraph, "`") {
			if i%2 == 1 {
				b.WriteString("<code>" + template.HTMLEscapeString(part) + "</code>")
			} else {
				b.WriteString(template.HTMLEscapeString(part))
			}
		}
		b.WriteString("</p>")
	}
	return template.HTML(b.String())
}
