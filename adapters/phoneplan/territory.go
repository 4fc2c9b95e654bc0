package phoneplan

import (
	_ "embed"
	"math/bits"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/countersign/countersign/ports/numbering"
)

// table has one line for each territory, those of one country code together, the
// main one first. A test writes it, and compares it with where it comes from.
//
//go:embed plans.txt
var table string

// world is the table, split when somebody first asks for a number.
type world struct {
	regions map[string]*territory
	codes   map[string][]*territory // by country code, the main territory first
}

var plans = sync.OnceValue(func() world {
	w := world{map[string]*territory{}, map[string][]*territory{}}
	for line := range strings.Lines(table) {
		t := newTerritory(strings.Split(strings.TrimSuffix(line, "\n"), "\t"))
		if t.region != global {
			w.regions[t.region] = t
		}
		w.codes[t.code] = append(w.codes[t.code], t)
	}
	return w
})

// home tells whose a national number is. Territories that share a country code
// are told apart by how their numbers begin, or else by what numbers they have.
func (w world) home(code, national string) (*territory, bool) {
	all := w.codes[code]
	if len(all) == 1 {
		return all[0], true
	}
	for _, t := range all {
		if t.leading.text != "" {
			if t.leading.re().MatchString(national) {
				return t, true
			}
		} else if _, ok := t.kind(national); ok {
			return t, true
		}
	}
	return nil, false
}

// cut splits a number that begins with a country code, which none does that
// another begins with.
func (w world) cut(digits string) (code, national string, ok bool) {
	for i := 1; i <= 3 && i <= len(digits); i++ {
		if _, ok := w.codes[digits[:i]]; ok {
			return digits[:i], digits[i:], true
		}
	}
	return "", "", false
}

// territory is the numbering plan of one country, or of a network that belongs to none.
type territory struct {
	region, code string
	abroad       pattern // what is dialled before a country code
	trunk        pattern // what is dialled before a national number
	rewrite      string  // what replaces trunk, in terms of its groups; "" for nothing
	leading      pattern // how numbers begin here and nowhere else under the code
	any          numbers
	each         []numbers // by the places of kinds
}

// kinds are what the columns after the first seven are about: the first that
// fits decides. Fixed lines and mobiles follow, which have a rule of their own.
var kinds = []numbering.Kind{
	numbering.Premium,
	numbering.Other, // toll-free
	numbering.Other, // shared cost
	numbering.VoIP,
	numbering.Other, // personal numbers
	numbering.Other, // pagers
	numbering.Other, // companies
	numbering.Other, // voice mail
}

func newTerritory(f []string) *territory {
	t := &territory{
		region: f[0], code: f[1], abroad: pattern{text: f[2]}, trunk: pattern{text: prefix(f[3])}, rewrite: f[4],
		leading: pattern{text: prefix(f[5])}, any: newNumbers(f[6]),
	}
	for _, column := range f[7:] {
		t.each = append(t.each, newNumbers(column))
	}
	return t
}

// kind says what is behind a national number. It is false if nobody can have it.
func (t *territory) kind(national string) (numbering.Kind, bool) {
	if !t.any.have(national) {
		return "", false
	}
	for i, k := range kinds {
		if t.each[i].have(national) {
			return k, true
		}
	}
	fixed, mobile := t.each[len(kinds)].have(national), t.each[len(kinds)+1].have(national)
	switch {
	case fixed && mobile:
		return numbering.FixedOrMobile, true
	case fixed:
		return numbering.Fixed, true
	case mobile:
		return numbering.Mobile, true
	}
	return "", false
}

// numbers are those that one pattern describes.
type numbers struct {
	pattern
	lengths lengths // none if the pattern says it all
}

// newNumbers reads "7,8 pattern": lengths and what fits.
func newNumbers(column string) numbers {
	long, text, found := strings.Cut(column, " ")
	if !found {
		return numbers{}
	}
	return numbers{pattern{text: "^(?:" + text + ")$"}, newLengths(long)}
}

func (n *numbers) have(national string) bool {
	return n.text != "" && (n.lengths == 0 || n.lengths.has(len(national))) && n.fits(national)
}

// fits does not mind the length.
func (n *numbers) fits(national string) bool { return n.re().MatchString(national) }

// lengths is a set of lengths.
type lengths uint32

func newLengths(list string) (l lengths) {
	for one := range strings.SplitSeq(list, ",") {
		if n, err := strconv.Atoi(one); err == nil {
			l |= 1 << n
		}
	}
	return l
}

func (l lengths) has(n int) bool { return n < 32 && l&(1<<n) != 0 }

// longest is -1 if there is none.
func (l lengths) longest() int { return bits.Len32(uint32(l)) - 1 }

// pattern is compiled when it is first needed.
type pattern struct {
	text string
	once sync.Once
	made *regexp.Regexp
}

func (p *pattern) re() *regexp.Regexp {
	p.once.Do(func() { p.made = regexp.MustCompile(p.text) })
	return p.made
}

// prefix is a pattern of how a number may begin, if any.
func prefix(text string) string {
	if text == "" {
		return ""
	}
	return "^(?:" + text + ")"
}
