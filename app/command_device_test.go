package app

import (
	"strings"
	"testing"
)

func TestDevicesAreImportedFromTheCommandLine(t *testing.T) {
	file, _ := household(t)
	secrets := write(t, "base32", "fiv3 xiij f765 ewrs rli2 bjpv 2yox vlge\n", "hex", "2a2bbba1092ffdd25a328ad1a0a5f5d61d7aacc4",
		"uri", "otpauth://totp/X:ada?secret=FIV3XIIJF765EWRSRLI2BJPV2YOXVLGE&issuer=X", "bad", "hush-hush!", "short", "FIV3XIIJ", "none", "")
	for _, x := range []struct {
		file  string
		flags []string
		code  int
		says  string
	}{
		{"base32", nil, exitOK, "Imported"},
		{"hex", []string{"--encoding", "hex"}, exitOK, "Imported"},
		{"uri", []string{"--json"}, exitOK, "Imported"},
		{"bad", nil, exitUsage, "no secret"},
		{"none", nil, exitUsage, "no secret"},
		{"short", nil, exitUsage, "10 to 64 bytes"},
		{"hex", []string{"--encoding", "rot13"}, exitUsage, "base32 or hex"},
		{"missing", nil, exitUsage, "no such file"},
		{"base32", []string{"--channel", "email"}, exitUsage, "share no secret"},
		{"base32", []string{"--user", "eve@example.com"}, exitMissing, "nobody"},
		{"base32", []string{"--user", ""}, exitUsage, "--user"},
	} {
		args := append([]string{"device", "import", "--user", "ada@example.com", "--secret-file", secrets + "/" + x.file, "--name", "Phone", "--config", file}, x.flags...)
		out, errs, code := order(t, args...)
		if code != x.code || !strings.Contains(errs, x.says) || strings.Contains(out+errs, "hush-hush") || strings.Contains(strings.ToLower(out+errs), "fiv3") {
			t.Errorf("%s %v: code %d\n%s%s", x.file, x.flags, code, out, errs)
		}
	}
	if out, _, _ := order(t, "user", "show", adaID, "--config", file); strings.Count(out, "Phone") != 3 {
		t.Errorf("support sees\n%s", out)
	}
}
