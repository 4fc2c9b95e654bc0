// Package templates composes messages from files: sentences per locale, and
// layouts that all locales share.
//
// The files of the shipped set, and of a directory an operator lays over it:
//
//	code.email.txt  code.email.html  code.sms.txt  code.chat.txt  code.voice.txt
//	notice.email.txt  notice.email.html  notice.sms.txt  notice.chat.txt
//	password_changed.email.txt  …    a layout for one kind of notice only
//	<locale>/messages.json           the sentences; plural forms by CLDR category
//	<locale>/code.sms.txt            a layout for one locale only
//	tenants/<slug>/…                 the same again for one tenant
//
// A layout is looked for at the tenant's locale, the tenant, the locale and
// the top of the overlay, then in the shipped set; one for the kind of notice
// wins over one for all notices, wherever it is. Sentences are merged in the
// opposite order, so an overlay names only those it changes; a new locale
// needs nothing but a complete messages.json. Layouts see the fields of view.
//
// Everything is read, parsed and rendered once by New; Compose reads no file.
package templates

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/countersign/countersign/ports/message"
)

// Options says what to offer. The zero value offers the shipped locales.
type Options struct {
	Default      string   // BCP 47 tag, used when nothing matches; empty: en
	Offered      []string // tags beside the default; empty: every locale there are sentences for
	Overlay      fs.FS    // the operator's files; nil: none
	Folder       string   // what the operator calls Overlay, for problems
	Tenants      []string // slugs that Overlay may have files for; nil: any
	PlainSubject bool     // keep the code out of e-mail subjects, and so off lock screens
}

// Composer composes from templates. It never changes after New, and so is safe
// for concurrent use.
type Composer struct {
	offer        offer
	plainSubject bool
	tenants      map[string]map[string]*bundle // by slug and locale; "" for everybody
}

var _ message.Composer = (*Composer)(nil)

// New reads and tries every template. Its error wraps Problems: everything that
// is wrong with them, each with the name of the file and, if known, the line.
func New(o Options) (*Composer, error) {
	l := newLoader(o)
	l.known(o.Tenants)
	offered := o.Offered
	if len(offered) == 0 {
		offered = l.locales()
	}
	of, err := newOffer(cmp.Or(o.Default, "en"), offered)
	if err != nil {
		return nil, errors.Join(append(l.problems.Unwrap(), err)...)
	}
	c := &Composer{offer: of, plainSubject: o.PlainSubject, tenants: map[string]map[string]*bundle{}}
	for _, tenant := range l.tenants() {
		c.tenants[tenant] = map[string]*bundle{}
		for i, locale := range of.names {
			b := l.bundle(tenant, locale, of.tags[i])
			c.tenants[tenant][locale] = b
			if o.Overlay != nil { // what is shipped is tried by our tests, and a start waits for this
				l.try(b)
			}
		}
	}
	if len(l.problems) > 0 {
		return nil, fmt.Errorf("load message templates: %w", l.problems)
	}
	return c, nil
}

// Compose writes one message; see message.Composer.
func (c *Composer) Compose(r message.Request) (message.Text, error) {
	locales, ok := c.tenants[r.Tenant]
	if !ok {
		locales = c.tenants[""]
	}
	text, err := locales[c.offer.match(r.Locale)].compose(r, c.plainSubject)
	if err != nil {
		return message.Text{}, fmt.Errorf("compose message: %w", err)
	}
	return text, nil
}

// Match picks the offered locale that suits the preferences best.
func (c *Composer) Match(preferences ...string) string { return c.offer.match(preferences...) }

// Locales lists what is offered, the default first.
func (c *Composer) Locales() []string { return append([]string(nil), c.offer.names...) }

// bundle is what one tenant says in one locale.
type bundle struct {
	tenant, locale, dir string
	words               words
	layouts             map[layoutKey]layout
}

type layoutKey struct {
	kind message.Kind
	form message.Form
}

func (b *bundle) compose(r message.Request, plainSubject bool) (message.Text, error) {
	lay, ok := b.layouts[layoutKey{r.Kind, r.Form}]
	if !ok {
		return message.Text{}, errors.New("no template for this kind and form")
	}
	v, err := newView(b, r, plainSubject)
	if err != nil {
		return message.Text{}, err
	}
	return lay.render(v)
}

func (l layout) render(v view) (message.Text, error) {
	out := message.Text{Locale: v.Lang, Subject: v.Subject}
	var text, html strings.Builder
	text.Grow(len(v.Intro) + 512)
	if err := l.text.Execute(&text, &v); err != nil {
		return message.Text{}, err
	}
	out.Text = tidy(text.String())
	if l.html == nil {
		return out, nil
	}
	html.Grow(8192)
	if err := l.html.Execute(&html, &v); err != nil {
		return message.Text{}, err
	}
	out.HTML = html.String()
	return out, nil
}

// tidy drops space at line ends, all but one of several empty lines, and empty
// lines at both ends, so that layouts need not count them.
func tidy(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	empty := false
	for line := range strings.SplitSeq(s, "\n") {
		line = strings.TrimRight(line, " \t\r")
		if line == "" {
			empty = true
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('\n')
			if empty {
				b.WriteByte('\n')
			}
		}
		b.WriteString(line)
		empty = false
	}
	return b.String()
}

func purposes() []string {
	var out []string
	for _, p := range message.Purposes() {
		out = append(out, string(p))
	}
	return out
}
