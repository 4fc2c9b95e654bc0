package contact

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits in characters (RFC 5321 section 4.5.3.1 with the path's brackets
// taken off, RFC 1035 section 2.3.4, ITU-T E.164 section 6).
const (
	maxEmail    = 254
	maxLocal    = 64
	maxDomain   = 253
	maxLabel    = 63
	minUsername = 3
	maxUsername = 32
	minE164     = 7
	maxE164     = 15
	phoneDigits = 5 // fewer digits than this are not taken for a phone number
)

// isVisible reports whether text is valid UTF-8 without control characters,
// line separators, or characters that take no room and so hide in a name.
func isVisible(text string) bool {
	hiding := func(r rune) bool {
		return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp,
			unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point)
	}
	return utf8.ValidString(text) && !strings.ContainsFunc(text, hiding)
}

// lower maps A to Z only. Unicode has other characters whose lower case is an
// ASCII letter, and they must not become one.
func lower(text string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, text)
}

func isLetter(r rune) bool { return 'a' <= r && r <= 'z' }
func isDigit(r rune) bool  { return '0' <= r && r <= '9' }

// only reports whether text is not empty and every character passes.
func only(text string, pass func(rune) bool) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool { return !pass(r) })
}

// isEmail is the syntax of a canonical address: Dot-string "@" Domain
// (RFC 5321 section 4.1.2), lower case, and a domain with a dot in it.
func isEmail(value string) bool {
	local, domain, ok := strings.Cut(value, "@")
	return ok && len(value) <= maxEmail && len(local) <= maxLocal && isDotAtom(local) && isDomain(domain)
}

// isDotAtom follows RFC 5322 section 3.2.3, less the capitals.
func isDotAtom(local string) bool {
	atext := func(r rune) bool {
		return isLetter(r) || isDigit(r) || strings.ContainsRune("!#$%&'*+-/=?^_`{|}~", r)
	}
	for atom := range strings.SplitSeq(local, ".") {
		if !only(atom, atext) {
			return false
		}
	}
	return true
}

// isDomain accepts at least two LDH labels (RFC 5890 section 2.3.1), the last
// of which is not a number, so that no IPv4 address passes (RFC 3696 section 2).
func isDomain(domain string) bool {
	labels := strings.Split(domain, ".")
	for _, label := range labels {
		if !isLabel(label) {
			return false
		}
	}
	return len(labels) >= 2 && len(domain) <= maxDomain && !only(labels[len(labels)-1], isDigit)
}

func isLabel(label string) bool {
	ldh := func(r rune) bool { return isLetter(r) || isDigit(r) || r == '-' }
	return len(label) <= maxLabel && only(label, ldh) &&
		!strings.HasPrefix(label, "-") && !strings.HasSuffix(label, "-")
}

func isUsername(value string) bool {
	char := func(r rune) bool { return isLetter(r) || isDigit(r) || strings.ContainsRune("._-", r) }
	return len(value) >= minUsername && len(value) <= maxUsername && only(value, char) &&
		only(value[:1], func(r rune) bool { return isLetter(r) || isDigit(r) }) && !resemblesPhone(value)
}

// isE164 checks the form only: a plus and 7 to 15 digits, no leading zero.
func isE164(value string) bool {
	digits, ok := strings.CutPrefix(value, "+")
	return ok && only(digits, isDigit) && digits[0] != '0' && len(digits) >= minE164 && len(digits) <= maxE164
}

// resemblesPhone reports whether text has enough digits, of any script, and
// nothing else but what people write around them.
func resemblesPhone(text string) bool {
	digits := 0
	for _, r := range text {
		switch {
		case unicode.Is(unicode.Nd, r):
			digits++
		case r != '+' && !isSeparator(r):
			return false
		}
	}
	return digits >= phoneDigits
}

// isDialable also wants the plus, if there is one, before the first digit.
func isDialable(text string) bool {
	digit := strings.IndexFunc(text, unicode.IsDigit)
	plus := strings.LastIndexByte(text, '+')
	return resemblesPhone(text) && plus < digit && strings.Count(text, "+") <= 1
}

// isSeparator reports whether r may stand between the digits of a number.
// U+2212 is the minus sign, which is no dash to Unicode.
func isSeparator(r rune) bool {
	return strings.ContainsRune(" ./()\u2212", r) || unicode.Is(unicode.Pd, r)
}
