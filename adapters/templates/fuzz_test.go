package templates

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func FuzzClean(f *testing.F) {
	for _, seed := range []string{"Acme", " a\r\nb ", "\u202eevil\u2028", "\xff\xfe", strings.Repeat("ä", 100)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, most := range []int{0, 16} {
			got := clean(s, most)
			if strings.ContainsAny(got, "\r\n\v\f\x00\u0085\u2028\u2029\u202e") || !utf8.ValidString(got) {
				t.Errorf("%q is not one line of text", got)
			}
			if most > 0 && utf8.RuneCountInString(got) > most {
				t.Errorf("%q is longer than %d", got, most)
			}
			if clean(got, most) != got {
				t.Errorf("%q changes when cleaned again", got)
			}
		}
	})
}

func FuzzPhrase(f *testing.F) {
	for _, seed := range []string{"{code} is your {brand} code", "{", "}", "{x}", "{{code}}", ""} {
		f.Add(seed)
	}
	r := rule{must: []string{"code"}, may: []string{"brand"}}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := parsePhrase(s, r)
		if err != nil {
			return
		}
		got := p.fill("code", "{brand}", "brand", "{code}")
		want := strings.NewReplacer("{code}", "{brand}", "{brand}", "{code}").Replace(strings.Join(strings.Fields(s), " "))
		if got != want {
			t.Errorf("%q gives %q, want %q", s, got, want)
		}
	})
}

func FuzzSegments(f *testing.F) {
	for _, seed := range []string{"", "a", "€", "ê", "😀", "\xff", strings.Repeat("[", 81)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		encoding, units, segments := Segments(s)
		single, part := gsmSingle, gsmPart
		if encoding == UCS2 {
			single, part = ucsSingle, ucsPart
		}
		switch {
		case units < utf8.RuneCountInString(s), (segments == 0) != (s == ""):
			t.Errorf("%d units, %d segments", units, segments)
		case (segments <= 1) != (units <= single), segments > 1 && segments*part < units:
			t.Errorf("%s: %d units do not fit into %d segments", encoding, units, segments)
		}
	})
}
