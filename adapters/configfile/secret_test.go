package configfile_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/countersign/countersign/adapters/configfile"
)

const password = "correct-horse-battery"

// secretFile writes a secret and returns the name of its file.
func secretFile(t *testing.T, content string, mode os.FileMode) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(name, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(name, mode); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestSecretsAreReadFromFilesAndNeverShown(t *testing.T) {
	name := secretFile(t, "  "+password+"\n", 0o600)
	src := source("database: { url_file: "+name+" }\nkeys:\n  plain_file: "+name+"\n"+
		"channels: { email: { smtp: { addr: a, password_file: "+name+" } } }\n",
		"COUNTERSIGN_LABELS_X=y")
	src.StrictFiles = true
	c, l := load(t, src)
	equal(t, "url", c.Database.URL.reveal(), password)
	equal(t, "plain", c.Keys.Plain, password)
	var p plugin
	if err := c.Channels["email"].Parts["smtp"].Decode(&p); err != nil {
		t.Fatal(err)
	}
	equal(t, "part's", p.Password.reveal(), password)
	c.Keys.Plain = "" // a plain string cannot protect itself
	shown := []any{c.Channels, c.Database, p}
	for _, path := range append(l.Paths(), "database", "keys", "channels", "channels.email.smtp") {
		e, ok := l.Explain(path)
		equal(t, path, ok, true)
		shown = append(shown, e)
	}
	for _, x := range shown {
		if out := fmt.Sprintf("%v %+v %#v", x, x, x); strings.Contains(out, password) {
			t.Errorf("the secret shows in %s", out)
		}
	}
	e, _ := l.Explain("database.url")
	equal(t, "source", e.Source, "c.yaml:1:13")
}

func TestLoadedAndPartsNeverShowTheirContent(t *testing.T) {
	c, l := load(t, source("keys: { plain: "+password+" }\nchannels: { email: { smtp: { password: "+password+" } } }\n"))
	raw := c.Channels["email"].Parts["smtp"]
	for _, x := range []any{l, raw, c.Channels} {
		if out := fmt.Sprintf("%v %+v %#v %s", x, x, x, x); strings.Contains(out, password) {
			t.Errorf("the secret shows in %s", out)
		}
	}
	e, _ := l.Explain("keys")
	equal(t, "explained", e.Value, "{plain: ••••}")
}

func TestRelativeSecretFilesStandBesideTheConfiguration(t *testing.T) {
	name := secretFile(t, password, 0o600)
	src := source("database: { url_file: secret }\n")
	src.File = filepath.Join(filepath.Dir(name), "c.yaml")
	c, _ := load(t, src)
	equal(t, "url", c.Database.URL.reveal(), password)
}

func TestBadSecretFilesAreProblemsThatSayWhatToDo(t *testing.T) {
	open := secretFile(t, password, 0o644)
	empty := secretFile(t, " \n", 0o600)
	large := secretFile(t, strings.Repeat(password, 10000), 0o600)
	folder := t.TempDir()
	for name, c := range map[string]struct{ value, want string }{
		"missing": {folder + "/x", "there is no file " + folder + "/x. Create it, or correct the name."},
		"open":    {open, "everybody on this machine can read " + open + ". Run: chmod o-rwx " + open},
		"empty":   {empty, empty + " is empty. Write the secret into it."},
		"large":   {large, large + " is larger than 65536 bytes. Check that it is the right file."},
		"folder":  {folder, folder + " is not a regular file. Name the file itself."},
		"number":  {"12", "expected the name of a file, got a number"},
		"list":    {"[]", "expected the name of a file, got a list"},
	} {
		t.Run(name, func(t *testing.T) {
			src := source("database: { url_file: " + c.value + " }\n")
			src.StrictFiles = true
			equal(t, "problems", problems(t, src), "c.yaml:1:23: database.url_file: "+c.want)
		})
	}
}

func TestOpenSecretFilesAreAcceptedOutsideProduction(t *testing.T) {
	c, _ := load(t, source("database: { url_file: "+secretFile(t, password, 0o644)+" }\n"))
	equal(t, "url", c.Database.URL.reveal(), password)
}

func TestASecretIsGivenOnce(t *testing.T) {
	equal(t, "problems", problems(t, source("database: { url: a, url_file: b }\n")),
		"c.yaml:1:21: database.url: both url and url_file are given. Remove one of them.")
	equal(t, "problems", problems(t, source("", "COUNTERSIGN_DATABASE_URL=a", "COUNTERSIGN_DATABASE_URL_FILE=b")),
		"environment COUNTERSIGN_DATABASE_URL_FILE: database.url: both url and url_file are given. Remove one of them.")
}

func TestAStrongerSourceReplacesASecretGivenTheOtherWay(t *testing.T) {
	c, _ := load(t, source("database: { url_file: /nowhere }\n", "COUNTERSIGN_DATABASE_URL=a"))
	equal(t, "value over file", c.Database.URL.reveal(), "a")
	name := secretFile(t, password, 0o600)
	c, _ = load(t, source("database: { url: a }\n", "COUNTERSIGN_DATABASE_URL_FILE="+name))
	equal(t, "file over value", c.Database.URL.reveal(), password)
	p := decoded(t, source("channels: { email: { smtp: { addr: a, password_file: /nowhere } } }",
		"COUNTERSIGN_CHANNELS_EMAIL_SMTP_PASSWORD="+password), "email", "smtp")
	equal(t, "in a part", p.Password.reveal(), password)
}

func TestProblemsNeverQuoteASecret(t *testing.T) {
	into := struct {
		Token string `yaml:"token" secret:"file" min:"100" max:"2"`
	}{}
	_, err := configfile.Load(&into, source("token: "+password+"\n"))
	if err == nil || strings.Contains(err.Error(), password) {
		t.Errorf("got %v", err)
	}
}
