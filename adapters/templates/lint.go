package templates

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign/ports/message"
)

// What templates are tried with. Brand and host are as long as we promise to fit
// into one segment; a language that needs UCS-2 has less than half the room, and
// there the promise is shorter.
const (
	sampleCode   = "482913"
	sampleBrand  = "Twenty Letters Brand"
	sampleHost   = "sign-in.thirty-letters.example"
	shorterBrand = "Twelve Brand"
	shorterHost  = "sign-in.letters2.example"
)

// front is where a notification still shows the code, in characters.
const front = 12

// Finding is what one text message would cost.
type Finding struct {
	Tenant   string // empty for everybody
	Locale   string
	Kind     message.Kind
	Encoding string // GSM7 or UCS2
	Units    int
	Segments int
	Note     string // what could be better; empty if nothing
}

// Lint measures the text messages of every tenant and locale, with a brand of 20
// and a host of 30 characters, or of 12 and 24 where the language needs UCS-2.
// The links of invitations, which have a length of their own, are left out.
func (c *Composer) Lint() []Finding {
	var out []Finding
	for _, tenant := range slices.Sorted(maps.Keys(c.tenants)) {
		for _, locale := range c.offer.names {
			b := c.tenants[tenant][locale]
			for _, kind := range append([]message.Kind{message.Code}, message.Notices()...) {
				out = append(out, b.measure(kind))
			}
		}
	}
	return out
}

// measure finds what the dearest sample of a kind costs.
func (b *bundle) measure(kind message.Kind) Finding {
	most := Finding{Tenant: b.tenant, Locale: b.locale, Kind: kind}
	tries := []message.Request{sample(message.SMS, message.SignIn)}
	if kind != message.Code {
		tries = noticeSamples(layoutKey{kind, message.SMS})
	}
	for _, r := range tries {
		r.Link = ""
		if !b.latin() {
			r.Brand, r.Host = shorterBrand, shorterHost
		}
		x, err := b.compose(r, false)
		if err != nil {
			most.Note = "cannot be composed: " + err.Error()
			return most
		}
		if encoding, units, segments := Segments(x.Text); segments > most.Segments || segments == most.Segments && units > most.Units {
			most.Encoding, most.Units, most.Segments, most.Note = encoding, units, segments, b.note(x.Text, encoding, segments)
		}
	}
	return most
}

// latin reports whether the language is written in letters that GSM-7 has.
func (b *bundle) latin() bool {
	script, _ := b.words.tag.Script()
	return script.String() == "Latn"
}

// note says what could be better about a text message.
func (b *bundle) note(text, encoding string, segments int) string {
	var notes []string
	if segments > 1 {
		notes = append(notes, fmt.Sprintf("costs %d segments instead of 1", segments))
	}
	if encoding == UCS2 && b.latin() {
		for _, r := range text {
			if gsmWidth(r) == 0 {
				notes = append(notes, fmt.Sprintf("%q more than halves what fits into a segment", r))
				break
			}
		}
	}
	return strings.Join(notes, ", and ")
}

func sample(f message.Form, p message.Purpose) message.Request {
	return message.Request{
		Kind: message.Code, Form: f, Purpose: p, Brand: sampleBrand, Host: sampleHost,
		Code: sampleCode, Life: 10 * time.Minute,
	}
}

// samples are requests that take every branch: with all there can be, and with
// as little as possible.
func samples(key layoutKey) []message.Request {
	if key.kind != message.Code {
		return noticeSamples(key)
	}
	bare := sample(key.form, message.SignIn)
	bare.Host, bare.Life = "", 0
	full := sample(key.form, message.Approve)
	full.Link, full.Support, full.Where = "https://login.example/l#t0k3n", "https://example/help", "Firefox on Windows"
	full.Facts = []message.Fact{{Label: "Amount", Value: "120.00 EUR"}, {Label: "To", Value: "Bob"}}
	plain := sample(key.form, message.StepUp)
	plain.Support, plain.Life = "Room 12", 3*time.Hour
	return []message.Request{bare, full, plain}
}

func noticeSamples(key layoutKey) []message.Request {
	bare := message.Request{Kind: key.kind, Form: key.form, Brand: sampleBrand}
	full, n := bare, noticeOf(key.kind)
	full.Where, full.Support, full.At = "Firefox on Windows", "https://example/help", time.Unix(0, 0)
	if n.link {
		full.Link, full.Life = "https://login.example/i#t0k3n", 7*24*time.Hour
	}
	out := []message.Request{bare, full}
	for _, one := range n.cases {
		r := full
		r.Data = map[string]string{n.choice: one, n.value: "Somebody"}
		out = append(out, r)
	}
	return out
}

// Example is a request for a message that says all it can, for people who want
// to see one. Brand, host, tenant, locale and time are theirs to fill in.
func Example(k message.Kind, f message.Form) message.Request {
	if k == message.Code {
		r := sample(f, message.SignIn)
		r.Where = "Firefox on Windows"
		return r
	}
	n := noticeOf(k)
	r := message.Request{Kind: k, Form: f, Where: "Firefox on Windows", Data: map[string]string{}}
	if len(n.cases) > 0 {
		r.Data[n.choice], r.Data[n.value] = n.cases[0], "Ada"
	}
	if n.masked {
		r.Data[n.value] = "a••@example.com"
	}
	if n.count != "" {
		r.Data[n.count] = "3"
	}
	if n.link {
		r.Link, r.Life = "https://login.example/i#t0k3n", 7*24*time.Hour
	}
	return r
}

// try renders every layout of a bundle and complains about what would fail or
// mislead later.
func (l *loader) try(b *bundle) {
	if len(b.words.missing()) > 0 {
		return // said already, and everything else would follow from it
	}
	for _, key := range layouts() {
		lay, ok := b.layouts[key]
		if !ok {
			continue
		}
		for _, r := range samples(key) {
			x, err := b.compose(r, false)
			if err == nil {
				err = verify(r, x)
				if err != nil {
					err = fmt.Errorf("in %s: %w", b.locale, err)
				}
			}
			l.complain(lay.file, err)
		}
	}
}

// verify checks that a message says what it is for.
func verify(r message.Request, x message.Text) error {
	var bad []error
	want := []string{r.Code}
	switch {
	case r.Kind != message.Code:
		want = []string{r.Brand, r.Link}
		if value := noticeOf(r.Kind).value; value != "" {
			want = append(want, r.Data[value])
		}
	case r.Form == message.Voice:
		want[0] = strings.Join(strings.Split(r.Code, ""), ", ")
	}
	for _, f := range r.Facts {
		want = append(want, f.Label, f.Value)
	}
	for _, value := range want {
		if !strings.Contains(x.Text, value) || r.Form == message.Email && !strings.Contains(x.HTML, value) {
			bad = append(bad, fmt.Errorf("does not show %q", value))
		}
	}
	if r.Form == message.SMS && r.Kind == message.Code {
		bad = append(bad, verifySMS(r, x.Text))
	}
	return errors.Join(bad...)
}

// verifySMS checks what autofill and notifications rely on. The last line is
// that of "Origin-bound one-time codes delivered via SMS", section 2.
func verifySMS(r message.Request, text string) error {
	start := []rune(text)
	start = start[:min(len(start), front)]
	if !strings.Contains(string(start), r.Code) {
		return fmt.Errorf("the code is not within the first %d characters", front)
	}
	last := text[strings.LastIndexByte(text, '\n')+1:]
	if want := "@" + r.Host + " #" + r.Code; r.Host != "" && last != want {
		return errors.New("the last line is not @host #code")
	}
	return nil
}
