package templates_test

import (
	"html"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/adapters/templates"
	"github.com/countersign/countersign/ports/message"
	"github.com/countersign/countersign/ports/message/messagetest"
)

func TestNoticesReadAsWritten(t *testing.T) {
	c := open(t, templates.Options{})
	for _, locale := range []string{"en", "de"} {
		for _, form := range []message.Form{message.Email, message.SMS, message.Chat} {
			for _, k := range message.Notices() {
				x := compose(t, c, messagetest.Notice(k, form, locale))
				got := x.Text + "\n"
				if form == message.Email {
					got = "Subject: " + x.Subject + "\n\n" + got + "\n----\n" + x.HTML
				}
				golden(t, locale+"."+string(form)+"."+string(k)+".golden", got)
			}
		}
	}
}

// The link of an invitation comes on top of what its sentence costs.
func TestANoticeFitsIntoOneTextMessage(t *testing.T) {
	c := open(t, templates.Options{})
	for _, locale := range []string{"en", "de", "es", "fr"} {
		for _, k := range message.Notices() {
			r := messagetest.Notice(k, message.SMS, locale)
			r.Brand, r.Link = "Twenty Letters Brand", ""
			text := compose(t, c, r).Text
			if encoding, units, n := templates.Segments(text); n != 1 || encoding != templates.GSM7 || strings.Contains(text, "\n") {
				t.Errorf("%s %s: %d %s units in %d segments: %q", locale, k, units, encoding, n, text)
			}
		}
	}
}

func TestNoticesSayWhatTheyKnow(t *testing.T) {
	c := open(t, templates.Options{})
	for _, k := range []struct {
		kind message.Kind
		data map[string]string
		want string
	}{
		{message.Invitation, nil, "You are invited to Acme."},
		{message.Invitation, map[string]string{"inviter": "Ada"}, "Ada invites you to Acme."},
		{message.Invitation, map[string]string{"inviter": " \r\n"}, "You are invited to Acme."},
		{message.TwoFactorChanged, map[string]string{"required": "yes"}, "now takes a second step"},
		{message.TwoFactorChanged, map[string]string{"required": "perhaps"}, "How you sign in to Acme was changed."},
		{message.IdentifierChanged, map[string]string{"kind": "phone", "value": "+44 •••• ••• 89"}, "changed to +44 •••• ••• 89."},
		{message.IdentifierChanged, map[string]string{"kind": "phone"}, "What you sign in to Acme with was changed."},
		{message.IdentifierChanged, map[string]string{"kind": "text.email", "value": "x"}, "What you sign in to Acme with was changed."},
		{message.RecoveryUsed, map[string]string{"left": "1"}, "You have 1 code left."},
		{message.RecoveryUsed, map[string]string{"left": "0"}, "You have 0 codes left."},
		{message.DeviceAdded, map[string]string{"name": "{brand} {name} {{0}}"}, "account: {brand} {name} {{0}}."},
	} {
		r := messagetest.Notice(k.kind, message.Email, "en")
		r.Data = k.data
		x := compose(t, c, r)
		if !strings.Contains(x.Text, k.want) || !strings.Contains(html.UnescapeString(x.HTML), k.want) {
			t.Errorf("%s %v: no %q in %q", k.kind, k.data, k.want, x.Text)
		}
	}
	r := messagetest.Notice(message.RecoveryUsed, message.Email, "en")
	r.Data, r.At, r.Where = map[string]string{"left": "-1 or many"}, time.Time{}, "http://evil"
	if x := compose(t, c, r); strings.Contains(x.Text, "left") || strings.Contains(x.Text, "happened") || strings.Contains(x.Text, "came from") {
		t.Errorf("says what it does not know: %q", x.Text)
	}
}

func TestNoticesSayWhenInWordsOfTheLanguage(t *testing.T) {
	c := open(t, templates.Options{})
	for locale, want := range map[string]string{
		"en": "This happened on 1 December 2026 at 23:07 UTC.", "de": "Das war am 1. Dezember 2026 um 23:07 Uhr (UTC).",
	} {
		r := messagetest.Notice(message.PasswordChanged, message.Email, locale)
		r.At = time.Date(2026, 12, 2, 0, 7, 59, 0, time.FixedZone("", 3600))
		if x := compose(t, c, r); !strings.Contains(x.Text, want) || !strings.Contains(x.HTML, want) {
			t.Errorf("no %q in %q", want, x.Text)
		}
	}
	for life, want := range map[time.Duration]string{
		47*time.Hour + 59*time.Minute: "Works for 47 hours.", 48*time.Hour - time.Second: "Works for 2 days.", 7*24*time.Hour - time.Second: "Works for 7 days.",
	} {
		r := messagetest.Notice(message.Invitation, message.Chat, "en")
		r.Life = life
		if x := compose(t, c, r); !strings.Contains(x.Text, want) {
			t.Errorf("%s: no %q in %q", life, want, x.Text)
		}
	}
}

func TestStrangersPutNeitherMarkupNorLinksIntoNotices(t *testing.T) {
	c := open(t, templates.Options{})
	for _, evil := range []string{
		`</p><img src=x onerror=alert(1)><a href="//evil">`, "https://evil.example/x", "win at evil.example", "a@evil.example",
	} {
		for _, form := range []message.Form{message.Email, message.SMS, message.Chat} {
			for kind, key := range map[message.Kind]string{message.Invitation: "inviter", message.DeviceAdded: "name", message.DeviceLocked: "name"} {
				r := messagetest.Notice(kind, form, "en")
				r.Link, r.Support, r.Where, r.Data = "", "", evil, map[string]string{key: evil}
				x := compose(t, c, r)
				for _, bad := range []string{"<img", "<a ", "evil.example"} {
					if strings.Contains(x.HTML, bad) || bad == "evil.example" && strings.Contains(x.Subject+x.Text, bad) {
						t.Errorf("%s %s: %q came through %q", kind, form, bad, evil)
					}
				}
			}
		}
	}
	r := messagetest.Notice(message.Invitation, message.Email, "en")
	r.Data = map[string]string{"inviter": strings.Repeat("w", 500)}
	if x := compose(t, c, r); strings.Contains(x.Text, strings.Repeat("w", 81)) || strings.Contains(x.Subject, "w") {
		t.Errorf("the inviter's name is not cut, or in the subject: %q", x.Text)
	}
}

func TestAnInvitationIsAcceptedByAButton(t *testing.T) {
	r := messagetest.Notice(message.Invitation, message.Email, "en")
	x := compose(t, open(t, templates.Options{}), r)
	if !strings.Contains(x.HTML, `<a class="button" href="https://login.acme.com/invitation?x=1&amp;y=2#t0k3n"`) || !strings.Contains(x.HTML, ">Accept</a>") {
		t.Error("no button that accepts")
	}
	if !strings.Contains(x.Text, "\n"+r.Link+"\n") || !strings.Contains(x.Text, "Works for 7 days.") {
		t.Errorf("the link is not on a line of its own, or nothing says how long it works: %q", x.Text)
	}
}

func TestANoticeIsReadableInTheDark(t *testing.T) {
	x := compose(t, open(t, templates.Options{}), messagetest.Notice(message.Invitation, message.Email, "en"))
	for _, tag := range strings.SplitAfter(x.HTML[strings.Index(x.HTML, "<body"):], ">") {
		if strings.Contains(tag, "background-color:") != strings.Contains(tag, ";color:") {
			t.Errorf("background and text colour go together: %s", tag)
		}
	}
	for _, bad := range []string{"<img", "url(", "@import", "@font-face", "<link", "<script", "#fff;", "#ffffff", "#000;", "#000000"} {
		if strings.Contains(x.HTML, bad) {
			t.Errorf("%q in the page", bad)
		}
	}
}

func TestOneKindOfNoticeCanHaveALayoutOfItsOwn(t *testing.T) {
	c := open(t, templates.Options{Overlay: files(
		"device_added.chat.txt", "own: {{.Intro}}", "tenants/t2/notice.chat.txt", "t2: {{.Intro}} {{.Link}}",
	)})
	for _, k := range []struct {
		tenant string
		kind   message.Kind
		want   string
	}{
		{"t2", message.DeviceAdded, "own: A new"}, {"t2", message.AccountDeleted, "t2: Your"}, {"other", message.DeviceAdded, "own: A new"},
		{"other", message.AccountDeleted, "Your Acme"},
	} {
		r := messagetest.Notice(k.kind, message.Chat, "en")
		r.Tenant = k.tenant
		if got := compose(t, c, r).Text; !strings.HasPrefix(got, k.want) {
			t.Errorf("%s %s: %q, want %q", k.tenant, k.kind, got, k.want)
		}
	}
	_, err := templates.New(templates.Options{Overlay: files(
		"notice.sms.txt", "{{.Intro}}", "account_deleted.email.html", "<p>Gone</p>", "device_addded.chat.txt", "x",
	)})
	for _, want := range []string{
		`notice.sms.txt: in en: does not show "https://login.example/i#t0k3n"`, `account_deleted.email.html: in en: does not show "Twenty Letters Brand"`,
		"device_addded.chat.txt: is not the name",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("does not say %q: %v", want, err)
		}
	}
}
