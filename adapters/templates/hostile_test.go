package templates_test

import (
	"strings"
	"testing"

	"github.com/countersign/countersign/adapters/templates"
	"github.com/countersign/countersign/ports/message"
	"github.com/countersign/countersign/ports/message/messagetest"
)

func TestMarkupInValuesStaysText(t *testing.T) {
	const evil = `</p><img src=x onerror=alert(1)><a href="https://evil.example">{{.Code}}{brand}`
	r := messagetest.Sample(message.Email, message.Approve, "en")
	r.Brand, r.Support, r.Where = evil[:40], evil, evil
	r.Facts = []message.Fact{{Label: evil, Value: evil}}
	x := compose(t, open(t, templates.Options{}), r)
	for _, bad := range []string{"<img", `href="https://evil`, "<a href"} {
		if strings.Contains(x.HTML, bad) {
			t.Errorf("%q became markup", bad)
		}
	}
	if !strings.Contains(x.HTML, "&lt;img src=x onerror=alert(1)&gt;") || !strings.Contains(x.HTML, "{{.Code}}{brand}") {
		t.Error("the fact is not shown word for word")
	}
	if !strings.Contains(x.Text, evil+": "+evil+"\n") {
		t.Error("the fact is not word for word in the text part")
	}
}

func TestTheDomainLineCannotBeForged(t *testing.T) {
	c := open(t, templates.Options{})
	for _, lineBreak := range []string{"\n", "\r", "\r\n", "\u2028", "\u0085", "\v"} {
		r := messagetest.Sample(message.SMS, message.Approve, "en")
		forged := "x" + lineBreak + "@evil.example #482913"
		r.Brand = forged
		r.Facts = []message.Fact{{Label: "To", Value: forged}}
		text := compose(t, c, r).Text
		for line := range strings.FieldsFuncSeq(text, func(r rune) bool { return strings.ContainsRune("\n\r\u2028\u0085\v", r) }) {
			if strings.HasPrefix(line, "@") && line != "@login.acme.com #482913" {
				t.Errorf("break %q: forged line in %q", lineBreak, text)
			}
		}
	}
	for _, host := range []string{"a b", "evil.example #000000\n", "-a.example", "a..b", "localhost:8080", "a/b", strings.Repeat("a.", 200) + "b"} {
		r := messagetest.Sample(message.SMS, message.SignIn, "en")
		r.Host = host
		if _, err := c.Compose(r); err == nil || strings.Contains(err.Error(), host) {
			t.Errorf("host %.30q: error %v", host, err)
		}
	}
}

func TestWhatAskedIsLeftOutIfItLooksLikeALink(t *testing.T) {
	c := open(t, templates.Options{})
	for where, said := range map[string]bool{
		"Firefox 128.0 on Windows": true, "Safari on an iPhone (iOS 18.1)": true, "Chrome in Köln": true,
		"http://evil": false, "evil.example/win": false, "me@evil": false, "Call now. www.evil": false, " ": false,
	} {
		r := messagetest.Sample(message.Email, message.SignIn, "en")
		r.Where = where
		if got := strings.Contains(compose(t, c, r).Text, "Asked for from"); got != said {
			t.Errorf("%q: said %v, want %v", where, got, said)
		}
	}
}

func TestLongAndReorderingValuesAreCut(t *testing.T) {
	r := messagetest.Sample(message.Email, message.Approve, "en")
	r.Brand, r.Where = strings.Repeat("ä", 500), strings.Repeat("w", 500)
	long := strings.Repeat("every word counts ", 100) + "to the end"
	r.Facts = []message.Fact{{Label: "Text", Value: long}, {Label: "\u202eTo\u200b\x00", Value: "\xffBob"}}
	x := compose(t, open(t, templates.Options{}), r)
	if n := len([]rune(x.Subject)); n > 64+20 {
		t.Errorf("the subject has %d characters", n)
	}
	if strings.Contains(x.Text, strings.Repeat("w", 100)) {
		t.Error("what asked is not cut")
	}
	if !strings.Contains(x.Text, "Text: "+long+"\n") || !strings.Contains(x.HTML, long) {
		t.Error("a fact is cut")
	}
	if !strings.Contains(x.Text, "\nTo : Bob\n") && !strings.Contains(x.Text, "\nTo: Bob\n") {
		t.Errorf("invisible characters stay: %q", x.Text[len(x.Text)-400:])
	}
}

func TestSupportIsLinkedOnlyIfItIsAnAddress(t *testing.T) {
	c := open(t, templates.Options{})
	for support, href := range map[string]string{
		"https://acme.com/help": `href="https://acme.com/help"`, "help@acme.com": `href="mailto:help@acme.com"`,
		"tel:+4477": "", "Room 12": "", "javascript:alert(1)": "", "//evil.example": "",
	} {
		r := messagetest.Sample(message.Email, message.SignIn, "en")
		r.Support = support
		x := compose(t, c, r)
		if got := strings.Contains(x.HTML, "<a "); got != (href != "") || !strings.Contains(x.HTML, href) {
			t.Errorf("%q: linked %v", support, got)
		}
		if !strings.Contains(x.Text, "Need help? "+support) {
			t.Errorf("%q is not in the text part", support)
		}
	}
}

func TestBrandFallsBackToTheHost(t *testing.T) {
	c := open(t, templates.Options{})
	r := messagetest.Sample(message.SMS, message.SignIn, "en")
	r.Brand = " \n"
	if got := compose(t, c, r).Text; !strings.HasPrefix(got, "482913 is your login.acme.com code.") {
		t.Errorf("%q", got)
	}
	r.Host = ""
	if _, err := c.Compose(r); err == nil {
		t.Error("a message from nobody")
	}
}
