package fiberapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"

	template "github.com/DataDog/datadog-agent/pkg/template/html"
	"github.com/gofiber/fiber/v2"

	"github.com/countersign/countersign/adapters/fiberkit"
	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/fault"
)

// linkView is the page that a link opens. Its texts are named by their keys in
// web/link.json until they are written.
type linkView struct {
	Lang, Dir, Title       string
	Lead, To, Button, Hint string
	Heading                string // "" is title
	Inviter                string // stands in Lead
	Field, Trouble         string // a user name that is asked for, and why it is asked for again
	Next                   string // where the form may lead, if not here; not shown
	Style                  template.CSS
}

// linkPages are the texts and the template of the page, read once.
type linkPages struct {
	words map[string]map[string]string
	page  *template.Template
	style []byte
}

func readLinkPages() (p linkPages, err error) {
	raw, err := web.ReadFile("web/link.json")
	if err != nil {
		return p, fmt.Errorf("read the words of links: %w", err)
	}
	if err := json.Unmarshal(raw, &p.words); err != nil {
		return p, fmt.Errorf("read the words of links: %w", err)
	}
	if p.style, err = web.ReadFile("web/docs.css"); err != nil {
		return p, fmt.Errorf("read the style of links: %w", err)
	}
	p.page, err = template.ParseFS(web, "web/link.html")
	return p, err
}

// linkPage writes the page in the language that the browser prefers.
func (a *API) linkPage(c *call, v linkView) ([]byte, error) {
	pages, err := a.links()
	if err != nil {
		return nil, err
	}
	v.Lang, v.Dir = a.Locales.Match(c.Get(fiber.HeaderAcceptLanguage)), "ltr"
	words, ok := pages.words[v.Lang]
	if !ok {
		v.Lang, words = "en", pages.words["en"]
	}
	if v.Lang == "ar" {
		v.Dir = "rtl"
	}
	v.Title = strings.ReplaceAll(words[firstText(v.Heading, "title")], "{brand}", a.Brand)
	for _, text := range []*string{&v.Lead, &v.Button, &v.Hint, &v.Field, &v.Trouble} {
		*text = words[*text]
	}
	v.Lead = strings.ReplaceAll(v.Lead, "{inviter}", isolate(v.Inviter))
	v.Style = template.CSS(pages.style)
	var b bytes.Buffer
	if err := pages.page.Execute(&b, v); err != nil {
		return nil, fmt.Errorf("write the page of a link: %w", err)
	}
	c.Set(fiber.HeaderContentLanguage, v.Lang)
	c.Vary(fiber.HeaderAcceptLanguage)
	body := a.html(c, b.Bytes())
	c.Set(fiber.HeaderContentSecurityPolicy, strings.Replace(c.GetRespHeader(fiber.HeaderContentSecurityPolicy), "form-action 'none'", strings.TrimSpace("form-action 'self' "+originOf(v.Next)), 1))
	return body, nil
}

// isolate keeps what somebody calls themselves from turning the text around it
// (Unicode FSI and PDI), and takes out what would end that or turn the name itself.
func isolate(text string) string {
	return "\u2068" + strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Bidi_Control, r) {
			return -1
		}
		return r
	}, text) + "\u2069"
}

// brokenLink says to a person why a link does not work. Machines hear it as they
// hear everything else.
func (a *API) brokenLink(c *call, err error) ([]byte, error) {
	f, ok := fault.Of(err)
	if !ok || !strings.Contains(c.Get(fiber.HeaderAccept), fiber.MIMETextHTML) {
		return nil, err
	}
	v := linkView{Lead: "other"}
	switch f.Code {
	case challenge.ErrLinkUsed.Code, challenge.ErrLinkExpired.Code:
		v.Lead = f.Code
	case challenge.ErrElsewhere.Code:
		v.Lead = "elsewhere"
	}
	if lead, ok := leadOf(f); ok {
		v.Heading, v.Lead = "invite_title", lead
	}
	c.status = fiberkit.Status(f.Kind)
	return a.linkPage(c, v)
}

// seeOther is the answer that sends a browser elsewhere (RFC 9110, 15.4.4).
type seeOther string //nolint:errname // says what it is

// Error says where to.
func (s seeOther) Error() string { return "see other" }
