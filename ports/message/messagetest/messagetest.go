// Package messagetest proves that a message.Composer keeps the promises of the
// port.
package messagetest

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign/ports/message"
)

// Sample is a request with every part filled in.
func Sample(f message.Form, p message.Purpose, locale string) message.Request {
	r := message.Request{
		Kind: message.Code, Form: f, Purpose: p, Tenant: "default", Locale: locale,
		Brand: "Acme", Host: "login.acme.com", Code: "482913", Life: 10 * time.Minute,
		Support: "https://acme.com/help", Where: "Firefox on Windows",
	}
	if p == message.Approve {
		r.Facts = []message.Fact{{Label: "Amount", Value: "120.00 EUR"}, {Label: "To", Value: "Bob & Söhne"}}
	}
	return r
}

// Notice is a request for a notice with every part filled in.
func Notice(k message.Kind, f message.Form, locale string) message.Request {
	r := message.Request{
		Kind: k, Form: f, Tenant: "default", Locale: locale, Brand: "Acme", Host: "login.acme.com",
		Support: "https://acme.com/help", Where: "Firefox on Windows", At: time.Date(2026, 3, 9, 14, 5, 0, 0, time.UTC),
	}
	switch k {
	case message.Invitation:
		r.Data = map[string]string{"inviter": "Bob & Söhne"}
		r.Link, r.Life = "https://login.acme.com/invitation?x=1&y=2#t0k3n", 7*24*time.Hour
	case message.IdentifierChanged:
		r.Data = map[string]string{"kind": "email", "value": "b••@example.com"}
	case message.TwoFactorChanged:
		r.Data = map[string]string{"required": "no"}
	case message.DeviceAdded, message.DeviceRemoved, message.DeviceLocked:
		r.Data = map[string]string{"name": "Bob's phone"}
	case message.SessionCopied:
		r.Data = map[string]string{"client": "Firefox on Windows"}
	case message.RecoveryUsed:
		r.Data = map[string]string{"left": "7"}
	default: // says nothing more
	}
	return r
}

// Run checks the composer that open returns.
func Run(t *testing.T, open func(t *testing.T) message.Composer) {
	t.Helper()
	t.Run("every form and purpose carries the code", func(t *testing.T) { carriesTheCode(t, open(t)) })
	t.Run("an unknown locale falls back to the default", func(t *testing.T) { fallsBack(t, open(t)) })
	t.Run("preferences count in their order", func(t *testing.T) { matches(t, open(t)) })
	t.Run("hostile values add no line", func(t *testing.T) { addsNoLine(t, open(t)) })
	t.Run("a request that will not do is refused without its values", func(t *testing.T) { refuses(t, open(t)) })
	t.Run("every notice says who writes, and why", func(t *testing.T) { tells(t, open(t)) })
	t.Run("a notice has no code, and a link only if that answers", func(t *testing.T) { answersNothing(t, open(t)) })
	t.Run("hostile values add no line to a notice", func(t *testing.T) { staysInLine(t, open(t)) })
	t.Run("parallel messages do not mix", func(t *testing.T) { staysApart(t, open(t)) })
}

func forms() []message.Form {
	return []message.Form{message.Email, message.SMS, message.Chat, message.Voice}
}

func compose(t *testing.T, c message.Composer, r message.Request) message.Text {
	t.Helper()
	x, err := c.Compose(r)
	if err != nil {
		t.Fatalf("compose %s: %v", r, err)
	}
	return x
}

func carriesTheCode(t *testing.T, c message.Composer) {
	for _, locale := range c.Locales() {
		for _, f := range forms() {
			for _, p := range append(message.Purposes(), "something_new") {
				r := Sample(f, p, locale)
				x := compose(t, c, r)
				spoken := strings.NewReplacer(",", "", " ", "", ".", "").Replace(x.Text)
				if !strings.Contains(x.Text, r.Code) && (f != message.Voice || !strings.Contains(spoken, r.Code)) {
					t.Errorf("%s: no code in the text", r)
				}
				if (x.HTML != "") != (f == message.Email) || (x.Subject != "") != (f == message.Email) {
					t.Errorf("%s: subject and HTML belong to e-mail only", r)
				}
				if x.Locale != locale {
					t.Errorf("%s: written in %q", r, x.Locale)
				}
				for _, fact := range r.Facts {
					if !strings.Contains(x.Text, fact.Label) || !strings.Contains(x.Text, fact.Value) {
						t.Errorf("%s: a fact is not shown word for word", r)
					}
				}
			}
		}
	}
}

func fallsBack(t *testing.T, c message.Composer) {
	for _, locale := range []string{"", "tlh", "not a tag", "x", strings.Repeat("a-", 4000), "\r\n"} {
		r := Sample(message.SMS, message.SignIn, locale)
		r.Tenant = "nobody"
		if x := compose(t, c, r); x.Locale != c.Locales()[0] {
			t.Errorf("locale %.20q: written in %q", locale, x.Locale)
		}
	}
}

func matches(t *testing.T, c message.Composer) {
	offered := c.Locales()
	if got := c.Match(); got != offered[0] {
		t.Errorf("no preference: %q, want the default %q", got, offered[0])
	}
	for _, want := range offered {
		for _, preferences := range [][]string{{want, offered[0]}, {"", want}, {"%%%", want + ";q=0.8"}} {
			if got := c.Match(preferences...); got != want {
				t.Errorf("Match(%q) = %q, want %q", preferences, got, want)
			}
		}
	}
	if got := c.Match("zz-ZZ, *;q=0.1"); !slices.Contains(offered, got) {
		t.Errorf("%q is not offered", got)
	}
}

func addsNoLine(t *testing.T, c message.Composer) {
	const evil = "A\r\nBcc: x@evil.example\n\u2028@evil.example #000000\x00\u202e"
	for _, f := range forms() {
		calm := Sample(f, message.Approve, "")
		r := calm
		r.Brand, r.Where, r.Support = evil, evil, evil
		r.Facts = []message.Fact{{Label: evil, Value: evil}, {Label: evil, Value: evil}}
		x := compose(t, c, r)
		if strings.ContainsAny(x.Subject, "\r\n\x00\u2028\u202e") {
			t.Errorf("%s: the subject has more than one line", r)
		}
		if strings.ContainsAny(x.Text, "\r\x00\u2028\u202e") {
			t.Errorf("%s: control characters in the text", r)
		}
		if got, most := strings.Count(x.Text, "\n"), strings.Count(compose(t, c, calm).Text, "\n"); got > most {
			t.Errorf("%s: %d line breaks, %d without the attack", r, got, most)
		}
	}
}

func refuses(t *testing.T, c message.Composer) {
	const bad = "bad\nvalue"
	for name, spoil := range map[string]func(*message.Request){
		"no code":             func(r *message.Request) { r.Code = "" },
		"a code with a break": func(r *message.Request) { r.Code = bad },
		"a host with a break": func(r *message.Request) { r.Host = bad },
		"a link of no scheme": func(r *message.Request) { r.Link = "javascript:" + bad },
		"an unknown form":     func(r *message.Request) { r.Form = bad },
		"an unknown kind":     func(r *message.Request) { r.Kind = bad },
	} {
		r := Sample(message.Email, message.SignIn, "")
		spoil(&r)
		x, err := c.Compose(r)
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		if strings.Contains(err.Error(), bad) || strings.Contains(err.Error(), "482913") {
			t.Errorf("%s: the error shows a value: %v", name, err)
		}
		if x != (message.Text{}) {
			t.Errorf("%s: refused, and yet composed", name)
		}
	}
}

func staysApart(t *testing.T, c message.Composer) {
	var all sync.WaitGroup
	for _, code := range []string{"111222", "333444", "555666", "777888"} {
		all.Go(func() {
			for range 20 {
				r := Sample(message.Email, message.SignIn, "")
				r.Code = code
				x, err := c.Compose(r)
				if err != nil || !strings.Contains(x.Text, code) || !strings.Contains(x.HTML, code) {
					t.Errorf("wrong code in a parallel message (error %v)", err)
				}
			}
		})
	}
	all.Wait()
}
