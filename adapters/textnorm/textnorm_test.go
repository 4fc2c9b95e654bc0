package textnorm_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/countersign/countersign/adapters/textnorm"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/ports/numbering"
	"github.com/countersign/countersign/ports/numbering/numberingtest"
)

func parser() contact.Parser {
	return contact.Parser{
		NFKC:    textnorm.NFKC,
		ToASCII: textnorm.NewDomains().ToASCII,
		E164:    numbering.E164(numberingtest.Plan{}),
	}
}

func TestEverySpellingOfADomainIsOneDomain(t *testing.T) {
	for raw, want := range map[string]string{
		"Bücher.Example":         "xn--bcher-kva.example",
		"bu\u0308cher.example":   "xn--bcher-kva.example",
		"XN--BCHER-KVA.example":  "xn--bcher-kva.example",
		"ex\u3002ample.com":      "ex.ample.com",
		"straße.de":              "xn--strae-oqa.de",
		"EXAMPLE.com":            "example.com",
		"xn--mgba3gch31f060k.ir": "xn--mgba3gch31f060k.ir",
	} {
		if got, err := textnorm.NewDomains().ToASCII(raw); err != nil || got != want {
			t.Errorf("%q: got %q, %v", raw, got, err)
		}
	}
}

func TestWhatCannotBeLookedUpIsRefusedWithoutBeingRepeated(t *testing.T) {
	for _, raw := range []string{
		"exa_mple.com", "ab--cd.com", "-a.com", "a-.com", "xn--example-.com", "xn--a.com", "a..com", "[127.0.0.1]",
		"a b.com", "\u0300a.com", strings.Repeat("a", 64) + ".com", strings.Repeat("a.", 127) + "com", "",
	} {
		got, err := textnorm.NewDomains().ToASCII(raw)
		if !errors.Is(err, textnorm.ErrDomain) || got != "" {
			t.Errorf("%q: got %q, %v", raw, got, err)
			continue
		}
		if raw != "" && strings.Contains(err.Error(), raw) {
			t.Errorf("%q is in its own error", raw)
		}
	}
	if _, err := (textnorm.Domains{}).ToASCII("example.com"); err == nil {
		t.Error("a Domains that was not made accepted a name")
	}
}

func TestSpellingsOfAnAddressAreOneAddress(t *testing.T) {
	for raw, want := range map[string]string{
		"  Ada@Example.COM\t":       "ada@example.com",
		"ada\uff20example.com":      "ada@example.com",
		"ａｄａ@example．com":           "ada@example.com",
		"\u00a0ada@example.com":     "ada@example.com",
		"\u212aim@example.com":      "kim@example.com", // the Kelvin sign is a K to Unicode itself
		"ada@BÜCHER.example":        "ada@xn--bcher-kva.example",
		"ada@xn--bcher-kva.example": "ada@xn--bcher-kva.example",
	} {
		got, err := parser().Email(raw)
		if err != nil || got.Value != want {
			t.Errorf("%q: got %q, %v", raw, got.Value, err)
		}
	}
}

func TestAddressesThatTrickOtherParsersAreRefused(t *testing.T) {
	for _, raw := range []string{
		"a@b\uff20c.org", "a\ufe6b@c.org", "mıke@example.org", "a@exam\u200bple.org", "a@exam\u00adple.org",
		"a@exam\ufe0fple.org", "a@exam\u034fple.org", "a@exam\u3164ple.org", "\u202ea@example.org",
		"аda@example.org", "a@example.org\u2028", "ada@a\u2024\u2024b.org",
	} {
		if got, err := parser().Email(raw); !errors.Is(err, contact.ErrEmail) {
			t.Errorf("%q became %q, %v", raw, got.Value, err)
		}
		if got, err := parser().Guess(raw, ""); err == nil {
			t.Errorf("%q was taken for %q", raw, got.Value)
		}
	}
}

func FuzzEmail(f *testing.F) {
	for _, raw := range []string{"Ada@Example.com", "a@b\uff20c.org", "ada@Bücher.example", "a@xn--bcher-kva.example", "\u212a@ſ.org", "a@\u200d.org"} {
		f.Add(raw)
	}
	p := parser()
	f.Fuzz(func(t *testing.T, raw string) {
		c, err := p.Guess(raw, "")
		if err != nil {
			return
		}
		if again, err := p.Guess(c.Value, ""); err != nil || again != c {
			t.Errorf("%q: first %q, then %q, %v", raw, c.Value, again.Value, err)
		}
	})
}
