package contact_test

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/countersign/countersign/domain/contact"
)

var errRefused = errors.New("refused")

// plain is a parser with the simplest functions that keep the promises. Its
// normal form knows one character, the full-width @; its numbering plan knows
// one country, whose code is 31 and whose national prefix is 0.
func plain() contact.Parser {
	return contact.Parser{
		NFKC: strings.NewReplacer("\uff20", "@").Replace,
		ToASCII: func(domain string) (string, error) {
			if strings.ContainsFunc(domain, func(r rune) bool { return r > 0x7f }) {
				return "", errRefused
			}
			return domain, nil
		},
		E164: func(raw, region string) (string, error) {
			digits := strings.NewReplacer(" ", "", "-", "", ".", "", "/", "", "(", "", ")", "").Replace(raw)
			if national, ok := strings.CutPrefix(digits, "0"); ok && region == "NL" {
				return "+31" + national, nil
			}
			return digits, nil
		},
	}
}

func TestEmailAddressesHaveOneForm(t *testing.T) {
	for raw, want := range map[string]string{
		"ada@example.com":            "ada@example.com",
		" Ada@Example.COM\t":         "ada@example.com",
		"ada\uff20example.com":       "ada@example.com",
		"a.b+tag@mail.example.com":   "a.b+tag@mail.example.com",
		"O'Neil!#$%&*/=?^_`{|}~@x.y": "o'neil!#$%&*/=?^_`{|}~@x.y",
	} {
		got, err := plain().Email(raw)
		if err != nil || got != (contact.Contact{Kind: contact.Email, Value: want}) {
			t.Errorf("%q: got %q, %v", raw, got.Value, err)
		}
	}
}

func TestBadEmailAddressesAreRefused(t *testing.T) {
	label := strings.Repeat("l", 60) + "."
	for _, raw := range []string{
		"", " ", "a", "a@", "@b.org", "a@b", "a@b@c.org", "a@b\uff20c.org", "a..b@c.org", ".a@c.org", "a.@c.org",
		`"a b"@c.org`, "a b@c.org", "a@[127.0.0.1]", "a@127.0.0.1", "a@c.org.", "a@-c.org", "a@c-.org", "a@c_d.org",
		"<a@c.org>", "Ada <a@c.org>", "a@x.org,b@y.org", "a@c.org\r\nBcc: d@e.org", "a@c.org\n", "a\x00@c.org",
		"a\u200b@c.org", "a\u202e@c.org", "mıke@c.org", "\u212aim@c.org", "=?utf-8?q?a?=@c.org\xff", "a@c.org\u2028",
		strings.Repeat("a", 65) + "@c.org", "a@" + strings.Repeat("l", 64) + ".org", strings.Repeat("a", 321),
		strings.Repeat("a", 60) + "@" + strings.Repeat(label, 3) + "example.org.uk", strings.Repeat("a", 10_000) + "@c.org",
	} {
		got, err := plain().Email(raw)
		if !errors.Is(err, contact.ErrEmail) || !got.IsZero() {
			t.Errorf("%.60q: got %q, %v", raw, got.Value, err)
		}
	}
}

func TestLongestEmailAddressIsAccepted(t *testing.T) {
	domain := strings.Repeat(strings.Repeat("l", 46)+".", 4) + "x"
	longest := strings.Repeat("a", 64) + "@" + domain
	if len(longest) != 254 {
		t.Fatalf("the example has %d characters", len(longest))
	}
	if _, err := plain().Email(longest); err != nil {
		t.Errorf("254 characters: %v", err)
	}
	if _, err := plain().Email(longest + "x"); err == nil {
		t.Error("255 characters were accepted")
	}
}

func TestPhoneNumbersHaveOneForm(t *testing.T) {
	for _, raw := range []string{"+31612345678", " +31 6 1234-5678", "(+31) 6.1234.5678", "06/12345678", "0612345678"} {
		got, err := plain().Phone(raw, "NL")
		if err != nil || got != (contact.Contact{Kind: contact.Phone, Value: "+31612345678"}) {
			t.Errorf("%q: got %q, %v", raw, got.Value, err)
		}
	}
}

func TestBadPhoneNumbersAreRefused(t *testing.T) {
	for _, raw := range []string{
		"", "+", "1234", "+31612345678;ext=1", "+31612345678,,,9", "+31612345678x9", "+31612345678#9", "tel:+31612345678",
		"+31 CALL ME 12", "+31+612345678", "31+612345678", "+31612345678+", "+0612345678", "+123456", "+1234567890123456",
		"+3161\u200b2345678", "+31612345678\n", "0612345678", "a@b.org", strings.Repeat("1", 2000),
	} {
		got, err := plain().Phone(raw, "")
		if !errors.Is(err, contact.ErrPhone) || !got.IsZero() {
			t.Errorf("%.60q: got %q, %v", raw, got.Value, err)
		}
	}
}

func TestUserNamesHaveOneForm(t *testing.T) {
	for raw, want := range map[string]string{
		"ada": "ada", " Ada_L ": "ada_l", "a.b-c": "a.b-c", "007": "007", "1234a": "1234a", strings.Repeat("Z", 32): strings.Repeat("z", 32),
	} {
		got, err := plain().Username(raw)
		if err != nil || got != (contact.Contact{Kind: contact.Username, Value: want}) {
			t.Errorf("%q: got %q, %v", raw, got.Value, err)
		}
	}
}

func TestBadUserNamesAreRefused(t *testing.T) {
	for _, raw := range []string{
		"", "ab", strings.Repeat("a", 33), "_ada", ".ada", "-ada", "ada l", "ada@l", "ada/l", "ädä", "\u212aim", "mıke", "ſam",
		"12345", "1234-5678", "06.1234.5678", "ad\u200ba", "ada\n", "ada\xff",
	} {
		got, err := plain().Username(raw)
		if !errors.Is(err, contact.ErrUsername) || !got.IsZero() {
			t.Errorf("%q: got %q, %v", raw, got.Value, err)
		}
	}
}

func TestGuessTellsTheKindsApart(t *testing.T) {
	for _, c := range []struct {
		raw  string
		want contact.Contact
		err  error
	}{
		{"Ada@example.com", contact.Contact{Kind: contact.Email, Value: "ada@example.com"}, nil},
		{"ada\uff20example.com", contact.Contact{Kind: contact.Email, Value: "ada@example.com"}, nil},
		{"06 1234 5678", contact.Contact{Kind: contact.Phone, Value: "+31612345678"}, nil},
		{"Ada", contact.Contact{Kind: contact.Username, Value: "ada"}, nil},
		{"1234", contact.Contact{Kind: contact.Username, Value: "1234"}, nil},
		{"ada@", contact.Contact{}, contact.ErrEmail},
		{"ad\u200ba@example.com", contact.Contact{}, contact.ErrEmail},
		{strings.Repeat("a", 2000) + "@b.org", contact.Contact{}, contact.ErrEmail},
		{"+31 CALL ME", contact.Contact{}, contact.ErrPhone},
		{"31+612345678", contact.Contact{}, contact.ErrPhone},
		{"٠٦١٢٣٤٥٦٧٨", contact.Contact{}, contact.ErrPhone},
		{"", contact.Contact{}, contact.ErrUsername},
	} {
		got, err := plain().Guess(c.raw, "NL")
		if got != c.want || !errors.Is(err, c.err) {
			t.Errorf("%.40q: got %s %q, %v", c.raw, got.Kind, got.Value, err)
		}
	}
}

func TestParseGoesByTheKindItIsTold(t *testing.T) {
	for kind, want := range map[contact.Kind]error{
		contact.Email: contact.ErrEmail, contact.Phone: contact.ErrPhone, contact.Username: nil, "pigeon": contact.ErrKind, "": contact.ErrKind,
	} {
		if got, err := plain().Parse(kind, "ada", ""); !errors.Is(err, want) || got.Kind != kind && err == nil {
			t.Errorf("%q: got %s %q, %v", kind, got.Kind, got.Value, err)
		}
	}
}

func TestAnUnfinishedParserRefuses(t *testing.T) {
	normal := contact.Parser{NFKC: strings.ToLower}
	for _, p := range []contact.Parser{{}, normal} {
		if _, err := p.Email("a@b.org"); !errors.Is(err, contact.ErrEmail) {
			t.Errorf("e-mail: %v", err)
		}
		if _, err := p.Phone("+31612345678", ""); !errors.Is(err, contact.ErrPhone) {
			t.Errorf("phone: %v", err)
		}
	}
	if _, err := (contact.Parser{}).Username("ada"); !errors.Is(err, contact.ErrUsername) {
		t.Error("a user name was read without normalisation")
	}
}

func TestResultsOfTheFunctionsAreNotTrusted(t *testing.T) {
	p := plain()
	for _, bad := range []string{"", "b", "c@d.org", "b.org ", "b.org\r\n", "127.0.0.1", "bücher.org"} {
		p.ToASCII = func(string) (string, error) { return bad, nil }
		if got, err := p.Email("a@x.org"); err == nil {
			t.Errorf("domain %q was accepted as %q", bad, got.Value)
		}
	}
	for _, bad := range []string{"", "31612345678", "+31 612345678", "+0123456789", "+١٢٣٤٥٦٧٨"} {
		p.E164 = func(string, string) (string, error) { return bad, nil }
		if got, err := p.Phone("+31612345678", ""); err == nil {
			t.Errorf("number %q was accepted as %q", bad, got.Value)
		}
	}
}

func TestErrorsOfTheFunctionsDoNotReachTheCaller(t *testing.T) {
	p := plain()
	p.ToASCII = func(domain string) (string, error) { return "", errors.New("bad name " + domain) }
	p.E164 = func(raw, _ string) (string, error) { return "", errors.New("bad number " + raw) }
	for _, raw := range []string{"ada@secret.example", "+31612345678"} {
		if _, err := p.Guess(raw, ""); err == nil || strings.Contains(err.Error(), "bad") {
			t.Errorf("got %v", err)
		}
	}
}

func TestCanonicalValuesParseToThemselves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw := rapid.OneOf(
			rapid.StringMatching(` ?[A-Za-z0-9.+_-]{1,20}[@\x{ff20}][A-Za-z0-9.-]{1,20}`),
			rapid.StringMatching(`\+?[0-9 ()./-]{4,20}`),
			rapid.StringMatching(`[A-Za-z0-9._-]{1,34}`),
		).Draw(t, "raw")
		checkStable(t, raw, "NL")
	})
}

// checkStable fails if what Guess makes of raw is not what it makes of that
// again, by guessing or by kind.
func checkStable(t interface{ Errorf(string, ...any) }, raw, region string) {
	first, err := plain().Guess(raw, region)
	if err != nil {
		return
	}
	again, err := plain().Guess(first.Value, "")
	if err != nil || again != first {
		t.Errorf("%q: first %s %q, then %s %q, %v", raw, first.Kind, first.Value, again.Kind, again.Value, err)
	}
	if told, err := plain().Parse(first.Kind, raw, region); err != nil || told != first {
		t.Errorf("%q: guessed %s %q, told %q, %v", raw, first.Kind, first.Value, told.Value, err)
	}
}

func FuzzEmail(f *testing.F) {
	for _, raw := range []string{"Ada@Example.com", "a@b\uff20c.org", `"a b"@c.org`, "a@[::1]", "a@c.org\r\nBcc: d@e.org", "mıke@c.org"} {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		c, err := plain().Email(raw)
		if err != nil {
			return
		}
		if strings.Count(c.Value, "@") != 1 || len(c.Value) > 254 || strings.ContainsFunc(c.Value, func(r rune) bool { return r <= ' ' || r >= 0x7f || 'A' <= r && r <= 'Z' }) {
			t.Errorf("%q became %q", raw, c.Value)
		}
		if again, err := plain().Email(c.Value); err != nil || again != c {
			t.Errorf("%q: first %q, then %q, %v", raw, c.Value, again.Value, err)
		}
	})
}

func FuzzPhone(f *testing.F) {
	for _, raw := range []string{"+31 6 12345678", "0612345678", "(+31) 6", "+31612345678,,9", "tel:+31", "++31612345678"} {
		f.Add(raw, "NL")
	}
	f.Fuzz(func(t *testing.T, raw, region string) {
		c, err := plain().Phone(raw, region)
		if err != nil {
			return
		}
		if again, err := plain().Phone(c.Value, ""); err != nil || again != c {
			t.Errorf("%q: first %q, then %q, %v", raw, c.Value, again.Value, err)
		}
	})
}

func FuzzGuess(f *testing.F) {
	for _, raw := range []string{"Ada@example.com", "06 1234 5678", "ada_l", "12345", "1234", "+", "@"} {
		f.Add(raw, "NL")
	}
	f.Fuzz(func(t *testing.T, raw, region string) { checkStable(t, raw, region) })
}
