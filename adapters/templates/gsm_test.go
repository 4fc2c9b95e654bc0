package templates

import (
	"strings"
	"testing"
)

func TestSegmentsAgreeWithMeasuredMessages(t *testing.T) {
	const line = "\n\n@login.acme.com #482913"
	for _, c := range []struct {
		name, text, encoding string
		units, segments      int
	}{
		{"en", "482913 is your Acme code. Never share it." + line, GSM7, 66, 1},
		{"en with a typographic apostrophe", "482913 is your Acme code. Don’t share it." + line, UCS2, 66, 1},
		{"de", "482913 ist Ihr Code für Acme. Nicht weitergeben." + line, GSM7, 73, 1},
		{"fr with ê", strings.Repeat("a", 78) + "ê", UCS2, 79, 2},
		{"es código", "482913 es su código de Acme" + line + strings.Repeat(".", 18), UCS2, 70, 1},
		{"nothing", "", GSM7, 0, 0},
		{"full", strings.Repeat("a", 160), GSM7, 160, 1},
		{"one over", strings.Repeat("a", 161), GSM7, 161, 2},
		{"two parts", strings.Repeat("a", 306), GSM7, 306, 2},
		{"three parts", strings.Repeat("a", 307), GSM7, 307, 3},
		{"extension counts twice", "€[]{}\\~^|\f", GSM7, 20, 1},
		{"extension fills one", strings.Repeat("€", 80), GSM7, 160, 1},
		{"extension is not cut", strings.Repeat("€", 153), GSM7, 306, 3},
		{"full UCS-2", strings.Repeat("я", 70), UCS2, 70, 1},
		{"one over in UCS-2", strings.Repeat("я", 71), UCS2, 71, 2},
		{"surrogates count twice", strings.Repeat("😀", 35), UCS2, 70, 1},
		{"surrogates are not cut", strings.Repeat("😀", 67), UCS2, 134, 3},
	} {
		encoding, units, segments := Segments(c.text)
		if encoding != c.encoding || units != c.units || segments != c.segments {
			t.Errorf("%s: %s %d/%d, want %s %d/%d", c.name, encoding, units, segments, c.encoding, c.units, c.segments)
		}
	}
}

func TestTheAlphabetIsComplete(t *testing.T) {
	seen := map[rune]bool{}
	for _, r := range gsmBasic + gsmExtension {
		if seen[r] {
			t.Errorf("%q is in the table twice", r)
		}
		seen[r] = true
	}
	if len([]rune(gsmBasic)) != 127 || len([]rune(gsmExtension)) != 10 {
		t.Errorf("%d and %d characters, want 127 and 10", len([]rune(gsmBasic)), len([]rune(gsmExtension)))
	}
	for _, r := range "`êóçÁ’“" {
		if seen[r] {
			t.Errorf("%q is not in GSM 03.38", r)
		}
	}
}
