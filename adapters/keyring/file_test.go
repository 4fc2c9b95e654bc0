package keyring_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/countersign/countersign/adapters/keyring"
	"github.com/countersign/countersign/ports/token"
)

var strict = keyring.Options{Strict: true, Random: rand.Reader}

func TestWrittenFileReadsBack(t *testing.T) {
	for _, alg := range []token.Algorithm{token.EdDSA, token.ES256} {
		t.Run(string(alg), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "keys.json")
			f, err := keyring.Generate(rand.Reader, now, alg)
			if err != nil {
				t.Fatal(err)
			}
			if err := f.Create(path); err != nil {
				t.Fatal(err)
			}
			sealed, err := newRing(t, f).Seal([]byte("plain"), "here")
			if err != nil {
				t.Fatal(err)
			}
			r, err := keyring.Read(path, strict)
			if err != nil {
				t.Fatal(err)
			}
			if plain, err := r.Open(sealed, "here"); err != nil || string(plain) != "plain" {
				t.Errorf("opened %q, error %v", plain, err)
			}
			if k := r.Keys().Active; k.Algorithm != alg || k.ID != f.Signing[0].ID {
				t.Errorf("active key is %v", k)
			}
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 && runtime.GOOS != "windows" {
				t.Errorf("mode %v, error %v", info.Mode(), err)
			}
		})
	}
}

func TestCreateNeverOverwrites(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "keys.json")
	first := newFile(t)
	if err := first.Create(path); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	err = newFile(t).Create(path)
	if err == nil || !strings.Contains(err.Error(), "there is one already") {
		t.Fatalf("got %v", err)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Fatalf("the file changed, error %v", err)
	}
	if err := rotate(first, now); err != nil {
		t.Fatal(err)
	}
	if err := first.Replace(path); err != nil {
		t.Fatal(err)
	}
	if f, err := keyring.Load(path, strict); err != nil || len(f.Roots) != 3 {
		t.Fatalf("after replacing it: %v", err)
	}
	if names, err := os.ReadDir(dir); err != nil || len(names) != 1 {
		t.Fatalf("left behind: %v, error %v", names, err)
	}
}

func TestAFailedCreateLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	if err := new(keyring.File).Create(filepath.Join(dir, "keys.json")); err == nil {
		t.Fatal("an empty key file was written")
	}
	if names, err := os.ReadDir(dir); err != nil || len(names) != 0 {
		t.Fatalf("left behind: %v, error %v", names, err)
	}
	err := newFile(t).Create(filepath.Join(dir, "none", "keys.json"))
	if _, ok := errors.AsType[*keyring.FileError](err); !ok {
		t.Fatalf("got %v", err)
	}
}

func TestReplaceFollowsLinks(t *testing.T) {
	dir := t.TempDir()
	path, link := filepath.Join(dir, "keys.json"), filepath.Join(dir, "link.json")
	f := newFile(t)
	if err := f.Create(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(path, link); err != nil {
		t.Skip(err)
	}
	f.RaiseEpoch()
	if err := f.Replace(link); err != nil {
		t.Fatal(err)
	}
	if r, err := keyring.Read(path, strict); err != nil || r.Epoch() != 2 {
		t.Fatalf("the linked file did not change, error %v", err)
	}
}

func TestMissingFileSaysHowToMakeOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	_, err := keyring.Read(path, strict)
	want := "Cannot read the key file " + path + ": there is no such file. Make one with: countersign keys new --file " + path
	if err == nil || err.Error() != want {
		t.Fatalf("got  %v\nwant %s", err, want)
	}
	if !errors.Is(err, os.ErrNotExist) {
		t.Error("the cause is lost")
	}
}

func TestFilesThatOthersMayReadAreRefusedInStrictMode(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no such modes")
	}
	path := filepath.Join(t.TempDir(), "keys.json")
	if err := newFile(t).Create(path); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []os.FileMode{0o604, 0o640, 0o620, 0o644, 0o601} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := keyring.Read(path, strict); err == nil || !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("mode %o: got %v", mode, err)
		}
		if _, err := keyring.Read(path, keyring.Options{Random: rand.Reader}); err != nil {
			t.Errorf("mode %o when not strict: %v", mode, err)
		}
	}
}

func TestBadFilesAreRefusedInOneSentence(t *testing.T) {
	retiring := newFile(t)
	if err := rotate(retiring, now); err != nil {
		t.Fatal(err)
	}
	secret := func(i int) string { return marshal(t, retiring.Roots[i].Secret) }
	private := func(i int) string { return marshal(t, retiring.Signing[i].Private) }
	for name, c := range map[string]struct{ old, with, want string }{
		"empty":           {"*", "", "not the JSON"},
		"not JSON":        {"*", "keys:", "not the JSON"},
		"trailing":        {"*", marshal(t, retiring) + "{}", "something follows"},
		"too long":        {"*", marshal(t, retiring) + strings.Repeat(" ", 1<<20), "longer than"},
		"unknown field":   {`"version"`, `"colour":1,"version"`, `unknown field "colour"`},
		"other version":   {`"version":1`, `"version":2`, "version 2"},
		"no epoch":        {`"epoch":1`, `"epoch":0`, "epoch"},
		"empty secret":    {secret(0), `""`, "root secret 1 has 0 bytes"},
		"short secret":    {secret(0), `"` + strings.Repeat("QUJD", 10) + `"`, "root secret 1 has 30 bytes"},
		"zero secret":     {secret(0), `"` + strings.Repeat("A", 43) + `="`, "repeats one byte"},
		"equal secrets":   {secret(0), secret(1), "root secrets 1 and 2 are equal"},
		"no id":           {`"id":1`, `"id":0`, "no id"},
		"id too large":    {`"id":1`, `"id":256`, "not the JSON"},
		"duplicate id":    {`"id":1`, `"id":2`, "two root secrets have the id 2"},
		"unknown state":   {`"next"`, `"soon"`, `state "soon"`},
		"no active":       {`"active"`, `"retired"`, "no active root secret"},
		"two active":      {`"retired"`, `"active"`, "2 active root secrets"},
		"two next":        {`"retired"`, `"next"`, "2 next root secrets"},
		"duplicate kid":   {retiring.Signing[0].ID, retiring.Signing[1].ID, "kid"},
		"other's key":     {private(0), private(1), "thumbprint"},
		"no key":          {private(0), `""`, "PKCS #8"},
		"other algorithm": {`"EdDSA"`, `"ES256"`, "its key is for EdDSA"},
		"no until":        {`"until"`, `"created"`, `without an "until"`},
	} {
		t.Run(name, func(t *testing.T) {
			text := c.with
			if c.old != "*" {
				text = strings.Replace(marshal(t, retiring), c.old, c.with, 1)
			}
			path := filepath.Join(t.TempDir(), "keys.json")
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := keyring.Read(path, strict)
			if _, ok := errors.AsType[*keyring.FileError](err); !ok || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want ... %s ...", err, c.want)
			}
			if strings.Contains(err.Error(), strings.Trim(secret(0), `"`)) {
				t.Error("the sentence shows a secret")
			}
		})
	}
}

func marshal[T any](tb testing.TB, v T) string {
	tb.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}

func FuzzKeyFile(f *testing.F) {
	good := newFile(f)
	f.Add([]byte(marshal(f, good)))
	f.Add([]byte(`{"version":1,"epoch":1,"roots":[{"id":1,"secret":"AAAA","state":"active"}]}`))
	f.Add([]byte(`{"version":1}{}`))
	path := filepath.Join(f.TempDir(), "keys.json")
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := keyring.Read(path, strict)
		if err != nil {
			if _, ok := errors.AsType[*keyring.FileError](err); !ok {
				t.Fatalf("got %v", err)
			}
			return
		}
		sealed, err := r.Seal([]byte("plain"), "here")
		if err != nil {
			t.Fatal(err)
		}
		if plain, err := r.Open(sealed, "here"); err != nil || string(plain) != "plain" {
			t.Fatalf("accepted a file that does not work: %q, %v", plain, err)
		}
	})
}
