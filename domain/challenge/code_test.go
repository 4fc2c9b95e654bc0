package challenge

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestEachCharacterOfACodeIsEquallyLikely(t *testing.T) {
	for _, x := range []struct {
		format Format
		limit  float64 // chi-square, 99.999 % for 9 and 31 degrees of freedom
	}{{Digits(6), 39.3}, {Crockford(10), 76.5}} {
		const codes = 20000
		counts := make([]map[byte]int, x.format.Length())
		for i := range counts {
			counts[i] = map[byte]int{}
		}
		for n := range uint64(codes) {
			sum := sha256.Sum256(binary.BigEndian.AppendUint64(nil, n))
			code, ok := Code(x.format, sum[:])
			if !ok {
				t.Fatalf("%s: 32 bytes were not enough", x.format)
			}
			for i := range counts {
				counts[i][code[i]]++
			}
		}
		for i, seen := range counts {
			want := float64(codes) / float64(len(x.format.Alphabet()))
			chi := 0.0
			for _, c := range []byte(x.format.Alphabet()) {
				d := float64(seen[c]) - want
				chi += d * d / want
			}
			if chi > x.limit || len(seen) > len(x.format.Alphabet()) {
				t.Errorf("%s, place %d: chi-square %.1f with %d characters", x.format, i, chi, len(seen))
			}
		}
	}
}

// TestBytesThatFavourDigitsAreRejected counts all bytes: each digit has 25.
func TestBytesThatFavourDigitsAreRejected(t *testing.T) {
	counts := map[string]int{}
	for b := range 256 {
		if code, ok := Code(Digits(1), []byte{byte(b)}); ok {
			counts[code]++
		}
	}
	if len(counts) != 10 {
		t.Errorf("%d digits occur", len(counts))
	}
	for d, n := range counts {
		if n != 25 {
			t.Errorf("digit %s is made by %d bytes", d, n)
		}
	}
	if code, ok := Code(Digits(6), []byte{255, 254, 253, 252, 251, 250, 7, 17, 27, 37, 47}); ok || len(code) == 6 {
		t.Errorf("five good bytes made %q", code)
	}
	if code, ok := Code(Digits(6), []byte{255, 7, 250, 17, 27, 37, 47, 249, 1}); !ok || code != "777779" {
		t.Errorf("got %q", code)
	}
}

func TestCleanReadsWhatPeopleType(t *testing.T) {
	for raw, want := range map[string]string{
		"123456": "123456", "123 456": "123456", "123-456": "123456", "1 2-3 4": "1234", "abcd efgh": "ABCDEFGH",
		"oO0 iIlL1": "000111" + "11", "0123": "0123", strings.Repeat("7", MaxCode): strings.Repeat("7", MaxCode),
	} {
		if got, ok := Clean(raw); !ok || got != want {
			t.Errorf("Clean(%q) = %q, %v, want %q", raw, got, ok, want)
		}
	}
	for _, raw := range []string{
		"", " ", "-", " 123456", "123456 ", "123  456", "123--456", "123 -456", "123456\n", "12\t34", "１２３４５６", "١٢٣٤٥٦",
		"12345\x00", "u234", "U234", "12.34", "12\u00a034", "é123", strings.Repeat("7", MaxCode+1), "\xff1234",
	} {
		if got, ok := Clean(raw); ok || got != "" && !strings.HasPrefix(raw, "123456") {
			t.Errorf("Clean(%q) = %q, %v, want a refusal", raw, got, ok)
		}
	}
}

func TestFormatsListsAtMostTwoNarrowestFirst(t *testing.T) {
	for code, want := range map[string][]Format{
		"": nil, "123": nil, "1234": {"d4", "c4"}, "123456": {"d6", "c6"}, "12345A": {"c6"},
		strings.Repeat("A", 32): {"c32"}, strings.Repeat("1", 33): nil,
	} {
		if got := Formats(code); !slices.Equal(got, want) {
			t.Errorf("Formats(%q) = %v, want %v", code, got, want)
		}
	}
	if f := Format(""); f.Typed() || f.Length() != 0 {
		t.Error("the empty format is typed")
	}
}

func TestEveryCodeFitsItsFormatHoweverItIsGrouped(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(4, MaxCode).Draw(rt, "length")
		f := rapid.SampledFrom([]Format{Digits(n), Crockford(n)}).Draw(rt, "format")
		code, ok := Code(f, rapid.SliceOfN(rapid.ByteMax(249), n, n).Draw(rt, "sum"))
		if !ok || len(code) != n {
			rt.Fatalf("code %q", code)
		}
		typed := code
		for i := n - 1; i > 0; i-- {
			typed = typed[:i] + rapid.SampledFrom([]string{"", "", " ", "-"}).Draw(rt, "separator") + typed[i:]
		}
		if rapid.Bool().Draw(rt, "lower case") {
			typed = strings.ToLower(typed)
		}
		got, ok := Clean(typed)
		if !ok || got != code || !slices.Contains(Formats(got), f) {
			rt.Fatalf("Clean(%q) = %q, %v; formats %v", typed, got, ok, Formats(got))
		}
	})
}

func FuzzClean(f *testing.F) {
	for _, seed := range []string{"123456", "123 456", "abcd-efgh", "", " 1", "oil", "１２３４", "12\x0034", "u"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		code, ok := Clean(raw)
		if !ok {
			return
		}
		if code == "" || len(code) > MaxCode || len(code) > len(raw) || strings.Trim(code, crockford) != "" {
			t.Fatalf("Clean(%q) = %q", raw, code)
		}
		if again, ok := Clean(code); !ok || again != code {
			t.Fatalf("cleaning %q again gives %q", code, again)
		}
		formats := Formats(code)
		if len(formats) > 2 || (len(formats) == 0) != (len(code) < 4) {
			t.Fatalf("Formats(%q) = %v", code, formats)
		}
		for _, f := range formats {
			if f.Length() != len(code) || strings.Trim(code, f.Alphabet()) != "" {
				t.Fatalf("%q is not of format %s", code, f)
			}
		}
	})
}
