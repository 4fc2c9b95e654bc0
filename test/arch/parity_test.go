package arch_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// parityRows is how many things the systems before this one could do.
const parityRows = 137

var (
	parityRow    = regexp.MustCompile(`^\| C-(\d{3}) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$`)
	parityStatus = regexp.MustCompile(`^(matched|improved|left out)\b`)
	parityTest   = regexp.MustCompile("^`(Test[A-Za-z0-9_]+)`$")
)

// parity checks the table of docs/parity.md: every line in order, with a known
// status and with tests that are there.
func parity(text string, rows int, tests map[string]bool) (bad []string) {
	n, last := 0, 0
	for i, line := range strings.Split(text, "\n") {
		if !strings.HasPrefix(line, "| C-") {
			continue
		}
		at := "docs/parity.md:" + strconv.Itoa(i+1) + ": "
		m := parityRow.FindStringSubmatch(line)
		if m == nil {
			bad = append(bad, at+"is no row of four columns")
			continue
		}
		n++
		number, _ := strconv.Atoi(m[1]) // three digits
		if number <= last {
			bad = append(bad, at+"C-"+m[1]+" is not in order")
		}
		last = number
		if !parityStatus.MatchString(m[3]) {
			bad = append(bad, at+"says neither matched nor improved nor left out")
		}
		for shown := range strings.SplitSeq(m[4], ", ") {
			name := parityTest.FindStringSubmatch(shown)
			switch {
			case name == nil:
				bad = append(bad, at+strconv.Quote(shown)+" is no test")
			case !tests[name[1]]:
				bad = append(bad, at+"there is no "+name[1])
			}
		}
	}
	if n != rows {
		bad = append(bad, "docs/parity.md has "+strconv.Itoa(n)+" rows, want "+strconv.Itoa(rows))
	}
	return bad
}

func TestParity(t *testing.T) {
	tests := map[string]bool{}
	for _, s := range sources(t) {
		for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(s.text, -1) {
			tests[m[1]] = tests[m[1]] || s.test()
		}
	}
	top, err := root()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(top, "docs", "parity.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range parity(string(text), parityRows, tests) {
		t.Error(bad)
	}
}

func TestParityCatchesWhatItIsFor(t *testing.T) {
	tests := map[string]bool{"TestOne": true}
	const good = "| C-001 | a | matched | `TestOne` |\n| C-002 | b | left out: why | `TestOne` |\n"
	if bad := parity(good, 2, tests); bad != nil {
		t.Errorf("a good table is refused: %q", bad)
	}
	for what, text := range map[string]string{
		"a test that is not there": "| C-001 | a | matched | `TestTwo` |\n| C-002 | b | matched | `TestOne` |\n",
		"no test":                  "| C-001 | a | matched |  |\n| C-002 | b | matched | `TestOne` |\n",
		"a status of its own":      "| C-001 | a | planned | `TestOne` |\n| C-002 | b | matched | `TestOne` |\n",
		"a row twice":              "| C-001 | a | matched | `TestOne` |\n| C-001 | b | matched | `TestOne` |\n",
		"a row less":               "| C-001 | a | matched | `TestOne` |\n",
		"a column less":            "| C-001 | matched | `TestOne` |\n| C-002 | b | matched | `TestOne` |\n",
	} {
		if parity(text, 2, tests) == nil {
			t.Errorf("%s goes unnoticed", what)
		}
	}
}
