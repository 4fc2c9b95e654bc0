package phoneplan_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/countersign/countersign/adapters/phoneplan"
	"github.com/countersign/countersign/ports/numbering"
	"github.com/countersign/countersign/ports/numbering/numberingtest"
)

func TestThePlanKeepsThePortsPromises(t *testing.T) { numberingtest.Run(t, phoneplan.New()) }

func TestEverySpellingOfANumberIsOneNumber(t *testing.T) {
	for _, raw := range []string{
		"+310612345678", "+31 0612 345 678", "+31612345678", "+31 (0)6 12345678", "0031 6 12345678",
		"06-12345678", "06 12 34 56 78", "(06) 1234.5678", "０６１２３４５６７８", "＋３１６１２３４５６７８",
		"٠٦١٢٣٤٥٦٧٨", "०६१२३४५६७८", "06\u00a012345678", "06–12345678", "06\u221212345678",
	} {
		n, err := phoneplan.New().Parse(raw, "NL")
		want := numbering.Number{E164: "+31612345678", Region: "NL", Kind: numbering.Mobile}
		if err != nil || n != want {
			t.Errorf("%q: got %+v, %v", raw, n, err)
		}
	}
}

func TestANationalNumberNeedsItsRegion(t *testing.T) {
	if n, err := phoneplan.New().Parse("07400 123456", "gb"); err != nil || n.E164 != "+447400123456" {
		t.Errorf("with its region: got %+v, %v", n, err)
	}
	for _, region := range []string{"", "US", "ZZ"} {
		if n, err := phoneplan.New().Parse("07400 123456", region); !errors.Is(err, numbering.ErrInvalid) {
			t.Errorf("region %q: got %+v, %v", region, n, err)
		}
	}
}

func TestWhatIsMoreOrLessThanANumberIsRefused(t *testing.T) {
	for _, raw := range []string{
		"+447400123456;ext=1", "+447400123456,,,9", "+447400123456 x9", "+447400123456#9", "+447400123456~9",
		"tel:+447400123456", "tel:07400123456;phone-context=+44", "+44 7400 CALLME", "+44740012345６p9",
		"112", "+44112", "+447700900123", "+15555550100", "+44+7400123456", "+4474001234567890",
		"+447400123456\n", "+4474001\u200b23456", "+44\x007400123456",
	} {
		if n, err := phoneplan.New(numbering.Fixed, numbering.VoIP).Parse(raw, "GB"); !errors.Is(err, numbering.ErrInvalid) {
			t.Errorf("%q: got %+v, %v", raw, n, err)
		}
	}
}

func TestExpensiveKindsAreRefusedWhateverTheOptions(t *testing.T) {
	lenient := phoneplan.New(numbering.Fixed, numbering.VoIP, numbering.Premium, numbering.Other)
	for name, raw := range map[string]string{
		"premium US": "+19002345678", "premium GB": "+449012345678", "toll-free": "+448001234567", "company": "+445512345678",
		"personal": "+447012345678", "pager": "+447640123456", "satellite": "+881612345678", "global network": "+882101234567",
		"global network 3": "+883510001234567", "global premium": "+979123456789", "global toll-free": "+80012345678",
	} {
		if n, err := lenient.Parse(raw, ""); err == nil {
			t.Errorf("%s: %s was accepted as %+v", name, raw, n)
		}
	}
}

func TestFixedAndInternetLinesAreAcceptedOnlyWhenAskedFor(t *testing.T) {
	for raw, k := range map[string]numbering.Kind{"+441212345678": numbering.Fixed, "+445612345678": numbering.VoIP} {
		if _, err := phoneplan.New().Parse(raw, ""); !errors.Is(err, numbering.ErrNotAccepted) {
			t.Errorf("%s by default: got %v", k, err)
		}
		if n, err := phoneplan.New(k).Parse(raw, ""); err != nil || n.Kind != k {
			t.Errorf("%s when asked for: got %+v, %v", k, n, err)
		}
	}
}

func TestExampleNumbersOfThisRepositoryAreValid(t *testing.T) {
	for raw, want := range map[string]numbering.Number{
		"+447400123456":  {Region: "GB", Kind: numbering.Mobile},
		"+4915123456789": {Region: "DE", Kind: numbering.Mobile},
		"+12015550123":   {Region: "US", Kind: numbering.FixedOrMobile},
		"+31612345678":   {Region: "NL", Kind: numbering.Mobile},
		"+41781234567":   {Region: "CH", Kind: numbering.Mobile},
		"+33612345678":   {Region: "FR", Kind: numbering.Mobile},
	} {
		want.E164 = raw
		if n, err := (phoneplan.Plan{}).Parse(raw, ""); err != nil || n != want {
			t.Errorf("%s: got %+v, %v", raw, n, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, raw := range []string{"+310612345678", "0041 79 123 45 67", "+54 9 11 2345-6789", "+52 1 55 1234 5678", "+39 06 12345678", "٠٧٤٠٠١٢٣٤٥٦"} {
		f.Add(raw, "GB")
	}
	plan := phoneplan.New(numbering.Fixed, numbering.VoIP)
	f.Fuzz(func(t *testing.T, raw, region string) {
		n, err := plan.Parse(raw, region)
		if err != nil {
			if len(raw) > 5 && strings.Contains(err.Error(), raw) && !strings.Contains(numbering.ErrInvalid.Error()+numbering.ErrNotAccepted.Error(), raw) {
				t.Errorf("the error repeats %q", raw)
			}
			return
		}
		if again, err := plan.Parse(n.E164, region); err != nil || again != n {
			t.Errorf("%q in %q: first %+v, then %+v, %v", raw, region, n, again, err)
		}
	})
}
