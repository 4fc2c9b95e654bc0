package configfile_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/adapters/configfile"
)

func TestEmptyFilesAreTheDefaults(t *testing.T) {
	for _, yaml := range []string{"", "\n", "# nothing\n", "---\n", "{}", "policy:\nchannels:\n", "\ufeff"} {
		c, _ := load(t, source(yaml))
		equal(t, "life", c.Policy.Challenge.Life, 5*time.Minute)
		equal(t, "mode", c.Mode, "development")
	}
}

func TestAFileFillsEveryKindOfField(t *testing.T) {
	c, _ := load(t, source(`
mode: production
trusted_proxies: [10.0.0.0/8, "::1/128"]
channels:
  sms: { use: twilio, countries: [GB, NO], twilio: { account: a } }
policy:
  challenge: { life: 10m, link: true }
  two_factor: { mode: off }
tenants:
  - { slug: t2, policy: { length: 8 } }
labels: { b: two }
ratio: 1
workers: 8
`))
	equal(t, "mode", c.Mode, "production")
	equal(t, "second network", c.Trusted[1], netip.MustParsePrefix("::1/128"))
	equal(t, "channel", c.Channels["sms"].Use, "twilio")
	equal(t, "country", c.Channels["sms"].Countries[1], "NO")
	equal(t, "life", c.Policy.Challenge.Life, 10*time.Minute)
	equal(t, "length is the default", c.Policy.Challenge.Length, 6)
	equal(t, "link", c.Policy.Challenge.Link, true)
	equal(t, "second factor", c.Policy.TwoFactor.Mode, "off")
	equal(t, "tenant's length", *c.Tenants[0].Policy.Length, 8)
	equal(t, "tenant's own default", c.Tenants[0].Life, time.Hour)
	equal(t, "labels are merged", c.Labels["a"]+c.Labels["b"], "1two")
	equal(t, "ratio", c.Ratio, 1)
	equal(t, "workers", c.Workers, 8)
}

func TestDefaultsThatAreSharedAreNotWrittenTo(t *testing.T) {
	shared := map[string]string{"a": "1"}
	length := 6
	into := struct {
		Labels map[string]string `yaml:"labels"`
		Length *int              `yaml:"length"`
	}{shared, &length}
	if _, err := configfile.Load(&into, source("labels: { a: two }\nlength: 7\n")); err != nil {
		t.Fatal(err)
	}
	equal(t, "shared map", shared["a"], "1")
	equal(t, "shared number", length, 6)
	equal(t, "read", into.Labels["a"], "two")
	equal(t, "read", *into.Length, 7)
}

func TestFlagsBeatEnvironmentBeatsFileBeatsDefault(t *testing.T) {
	src := source("policy: { challenge: { life: 2m } }\n")
	life := func() time.Duration {
		c, _ := load(t, src)
		return c.Policy.Challenge.Life
	}
	equal(t, "file", life(), 2*time.Minute)
	src.Environ = []string{"COUNTERSIGN_POLICY_CHALLENGE_LIFE=3m", "HOME=/", "noise"}
	equal(t, "environment", life(), 3*time.Minute)
	src.Flags = map[string]string{"policy.challenge.life": "4m"}
	equal(t, "flag", life(), 4*time.Minute)
}

func TestEnvironmentReachesNestedValuesListsAndMaps(t *testing.T) {
	c, _ := load(t, source("channels: { SMS-2: { use: vonage } }\n",
		"COUNTERSIGN_PUBLIC_URL=https://x.example",
		"COUNTERSIGN_POLICY_TWO_FACTOR_MODE=required",
		"COUNTERSIGN_POLICY_FIELDS=email, phone",
		"COUNTERSIGN_TRUSTED_PROXIES=",
		"COUNTERSIGN_LABELS_SOME_KEY=12",
		"COUNTERSIGN_CHANNELS_SMS_BACKUP_USE=twilio",
		"COUNTERSIGN_CHANNELS_SMS_2_COUNTRIES=GB",
		"COUNTERSIGN_WORKERS=3"))
	equal(t, "url", c.PublicURL, "https://x.example")
	equal(t, "second factor", c.Policy.TwoFactor.Mode, "required")
	equal(t, "fields", strings.Join(c.Policy.Fields, "+"), "email+phone")
	equal(t, "empty list", len(c.Trusted), 0)
	equal(t, "label", c.Labels["some_key"], "12")
	equal(t, "new channel", c.Channels["sms_backup"].Use, "twilio")
	equal(t, "channel of the file", c.Channels["SMS-2"].Use, "vonage")
	equal(t, "its list", strings.Join(c.Channels["SMS-2"].Countries, ","), "GB")
	equal(t, "workers", c.Workers, 3)
}

func TestEnvironmentReachesIntoItemsThatAreThere(t *testing.T) {
	const file = "tenants: [{ slug: a }, { slug: b }]\n"
	c, l := load(t, source(file, "COUNTERSIGN_TENANTS_1_SLUG=c"))
	equal(t, "first", c.Tenants[0].Slug, "a")
	equal(t, "second", c.Tenants[1].Slug, "c")
	e, _ := l.Explain("tenants[1].slug")
	equal(t, "source", e.Source, "environment COUNTERSIGN_TENANTS_1_SLUG")
	for name, hint := range map[string]string{
		"COUNTERSIGN_TENANTS_2_SLUG": "", "COUNTERSIGN_TENANTS_01_SLUG": "", "COUNTERSIGN_TENANTS_-1_SLUG": "", "COUNTERSIGN_TENANTS_0": "",
		"COUNTERSIGN_TENANTS_1_SLOG": "Did you mean COUNTERSIGN_TENANTS_1_SLUG?",
	} {
		got := problems(t, source(file, name+"=x"))
		if !strings.HasPrefix(got, "environment "+name+": no such setting") || !strings.Contains(got, hint) {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestForeignAndIgnoredVariablesAreLeftAlone(t *testing.T) {
	src := source("", "COUNTERSIGN_TEST_DSN=x", "COUNTERSIGN_HOME=y", "OTHER_MODE=z", "COUNTERSIGN_=a")
	src.IgnoreEnv = []string{"COUNTERSIGN_TEST_*", "COUNTERSIGN_HOME"}
	c, _ := load(t, src)
	equal(t, "mode", c.Mode, "development")
}

func TestVariablesThatNameNoValueAreRefused(t *testing.T) {
	equal(t, "unknown", problems(t, source("", "COUNTERSIGN_MODES=x")),
		"environment COUNTERSIGN_MODES: no such setting. Did you mean COUNTERSIGN_MODE?")
	equal(t, "section", problems(t, source("", "COUNTERSIGN_POLICY=x")),
		"environment COUNTERSIGN_POLICY: policy: a section cannot be given in one piece. Give its values one by one, or write it into the file.")
	src := source("")
	src.Flags = map[string]string{"databse.url": "x"}
	equal(t, "flag", problems(t, src), `flag --databse-url: no such setting. Did you mean "database_url"?`)
}

func TestEnvironmentDoesNotHideABrokenFile(t *testing.T) {
	equal(t, "problems", problems(t, source("policy: strict\n", "COUNTERSIGN_POLICY_CHALLENGE_LIFE=5m")),
		"c.yaml:1:9: policy: expected a section of names and values, got text")
}

func TestStructsThatCannotBeConfigurationAreProgrammingErrors(t *testing.T) {
	for name, into := range map[string]any{
		"no pointer": config{},
		"no struct":  new(int),
		"nil":        nil,
		"channel":    &struct{ A chan int }{},
		"bad limit": &struct {
			A int `min:"x"`
		}{},
		"two names": &struct {
			A int `yaml:"a"`
			B int `yaml:"a"`
		}{},
		"number as secret": &struct {
			A int `secret:"file"`
		}{},
	} {
		_, err := configfile.Load(into, source(""))
		if _, isProblems := err.(configfile.Problems); err == nil || isProblems {
			t.Errorf("%s: got %v, want another error", name, err)
		}
	}
}

func TestExplainTellsValueSourceAndDocumentation(t *testing.T) {
	src := source("mode: production\npolicy:\n  challenge:\n    life: 600s\ndatabase: { url: s3cret }\n",
		"COUNTERSIGN_POLICY_FIELDS=phone,email")
	src.Flags = map[string]string{"public_url": "https://x.example", "workers": "2"}
	src.FlagNames = map[string]string{"public_url": "url"}
	_, l := load(t, src)
	for path, want := range map[string]configfile.Explanation{
		"mode":                    {Value: "production", Source: "c.yaml:1:1", Doc: "What this is for."},
		"policy.challenge.life":   {Value: "10m", Source: "c.yaml:4:5", Doc: "How long a code is good for."},
		"policy.challenge.length": {Value: "6", Source: "default"},
		"policy.fields":           {Value: "[phone, email]", Source: "environment COUNTERSIGN_POLICY_FIELDS"},
		"public_url":              {Value: `"https://x.example"`, Source: "flag --url"},
		"workers":                 {Value: "2", Source: "flag --workers"},
		"database.url":            {Value: "••••", Source: "c.yaml:5:13", Doc: "Where data is kept."},
		"database":                {Value: "{url: ••••}", Source: "c.yaml:5:1"},
		"keys.plain":              {Value: "not set", Source: "default"},
	} {
		want.Path = path
		got, ok := l.Explain(path)
		equal(t, path, ok, true)
		equal(t, path, got, want)
	}
	if _, ok := l.Explain("policy.nothing"); ok {
		t.Error("an unknown path is explained")
	}
	paths := l.Paths()
	for _, path := range []string{"mode", "policy.challenge.life", "policy.fields", "tenants", "channels", "labels.a"} {
		equal(t, path+" is listed", slices.Contains(paths, path), true)
	}
	equal(t, "sections are listed", slices.Contains(paths, "policy"), false)
}
