// Package numberingtest holds the conformance kit for numbering plans, and a
// plan for tests that need phone numbers but no knowledge of them.
package numberingtest

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/ports/numbering"
)

// Plan takes every number with a country code for a mobile number in use. It
// does not know where a number belongs, and ignores the region.
type Plan struct{}

// Parse drops everything but the digits, and wants 7 to 15 of them after a plus.
func (Plan) Parse(raw, _ string) (numbering.Number, error) {
	digits := strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' {
			return r
		}
		return -1
	}, raw)
	if !strings.HasPrefix(raw, "+") || len(digits) < 7 || len(digits) > 15 || digits[0] == '0' {
		return numbering.Number{}, numbering.ErrInvalid
	}
	return numbering.Number{E164: "+" + digits, Kind: numbering.Mobile}, nil
}

// Parser returns a contact parser for tests: ASCII addresses and names, and
// phone numbers by Plan.
func Parser() contact.Parser {
	same := func(text string) string { return text }
	return contact.Parser{
		NFKC:    same,
		ToASCII: func(domain string) (string, error) { return domain, nil },
		E164:    numbering.E164(Plan{}),
	}
}

// Run checks that a plan keeps the promises of the port. The plan must accept
// the mobile number +31612345678 and refuse what is not a number.
func Run(t *testing.T, plan numbering.Plan) {
	t.Helper()
	t.Run("a canonical number stays what it is in every region", func(t *testing.T) { runCanonical(t, plan) })
	t.Run("what is no number is refused without being repeated", func(t *testing.T) { runRefusals(t, plan) })
	t.Run("many may ask at once", func(t *testing.T) { runParallel(t, plan) })
}

const example = "+31612345678"

func runCanonical(t *testing.T, plan numbering.Plan) {
	for _, region := range []string{"", "NL", "nl", "US", "ZZ", "not a region"} {
		n, err := plan.Parse(example, region)
		if err != nil || n.E164 != example || n.Kind != numbering.Mobile {
			t.Errorf("region %q: got %+v, %v", region, n, err)
		}
	}
}

func runRefusals(t *testing.T, plan numbering.Plan) {
	for _, raw := range []string{"", "+", "word", "+0000000000", "+3161234", "+316123456789012345", strings.Repeat("1", 4096)} {
		n, err := plan.Parse(raw, "")
		if !errors.Is(err, numbering.ErrInvalid) && !errors.Is(err, numbering.ErrNotAccepted) {
			t.Errorf("%.20q: want a refusal, got %v, %v", raw, n, err)
			continue
		}
		if n != (numbering.Number{}) {
			t.Errorf("%.20q: a refused number must not be returned", raw)
		}
		if len(raw) > 1 && strings.Contains(err.Error(), raw) {
			t.Errorf("%.20q: the error repeats what was typed", raw)
		}
	}
}

func runParallel(t *testing.T, plan numbering.Plan) {
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if n, err := plan.Parse(example, ""); err != nil || n.E164 != example {
				t.Errorf("got %+v, %v", n, err)
			}
		})
	}
	wg.Wait()
}
