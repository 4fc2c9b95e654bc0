package app

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/countersign/countersign/adapters/configfile"
)

func TestPluginsAreListedWithoutBeingOpened(t *testing.T) {
	var out bytes.Buffer
	cmd := newCommand([]Option{Channels(pager("acme_pager"))})
	cmd.SetArgs([]string{"plugin", "list", "--json"})
	cmd.SetOut(&out)
	if err := cmd.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	var all []listed
	if err := json.Unmarshal(out.Bytes(), &all); err != nil {
		t.Fatal(err)
	}
	seen := map[string]listed{}
	for _, p := range all {
		seen[p.Type] = p
	}
	if p := seen["email"]; p.Title != "E-mail" || p.Address != "email" || p.MaxAAL != 1 || !p.Sends || !p.BuiltIn {
		t.Errorf("%+v", p)
	}
	if p := seen["acme_pager"]; !p.Sends || p.BuiltIn {
		t.Errorf("%+v", p)
	}
	if p := seen["totp"]; p.Sends {
		t.Errorf("%+v", p)
	}
	text, errs, code := order(t, "plugin", "list")
	if code != exitOK || !strings.Contains(text, "recovery") || strings.Contains(text, "acme") {
		t.Errorf("code %d\n%s%s", code, text, errs)
	}
}

func TestAPluginIsDescribedWithItsConfiguration(t *testing.T) {
	text, errs, code := order(t, "plugin", "info", "totp")
	for _, want := range []string{"Authenticator app (totp)", "abilities  Importer", "SHA1 or SHA256 or SHA512", "    totp:\n      issuer: \"\"\n      digits: 6\n"} {
		if code != exitOK || !strings.Contains(text, want) {
			t.Errorf("code %d, %q is missing in\n%s%s", code, want, text, errs)
		}
	}
	text, _, _ = order(t, "plugin", "info", "email")
	if !strings.Contains(text, "known when it is configured") || !strings.Contains(text, "password_file: /run/secrets/email") {
		t.Errorf("%s", text)
	}
	c := write(t, "c.yaml", "mode: development\nchannels: { m: { use: email, email: { addr: 'localhost:25', from: a@example.com, tls: none } } }\n") + "/c.yaml"
	text, errs, code = order(t, "plugin", "info", "email", "--config", c)
	if code != exitOK || !strings.Contains(text, "abilities  Sender, Prober, Closer") {
		t.Errorf("code %d\n%s%s", code, text, errs)
	}
	if _, errs, code := order(t, "plugin", "info", "pigeon"); code != exitMissing || !strings.Contains(errs, "countersign plugin list") {
		t.Errorf("code %d, %s", code, errs)
	}
}

func TestEveryExampleOfAPluginIsAConfiguration(t *testing.T) {
	catalog, err := (&cli{}).catalog()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range catalog.Plugins() {
		keys, err := configfile.Describe(p.Defaults())
		if err != nil {
			t.Fatal(err)
		}
		c := DefaultConfig()
		if _, err := configfile.Load(&c, configfile.Source{Data: []byte("mode: development\n" + exampleOf(p.Type, keys)), Parts: []string{p.Type}}); err != nil {
			t.Errorf("%s: %v", p.Type, err)
		}
	}
}

func TestExamplesHaveSections(t *testing.T) {
	got := exampleOf("x", []configfile.Key{
		{Path: "a.b.c", Type: "text"}, {Path: "a.b.d", Type: "list of text"}, {Path: "a.e", Type: "table of text"}, {Path: "f.g", Type: "true or false"},
		{Path: "h[].i", Type: "text"}, {Path: "j", Type: "duration", Default: "5s"},
	})
	want := "channels:\n  x:\n    use: x\n    x:\n      a:\n        b:\n          c: \"\"\n          d: []\n        e: {}\n      f:\n        g: false\n      j: 5s\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestSecretsOfAnExampleAreInFilesOfTheirOwn(t *testing.T) {
	got := exampleOf("x", []configfile.Key{{Path: "token", Secret: true}, {Path: "callback.secret", Secret: true}})
	for _, want := range []string{"token_file: /run/secrets/x_token\n", "secret_file: /run/secrets/x_callback_secret\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	if got := exampleOf("x", []configfile.Key{{Path: "token", Secret: true}}); !strings.Contains(got, "token_file: /run/secrets/x\n") {
		t.Errorf("got\n%s", got)
	}
}

func TestAPluginThatThereIsNotIsAskedAbout(t *testing.T) {
	for config, want := range map[string]string{
		"{ use: acme_pagr, acme_pager: {} }":     `c.yaml:2:18: channels.p.use: there is no plugin "acme_pagr". Did you mean "acme_pager"?`,
		"{ use: pigeon }":                        "There are acme_pager, apple, ",
		"{ use: acme_pager, pager: { x: yes } }": "channels.p.pager: is unknown here: the plugin's own part is called acme_pager",
	} {
		file := write(t, "c.yaml", "mode: development\nchannels: { p: "+config+" }\n") + "/c.yaml"
		var out bytes.Buffer
		cmd := newCommand([]Option{Channels(pager("acme_pager"))})
		cmd.SetArgs([]string{"config", "validate", "--config", file})
		cmd.SetOut(&out)
		cmd.SetErr(&out)
		if err := cmd.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error()+out.String(), want) {
			t.Errorf("%s: %v\n%s\nwant %s", config, err, out.String(), want)
		}
	}
}

func TestPluginsAreNotWrittenWhereTheyCannotBe(t *testing.T) {
	full := write(t, "go.mod", "mine")
	for name, c := range map[string]struct {
		args []string
		code int
		want string
	}{
		"a name":           {[]string{"Acme SMS"}, exitUsage, "is no name for a plugin"},
		"a plugin of ours": {[]string{"totp"}, exitUsage, "there is a plugin"},
		"a folder in use":  {[]string{"acme", "--dir", full}, exitRefused, filepath.Join(full, "go.mod") + " is there already"},
		"no clone":         {[]string{"acme", "--dir", full, "--checkout", full}, exitUsage, "is no clone"},
		"both kinds":       {[]string{"acme", "--sender", "--channel"}, exitUsage, "one or the other"},
	} {
		_, errs, code := order(t, append([]string{"plugin", "new"}, c.args...)...)
		if code != c.code || !strings.Contains(errs, c.want) || strings.Count(errs, "\n") != 1 {
			t.Errorf("%s: code %d, %q", name, code, errs)
		}
	}
}
