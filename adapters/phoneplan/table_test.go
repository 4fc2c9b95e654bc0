package phoneplan_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/nyaruka/phonenumbers"
)

var update = flag.Bool("update", false, "write plans.txt")

//go:generate go test -count=1 -run TestTheTableIsThatOfTheLibrary -update .

func TestTheTableIsThatOfTheLibrary(t *testing.T) {
	want := tableOf(t)
	if *update {
		if err := os.WriteFile("plans.txt", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile("plans.txt")
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != want {
		t.Error("plans.txt is not up to date: go generate ./adapters/phoneplan")
	}
}

// tableOf writes what the library knows: a line for each territory with its name,
// its country code, what is dialled to get abroad, what is dialled before national
// numbers, what replaces that, how numbers begin, all numbers, and those of each kind.
func tableOf(t *testing.T) string {
	t.Helper()
	all, err := phonenumbers.MetadataCollection()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for code := range 1000 {
		for _, region := range phonenumbers.GetRegionCodesForCountryCode(code) {
			at := slices.IndexFunc(all.GetMetadata(), func(m *phonenumbers.PhoneMetadata) bool {
				return m.GetId() == region && int(m.GetCountryCode()) == code
			})
			if at < 0 {
				t.Fatalf("nothing is known about %s under +%d", region, code)
			}
			row := rowOf(t, all.GetMetadata()[at])
			if joined := strings.Join(row, ""); strings.ContainsAny(joined, "\t\n") {
				t.Fatalf("%s does not fit into a table", region)
			}
			fmt.Fprintln(&b, strings.Join(row, "\t"))
		}
	}
	return b.String()
}

// rowOf leaves out what follows from the rest, and makes sure that it does.
func rowOf(t *testing.T, m *phonenumbers.PhoneMetadata) []string {
	t.Helper()
	if m.GetSameMobileAndFixedLinePattern() && columnOf(m.GetFixedLine()) != columnOf(m.GetMobile()) {
		t.Errorf("%s: mobile numbers are not like those of fixed lines", m.GetId())
	}
	all := m.GetGeneralDesc().GetPossibleLength()
	for _, local := range m.GetGeneralDesc().GetPossibleLengthLocalOnly() {
		if slices.Contains(all, local) || local > slices.Max(all) {
			t.Errorf("%s: what is dialled within a town only can be as long as a number", m.GetId())
		}
	}
	row := []string{
		m.GetId(), strconv.Itoa(int(m.GetCountryCode())), m.GetInternationalPrefix(), m.GetNationalPrefixForParsing(),
		m.GetNationalPrefixTransformRule(), m.GetLeadingDigits(),
	}
	for _, d := range []*phonenumbers.PhoneNumberDesc{
		m.GetGeneralDesc(), m.GetPremiumRate(), m.GetTollFree(), m.GetSharedCost(), m.GetVoip(), m.GetPersonalNumber(),
		m.GetPager(), m.GetUan(), m.GetVoicemail(), m.GetFixedLine(), m.GetMobile(),
	} {
		row = append(row, columnOf(d))
	}
	return row
}

func columnOf(d *phonenumbers.PhoneNumberDesc) string {
	if text := d.GetNationalNumberPattern(); text == "" || text == "NA" || slices.Contains(d.GetPossibleLength(), -1) {
		return ""
	}
	return list(d.GetPossibleLength()) + " " + d.GetNationalNumberPattern()
}

func list(lengths []int32) string {
	var all []string
	for _, n := range lengths {
		all = append(all, strconv.Itoa(int(n)))
	}
	return strings.Join(all, ",")
}
