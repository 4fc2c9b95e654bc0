package configfile_test

import "testing"

func TestBadFilesAreRefusedWithPlaceAndRemedy(t *testing.T) {
	for name, c := range map[string]struct{ yaml, want string }{
		"unknown key":         {"mode: production\nchanels: {}\n", `c.yaml:2:1: unknown key "chanels". Did you mean "channels"?`},
		"unknown nested key":  {"policy:\n  challenge:\n    lief: 5m\n", `c.yaml:3:5: policy.challenge: unknown key "lief". Did you mean "life"?`},
		"unknown, far away":   {"zzz: 1\n", `c.yaml:1:1: unknown key "zzz"`},
		"key one level up":    {"policy:\n  length: 6\n", `c.yaml:2:3: policy: unknown key "length". It belongs into the section "challenge".`},
		"duplicate":           {"mode: production\nratio: 1\nmode: development\n", `c.yaml:3:1: the key "mode" is given twice, first in line 1. Remove one of them.`},
		"list for duration":   {"policy:\n  challenge:\n    life: [5m]\n", `c.yaml:3:11: policy.challenge.life: expected a duration such as 5m, got a list`},
		"number for duration": {"policy: { challenge: { life: 5 } }\n", `c.yaml:1:30: policy.challenge.life: expected a duration such as 5m, got a number without a unit. Add one: 5s, 5m or 5h.`},
		"days":                {"policy: { challenge: { life: 2d } }\n", `c.yaml:1:30: policy.challenge.life: expected a duration such as 5m, got days. Write it in hours: 48h.`},
		"negative duration":   {"policy: { challenge: { life: -2m } }\n", `c.yaml:1:30: policy.challenge.life: expected a duration such as 5m, got a negative one`},
		"text for bool":       {"policy: { challenge: { link: yes } }\n", `c.yaml:1:30: policy.challenge.link: expected true or false, got text`},
		"number for text":     {"public_url: 12\n", `c.yaml:1:13: public_url: expected text, got a number. Put it in quotes.`},
		"text for number":     {"workers: many\n", `c.yaml:1:10: workers: expected a whole number, got text`},
		"quoted number":       {"workers: \"4\"\n", `c.yaml:1:10: workers: expected a whole number, got text. Remove the quotes.`},
		"octal":               {"workers: 010\n", `c.yaml:1:10: workers: expected a whole number, got a number. Write it in decimal, without leading zeros.`},
		"fraction":            {"workers: 1.5\n", `c.yaml:1:10: workers: expected a whole number, got one with a fraction or an exponent`},
		"overflow":            {"workers: 70000\n", `c.yaml:1:10: workers: expected a whole number, got one that is too large or not decimal`},
		"negative for uint":   {"workers: -1\n", `c.yaml:1:10: workers: expected a whole number, got a negative one or one that is too small`},
		"not a number":        {"ratio: .nan\n", `c.yaml:1:8: ratio: expected a number, got a number`},
		"bad network":         {"trusted_proxies: [10.0.0.0/8, ten]\n", `c.yaml:1:31: trusted_proxies[1]: expected a network such as 10.0.0.0/8, got text`},
		"text for list":       {"trusted_proxies: 10.0.0.0/8\n", `c.yaml:1:18: trusted_proxies: expected a list, got text`},
		"nothing for list":    {"tenants:\n", `c.yaml:1:1: tenants: expected a list, got nothing. Write [] for an empty one, or remove the key.`},
		"nothing for text":    {"mode:\n", `c.yaml:1:1: mode: expected text, got nothing. Give it a value, or remove the key.`},
		"text for section":    {"policy: strict\n", `c.yaml:1:9: policy: expected a section of names and values, got text`},
		"list at the top":     {"- a\n", `c.yaml:1:1: expected a section of names and values, got a list`},
		"enum":                {"policy: { two_factor: { mode: optinal } }\n", `c.yaml:1:31: policy.two_factor.mode: expected one of off, optional, required, got "optinal". Did you mean "optional"?`},
		"enum in list":        {"policy: { fields: [email, fax] }\n", `c.yaml:1:27: policy.fields[1]: expected one of email, phone, got "fax"`},
		"too small":           {"policy: { challenge: { length: 3 } }\n", `c.yaml:1:32: policy.challenge.length: must be at least 4, is 3`},
		"too long":            {"policy: { challenge: { life: 2h } }\n", `c.yaml:1:30: policy.challenge.life: must be at most 1h, is 2h`},
		"short text":          {"policy: { challenge: { alphabet: é } }\n", `c.yaml:1:34: policy.challenge.alphabet: must have at least 2 characters`},
		"empty list":          {"policy: { fields: [] }\n", `c.yaml:1:19: policy.fields: must not be empty`},
		"big map":             {"channels: { a: {}, b: {}, c: {}, d: {} }\n", `c.yaml:1:11: channels: must have at most 3 entries`},
		"in a list":           {"tenants:\n  - slug: a\n  - slug: ''\n", `c.yaml:3:11: tenants[1].slug: must not be empty`},
		"anchor":              {"mode: &m production\n", `c.yaml:1:7: anchors such as &m are not supported. Write the value out wherever it is needed.`},
		"merge":               {"policy:\n  <<: {}\n", `c.yaml:2:3: merge keys (<<) are not supported. Write the values out.`},
		"tag":                 {"mode: !!str production\n", `c.yaml:1:7: tags such as !!str are not supported. Write the value without it.`},
		"list as key":         {"[a]: 1\n", `c.yaml:1:1: expected a name as key`},
		"second document":     {"mode: production\n---\nratio: 1\n", `c.yaml:2:1: a second document begins here. Keep one document per file, without a line of ---.`},
		"refused secret":      {"database: { url: refused }\n", `c.yaml:1:18: database.url: this value cannot be used here`},
	} {
		t.Run(name, func(t *testing.T) {
			equal(t, "problems", problems(t, source(c.yaml)), c.want)
		})
	}
}

func TestSyntaxErrorsHaveLineAndColumn(t *testing.T) {
	for name, c := range map[string]struct{ yaml, want string }{
		"colon in a value": {"mode: production\npublic_url: a: b\n", "c.yaml:2:14: not valid YAML: mapping values are not allowed in this context. Put a value that contains a colon in quotes, and check the indentation."},
		"tab":              {"policy:\n\tfields: []\n", "c.yaml:2:1: not valid YAML: found character that cannot start any token. Indent with spaces instead of tabs."},
		"open list":        {"mode: production\npolicy:\n  fields: [email,\nratio: 1\n", "c.yaml:3:11: not valid YAML: did not find expected ',' or ']'"},
		"indentation":      {"policy:\n    fields: [email]\n  challenge: {}\n", "c.yaml:3:3: not valid YAML: did not find expected key. Check the indentation and the quotes."},
		"open quote":       {"mode: production\npublic_url: \"abc\n", "c.yaml:2:13: not valid YAML: found unexpected end of stream"},
		"first character":  {"%\n", "c.yaml:1:1: not valid YAML: could not find expected directive name"},
	} {
		t.Run(name, func(t *testing.T) {
			equal(t, "problems", problems(t, source(c.yaml)), c.want)
		})
	}
}

func TestEveryProblemIsReportedAtOnceInOrder(t *testing.T) {
	src := source("mod: x\npolicy:\n  challenge: { life: [], length: 99 }\nratio: 2\n",
		"COUNTERSIGN_WORKERS=x", "COUNTERSIGN_POLICY_CHALLENGE_LIVE=5m")
	src.Flags = map[string]string{"policy.challenge.link": "maybe"}
	equal(t, "problems", problems(t, src), `c.yaml:1:1: unknown key "mod". Did you mean "mode"?
c.yaml:3:22: policy.challenge.life: expected a duration such as 5m, got a list
c.yaml:3:34: policy.challenge.length: must be at most 10, is 99
c.yaml:4:8: ratio: must be at most 1, is 2
environment COUNTERSIGN_POLICY_CHALLENGE_LIVE: no such setting. Did you mean COUNTERSIGN_POLICY_CHALLENGE_LIFE?
environment COUNTERSIGN_WORKERS: workers: expected a whole number, got text
flag --policy-challenge-link: policy.challenge.link: expected true or false, got text`)
}

func TestValidateProblemsStandWhereTheValueStands(t *testing.T) {
	equal(t, "in the file", problems(t, source("policy:\n  challenge:\n    resend_after: 6m\n")),
		"c.yaml:2:3: policy.challenge.life: is too short for it\n"+
			"c.yaml:3:5: policy.challenge.resend_after: must be shorter than life. Raise life.")
	equal(t, "in the environment", problems(t, source("", "COUNTERSIGN_POLICY_CHALLENGE_RESEND_AFTER=6m")),
		"policy.challenge.life: is too short for it\n"+
			"environment COUNTERSIGN_POLICY_CHALLENGE_RESEND_AFTER: policy.challenge.resend_after: must be shorter than life. Raise life.")
}

func TestValidateSaysNothingAboutWhatIsWrongAlready(t *testing.T) {
	equal(t, "problems", problems(t, source("policy: { challenge: { life: x, resend_after: 10m } }\n")),
		"c.yaml:1:30: policy.challenge.life: expected a duration such as 5m, got text\n"+
			"c.yaml:1:33: policy.challenge.resend_after: must be shorter than life. Raise life.")
}
