package app

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/adapters/bunstore"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/device"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/domain/tenant"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/store"
)

const adaID = "01a2a000-0000-7000-8000-000000000001"

// inside works on the database of a house.
func inside(t *testing.T, url string, work func(ctx context.Context, tx store.Tx) error) {
	t.Helper()
	s, err := bunstore.Open(t.Context(), bunstore.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Do(t.Context(), work); err != nil {
		t.Fatal(err)
	}
}

// household is a house with somebody in it.
func household(t *testing.T) (file, url string) {
	t.Helper()
	file, url = house(t, "tenants: [{ slug: t2 }]\nchannels: { email: { use: dev_email }, totp: { use: totp } }\n")
	now := time.Now().UTC().Truncate(time.Microsecond)
	u := user.User{ID: adaID, Tenant: tenant.Default, Status: user.Active, FirstName: "Ada\x1b[2J", TwoFactor: true, CreatedAt: now}
	inside(t, url, func(ctx context.Context, tx store.Tx) error {
		err := tx.Users().Add(ctx, user.Account{User: u, Identifiers: []user.Identifier{{
			Contact: contact.Contact{Kind: contact.Email, Value: "ada@example.com"}, Tenant: u.Tenant, User: u.ID, VerifiedAt: now, CreatedAt: now,
		}}})
		if err != nil {
			return err
		}
		if err := tx.Devices().Add(ctx, store.Device{
			ID: "01a2a000-0000-7000-8000-000000000002", Tenant: u.Tenant, User: u.ID, Channel: "totp", Name: "App", Status: device.Active, CreatedAt: now,
		}); err != nil {
			return err
		}
		return tx.Sessions().Add(ctx, session.Session{
			ID: "01a2a000-0000-7000-8000-000000000003", Tenant: u.Tenant, User: u.ID, Generation: 1, CreatedAt: now, RotatedAt: now, ExpiresAt: now.Add(time.Hour),
		})
	})
	return file, url
}

func TestPeopleAreFoundAndShownMasked(t *testing.T) {
	file, url := household(t)
	out, errs, code := order(t, "user", "find", "ADA@EX", "--config", file)
	if code != exitOK || !strings.Contains(out, adaID) || !strings.Contains(out, "a••@example.com") || strings.Contains(out, "ada@example.com") || strings.Contains(out, "\x1b") {
		t.Errorf("code %d\n%s%s", code, out, errs)
	}
	for _, args := range [][]string{{"user", "show", adaID}, {"user", "show", "ada@example.com", "--json"}, {"user", "find", "ada", "--json"}} {
		out, errs, code := order(t, append(args, "--config", file)...)
		if code != exitOK || !strings.Contains(out, "a••@example.com") || strings.Contains(out, "ada@example.com") || strings.Contains(out, "\x1b") {
			t.Errorf("%v: code %d\n%s%s", args, code, out, errs)
		}
	}
	if n := len(facts(t, url, tenant.Default)); n != 0 {
		t.Errorf("looking was recorded %d times", n)
	}
	out, _, code = order(t, "user", "show", adaID, "--unmask", "--json", "--config", file)
	var p personLine
	if err := json.Unmarshal([]byte(out), &p); err != nil || code != exitOK || p.Identifiers[0].Value != "ada@example.com" || len(p.Devices) != 1 || len(p.Sessions) != 1 {
		t.Errorf("code %d\n%s", code, out)
	}
	if all := facts(t, url, tenant.Default); len(all) != 1 || all[0].Type != event.UserRevealed || all[0].User != adaID || all[0].Data["by"] != "cli" {
		t.Errorf("recorded %+v", all)
	}
}

func TestSecondFactorsAreResetFromTheCommandLine(t *testing.T) {
	file, url := household(t)
	out, errs, code := order(t, "user", "reset", "ada@example.com", "--reason", "ticket 7", "--yes", "--json", "--config", file)
	var done doneLine
	if err := json.Unmarshal([]byte(out), &done); err != nil || code != exitOK || done.User != adaID || done.Devices != 1 || done.Sessions != 1 {
		t.Fatalf("code %d\n%s%s", code, out, errs)
	}
	types := map[event.Type]bool{}
	for _, e := range facts(t, url, tenant.Default) {
		types[e.Type] = e.Data["by"] == "cli" && (e.Data["reason"] == "ticket 7" || e.Data["why"] == "ticket 7")
	}
	if !types[event.DeviceRemoved] || !types[event.TwoFactorChanged] || !types[event.SessionRevoked] {
		t.Errorf("recorded %v", types)
	}
}

func TestPeopleAreBlockedUnblockedUnlockedAndSignedOut(t *testing.T) {
	file, url := household(t)
	for _, x := range []struct {
		args []string
		says string
		kind event.Type
	}{
		{[]string{"signout"}, "1 sessions have ended", event.SessionRevoked},
		{[]string{"unlock", "--reason", "ticket 7"}, "0 counters", event.DeviceUnlocked},
		{[]string{"block", "--reason", "abuse", "--yes"}, "Blocked", event.UserBlocked},
		{[]string{"unblock"}, "Not blocked", event.UserUnblocked},
	} {
		_, errs, code := order(t, append([]string{"user", x.args[0], adaID, "--config", file}, x.args[1:]...)...)
		if code != exitOK || !strings.Contains(errs, x.says) {
			t.Errorf("%v: code %d\n%s", x.args, code, errs)
		}
		if all := facts(t, url, tenant.Default); all[0].Type != x.kind || all[0].User != adaID {
			t.Errorf("%v: recorded %+v", x.args, all[0])
		}
	}
}

func TestRecoveryCodesArePrintedOnce(t *testing.T) {
	file, url := household(t)
	out, errs, code := order(t, "recovery-codes", adaID, "--reason", "ticket 7", "--yes", "--config", file)
	lines := strings.Fields(out)
	if code != exitOK || len(lines) != 10 || strings.Contains(errs, lines[0]) {
		t.Fatalf("code %d\n%s%s", code, out, errs)
	}
	seen, _, _ := order(t, "user", "show", adaID, "--config", file)
	if !strings.Contains(seen, "recovery codes left") || !strings.Contains(seen, "10") || strings.Contains(seen, lines[0]) {
		t.Errorf("support sees\n%s", seen)
	}
	for _, e := range facts(t, url, tenant.Default) {
		if raw, err := json.Marshal(e); err != nil || strings.Contains(string(raw), lines[0]) {
			t.Errorf("recorded %s", raw)
		}
	}
}

func TestSupportIsAskedBeforeHarmIsDone(t *testing.T) {
	file, url := household(t)
	for answer, want := range map[string]int{"": exitRefused, "n\n": exitRefused, "perhaps\n": exitRefused, "yes": exitOK, "Y\n": exitOK} {
		var out, errs bytes.Buffer
		cmd := newCommand(nil)
		cmd.SetArgs([]string{"user", "block", adaID, "--reason", "abuse", "--config", file})
		cmd.SetIn(strings.NewReader(answer))
		cmd.SetOut(&out)
		cmd.SetErr(&errs)
		if code := finish(&errs, cmd.ExecuteContext(t.Context())); code != want || !strings.Contains(errs.String(), "Go on? [y/N]") {
			t.Errorf("%q: code %d\n%s", answer, code, errs.String())
		}
	}
	for _, x := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"user", "reset", adaID, "--yes"}, exitUsage, "--reason"},
		{[]string{"user", "block", adaID, "--yes"}, exitUsage, "--reason"},
		{[]string{"recovery-codes", adaID, "--yes"}, exitUsage, "--reason"},
		{[]string{"user", "reset", adaID, "--reason", "x\ny", "--yes"}, exitUsage, "Say why"},
		{[]string{"user", "show", "eve@example.com"}, exitMissing, "countersign user find"},
		{[]string{"user", "reset", "eve@example.com", "--reason", "x", "--yes"}, exitMissing, "nobody"},
		{[]string{"recovery-codes", "01a2a000-0000-7000-8000-00000000000f", "--reason", "x", "--yes"}, exitMissing, "nobody"},
		{[]string{"user", "find", "eve"}, exitMissing, "nobody"},
		{[]string{"user", "show", adaID, "--tenant", "t2"}, exitMissing, "nobody"},
		{[]string{"user", "show", adaID, "--tenant", "t9"}, exitUsage, "no such tenant"},
		{[]string{"user", "find", "a", "--limit", "0"}, exitUsage, "--limit"},
		{[]string{"user", "show"}, exitUsage, "accepts 1 arg"},
		{[]string{"invite", "nobody@"}, exitUsage, "will not do"},
		{[]string{"apikey", "new", "--name", "x", "--scope", "all"}, exitUsage, "will not do"},
		{[]string{"apikey", "new", "--name", "x", "--scope", "admin", "--tenant", "t9"}, exitUsage, "no such tenant"},
		{[]string{"apikey", "revoke", "x"}, exitMissing, "no such thing"},
	} {
		_, errs, code := order(t, append(x.args, "--config", file)...)
		if code != x.code || !strings.Contains(errs, x.says) {
			t.Errorf("%v: code %d\n%s", x.args, code, errs)
		}
	}
	for _, e := range facts(t, url, tenant.Default) {
		if e.Type != event.UserBlocked && e.Type != event.SessionRevoked {
			t.Errorf("something happened: %+v", e)
		}
	}
}

func TestOperatorsInviteFromTheCommandLine(t *testing.T) {
	file, url := household(t)
	id, errs, code := order(t, "invite", "grace@example.com", "--for", "1h", "--config", file)
	if code != exitOK || len(strings.TrimSpace(id)) != 36 || !strings.Contains(errs, "g••@example.com") || strings.Contains(id+errs, "csi_") {
		t.Fatalf("code %d\n%s%s", code, id, errs)
	}
	s, err := bunstore.Open(t.Context(), bunstore.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	got, err := s.Claim(t.Context(), store.Claim{Owner: "t", Lease: time.Minute, Max: 9, Now: time.Now()})
	if err != nil || len(got) != 1 || got[0].Notice == nil || got[0].Notice.Ref != strings.TrimSpace(id) {
		t.Errorf("queued %+v, %v", got, err)
	}
}

func TestKeysOfProgramsAreMadeAndEndedFromTheCommandLine(t *testing.T) {
	file, url := household(t)
	text, errs, code := order(t, "apikey", "new", "--name", "shop", "--scope", "verify,admin", "--expires", "24h", "--config", file)
	if code != exitOK || !strings.HasPrefix(text, "csk_") || strings.Count(text, "\n") != 1 || strings.Contains(errs, "csk_") {
		t.Fatalf("code %d\n%s%s", code, text, errs)
	}
	out, _, code := order(t, "apikey", "list", "--json", "--config", file)
	var k keyLine
	if err := json.Unmarshal([]byte(out), &k); err != nil || code != exitOK || k.Name != "shop" || len(k.Scopes) != 2 || k.ExpiresAt == nil || strings.Contains(out, "csk_") {
		t.Fatalf("code %d\n%s", code, out)
	}
	if _, errs, code := order(t, "apikey", "revoke", k.ID, "--config", file); code != exitOK {
		t.Errorf("code %d\n%s", code, errs)
	}
	if out, _, _ := order(t, "apikey", "list", "--config", file); !strings.Contains(out, "revoked ") || strings.Contains(out, "csk_") {
		t.Errorf("listed\n%s", out)
	}
	if all := facts(t, url, tenant.Default); len(all) != 2 || all[0].Type != event.KeyRevoked || all[1].Type != event.KeyCreated || all[0].Data["by"] != "cli" {
		t.Errorf("recorded %+v", all)
	}
}

func TestTheConfigurationOfADevelopmentServerWillDo(t *testing.T) {
	_, url := household(t)
	for name, x := range map[string]struct {
		text string
		code int
	}{
		"nothing but the data":    {"two_factor_mode_is_elsewhere", exitConfig},
		"mode unsaid":             {"", exitOK},
		"a mode of something":     {"policy:\n  two_factor: { mode: optional }\n", exitOK},
		"production, and too few": {"mode: production\n", exitConfig},
		"nonsense":                {"mod: x\n", exitConfig},
	} {
		file := write(t, "c.yaml", "database: { url: \""+url+"\" }\n"+x.text) + "/c.yaml"
		if _, errs, code := order(t, "user", "show", adaID, "--config", file); code != x.code {
			t.Errorf("%s: code %d\n%s", name, code, errs)
		}
	}
	file := write(t, "c.yaml", "database: { url: \"postgres://127.0.0.1:1/x\" }\n") + "/c.yaml"
	if _, errs, code := order(t, "recovery-codes", adaID, "--reason", "x", "--yes", "--config", file); code != exitRefused || !strings.Contains(errs, "in its memory alone") {
		t.Errorf("code %d\n%s", code, errs)
	}
}
