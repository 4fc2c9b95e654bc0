package phoneplan

import (
	"strings"
	"unicode"
)

// separators are what people put between digits.
const separators = "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212\uff0d \u00a0\u3000()./"

// pluses begin a number with its country code.
const pluses = "+\uff0b"

// How many digits a national number has at least and at most, the latter in
// Germany; the ITU stops at 15 (E.164).
const (
	fewest = 2
	most   = 17
)

// digits reads what somebody wrote: whether it begins with a plus, and its digits.
// It is false if it holds anything else than digits and separators.
func digits(raw string) (text string, plus, ok bool) {
	start := strings.IndexFunc(raw, func(r rune) bool { return unicode.Is(unicode.Nd, r) || strings.ContainsRune(pluses, r) })
	if start < 0 || strings.ContainsFunc(raw[:start], foreign) {
		return "", false, false
	}
	rest := strings.TrimLeft(raw[start:], pluses)
	plus = len(rest) < len(raw[start:])
	var b strings.Builder
	for _, r := range rest {
		if d, is := digit(r); is {
			b.WriteByte(d)
		} else if !strings.ContainsRune(separators, r) {
			return "", false, false
		}
	}
	return b.String(), plus, b.Len() > fewest
}

// foreign reports whether r has no business even before a number. Letters and
// the signs ,;#*~: start an extension, a pause or a parameter.
func foreign(r rune) bool {
	return !unicode.Is(unicode.Pd, r) && !unicode.Is(unicode.Zs, r) && !strings.ContainsRune("./()\u2212", r)
}

// digit reads a digit of any script. Unicode has those of each together, from 0 to 9.
func digit(r rune) (byte, bool) {
	if '0' <= r && r <= '9' {
		return byte(r), true
	}
	for _, block := range unicode.Nd.R16 {
		if rune(block.Lo) <= r && r <= rune(block.Hi) {
			return '0' + byte((r-rune(block.Lo))%10), true //nolint:gosec // less than ten
		}
	}
	for _, block := range unicode.Nd.R32 {
		if rune(block.Lo) <= r && r <= rune(block.Hi) { //nolint:gosec // code points
			return '0' + byte((r-rune(block.Lo))%10), true //nolint:gosec // less than ten
		}
	}
	return 0, false
}

// split finds whose rules a number follows that is dialled in a territory, which
// may be nil, and what stands in it after the country code.
func (w world) split(text string, plus bool, in *territory) (of *territory, rest string, ok bool) {
	if plus {
		if code, rest, ok := w.cut(text); ok {
			return w.codes[code][0], rest, true
		}
	}
	if in == nil {
		return nil, "", false
	}
	code, rest, ok := w.abroad(text, in)
	switch {
	case ok && code != "":
		return w.codes[code][0], rest, true
	case ok && !plus:
		return in, text, true
	}
	return nil, "", false // a plus may stand before what is dialled to get abroad, but before nothing else
}

// abroad finds the country code of a number without a plus. It is "" if there is
// none, and false if one was announced which does not exist.
func (w world) abroad(text string, in *territory) (code, rest string, ok bool) {
	at := in.abroad.re().FindStringIndex(text)
	if at != nil && at[0] == 0 && !strings.HasPrefix(text[at[1]:], "0") {
		if len(text)-at[1] <= fewest {
			return "", "", false
		}
		return w.cut(text[at[1]:])
	}
	bare, found := strings.CutPrefix(text, in.code)
	if !found {
		return "", "", true
	}
	// The code was dialled without anything before it, unless the number makes
	// sense as it is.
	bare = in.national(bare)
	if !in.any.fits(text) && in.any.fits(bare) || len(text) > in.any.lengths.longest() {
		return in.code, bare, true
	}
	return "", "", true
}

// national strips what is dialled before a national number, unless the number
// only makes sense with it.
func (t *territory) national(text string) string {
	if text == "" || t.trunk.text == "" {
		return text
	}
	at := t.trunk.re().FindStringSubmatchIndex(text)
	if at == nil {
		return text
	}
	bare := text[at[1]:]
	if last := len(at) - 2; t.rewrite != "" && at[last] >= 0 {
		bare = t.trunk.re().ReplaceAllString(text, t.rewrite)
	}
	if t.any.fits(text) && !t.any.fits(bare) {
		return text
	}
	return bare
}

// possible reports whether a number is not shorter than those of the territory,
// nor of a length between theirs.
func (t *territory) possible(national string) bool {
	n := len(national)
	return t.any.lengths.has(n) || n > t.any.lengths.longest()
}
