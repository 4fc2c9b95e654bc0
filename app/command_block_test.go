package app

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/countersign/countersign/adapters/bunstore"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/ports/store"
)

// house is a configuration with a database that lasts.
func house(t *testing.T, more string) (file, url string) {
	t.Helper()
	dir := t.TempDir()
	url = "sqlite://" + dir + "/data.db"
	file = write(t, "c.yaml", "mode: development\ndatabase: { url: \""+url+"\" }\n"+more) + "/c.yaml"
	if _, err := bunstore.Migrate(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	return file, url
}

const strictTenants = `policy:
  rules: { block: { email: ['@mailinator\.'] } }
tenants: [{ slug: t2, policy: { sign_up: { allowed: false } } }, { slug: t3, policy: { sign_up: { required: [phone] }, challenge: { anonymous: false } } }]
`

func facts(t *testing.T, url, tenant string) (out []event.Event) {
	t.Helper()
	s, err := bunstore.Open(t.Context(), bunstore.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	err = s.Do(t.Context(), func(ctx context.Context, tx store.Tx) (err error) {
		out, err = tx.Journal().Events(ctx, store.EventQuery{Tenant: tenant, Limit: 10})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestRulesAreChangedFromTheCommandLine(t *testing.T) {
	file, url := house(t, strictTenants)
	id, errs, code := order(t, "block", "add", "ip", "192.0.2.0/24", "--reason", "abuse", "--for", "1h", "--config", file)
	id = strings.TrimSpace(id)
	if code != exitOK || len(id) != 36 || !strings.Contains(errs, "countersign block remove "+id) {
		t.Fatalf("code %d\n%s%s", code, id, errs)
	}
	out, errs, code := order(t, "block", "list", "--json", "--config", file)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	var first, second ruleLine
	if code != exitOK || len(lines) != 2 || json.Unmarshal([]byte(lines[0]), &first) != nil || json.Unmarshal([]byte(lines[1]), &second) != nil {
		t.Fatalf("code %d\n%s%s", code, out, errs)
	}
	if first.By != "configuration" || first.Pattern != `@mailinator\.` || second.ID != id || second.By != "cli" || second.Reason != "abuse" || second.ExpiresAt == nil {
		t.Errorf("listed %+v, %+v", first, second)
	}
	if out, _, code = order(t, "block", "list", "--config", file); code != exitOK || !strings.Contains(out, id+"  block  ip       192.0.2.0/24") {
		t.Errorf("code %d\n%s", code, out)
	}
	out, _, code = order(t, "block", "test", "ada@example.com", "--from", "192.0.2.7", "--config", file)
	if code != exitRefused || !strings.Contains(out, "no  rules: blocked_by_rule (block ip 192.0.2.0/24)\nrefused\n") {
		t.Errorf("code %d\n%s", code, out)
	}
	if _, _, code = order(t, "block", "remove", id, "--config", file); code != exitOK {
		t.Errorf("removing ends with %d", code)
	}
	if _, errs, code = order(t, "block", "remove", id, "--config", file); code != exitMissing {
		t.Errorf("removing again ends with %d: %s", code, errs)
	}
	if out, _, code = order(t, "block", "test", "ada@example.com", "--from", "192.0.2.7", "--config", file); code != exitOK {
		t.Errorf("code %d\n%s", code, out)
	}
	all := facts(t, url, "default")
	if len(all) != 2 || all[0].Type != event.RuleRemoved || all[1].Type != event.RuleAdded || all[0].Data["actor"] != "cli" || all[1].Data["rule"] != id {
		t.Errorf("recorded %+v", all)
	}
}

func TestRulesBelongToOneTenant(t *testing.T) {
	file, _ := house(t, strictTenants)
	if _, errs, code := order(t, "block", "add", "email", "^eve@", "--tenant", "t3", "--json", "--config", file); code != exitOK {
		t.Fatalf("code %d: %s", code, errs)
	}
	for slug, want := range map[string]int{"default": exitOK, "t3": exitRefused} {
		if out, _, code := order(t, "block", "test", "eve@example.com", "--tenant", slug, "--config", file); code != want {
			t.Errorf("%s: code %d\n%s", slug, code, out)
		}
	}
	if out, _, code := order(t, "block", "add", "email", "^eve@mail", "--allow", "--tenant", "t3", "--config", file); code != exitOK {
		t.Errorf("code %d\n%s", code, out)
	}
	if out, _, code := order(t, "block", "test", "eve@mailinator.com", "--tenant", "t3", "--json", "--config", file); code != exitOK || !strings.Contains(out, `"why":"allow email ^eve@mail"`) || strings.Contains(out, "eve@mailinator.com") {
		t.Errorf("code %d\n%s", code, out)
	}
}

func TestBadOrdersAreToldApart(t *testing.T) {
	file, _ := house(t, strictTenants)
	for _, x := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"block", "add", "email", "("}, exitUsage, "missing closing )"},
		{[]string{"block", "add", "name", "x"}, exitUsage, "This is not a pattern"},
		{[]string{"block", "add", "email"}, exitUsage, "accepts 2 arg(s)"},
		{[]string{"block", "add", "email", "x", "--tenant", "t9"}, exitUsage, "There is no such tenant."},
		{[]string{"block", "list", "--tenant", "t9"}, exitUsage, "There is no such tenant."},
		{[]string{"block", "test"}, exitUsage, "say about whom"},
		{[]string{"block", "test", "--from", "here"}, exitUsage, "no network address"},
		{[]string{"policy", "check", "ada@example.com", "--door", "window"}, exitUsage, `no door "window"`},
		{[]string{"policy", "check", "ada@example.com", "--with", "fax"}, exitUsage, `no kind "fax"`},
	} {
		if out, errs, code := order(t, append(x.args, "--config", file)...); code != x.code || !strings.Contains(errs, x.says) || out != "" {
			t.Errorf("%v: code %d\n%s%s", x.args, code, out, errs)
		}
	}
	lost := write(t, "c.yaml", "mode: development\ndatabase: { url: \"memory:\" }\n") + "/c.yaml"
	for _, args := range [][]string{{"block", "add", "email", "x"}, {"block", "list"}, {"block", "remove", "x"}} {
		if _, errs, code := order(t, append(args, "--config", lost)...); code != exitUsage || !strings.Contains(errs, "database in memory") {
			t.Errorf("%v: code %d: %s", args, code, errs)
		}
	}
	nowhere := write(t, "c.yaml", "mode: development\n") + "/c.yaml"
	if _, errs, code := order(t, "block", "list", "--config", nowhere); code != exitUsage || !strings.Contains(errs, "--database") {
		t.Errorf("code %d: %s", code, errs)
	}
	if _, errs, code := order(t, "block", "list", "--config", nowhere, "--database", "sqlite://"+t.TempDir()+"/d.db"); code != exitOK {
		t.Errorf("code %d: %s", code, errs)
	}
	down := write(t, "c.yaml", "mode: development\ndatabase: { url: \"sqlite:///nowhere/at/all.db\" }\n") + "/c.yaml"
	if _, errs, code := order(t, "block", "list", "--config", down); code != exitDependency {
		t.Errorf("code %d: %s", code, errs)
	}
}

func TestAPolicyIsTriedWithoutDoingAnything(t *testing.T) {
	file, url := house(t, strictTenants)
	for _, x := range []struct {
		args    []string
		code    int
		outcome string
		last    ruling
	}{
		{[]string{"ada@example.com"}, exitOK, "allowed", ruling{Check: "sign_up", OK: true, Reason: "allowed"}},
		{[]string{"ada@example.com", "--tenant", "t2"}, exitRefused, "refused", ruling{Check: "sign_up", Reason: "sign_up_closed", Why: "sign_up.allowed"}},
		{[]string{"ada@example.com", "--tenant", "t2", "--door", "invitation"}, exitOK, "allowed", ruling{Check: "sign_up", OK: true, Reason: "allowed"}},
		{[]string{"ada@example.com", "--tenant", "t3", "--door", "provider"}, exitOK, "asked", ruling{Check: "sign_up", Reason: "identifier_needed", Why: "sign_up.required", Missing: []string{"phone"}}},
		{[]string{"ada@example.com", "--tenant", "t3", "--door", "provider", "--with", "phone"}, exitOK, "allowed", ruling{Check: "sign_up", OK: true, Reason: "allowed"}},
		{[]string{"+447400123456", "--tenant", "t3"}, exitRefused, "refused", ruling{Check: "sign_up", OK: true, Reason: "allowed"}},
		{[]string{"eve@mailinator.com"}, exitRefused, "refused", ruling{Check: "sign_up", OK: true, Reason: "allowed"}},
		{[]string{"ada"}, exitRefused, "refused", ruling{Check: "sign_up", Reason: "name_proves_none"}},
		{[]string{"a@"}, exitRefused, "refused", ruling{Check: "address", Reason: "invalid_email", Why: "Enter an e-mail address like name@example.com."}},
	} {
		out, errs, code := order(t, append([]string{"policy", "check", "--json", "--config", file}, x.args...)...)
		var v verdict
		if err := json.Unmarshal([]byte(out), &v); err != nil {
			t.Errorf("%v: %v in %s%s", x.args, err, out, errs)
			continue
		}
		last := v.Checks[len(v.Checks)-1]
		if code != x.code || v.Outcome != x.outcome || last.Check != x.last.Check || last.OK != x.last.OK || last.Reason != x.last.Reason ||
			last.Why != x.last.Why || strings.Join(last.Missing, " ") != strings.Join(x.last.Missing, " ") {
			t.Errorf("%v: code %d, %+v", x.args, code, v)
		}
		if strings.Contains(out, "ada@") || strings.Contains(out, "eve@") {
			t.Errorf("%v: tells a whole address: %s", x.args, out)
		}
	}
	if out, _, _ := order(t, "policy", "check", "ada@example.com", "--tenant", "t3", "--config", file); out != "ok  rules: allowed\nno  challenge: anonymous_off (challenge.anonymous)\nno  sign_up: identifier_needed (sign_up.required), missing: phone\nrefused\n" {
		t.Errorf("it reads\n%s", out)
	}
	if all := facts(t, url, "default"); len(all) > 0 {
		t.Errorf("trying recorded %+v", all)
	}
}
