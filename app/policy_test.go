package app

import (
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/policy"
	"github.com/countersign/countersign/domain/rule"
)

// read loads a configuration for development.
func read(t *testing.T, yaml string) (Loaded, error) {
	t.Helper()
	file := t.TempDir() + "/c.yaml"
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	catalog, err := (&cli{}).catalog()
	if err != nil {
		t.Fatal(err)
	}
	l, _, err := load(sources{file: file, mode: Development}, catalog)
	return l, err
}

// reports fails unless reading the configuration says all of it.
func reports(t *testing.T, yaml string, want ...string) {
	t.Helper()
	_, err := read(t, yaml)
	for _, w := range want {
		if err == nil || !strings.Contains(err.Error(), w) {
			t.Errorf("%s\ngives %v\nwithout %q", yaml, err, w)
		}
	}
}

func TestTheDefaultsAreThoseOfTheDomain(t *testing.T) {
	got, err := defaultPolicy().domain()
	if err != nil {
		t.Fatal(err)
	}
	if want := policy.Default(); !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
}

func TestEveryPartOfThePolicyReachesTheCore(t *testing.T) {
	l, err := read(t, `policy:
  sign_up:    { allowed: false, auto_create: false, invite: false, required: [phone], keep_idle: 48h }
  identity:   { fields: [email, phone], profile: [last_name], default_region: DE, defer: true, auto_send: true, update_from_device: false }
  challenge:  { anonymous: false, link: false, public_verify: true, alphabet: crockford, length: 8 }
  two_factor: { mode: required, remember_device: 0s }
  password:   { enabled: false, min_length: 15, breached: "off" }
  rules:
    block: { email: ['@mailinator\.'], phone_prefix: ["+1900"], username: [admin], ip: [192.0.2.0/24, "2001:db8::1"] }
    allow: { email: ['^ada@'] }
    honeypot_field: website
`)
	if err != nil {
		t.Fatal(err)
	}
	p, err := l.Policy.domain()
	if err != nil {
		t.Fatal(err)
	}
	if want := (policy.SignUp{Required: []contact.Kind{contact.Phone}, KeepIdle: 48 * time.Hour}); !reflect.DeepEqual(p.SignUp, want) {
		t.Errorf("sign_up: %+v", p.SignUp)
	}
	identity := policy.Identity{
		Fields: []contact.Kind{contact.Email, contact.Phone}, Profile: []string{policy.LastName}, Region: "DE", Defer: true, AutoSend: true,
	}
	if !reflect.DeepEqual(p.Identity, identity) {
		t.Errorf("identity: %+v", p.Identity)
	}
	if c := p.Challenge; c.Anonymous || c.Link || !c.PublicProof || c.Format.Length() != 8 || c.Life != 5*time.Minute {
		t.Errorf("challenge: %+v", c)
	}
	if p.TwoFactor.Remember != 0 || p.TwoFactor.Mode != policy.Required || p.Password.Enabled || p.Password.Rules.MinLength != 15 || p.Password.Rules.RefuseCommon {
		t.Errorf("two_factor: %+v, password: %+v", p.TwoFactor, p.Password)
	}
	for value, blocked := range map[string]bool{"eve@mailinator.com": true, "ada@mailinator.com": false} {
		q := rule.Asked{Contact: contact.Contact{Kind: contact.Email, Value: value}}
		if p.Rules.Book.Decide(q).Blocked != blocked || p.Rules.Honeypot != "website" {
			t.Errorf("rules: %s, honeypot %q", value, p.Rules.Honeypot)
		}
	}
}

func TestRulesThatCannotBeReadStopTheStart(t *testing.T) {
	reports(t, `policy:
  rules:
    block:
      email: ['@fine\.', '@(']
      phone_prefix: ["1900"]
      ip: [192.0.2.0/33]
    allow:
      username: ['[']
    honeypot_field: "Web Site"
`,
		"c.yaml:4:26: policy.rules.block.email[1]: is not a regular expression (RE2): error parsing regexp: missing closing ): `@(`",
		"c.yaml:5:22: policy.rules.block.phone_prefix[0]: is not how a number begins, such as +1900",
		"c.yaml:6:12: policy.rules.block.ip[0]: is not a network such as 192.0.2.0/24, or an address",
		"c.yaml:8:18: policy.rules.allow.username[0]: is not a regular expression (RE2)",
		"c.yaml:9:5: policy.rules.honeypot_field: is not the name of a field")
}

func TestDecisionsThatContradictEachOtherAreRefused(t *testing.T) {
	reports(t, "policy: { sign_up: { required: [email, phone] }, identity: { fields: [email] } }",
		`policy.sign_up.required[1]: requires "phone", which identity.fields does not have`)
	reports(t, "policy: { identity: { fields: [] } }", "policy.password.enabled: needs something that people are found by")
	reports(t, "policy: { identity: { fields: [email, email], profile: [first_name, first_name] } }",
		`policy.identity.fields[1]: "email" is named twice`, `policy.identity.profile[1]: "first_name" is named twice`)
	reports(t, "policy: { identity: { fields: [email], defer: true } }", "policy.identity.defer: leaves nothing by which somebody who signs up could sign in")
	reports(t, "policy: { sign_up: { keep_idle: 1h } }", "policy.sign_up.keep_idle: is shorter than the 24h for which an address may wait")
	if _, err := read(t, "policy: { sign_up: { keep_idle: 0s } }"); err != nil {
		t.Errorf("keeping accounts for ever: %v", err)
	}
	reports(t, "policy: { rules: { honeypot_field: email } }", "policy.rules.honeypot_field: is a field that people fill in")
	reports(t, "policy: { password: { min_length: 7, breached: always } }",
		"policy.password.min_length: must be at least 8", `policy.password.breached: expected one of off, refuse_common, got "always"`)
	reports(t, "policy: { identity: { profile: [nickname] }, two_factor: { remember_device: 9000h } }",
		`policy.identity.profile[0]: expected one of first_name, last_name, got "nickname"`, "policy.two_factor.remember_device: must be at most 8760h")
	if _, err := read(t, "policy: { identity: { fields: [] }, password: { enabled: false } }"); err != nil {
		t.Errorf("a deployment that only verifies addresses: %v", err)
	}
}
