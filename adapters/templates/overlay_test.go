package templates_test

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/countersign/countersign/adapters/templates"
	"github.com/countersign/countersign/ports/message"
	"github.com/countersign/countersign/ports/message/messagetest"
)

func TestTenantsHaveTheirOwnWords(t *testing.T) {
	c := open(t, templates.Options{Overlay: files(
		"en/messages.json", `{"never_share": "Keep it.", "intro.sign_in": "Everybody at {brand}."}`,
		"tenants/t2/en/messages.json", `{"intro.sign_in": "Only {brand}."}`,
		"tenants/t2/code.chat.txt", "t2: {{.Intro}} {{.Code}} {{.NeverShare}}{{range .Facts}} {{.Label}} {{.Value}}{{end}}\r\n",
		"tenants/t2/de/code.chat.txt", "t2 de: {{.Intro}} {{.Code}}{{range .Facts}} {{.Label}} {{.Value}}{{end}}",
		"README.md", "ours", ".git/config", "hidden",
	)})
	for _, k := range []struct{ tenant, locale, want string }{
		{"t2", "en", "t2: Only Acme. 482913 Keep it."},
		{"t2", "de", "t2 de: Mit diesem Code melden Sie sich bei Acme an. 482913"},
		{"other", "en", "Everybody at Acme."},
	} {
		r := messagetest.Sample(message.Chat, message.SignIn, k.locale)
		r.Tenant = k.tenant
		if got := compose(t, c, r).Text; got != k.want && (k.tenant == "t2" || !strings.Contains(got, k.want)) {
			t.Errorf("%s %s: %q, want %q", k.tenant, k.locale, got, k.want)
		}
	}
}

// arabic is a complete set of sentences in a language with six plural forms.
func arabic(t *testing.T) string {
	t.Helper()
	raw, err := os.ReadFile("shipped/en/messages.json")
	if err != nil {
		t.Fatal(err)
	}
	return strings.NewReplacer(
		`"one": "Works for {count} minute."`, `"zero": "z", "one": "دقيقة", "two": "دقيقتان", "few": "{count} دقائق", "many": "{count} دقيقة"`,
		`"one": "Works for {count} day."`, `"zero": "z", "one": "o", "two": "t", "few": "f", "many": "m"`,
		`"one": "You have {count} code left."`, `"zero": "z", "one": "o", "two": "t", "few": "f", "many": "m"`,
		`"one": "Works for {count} hour."`, `"zero": "z", "one": "o", "two": "t", "few": "f", "many": "m"`,
	).Replace(string(raw))
}

func TestANewLocaleNeedsOnlySentences(t *testing.T) {
	c := open(t, templates.Options{Overlay: files("ar/messages.json", arabic(t))})
	r := messagetest.Sample(message.Email, message.SignIn, "ar-EG")
	x := compose(t, c, r)
	if x.Locale != "ar" || !strings.Contains(x.HTML, `<html lang="ar" dir="rtl">`) || !strings.Contains(x.HTML, `dir="ltr"`) {
		t.Errorf("locale %q, page %.80q", x.Locale, x.HTML)
	}
	if !strings.Contains(x.Text, "10 دقائق") {
		t.Errorf("ten minutes take the form for few: %q", x.Text)
	}
}

func TestEveryBadTemplateIsNamedAtStart(t *testing.T) {
	_, err := templates.New(templates.Options{Offered: []string{"en", "de", "nl"}, Folder: "mine", Overlay: files(
		"code.sms.txt", "{{.Sentence}} @{{.Host}} #{{.Code}} bye",
		"en/code.chat.txt", "{{.Code",
		"de/code.chat.txt", "{{.Nonsense}}",
		"code.voice.txt", "{{.Intro}}",
		"tenants/t2/code.email.html", "<p>{{if .Code}}</p>",
		"tenants/t3/code.email.html", "<a href='{{if .Link}}x{{else}}y' {{end}}'>{{.Code}}</a>",
		"en/code.emial.txt", "hello",
		"deutsch/messages.json", "{}",
		"tenants/t2/en/messages.json", `{"subject": "{brand}", "sentence": "Your code for {brand} is {code}", "oops": "x", "life.minutes": {"other": "x"}}`,
		"tenants/t3/de/messages.json", `{"intro.sign_in": "{secret}"}`,
		"tenants/t4/de/messages.json", `{"voice.again": "{spelled} once more", "sentence": "Der Code von {brand}: {code}"}`,
	)})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{
		"\nmine/code.sms.txt: in en: the last line", "\nmine/en/code.chat.txt:1: unclosed action", "\nmine/de/code.chat.txt:1: executing",
		`code.voice.txt: in en: does not show "4, 8, 2, 9, 1, 3"`, "\nmine/tenants/t2/code.email.html:1: unexpected EOF",
		"\nmine/tenants/t3/code.email.html:1: {{if}} branches end in different contexts",
		"mine/en/code.emial.txt: is not the name of a template", "mine/deutsch/messages.json: \"deutsch\" is not a locale",
		`mine/tenants/t2/en/messages.json:1: "subject": lacks {code}`, `"oops" is not a message of ours`, `"life.minutes": lacks the plural form "one"`,
		`"intro.sign_in": {secret} is not a placeholder`, "nl/messages.json: lacks asked, ignore", "not within the first 12 characters",
	} {
		if !strings.Contains("\n"+err.Error(), want) {
			t.Errorf("does not say %q", want)
		}
	}
	if t.Failed() {
		t.Log(err)
	}
}

func TestProblemsNameTheLine(t *testing.T) {
	for name, x := range map[string]struct {
		file, text string
		line       int
		want       string
	}{
		"a sentence":         {"en/messages.json", "{\n  \"support\": \"Help?\",\n\n  \"subject\": \"{brand}\"\n}\n", 4, `"subject": lacks {code}`},
		"an unknown key":     {"en/messages.json", "{\n  \"oops\": \"x\"\n}", 2, `"oops" is not a message of ours`},
		"a wrong type":       {"en/messages.json", "{\n\n\"support\": 7}", 3, `"support": json: cannot unmarshal number`},
		"a comma too many":   {"en/messages.json", "{\n\"support\": \"Help?\",\n}", 3, "invalid character"},
		"a missing brace":    {"en/messages.json", "{\n\"support\": \"Help?\"\n", 2, "ends too early"},
		"a list":             {"en/messages.json", "\n[]", 2, "is not a JSON object"},
		"something behind":   {"en/messages.json", "{}\n{}", 2, "goes on after the last }"},
		"the same twice":     {"en/messages.json", "{\n\"support\": \"Help?\",\n\"support\": \"Hm?\"}", 3, `"support" stands here twice`},
		"a layout":           {"code.chat.txt", "{{.Sentence}}\n\n{{.Nonsense}}", 3, "can't evaluate field Nonsense"},
		"a page":             {"tenants/t2/code.email.html", "<p>\n{{.Code}\n", 2, "bad character"},
		"a tenant nobody is": {"tenants/t3/code.chat.txt", "{{.Sentence}}", 0, "there is no such tenant"},
	} {
		_, err := templates.New(templates.Options{Overlay: files(x.file, x.text), Folder: "/etc/mine", Tenants: []string{"default", "t2"}})
		all, ok := errors.AsType[templates.Problems](err)
		if !ok {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !slices.ContainsFunc(all, func(p templates.Problem) bool {
			return p.Line == x.line && strings.Contains(p.Text, x.want) && strings.HasPrefix(p.File, "/etc/mine/")
		}) {
			t.Errorf("%s: no line %d, %q in\n%v", name, x.line, x.want, all)
		}
	}
}

func TestOptionsThatCannotBeAreRefused(t *testing.T) {
	for name, o := range map[string]templates.Options{
		"a default nobody wrote":       {Default: "nl"},
		"a locale nobody wrote":        {Offered: []string{"nl"}},
		"a tag that is none":           {Offered: []string{"not a tag"}},
		"a tag spelled oddly":          {Default: "EN"},
		"a folder that is not there":   {Overlay: os.DirFS("testdata/none")},
		"sentences that are no JSON":   {Overlay: files("en/messages.json", "{")},
		"an empty sentence":            {Overlay: files("en/messages.json", `{"support": " "}`)},
		"a brace that is never closed": {Overlay: files("en/messages.json", `{"support": "Help {"}`)},
	} {
		c, err := templates.New(o)
		if err == nil || c != nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := templates.New(templates.Options{Overlay: os.DirFS("testdata/none")}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the cause is lost: %v", err)
	}
}
