package templates_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/countersign/countersign/adapters/templates"
	"github.com/countersign/countersign/ports/message"
	"github.com/countersign/countersign/ports/message/messagetest"
)

var update = flag.Bool("update", false, "write the golden files")

func open(t testing.TB, o templates.Options) *templates.Composer {
	t.Helper()
	c, err := templates.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func compose(t testing.TB, c message.Composer, r message.Request) message.Text {
	t.Helper()
	x, err := c.Compose(r)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// Texts are tried when they are read only where an operator brought some along, so
// ours are tried here.
func TestWhatIsShippedSaysWhatItIsFor(t *testing.T) {
	open(t, templates.Options{Offered: []string{"en", "de", "fr", "es", "ar"}, Overlay: fstest.MapFS{}})
}

func TestComposerKeepsThePort(t *testing.T) {
	messagetest.Run(t, func(t *testing.T) message.Composer { return open(t, templates.Options{}) })
}

func TestMessagesReadAsWritten(t *testing.T) {
	c := open(t, templates.Options{})
	for _, locale := range []string{"en", "de"} {
		for _, form := range []message.Form{message.Email, message.SMS, message.Chat, message.Voice} {
			for _, p := range message.Purposes() {
				r := messagetest.Sample(form, p, locale)
				if p == message.ResetPassword {
					r.Link = "https://login.acme.com/l?x=1&y=2#t0k3n"
				}
				x := compose(t, c, r)
				got := x.Text + "\n"
				if form == message.Email {
					got = "Subject: " + x.Subject + "\n\n" + got + "\n----\n" + x.HTML
				}
				golden(t, locale+"."+string(form)+"."+string(p)+".golden", got)
			}
		}
	}
}

func TestOtherLanguagesReadAsWritten(t *testing.T) {
	c := open(t, templates.Options{})
	for _, locale := range []string{"ar", "es", "fr"} {
		for _, form := range []message.Form{message.Email, message.Voice} {
			x := compose(t, c, messagetest.Sample(form, message.SignIn, locale))
			golden(t, locale+"."+string(form)+".sign_in.golden", "Subject: "+x.Subject+"\n\n"+x.Text+"\n\n----\n"+x.HTML)
		}
		x := compose(t, c, messagetest.Notice(message.Invitation, message.Email, locale))
		golden(t, locale+".email.invitation.golden", "Subject: "+x.Subject+"\n\n"+x.Text+"\n\n----\n"+x.HTML)
	}
}

func TestArabicRunsFromRightToLeftAndCodesDoNot(t *testing.T) {
	c := open(t, templates.Options{})
	for locale, want := range map[string]string{"ar": `<html lang="ar" dir="rtl">`, "fr": `<html lang="fr" dir="ltr">`} {
		code := compose(t, c, messagetest.Sample(message.Email, message.SignIn, locale))
		notice := compose(t, c, messagetest.Notice(message.PasswordChanged, message.Email, locale))
		if !strings.Contains(code.HTML, want) || !strings.Contains(notice.HTML, want) || !strings.Contains(code.HTML, `<p class="code" dir="ltr"`) {
			t.Errorf("%s: no %s in %.200s", locale, want, code.HTML)
		}
		for _, physical := range []string{"text-align:left", "text-align:right", "padding-left", "margin-left", "float:"} {
			if strings.Contains(code.HTML+notice.HTML, physical) {
				t.Errorf("%s: %s does not turn with the language", locale, physical)
			}
		}
	}
}

// Sentences of one language that stand in another one's file are an accident
// that no rule about placeholders finds.
func TestNoLanguageIsLeftUntranslated(t *testing.T) {
	texts := map[string]map[string]any{}
	for _, locale := range []string{"en", "de", "fr", "es", "ar"} {
		raw, err := os.ReadFile("shipped/" + locale + "/messages.json")
		if err != nil {
			t.Fatal(err)
		}
		var all map[string]any
		if err := json.Unmarshal(raw, &all); err != nil {
			t.Fatal(err)
		}
		texts[locale] = all
	}
	for key, english := range texts["en"] {
		for locale, all := range texts {
			if locale != "en" && reflect.DeepEqual(all[key], english) && !strings.HasPrefix(key, "month.") {
				t.Errorf("%s: %s is as in English", locale, key)
			}
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (see it with -update and git diff):\n%s", name, got)
	}
}

func TestTextMessageIsExactlyTheConvention(t *testing.T) {
	c := open(t, templates.Options{})
	for locale, want := range map[string]string{
		"en": "482913 is your Acme code. Never share it.\n\n@login.acme.com #482913",
		"de": "482913 ist Ihr Code für Acme. Nicht weitergeben.\n\n@login.acme.com #482913",
		"fr": "482913 est votre code Acme. Ne le partagez jamais.\n\n@login.acme.com #482913",
		"es": "482913 es su clave de Acme. No la comparta nunca.\n\n@login.acme.com #482913",
		"ar": "482913 رمز Acme\n\n@login.acme.com #482913",
	} {
		if got := compose(t, c, messagetest.Sample(message.SMS, message.SignIn, locale)).Text; got != want {
			t.Errorf("%s: %q, want %q", locale, got, want)
		}
	}
	r := messagetest.Sample(message.SMS, message.SignIn, "en")
	r.Host = ""
	if got := compose(t, c, r).Text; got != "482913 is your Acme code. Never share it." {
		t.Errorf("without a host: %q", got)
	}
}

func TestShippedTextMessagesCostOneSegment(t *testing.T) {
	findings := open(t, templates.Options{}).Lint()
	if want := 5 * (1 + len(message.Notices())); len(findings) != want {
		t.Fatalf("%d findings instead of %d", len(findings), want)
	}
	for _, f := range findings {
		encoding := templates.GSM7
		if f.Locale == "ar" {
			encoding = templates.UCS2
		}
		if f.Segments != 1 || f.Encoding != encoding || f.Note != "" {
			t.Errorf("%s %s: %s %d/%d %s", f.Locale, f.Kind, f.Encoding, f.Units, f.Segments, f.Note)
		}
	}
}

func TestLintTellsWhatATextMessageCosts(t *testing.T) {
	c := open(t, templates.Options{Overlay: files("tenants/t2/en/messages.json",
		`{"sentence": "{code} is your {brand} code. Please don’t share it with anybody, whoever they say they are."}`)})
	for _, f := range c.Lint() {
		dear := f.Tenant == "t2" && f.Locale == "en" && f.Kind == message.Code
		if (f.Note != "") != dear || dear && (f.Encoding != templates.UCS2 || f.Note != "costs 3 segments instead of 1, and '’' more than halves what fits into a segment") {
			t.Errorf("%+v", f)
		}
	}
}

func TestMailShowsTheCodeInOneNodeAndFetchesNothing(t *testing.T) {
	x := compose(t, open(t, templates.Options{}), messagetest.Sample(message.Email, message.SignIn, "en"))
	if x.Subject != "482913 is your Acme code" {
		t.Errorf("subject %q", x.Subject)
	}
	for _, want := range []string{
		">482913</p>", "font-size:34px", "letter-spacing:", `<html lang="en" dir="ltr">`, `href="https://acme.com/help"`,
		`name="color-scheme" content="light dark"`, `name="supported-color-schemes"`, "Asked for from Firefox on Windows.",
	} {
		if !strings.Contains(x.HTML, want) {
			t.Errorf("no %q in the page", want)
		}
	}
	for _, bad := range []string{"<img", "url(", "@import", "@font-face", "<link", "<script", "#fff;", "#ffffff", "#000;", "#000000"} {
		if strings.Contains(x.HTML, bad) {
			t.Errorf("%q in the page", bad)
		}
	}
	for _, tag := range strings.SplitAfter(x.HTML[strings.Index(x.HTML, "<body"):], ">") {
		if strings.Contains(tag, "background-color:") != strings.Contains(tag, ";color:") {
			t.Errorf("background and text colour go together: %s", tag)
		}
	}
}

func TestSubjectCanKeepTheCodeOut(t *testing.T) {
	c := open(t, templates.Options{PlainSubject: true})
	x := compose(t, c, messagetest.Sample(message.Email, message.SignIn, "en"))
	if x.Subject != "Your Acme code" || strings.Contains(strings.SplitN(x.HTML, "<body", 2)[0], "482913") {
		t.Errorf("subject %q, or the code in the head", x.Subject)
	}
}

func TestLifeIsSaidInWordsOfTheLanguage(t *testing.T) {
	c := open(t, templates.Options{})
	for _, k := range []struct {
		life   time.Duration
		locale string
		want   string
	}{
		{10*time.Minute - time.Second, "en", "Works for 10 minutes."},
		{time.Minute, "en", "Works for 1 minute."},
		{time.Minute, "de", "Gilt 1 Minute."},
		{5*time.Minute + 40*time.Second, "de", "Gilt 5 Minuten."},
		{20 * time.Second, "en", "Works for less than a minute."},
		{24 * time.Hour, "en", "Works for 24 hours."},
		{90 * time.Minute, "en", "Works for 90 minutes."},
	} {
		r := messagetest.Sample(message.Email, message.SignIn, k.locale)
		r.Life = k.life
		if x := compose(t, c, r); !strings.Contains(x.Text, k.want) || !strings.Contains(x.HTML, k.want) {
			t.Errorf("%s: no %q in %q", k.life, k.want, x.Text)
		}
	}
	r := messagetest.Sample(message.Email, message.SignIn, "en")
	r.Life, r.Where = -time.Second, ""
	if x := compose(t, c, r); strings.Contains(x.Text, "Works") || strings.Contains(x.Text, "Asked") {
		t.Errorf("says what it does not know: %q", x.Text)
	}
}

func TestLocalesMatchAsReadersExpect(t *testing.T) {
	c := open(t, templates.Options{})
	for _, k := range []struct {
		preferences []string
		want        string
	}{
		{[]string{"en-GB"}, "en"}, {[]string{"de-AT"}, "de"}, {[]string{"de_CH"}, "de"},
		{[]string{"ja, de;q=0.7, en;q=0.3"}, "de"}, {[]string{"", "de"}, "de"}, {[]string{"ja", "de"}, "de"},
		{[]string{"en", "de"}, "en"}, {[]string{"<script>"}, "en"}, {[]string{"*"}, "en"}, {nil, "en"},
		{[]string{strings.Repeat("de,", 5000)}, "de"},
	} {
		if got := c.Match(k.preferences...); got != k.want {
			t.Errorf("Match(%.40q) = %q, want %q", k.preferences, got, k.want)
		}
	}
	c = open(t, templates.Options{Default: "de", Offered: []string{"en"}})
	if got := c.Locales(); !slices.Equal(got, []string{"de", "en"}) || c.Match("ja") != "de" {
		t.Errorf("default de: locales %q, ja gives %q", got, c.Match("ja"))
	}
}

func files(pairs ...string) fstest.MapFS {
	out := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		out[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return out
}

func BenchmarkComposeEmail(b *testing.B) { benchmark(b, message.Email) }
func BenchmarkComposeSMS(b *testing.B)   { benchmark(b, message.SMS) }

func benchmark(b *testing.B, f message.Form) {
	b.Helper()
	c := open(b, templates.Options{})
	r := messagetest.Sample(f, message.SignIn, "de")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Compose(r); err != nil {
			b.Fatal(err)
		}
	}
}
