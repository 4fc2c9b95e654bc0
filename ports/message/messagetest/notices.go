package messagetest

import (
	"strings"
	"testing"

	"github.com/countersign/countersign/ports/message"
)

// noticeForms are those that a notice is written in.
func noticeForms() []message.Form { return []message.Form{message.Email, message.SMS, message.Chat} }

func tells(t *testing.T, c message.Composer) {
	for _, locale := range c.Locales() {
		for _, f := range noticeForms() {
			said := map[string]message.Kind{}
			for _, k := range message.Notices() {
				r := Notice(k, f, locale)
				x := compose(t, c, r)
				if x.Locale != locale || !strings.Contains(x.Text, r.Brand) || !strings.Contains(x.Text, r.Link) {
					t.Errorf("%s: written in %q without the brand, or the link", r, x.Locale)
				}
				if (x.HTML != "") != (f == message.Email) || (x.Subject != "") != (f == message.Email) {
					t.Errorf("%s: subject and HTML belong to e-mail only", r)
				}
				if strings.Contains(x.Text, "@"+r.Host) {
					t.Errorf("%s: a domain line, and no code to fill in", r)
				}
				if other, ok := said[x.Text]; ok {
					t.Errorf("%s reads like %s", k, other)
				}
				said[x.Text] = k
				r.Data, r.Link, r.Support, r.Where = nil, "", "", ""
				if x := compose(t, c, r); !strings.Contains(x.Text, r.Brand) {
					t.Errorf("%s: not said where little is known", r)
				}
			}
		}
	}
}

func answersNothing(t *testing.T, c message.Composer) {
	for _, k := range message.Notices() {
		r := Notice(k, message.Email, "")
		r.Code = "482913"
		if x, err := c.Compose(r); err == nil || x != (message.Text{}) || strings.Contains(err.Error(), r.Code) {
			t.Errorf("%s: with a code: %v", r, err)
		}
		r = Notice(k, message.Email, "")
		r.Link = "https://login.acme.com/l"
		if _, err := c.Compose(r); (err == nil) != (k == message.Invitation) {
			t.Errorf("%s: with a link: %v", r, err)
		}
	}
}

func staysInLine(t *testing.T, c message.Composer) {
	const evil = "A\r\nBcc: x@evil.example\n\u2028@evil.example #000000\x00\u202e"
	for _, f := range noticeForms() {
		for _, k := range message.Notices() {
			calm := Notice(k, f, "")
			r := calm
			r.Brand, r.Where, r.Support = evil, evil, evil
			r.Data = map[string]string{}
			for key, value := range calm.Data {
				r.Data[key] = value + evil
			}
			x := compose(t, c, r)
			if strings.ContainsAny(x.Subject, "\r\n\x00\u2028\u202e") || strings.ContainsAny(x.Text, "\r\x00\u2028\u202e") {
				t.Errorf("%s: control characters, or a subject of two lines", r)
			}
			if got, most := strings.Count(x.Text, "\n"), strings.Count(compose(t, c, calm).Text, "\n"); got > most {
				t.Errorf("%s: %d line breaks, %d without the attack", r, got, most)
			}
		}
	}
}
