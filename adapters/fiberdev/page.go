package fiberdev

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"strconv"
	"time"

	template "github.com/DataDog/datadog-agent/pkg/template/html"
	"github.com/gofiber/fiber/v2"

	"github.com/countersign/countersign/adapters/fiberkit"
)

//go:embed web
var files embed.FS

// shown is how many messages the page lists.
const shown = 100

// pages is the page, ready to be filled.
type pages struct {
	template *template.Template
	style    template.CSS
	script   template.JS
	policy   string
}

func load() (p pages, err error) {
	style, err := files.ReadFile("web/inbox.css")
	if err != nil {
		return p, fmt.Errorf("read the style of the inbox: %w", err)
	}
	script, err := files.ReadFile("web/inbox.js")
	if err != nil {
		return p, fmt.Errorf("read the script of the inbox: %w", err)
	}
	p.style, p.script = template.CSS(style), template.JS(script)
	p.policy = "default-src 'none'; style-src '" + hash(style) + "'; script-src '" + hash(script) +
		"'; connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
	if p.template, err = template.New("inbox.html").Funcs(template.FuncMap{"format": format}).ParseFS(files, "web/inbox.html"); err != nil {
		return p, fmt.Errorf("read the inbox: %w", err)
	}
	return p, nil
}

func hash(content []byte) string {
	sum := sha256.Sum256(content)
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// view is what the page shows.
type view struct {
	Brand    string
	Host     string
	Style    template.CSS
	Script   template.JS
	Now      time.Time
	Offset   string // "" if the clock was not moved
	Messages []row
	More     int // messages that are not listed
	Open     *row
	Newest   int64
	Channels []trouble
}

// row is one message of the list.
type row struct {
	Message
	Age     string
	Current bool
}

// trouble is the chaos of one channel.
type trouble struct {
	Channel string
	Chaos   Chaos
}

func (d dev) page(c *fiber.Ctx) error {
	v := view{Brand: d.Brand, Host: fiberkit.Host(c), Style: d.web.style, Script: d.web.script, Now: d.Clock.Now()}
	if by := d.Clock.Offset().Round(time.Second); by != 0 {
		v.Offset = by.String()
	}
	all := d.Inbox.List(Filter{})
	v.More = max(0, len(all)-shown)
	open, _ := strconv.ParseInt(c.Query("m"), 10, 64)
	for i, m := range all[:len(all)-v.More] {
		r := row{Message: m, Age: age(v.Now.Sub(m.At)), Current: m.Seq == open || open == 0 && i == 0}
		if r.Current {
			v.Open = &r
		}
		v.Messages = append(v.Messages, r)
		v.Newest = max(v.Newest, m.Seq)
	}
	for _, id := range d.Channels {
		v.Channels = append(v.Channels, trouble{id, d.Inbox.Chaos(id)})
	}
	var b bytes.Buffer
	if err := d.web.template.Execute(&b, v); err != nil {
		return fmt.Errorf("write the inbox: %w", err)
	}
	c.Set(fiber.HeaderContentSecurityPolicy, d.web.policy)
	c.Set(fiber.HeaderContentType, fiber.MIMETextHTMLCharsetUTF8)
	return c.Send(b.Bytes())
}

// rendered is one message as a mail program would show it, in a cage: it runs
// nothing and loads nothing.
func (d dev) rendered(c *fiber.Ctx) error {
	seq, err := strconv.ParseInt(c.Params("seq"), 10, 64)
	if err != nil {
		return errNoMessage
	}
	for _, m := range d.Inbox.List(Filter{After: seq - 1}) {
		if m.Seq == seq && m.HTML != "" {
			c.Set(fiber.HeaderContentSecurityPolicy, "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'")
			c.Set(fiber.HeaderContentType, fiber.MIMETextHTMLCharsetUTF8)
			return c.SendString(m.HTML)
		}
	}
	return errNoMessage
}

// format is for templates, which cannot call methods.
func format(t time.Time, layout string) string { return t.Format(layout) }

// age is how long ago something was, in words.
func age(d time.Duration) string {
	switch {
	case d < 5*time.Second:
		return "just now"
	case d < time.Minute:
		return strconv.Itoa(int(d.Seconds())) + " s ago"
	case d < time.Hour:
		return strconv.Itoa(int(d.Minutes())) + " min ago"
	case d < 48*time.Hour:
		return strconv.Itoa(int(d.Hours())) + " h ago"
	}
	return strconv.Itoa(int(d.Hours()/24)) + " days ago"
}
