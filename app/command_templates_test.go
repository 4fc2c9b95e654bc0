package app

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// order runs a command line and returns what it printed and its exit code.
func order(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := newCommand(nil)
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SetErr(&errs)
	err := cmd.ExecuteContext(t.Context())
	code = finish(&errs, err)
	return out.String(), errs.String(), code
}

// write puts files into a new folder.
func write(t *testing.T, pairs ...string) string {
	t.Helper()
	dir := t.TempDir()
	for i := 0; i < len(pairs); i += 2 {
		file := filepath.Join(dir, pairs[i])
		if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(pairs[i+1]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// workshop is a configuration file with a tenant and texts of its own.
func workshop(t *testing.T, sentence string) string {
	t.Helper()
	texts := write(t, "tenants/t2/en/messages.json", "{\n\"sentence\": \""+sentence+"\"\n}")
	return write(t, "c.yaml", `mode: development
public_url: https://login.example.com
brand: { name: Example }
database: { url: "memory:" }
listen: 127.0.0.1:0
tenants: [{ slug: t2, locale: fr, brand: { name: Two } }]
templates: { dir: `+texts+" }\n") + "/c.yaml"
}

func TestTextsOfOperatorsAreCheckedAndMeasured(t *testing.T) {
	good := workshop(t, "{code} is the {brand} code.")
	out, errs, code := order(t, "templates", "lint", "--config", good, "--strict")
	if code != exitOK || !strings.Contains(out, "t2      en      code") || !strings.Contains(out, "UCS-2") {
		t.Errorf("code %d\n%s%s", code, out, errs)
	}
	dear := workshop(t, "{code} is {brand}’s code.")
	if out, errs, code = order(t, "templates", "lint", "--config", dear); code != exitOK || !strings.Contains(out, "more than halves") {
		t.Errorf("code %d\n%s%s", code, out, errs)
	}
	if _, _, code = order(t, "templates", "lint", "--config", dear, "--strict"); code != exitWarnings {
		t.Errorf("--strict ends with %d", code)
	}
	bad := workshop(t, "{cod} is the {brand} code.")
	out, errs, code = order(t, "templates", "lint", "--config", bad, "--json")
	var found lint
	if err := json.Unmarshal([]byte(out), &found); err != nil || code != exitConfig || len(found.Problems) != 1 {
		t.Fatalf("code %d, %v\n%s%s", code, err, out, errs)
	}
	if p := found.Problems[0]; p.Line != 2 || !strings.HasSuffix(p.File, "/tenants/t2/en/messages.json") || !strings.Contains(p.Text, "{cod}") {
		t.Errorf("found %+v", p)
	}
	for _, args := range [][]string{{"config", "validate"}, {"serve"}} {
		if _, errs, code = order(t, append(args, "--config", bad)...); code != exitConfig || !strings.Contains(errs, "messages.json:2: \"sentence\": {cod} is not a placeholder here") {
			t.Errorf("%v ends with %d: %s", args, code, errs)
		}
	}
}

func TestMessagesCanBeSeenBeforeTheyAreSent(t *testing.T) {
	file := workshop(t, "{code} is the {brand} code.")
	for _, x := range []struct {
		args []string
		want string
	}{
		{nil, "Subject: 482913 is your Example code"},
		{[]string{"code", "--tenant", "t2"}, "Subject: 482913 est votre code Two"},
		{[]string{"--tenant", "t2", "--locale", "en", "--form", "sms"}, "482913 is the Two code.\n\n@login.example.com #482913\n"},
		{[]string{"--locale", "ar", "--html"}, `<html lang="ar" dir="rtl">`},
		{[]string{"--purpose", "reset_password"}, "choose a new password"},
		{[]string{"invitation", "--locale", "es"}, "Ada le invita a Example."},
		{[]string{"recovery_used", "--json"}, "You have 3 codes left."},
	} {
		out, errs, code := order(t, append([]string{"templates", "preview", "--config", file}, x.args...)...)
		if code != exitOK || !strings.Contains(out, x.want) {
			t.Errorf("%v: code %d, no %q in\n%s%s", x.args, code, x.want, out, errs)
		}
	}
	for _, args := range [][]string{{"nothing"}, {"--form", "fax"}, {"--locale", "nl"}, {"--tenant", "t3"}, {"--purpose", "x"}, {"invitation", "--form", "voice"}, {"--form", "sms", "--html"}} {
		if out, errs, code := order(t, append([]string{"templates", "preview", "--config", file}, args...)...); code != exitUsage || out != "" || errs == "" {
			t.Errorf("%v: code %d\n%s%s", args, code, out, errs)
		}
	}
}

func TestEveryMessageCanBePreviewed(t *testing.T) {
	for _, kind := range kindsOfMessages() {
		for _, locale := range DefaultConfig().Locales.Offered {
			if out, errs, code := order(t, "templates", "preview", kind, "--locale", locale); code != exitOK || strings.Contains(out, "{") {
				t.Errorf("%s in %s: code %d\n%s%s", kind, locale, code, out, errs)
			}
		}
	}
}
