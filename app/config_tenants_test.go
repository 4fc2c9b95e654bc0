package app

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/countersign/countersign/app/tenants"
	"github.com/countersign/countersign/domain/contact"
)

func bookOf(t *testing.T, yaml string) *tenants.Book {
	t.Helper()
	l, err := read(t, yaml)
	if err != nil {
		t.Fatal(err)
	}
	b, err := newTenants(l)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestTenantsInheritKeyByKey(t *testing.T) {
	b := bookOf(t, `brand: { name: Example, support: help@example.com }
locales: { default: en, offered: [en, de] }
policy:
  sign_up: { auto_create: false, required: [email] }
  identity: { default_region: DE }
tenants:
- { slug: default, origins: [https://a.example.com] }
- { slug: t2, origins: [https://t2.example.com, "http://localhost:3000"], locale: de, brand: { name: Two }, policy: { sign_up: { allowed: false }, identity: { fields: [email] } } }
- { slug: t3 }
`)
	usual, own := b.Policy("default"), b.Policy("t2")
	if !usual.SignUp.Allowed || usual.SignUp.AutoCreate || len(usual.Identity.Fields) != 3 {
		t.Errorf("the default tenant decides %+v, %+v", usual.SignUp, usual.Identity)
	}
	if own.SignUp.Allowed || own.SignUp.AutoCreate || !slices.Equal(own.SignUp.Required, []contact.Kind{contact.Email}) ||
		own.Identity.Region != "DE" || !slices.Equal(own.Identity.Fields, []contact.Kind{contact.Email}) {
		t.Errorf("t2 decides %+v, %+v", own.SignUp, own.Identity)
	}
	if !reflect.DeepEqual(b.Policy("t3"), usual) {
		t.Errorf("t3 decides otherwise, although it says nothing: %+v", b.Policy("t3"))
	}
	if got := b.Brand("t2"); got != (tenants.Brand{Name: "Two", Support: "help@example.com"}) || b.Brand("t3").Name != "Example" {
		t.Errorf("brands %+v, %+v", got, b.Brand("t3"))
	}
	if b.Locale("t2") != "de" || b.Locale("t3") != "en" {
		t.Errorf("locales %q, %q", b.Locale("t2"), b.Locale("t3"))
	}
	for origin, want := range map[string]string{"https://a.example.com": "default", "http://localhost:3000": "t2", "https://other.example.com": "default"} {
		if got, err := b.Resolve("", origin); err != nil || got != want {
			t.Errorf("%s is %q, %v", origin, got, err)
		}
	}
}

func TestWhatIsWrongWithTenantsIsFoundAtItsPlace(t *testing.T) {
	reports(t, `tenants:
- { slug: t2, origins: [https://a.example.com] }
- { slug: t2, origins: [https://a.example.com] }
- { slug: "-x", locale: xx }
- { origins: ["http://a.example.com", "https://A.example.com", "https://b.example.com:443/", "null", "https://ü.example.com"] }
- { slug: default, policy: { sign_up: { allowed: false } } }
`,
		`c.yaml:3:5: tenants[1].slug: "t2" is taken by tenants[0].slug`,
		`c.yaml:3:25: tenants[1].origins[0]: "https://a.example.com" is taken by tenants[0].origins[0]`,
		"c.yaml:4:5: tenants[2].slug: is not a name such as t2", `c.yaml:4:17: tenants[2].locale: "xx" is not offered`,
		"c.yaml:5:3: tenants[3].slug: is missing", "tenants[3].origins[0]: is not encrypted",
		"tenants[3].origins[1]: is not written as browsers send it: write https://a.example.com",
		"tenants[3].origins[2]: is not written as browsers send it: write https://b.example.com",
		"tenants[3].origins[3]: is not a web origin", "tenants[3].origins[4]: is not written as browsers send it",
		"c.yaml:6:5: tenants[4].slug: is the default tenant, which can only be given origins here")
	reports(t, "tenants: [{ slug: "+strings.Repeat("a", 41)+" }]", "tenants[0].slug: must have at most 40 characters")
}

func TestAPolicyOfATenantIsReadAsStrictly(t *testing.T) {
	reports(t, `policy: { sign_up: { required: [phone] } }
tenants:
- { slug: t2, policy: { identity: { fields: [email] } } }
- slug: t3
  policy:
    rules: { block: { email: ["("] } }
    sign_upp: {}
    challenge: { life: 1h }
    tokens: { algorithm: ES256 }
    limits: { prefix_conversion: { below_percent: 0 } }
`,
		`c.yaml:3:15: tenants[0].policy.sign_up.required[0]: requires "phone"`,
		"c.yaml:6:31: tenants[1].policy.rules.block.email[0]: is not a regular expression",
		`c.yaml:7:5: tenants[1].policy: unknown key "sign_upp". Did you mean "sign_up"?`,
		"tenants[1].policy.challenge.life: must be at most 10m",
		"c.yaml:9:15: tenants[1].policy.tokens.algorithm: cannot differ",
		"tenants[1].policy.limits.prefix_conversion.below_percent: must be at least 1")
}
