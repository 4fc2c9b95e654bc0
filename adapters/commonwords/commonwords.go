// Package commonwords knows the ten thousand passwords that people use most,
// and what they do to them when a rule asks for more. The list is in the binary;
// README.md beside it says where it is from.
package commonwords

import (
	_ "embed"
	"slices"
	"strings"
	"sync"

	"github.com/countersign/countersign/ports/password"
)

var _ password.Common = (*Words)(nil)

//go:embed words.txt
var list string

// mostTail is how many digits and signs people put after a word to satisfy a
// rule: a year, or "123!". Whoever adds more has added something.
const mostTail = 4

// entry is one word, to be found by its skeleton.
type entry struct{ skeleton, word string }

// Words implements password.Common. It is safe for concurrent use.
type Words struct {
	normalize func(string) string
	known     func() known // read when somebody first asks: a start need not wait for it
}

// known is the list.
type known struct {
	entries []entry // sorted
	longest int     // of the words, in bytes
}

// New makes Words. What is asked about is normalised first, as it will be
// before it is hashed: otherwise full-width letters would pass and be hashed as
// the common word. Nil leaves it as it is.
func New(normalize func(string) string) *Words {
	if normalize == nil {
		normalize = func(text string) string { return text }
	}
	return &Words{normalize: normalize, known: sync.OnceValue(read)}
}

func read() (k known) {
	for word := range strings.Lines(list) {
		word = strings.TrimSuffix(word, "\n")
		k.entries = append(k.entries, entry{skeleton(word), word})
		k.longest = max(k.longest, len(word))
	}
	slices.SortFunc(k.entries, func(a, b entry) int { return strings.Compare(a.skeleton, b.skeleton) })
	return k
}

// Common implements password.Common. It takes the capitals of ASCII for small
// letters, and undoes up to four digits and signs at the end, figures and signs in
// place of letters, and doubling. What is left must be a whole word of the list: a
// passphrase that holds one is as good as any.
func (w *Words) Common(text string) bool {
	text = fold(w.normalize(text))
	for range mostTail + 1 {
		if w.has(text) || doubled(text, w.has) {
			return true
		}
		if text == "" || !tail(text[len(text)-1]) {
			return false
		}
		text = text[:len(text)-1]
	}
	return false
}

// doubled reports whether both halves of the text are one word, in any disguise.
func doubled(text string, is func(string) bool) bool {
	half := len(text) / 2
	a, b := text[:half], text[half:]
	return len(a) == len(b) && skeleton(a) == skeleton(b) && is(a) && is(b)
}

// has reports whether the text is a word of the list, in disguise or not.
func (w *Words) has(text string) bool {
	k := w.known()
	if text == "" || len(text) > k.longest {
		return false
	}
	bones := skeleton(text)
	i, _ := slices.BinarySearchFunc(k.entries, bones, func(e entry, s string) int { return strings.Compare(e.skeleton, s) })
	for ; i < len(k.entries) && k.entries[i].skeleton == bones; i++ {
		if disguises(text, k.entries[i].word) {
			return true
		}
	}
	return false
}

// disguises reports whether each character of the text is that of the word or
// stands for it. Both have the same length, since they have one skeleton.
func disguises(text, word string) bool {
	for i := range len(word) {
		if text[i] != word[i] && !strings.Contains(standsFor(text[i]), word[i:i+1]) {
			return false
		}
	}
	return true
}

// standsFor gives the letters that people write a figure or a sign for.
func standsFor(c byte) string {
	switch c {
	case '0':
		return "o"
	case '1':
		return "il"
	case '3':
		return "e"
	case '4', '@':
		return "a"
	case '5', '$':
		return "s"
	case '7':
		return "t"
	default:
		return ""
	}
}

// skeleton makes one character of all that might stand for each other, so that a
// word and its disguises have one skeleton. Not all that share it are disguises:
// "ball" is none of "bail".
func skeleton(s string) string {
	b := []byte(s)
	for i, c := range b {
		switch letters := standsFor(c); {
		case letters != "":
			b[i] = letters[0]
		case c == 'l':
			b[i] = 'i'
		}
	}
	return string(b)
}

// tail reports whether people put such a character after a word: a digit or a
// sign of ASCII.
func tail(c byte) bool { return c > ' ' && c < 0x7f && (c < 'a' || c > 'z') }

// fold makes ASCII letters small.
func fold(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
