package configfile_test

import (
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/adapters/configfile"
)

// part decodes one part of the channels.
func part(t *testing.T, src configfile.Source, name, key string) (plugin, *configfile.Loaded, error) {
	t.Helper()
	c, l := load(t, src)
	p := plugin{Timeout: 10 * time.Second}
	raw, ok := c.Channels[name].Parts[key]
	if !ok {
		t.Fatalf("no part %s.%s in %v", name, key, c.Channels)
	}
	return p, l, raw.Decode(&p)
}

func decoded(t *testing.T, src configfile.Source, name, key string) plugin {
	t.Helper()
	c, _ := load(t, src)
	p := plugin{Timeout: 10 * time.Second}
	if err := c.Channels[name].Parts[key].Decode(&p); err != nil {
		t.Fatal(err)
	}
	return p
}

const withPart = `channels:
  email:
    use: smtp
    smtp:
      addr: "mail:25"
      password: s3cret
`

func TestPartsAreDecodedLaterAndExplained(t *testing.T) {
	c, l := load(t, source(withPart))
	raw := c.Channels["email"].Parts["smtp"]
	equal(t, "keys", strings.Join(raw.Keys(), ","), "addr,password")
	equal(t, "position", raw.Position(), "c.yaml:4:5")
	equal(t, "path", raw.Path(), "channels.email.smtp")
	p := plugin{Timeout: 10 * time.Second}
	if err := raw.Decode(&p); err != nil {
		t.Fatal(err)
	}
	equal(t, "addr", p.Addr, "mail:25")
	equal(t, "password", p.Password.reveal(), "s3cret")
	equal(t, "default", p.Timeout, 10*time.Second)
	got, _ := l.Explain("channels.email.smtp.addr")
	equal(t, "explanation", got, configfile.Explanation{
		Path: "channels.email.smtp.addr", Value: `"mail:25"`, Source: "c.yaml:5:7", Doc: "Host and port."})
	got, _ = l.Explain("channels.email.smtp.password")
	equal(t, "secret", got.Value, "••••")
	got, _ = l.Explain("channels.email.smtp")
	equal(t, "part", got.Source, "c.yaml:4:5")
}

func TestProblemsInPartsHaveTheirPlace(t *testing.T) {
	for name, c := range map[string]struct{ part, want string }{
		"unknown key":    {"{ adr: x }", "c.yaml:1:33: channels.email.smtp.addr: is needed\n" + `c.yaml:1:41: channels.email.smtp: unknown key "adr". Did you mean "addr"?`},
		"limit":          {"{ addr: x, timeout: 2m }", "c.yaml:1:59: channels.email.smtp.timeout: must be at most 1m, is 2m"},
		"plain error":    {"{}", "c.yaml:1:33: channels.email.smtp.addr: is needed"},
		"empty value":    {"{ addr: '' }", "c.yaml:1:41: channels.email.smtp.addr: is needed"},
		"not a section":  {"[]", "c.yaml:1:33: channels.email.smtp.addr: is needed\nc.yaml:1:39: channels.email.smtp: expected a section of names and values, got a list"},
		"refused secret": {"{ addr: x, password: refused }", "c.yaml:1:60: channels.email.smtp.password: this value cannot be used here"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := part(t, source("channels: { email: { use: smtp, smtp: "+c.part+" } }"), "email", "smtp")
			if err == nil {
				t.Fatal("no problem")
			}
			equal(t, "problems", err.Error(), c.want)
		})
	}
}

func TestEnvironmentReachesIntoParts(t *testing.T) {
	env := []string{
		"COUNTERSIGN_CHANNELS_EMAIL_SMTP_ADDR=other:25",
		"COUNTERSIGN_CHANNELS_EMAIL_SMTP_RETRY_MAX=7",
		"COUNTERSIGN_CHANNELS_EMAIL_SMTP_TOKEN_MAX=8",
	}
	for name, yaml := range map[string]string{"part in the file": withPart, "only a channel in the file": "channels: { email: {} }", "empty file": ""} {
		t.Run(name, func(t *testing.T) {
			p := decoded(t, source(yaml, env...), "email", "smtp")
			equal(t, "addr", p.Addr, "other:25")
			equal(t, "nested", p.Retry.Max, 7)
			equal(t, "with underscore", p.TokenMax, 8)
		})
	}
}

func TestPartNamesMayHoldUnderscores(t *testing.T) {
	src := source("", "COUNTERSIGN_CHANNELS_SMS_TWILIO_VERIFY_ADDR=a:1")
	src.Parts = []string{"twilio_verify", "twilio"}
	equal(t, "addr", decoded(t, src, "sms", "twilio_verify").Addr, "a:1")
}

func TestUnknownVariablesOfPartsAreProblems(t *testing.T) {
	src := source(withPart, "COUNTERSIGN_CHANNELS_EMAIL_SMTP_ADR=x", "COUNTERSIGN_CHANNELS_EMAIL_SMTP_TIMEOUT=9")
	c, _ := load(t, src)
	equal(t, "keys", strings.Join(c.Channels["email"].Parts["smtp"].Keys(), ","), "addr,adr,password,timeout")
	_, _, err := part(t, src, "email", "smtp")
	if err == nil {
		t.Fatal("no problem")
	}
	equal(t, "problems", err.Error(),
		"environment COUNTERSIGN_CHANNELS_EMAIL_SMTP_ADR: no such setting. Did you mean COUNTERSIGN_CHANNELS_EMAIL_SMTP_ADDR?\n"+
			"environment COUNTERSIGN_CHANNELS_EMAIL_SMTP_TIMEOUT: channels.email.smtp.timeout: expected a duration such as 5m, got a number without a unit. Add one: 9s, 9m or 9h.")
}

func TestPartsCanBeDecodedAgain(t *testing.T) {
	c, _ := load(t, source(withPart, "COUNTERSIGN_CHANNELS_EMAIL_SMTP_TIMEOUT=9s"))
	for range 2 {
		var p plugin
		if err := c.Channels["email"].Parts["smtp"].Decode(&p); err != nil {
			t.Fatal(err)
		}
		equal(t, "timeout", p.Timeout, 9*time.Second)
		equal(t, "addr", p.Addr, "mail:25")
	}
}

func TestTheZeroPartIsEmpty(t *testing.T) {
	var raw configfile.Raw
	p := plugin{Addr: "a"}
	if err := raw.Decode(&p); err != nil {
		t.Fatal(err)
	}
	equal(t, "addr", p.Addr, "a")
	equal(t, "position", raw.Position(), "default")
	equal(t, "keys", len(raw.Keys()), 0)
}
