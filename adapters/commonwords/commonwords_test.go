package commonwords_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/countersign/countersign/adapters/commonwords"
	"github.com/countersign/countersign/adapters/textnorm"
	"github.com/countersign/countersign/ports/password/passwordtest"
)

func words(tb testing.TB) []string {
	tb.Helper()
	text, err := os.ReadFile("words.txt")
	if err != nil {
		tb.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

func TestTheListKeepsThePortsPromises(t *testing.T) {
	passwordtest.RunCommon(t, commonwords.New(textnorm.NFKC))
}

func TestTheListIsSortedSmallAndPlain(t *testing.T) {
	all := words(t)
	if len(all) < 3000 || !slices.IsSorted(all) || len(slices.Compact(slices.Clone(all))) != len(all) {
		t.Errorf("%d words, sorted %t, or some are there twice", len(all), slices.IsSorted(all))
	}
	for _, w := range all {
		if w == "" || len(w) > 32 || strings.ContainsFunc(w, func(r rune) bool { return r <= ' ' || r >= 0x7f || r >= 'A' && r <= 'Z' }) {
			t.Errorf("%q has no place in the list", w)
		}
	}
}

func TestWhatPeopleDoToSatisfyRulesIsUndone(t *testing.T) {
	c := commonwords.New(textnorm.NFKC)
	for text, want := range map[string]bool{
		"sunshine": true, "SUNSHINE": true, "SunShine": true, "ｓｕｎｓｈｉｎｅ": true, "Sunshine": true,
		"sunshine1": true, "sunshine2024": true, "sunshine!": true, "Sunshine1!": true, "sunshine!?!?": true, "sunshine#007": true,
		"sunshine98765": false, "sunshine!2024": false, "sunshinex": false, "1sunshine": false, "sun shine": false, " sunshine": false,
		"sunsh1ne": true, "$un$hin3": true, "5un5hine": true, "sun5h1n3!": true, "sunshin€": false,
		"footba11": true, "f00tb@ll": true, "f007b4ll": true, "footbaii": false,
		"@bc123": true, "abc123": true, "abcl23": false, "trustno1": true, "trustno1!": true,
		"sunshinesunshine": true, "SunshineSunshine1": true, "sunshinesun5hine": true, "sunshinesunshinesunshine": false,
		"sunshinedragonx": false, "sunshinefootball": false, "sunshine-sunshine": false,
		"1234567890": true, "!!!!": false, "1": false, "": false,
		"sunshine is what the garden needs": false, "four sunshine words more": false,
	} {
		if got := c.Common(text); got != want {
			t.Errorf("%q: common is %t", text, got)
		}
	}
}

// disguises is the contrary of what the list undoes.
var disguises = map[byte][]string{
	'o': {"0"}, 'i': {"1"}, 'l': {"1"}, 'e': {"3"}, 'a': {"4", "@"}, 's': {"5", "$"}, 't': {"7"},
}

func disguise(t *rapid.T, word string) string {
	var b strings.Builder
	for i := range len(word) {
		as := append([]string{word[i : i+1], strings.ToUpper(word[i : i+1])}, disguises[word[i]]...)
		b.WriteString(rapid.SampledFrom(as).Draw(t, "as"))
	}
	return b.String()
}

func TestEveryDisguiseOfEveryWordIsSeenThrough(t *testing.T) {
	c, all := commonwords.New(nil), words(t)
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.SampledFrom(all).Draw(t, "word")
		text := disguise(t, word)
		if rapid.Bool().Draw(t, "doubled") {
			text += disguise(t, word)
		}
		text += rapid.StringMatching(`[0-9!-/:-@\[-_{-~]{0,4}`).Draw(t, "tail")
		if !c.Common(text) {
			t.Fatalf("%q was made from %q", text, word)
		}
	})
}

func TestWhatIsAddedBeforeAWordMakesItAnother(t *testing.T) {
	c, all := commonwords.New(nil), words(t)
	rapid.Check(t, func(t *rapid.T) {
		text := "~ ~" + disguise(t, rapid.SampledFrom(all).Draw(t, "word"))
		if c.Common(text) {
			t.Fatalf("%q is common", text)
		}
	})
}

func TestAllWordsAreFound(t *testing.T) {
	c := commonwords.New(nil)
	for _, w := range words(t) {
		if !c.Common(w) {
			t.Errorf("%q is not", w)
		}
	}
}
