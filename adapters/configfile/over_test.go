package configfile_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/countersign/countersign/adapters/configfile"
)

// layered is a configuration of which a part lies over another part.
type layered struct {
	Rules struct {
		Name  string   `yaml:"name" doc:"What it is called."`
		Kinds []string `yaml:"kinds" enum:"a,b"`
		Depth int      `yaml:"depth" max:"9"`
	} `yaml:"rules"`
	Groups []group `yaml:"groups"`
}

type group struct {
	Slug  string         `yaml:"slug"`
	Rules configfile.Raw `yaml:"rules" schema:"rules" doc:"What is different."`
}

func TestAPartThatLiesOverAnotherInheritsAndSaysFromWhere(t *testing.T) {
	var c layered
	c.Rules.Depth = 3
	l, err := configfile.Load(&c, source("rules: { name: all, kinds: [a, b] }\ngroups:\n- slug: x\n  rules: { kinds: [b] }\n"))
	if err != nil {
		t.Fatal(err)
	}
	mine := c.Rules
	if err := c.Groups[0].Rules.Over("rules").Decode(&mine); err != nil {
		t.Fatal(err)
	}
	if mine.Name != "all" || !slices.Equal(mine.Kinds, []string{"b"}) || mine.Depth != 3 || len(c.Rules.Kinds) != 2 {
		t.Errorf("decoded %+v over %+v", mine, c.Rules)
	}
	for path, want := range map[string]string{
		"groups[0].rules.kinds": "c.yaml:4:12", "groups[0].rules.name": "c.yaml:1:10", "groups[0].rules.depth": "default", "rules.kinds": "c.yaml:1:21",
	} {
		if e, ok := l.Explain(path); !ok || e.Source != want {
			t.Errorf("%s: %+v, want %s", path, e, want)
		}
	}
	if e, _ := l.Explain("groups[0].rules.name"); e.Value != "all" || e.Doc != "What it is called." {
		t.Errorf("explained as %+v", e)
	}
}

func TestAPartThatIsLikeAnotherHasItsSchemaWithoutDefaults(t *testing.T) {
	var c layered
	c.Rules.Name = "all"
	d, _ := schemaOf(t, &c, nil, nil)
	part := d.Properties["groups"].Items.Properties["rules"]
	if part.Description != "What is different." || string(part.Additional) != "false" || part.Properties["kinds"].Items.Enum[0] != "a" {
		t.Errorf("the part is described as %+v", part)
	}
	if got := part.Properties["name"]; got.Default != nil || got.Description != "What it is called." {
		t.Errorf("name is described as %+v, and its default is inherited", got)
	}
	if d.Properties["rules"].Properties["name"].Default == nil {
		t.Error("the defaults at the top are gone")
	}
	_, err := configfile.Schema(&struct {
		X configfile.Raw `yaml:"x" schema:"nothing"`
	}{}, nil)
	if err == nil || !strings.Contains(err.Error(), `"nothing"`) {
		t.Errorf("got %v", err)
	}
}
