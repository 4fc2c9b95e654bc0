package templates

import (
	"fmt"
	"slices"

	"golang.org/x/text/language"
)

// longestPreference is how much of an Accept-Language value is read, in bytes.
const longestPreference = 512

// offer is the list of locales and how to choose among them.
type offer struct {
	names   []string
	tags    []language.Tag
	matcher language.Matcher
}

// newOffer puts the default first and drops duplicates.
func newOffer(standard string, names []string) (offer, error) {
	var o offer
	for _, name := range append([]string{standard}, names...) {
		tag, err := language.Parse(name)
		if err != nil || tag.String() != name {
			return offer{}, fmt.Errorf("locale %q is not a BCP 47 tag in its usual spelling", name)
		}
		if !slices.Contains(o.names, name) {
			o.names, o.tags = append(o.names, name), append(o.tags, tag)
		}
	}
	o.matcher = language.NewMatcher(o.tags)
	return o, nil
}

func (o offer) match(preferences ...string) string {
	read := make([]string, 0, len(preferences))
	for _, p := range preferences {
		if p == "" {
			continue
		}
		if len(read) == 0 && slices.Contains(o.names, p) {
			return p
		}
		read = append(read, p[:min(len(p), longestPreference)])
	}
	if len(read) == 0 {
		return o.names[0]
	}
	_, i := language.MatchStrings(o.matcher, read...)
	return o.names[i]
}

// direction is what the dir attribute of a page in this language says.
func direction(tag language.Tag) string {
	script, _ := tag.Script()
	switch script.String() {
	case "Adlm", "Arab", "Hebr", "Mand", "Nkoo", "Rohg", "Syrc", "Thaa":
		return "rtl"
	}
	return "ltr"
}
