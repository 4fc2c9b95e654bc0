package phoneplan_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/nyaruka/phonenumbers"

	"github.com/countersign/countersign/adapters/phoneplan"
	"github.com/countersign/countersign/ports/numbering"
)

// everything is a plan that accepts whatever the library can say of a number,
// except what is expensive.
var everything = phoneplan.New(numbering.Fixed, numbering.VoIP)

// library is what the library says of a number that holds digits and
// separators, by the rules of the adapter.
func library(raw, region string) (numbering.Number, bool) {
	read := func(raw, region string) (numbering.Number, bool) {
		n, err := phonenumbers.Parse(raw, region)
		if err != nil || !phonenumbers.IsValidNumber(n) {
			return numbering.Number{}, false
		}
		kind, known := map[phonenumbers.PhoneNumberType]numbering.Kind{
			phonenumbers.MOBILE: numbering.Mobile, phonenumbers.FIXED_LINE_OR_MOBILE: numbering.FixedOrMobile,
			phonenumbers.FIXED_LINE: numbering.Fixed, phonenumbers.VOIP: numbering.VoIP,
		}[phonenumbers.GetNumberType(n)]
		of := phonenumbers.GetRegionCodeForNumber(n)
		return numbering.Number{E164: phonenumbers.Format(n, phonenumbers.E164), Region: of, Kind: kind}, known && of != "001"
	}
	n, ok := read(raw, region)
	if !ok {
		return numbering.Number{}, false
	}
	again, ok := read(n.E164, "")
	return n, ok && again == n
}

// agree complains if the adapter reads a number in another way than the library.
func agree(t *testing.T, raw, region string) (accepted bool) {
	t.Helper()
	want, ok := library(raw, region)
	got, err := everything.Parse(raw, region)
	if (err == nil) != ok || ok && got != want {
		t.Errorf("%q in %q: got %+v, %v; the library says %+v, %t", raw, region, got, err, want, ok)
	}
	return ok
}

func TestEveryNumberIsReadAsTheLibraryDoes(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	regions := slices.Sorted(maps.Keys(phonenumbers.GetSupportedRegions()))
	accepted := 0
	for _, region := range regions {
		for _, example := range examples(region) {
			for _, raw := range spellings(random, region, example) {
				for _, from := range []string{region, regions[random.IntN(len(regions))], ""} {
					if agree(t, raw, from) {
						accepted++
					}
				}
			}
		}
	}
	if accepted < 5_000 {
		t.Errorf("only %d numbers were valid", accepted)
	}
}

// examples are national numbers of every kind that a region has.
func examples(region string) (all []string) {
	for kind := phonenumbers.FIXED_LINE; kind <= phonenumbers.VOICEMAIL; kind++ {
		if n := phonenumbers.GetExampleNumberForType(region, kind); n != nil {
			all = append(all, phonenumbers.GetNationalSignificantNumber(n))
		}
	}
	return all
}

// spellings are ways to dial a number that resembles the example.
func spellings(random *rand.Rand, region, example string) []string {
	near := []byte(example)
	for range random.IntN(4) {
		near[random.IntN(len(near))] = byte('0' + random.IntN(10))
	}
	switch random.IntN(8) {
	case 0:
		near = append(near, byte('0'+random.IntN(10)))
	case 1:
		near = near[:len(near)-1]
	}
	code := phonenumbers.GetCountryCodeForRegion(region)
	trunk := phonenumbers.GetNddPrefixForRegion(region, true)
	dialled := fmt.Sprintf("%s%d", []string{"00", "011", "+", "++", "+00", "010", "8~10", "000"}[random.IntN(8)], code)
	cut := random.IntN(len(near) + 1)
	return []string{
		string(near), trunk + string(near), fmt.Sprintf("+%d%s", code, near), fmt.Sprintf("+%d%s%s", code, trunk, near),
		fmt.Sprintf("%d%s", code, near), strings.ReplaceAll(dialled, "~", "") + string(near),
		fmt.Sprintf("+%d (%s) %s-%s.", code, trunk, near[:cut], near[cut:]),
		fmt.Sprintf("%d%s", random.IntN(100_000), near), "0" + string(near), "1" + string(near), "15" + string(near), "+" + trunk + string(near),
	}
}

// FuzzLikeTheLibrary looks for numbers that are read differently.
func FuzzLikeTheLibrary(f *testing.F) {
	for _, raw := range []string{"+310612345678", "0041 79 123 45 67", "+54 9 11 2345-6789", "011 15 2345 6789", "+39 06 12345678", "٠٧٤٠٠١٢٣٤٥٦"} {
		f.Add(raw, "GB")
		f.Add(raw, "AR")
	}
	f.Fuzz(func(t *testing.T, raw, region string) {
		if plain(raw) && len(raw) <= 128 {
			agree(t, raw, strings.ToUpper(region))
		}
	})
}

// plain reports whether a text holds nothing that only one of the two reads.
func plain(raw string) bool {
	return !strings.ContainsFunc(raw, func(r rune) bool { return !strings.ContainsRune("0123456789+-./() \u00a0\u2013", r) })
}
