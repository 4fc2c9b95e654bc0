package templates

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
)

// wordsFile holds the sentences of one locale.
const wordsFile = "messages.json"

// rule says which placeholders a sentence must and may have, and whether it
// counts something and so comes in plural forms.
type rule struct {
	must, may []string
	plural    bool
}

// rules names every sentence. A locale has all of them and no others.
func rules() map[string]rule {
	brand, both := rule{must: []string{"brand"}}, rule{must: []string{"code", "brand"}}
	introduction, count := rule{may: []string{"brand"}}, rule{must: []string{"count"}, plural: true}
	all := map[string]rule{
		"subject": both, "subject.plain": brand, "sentence": both, "sentence.approve": both, "never_share": {},
		"voice": {must: []string{"spelled"}, may: []string{"brand"}}, "voice.again": {must: []string{"spelled"}},
		"life.minutes": count, "life.hours": count, "life.days": count, "life.short": {}, "asked": {must: []string{"where"}},
		"ignore": introduction, "link.hint": introduction, "link.label": {}, "support": {},
		"intro.other": introduction,
	}
	for _, purpose := range purposes() {
		all["intro."+purpose] = introduction
	}
	maps.Copy(all, noticeRules())
	return all
}

// phrase is a sentence cut at its placeholders: text, name, text, name, text.
type phrase []string

// fill puts values in: pairs of placeholder and value.
func (p phrase) fill(pairs ...string) string {
	var b strings.Builder
	for i, part := range p {
		if i%2 == 0 {
			b.WriteString(part)
			continue
		}
		for j := 0; j < len(pairs); j += 2 {
			if pairs[j] == part {
				b.WriteString(pairs[j+1]) //nolint:gosec // they come in pairs
			}
		}
	}
	return b.String()
}

func parsePhrase(text string, r rule) (phrase, error) {
	var p phrase
	rest := strings.Join(strings.Fields(text), " ")
	for {
		before, after, found := strings.Cut(rest, "{")
		p = append(p, before)
		if strings.Contains(before, "}") {
			return nil, errors.New("} without {")
		}
		if !found {
			break
		}
		name, tail, closed := strings.Cut(after, "}")
		if !closed || !slices.Contains(r.must, name) && !slices.Contains(r.may, name) {
			return nil, fmt.Errorf("{%s} is not a placeholder here", name)
		}
		p, rest = append(p, name), tail
	}
	for _, name := range r.must {
		if !p.has(name) {
			return nil, fmt.Errorf("lacks {%s}", name)
		}
	}
	if len(p) == 1 && p[0] == "" {
		return nil, errors.New("is empty")
	}
	return p, nil
}

func (p phrase) has(name string) bool {
	for i := 1; i < len(p); i += 2 {
		if p[i] == name {
			return true
		}
	}
	return false
}

// entry is a sentence as written in the file: a string, or one per plural category.
type entry map[string]string

// UnmarshalJSON reads either shape.
func (e *entry) UnmarshalJSON(raw []byte) error {
	if bytes.HasPrefix(raw, []byte(`"`)) {
		var text string
		err := json.Unmarshal(raw, &text)
		*e = entry{"other": text}
		return err
	}
	forms := map[string]string{}
	err := json.Unmarshal(raw, &forms)
	*e = forms
	return err
}

// words are the sentences of one locale by name and plural category.
type words struct {
	tag   language.Tag
	texts map[string]map[string]phrase
}

// say renders a sentence that counts nothing.
func (w words) say(key string, pairs ...string) string { return w.texts[key]["other"].fill(pairs...) }

// counted renders the plural form for n.
func (w words) counted(key string, n int) string {
	forms := w.texts[key]
	p, ok := forms[category(w.tag, n)]
	if !ok {
		p = forms["other"]
	}
	return p.fill("count", strconv.Itoa(n))
}

// category is the CLDR plural category of a whole number.
func category(tag language.Tag, n int) string {
	switch plural.Cardinal.MatchPlural(tag, n, 0, 0, 0, 0) {
	case plural.Zero:
		return "zero"
	case plural.One:
		return "one"
	case plural.Two:
		return "two"
	case plural.Few:
		return "few"
	case plural.Many:
		return "many"
	}
	return "other"
}

// categories lists those that whole numbers need in a language, found by
// trying: no rule for whole numbers that we may have to say looks beyond the last two digits.
func categories(tag language.Tag) []string {
	found := map[string]bool{"other": true}
	for n := range 201 {
		found[category(tag, n)] = true
	}
	return slices.Sorted(maps.Keys(found))
}

// merge puts the sentences of one file over those that are already there.
func (w words) merge(raw []byte) error {
	all, err := members(raw)
	if err != nil {
		return err
	}
	var bad []error
	known := rules()
	for _, m := range all {
		r, ok := known[m.key]
		if !ok {
			bad = append(bad, inLine{m.line, fmt.Errorf("%q is not a message of ours", m.key)})
			continue
		}
		var e entry
		forms, err := map[string]phrase(nil), json.Unmarshal(m.raw, &e)
		if err == nil {
			forms, err = w.forms(e, r)
		}
		if err != nil {
			bad = append(bad, inLine{m.line, fmt.Errorf("%q: %w", m.key, err)})
			continue
		}
		w.texts[m.key] = forms
	}
	return errors.Join(bad...)
}

func (w words) forms(e entry, r rule) (map[string]phrase, error) {
	need := []string{"other"}
	if r.plural {
		need = categories(w.tag)
	}
	for _, name := range need {
		if _, ok := e[name]; !ok {
			return nil, fmt.Errorf("lacks the plural form %q", name)
		}
	}
	forms := make(map[string]phrase, len(e))
	for name, text := range e {
		if !slices.Contains(need, name) {
			return nil, fmt.Errorf("%q is not a plural form of this language", name)
		}
		lenient := r
		if r.plural && name != "other" { // "Works for one minute." may do without the number
			lenient = rule{may: r.must}
		}
		p, err := parsePhrase(text, lenient)
		if err != nil {
			return nil, err
		}
		forms[name] = p
	}
	return forms, nil
}

// missing lists the sentences that no file gave.
func (w words) missing() []string {
	var out []string
	for _, key := range slices.Sorted(maps.Keys(rules())) {
		if _, ok := w.texts[key]; !ok {
			out = append(out, key)
		}
	}
	return out
}
