package e2e_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/test/harness"
)

// said is what one run of the command line did.
type said struct {
	code     int
	out, err string
}

// run runs the command line. It has to end by itself.
func run(t *testing.T, env []string, args ...string) said {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), harness.Binary(t), args...)
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	cmd.Env = append([]string{"PATH=/usr/bin:/bin"}, env...)
	cmd.Dir = t.TempDir()
	kill := time.AfterFunc(45*time.Second, func() { _ = cmd.Process.Kill() })
	defer kill.Stop()
	err := cmd.Run()
	got := said{out: out.String(), err: complaint.String()}
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		got.code = failed.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	return got
}

// complains wants an exit code, and lines for people that have all the words:
// nothing on the output, no wiring, no stack.
func complains(t *testing.T, got said, code, lines int, words ...string) {
	t.Helper()
	if got.code != code {
		t.Errorf("exit code %d, want %d: %s", got.code, code, got.err)
	}
	if n := strings.Count(got.err, "\n"); n != lines {
		t.Errorf("%d lines, want %d:\n%s", n, lines, got.err)
	}
	for _, word := range words {
		if !strings.Contains(got.err, word) {
			t.Errorf("%q does not say %q", got.err, word)
		}
	}
	for _, bad := range []string{"goroutine ", "panic", "fx.", "dig.", "reflect", "could not build", ".go:"} {
		if strings.Contains(got.err, bad) {
			t.Errorf("%q tells of the inside: %q", got.err, bad)
		}
	}
	if got.out != "" {
		t.Errorf("a refusal prints %q", got.out)
	}
}

// deployment writes a configuration of production that is valid, with its keys
// and a database of its own.
func deployment(t *testing.T, more string) (config, keys string) {
	t.Helper()
	keys = harness.NewKeys(t)
	dir := t.TempDir()
	config = filepath.Join(dir, "countersign.yaml")
	text := `mode: production
public_url: https://login.example.com
listen: "` + harness.FreeAddress(t) + `"
metrics_listen: ""
database: { url: "sqlite://` + filepath.Join(dir, "data.db") + `" }
keys: { file: "` + keys + `" }
channels:
  email: { use: email, email: { addr: "127.0.0.1:25", from: "Example <login@example.com>", tls: none } }
` + more
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return config, keys
}

func TestCLIATakenPort(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := l.Addr().String()
	config, _ := deployment(t, "")
	complains(t, run(t, nil, "serve", "--config", config, "--listen", taken), 4, 1, taken, "is taken", "--listen")
	config, _ = deployment(t, "log: { level: error }\n")
	complains(t, run(t, nil, "serve", "--config", config, "--metrics-listen", taken), 4, 1, taken, "is taken", "--metrics-listen")
}

func TestCLIAnUnreachablePostgres(t *testing.T) {
	t.Parallel()
	config, _ := deployment(t, "")
	nobody := harness.FreeAddress(t)
	for _, command := range []string{"serve", "migrate"} {
		got := run(t, nil, command, "--config", config, "--database", "postgres://someone:hush-hush@"+nobody+"/data")
		complains(t, got, 4, 1, nobody)
		if strings.Contains(got.err, "hush-hush") {
			t.Errorf("%s repeats the password: %s", command, got.err)
		}
	}
}

func TestCLIKeyFilesThatWillNotDo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(keys string) error
		words []string
	}{
		"missing":        {os.Remove, []string{"no such file", "countersign keys new --file "}},
		"world-readable": {func(keys string) error { return os.Chmod(keys, 0o644) }, []string{"0644", "chmod 600 "}},
		"garbage":        {func(keys string) error { return os.WriteFile(keys, []byte("not keys"), 0o600) }, []string{"not the JSON of a key file"}},
		"another JSON":   {func(keys string) error { return os.WriteFile(keys, []byte(`{"version":1}`), 0o600) }, []string{"key file"}},
		"empty":          {func(keys string) error { return os.Truncate(keys, 0) }, []string{"key file"}},
	} {
		t.Run(name, func(t *testing.T) {
			config, keys := deployment(t, "")
			if err := c.spoil(keys); err != nil {
				t.Fatal(err)
			}
			complains(t, run(t, nil, "serve", "--config", config), 3, 1, append(c.words, keys)...)
		})
	}
}

func TestCLIConfigurationsThatWillNotDo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		more  string
		lines int
		words []string
	}{
		"unknown key":       {"policy:\n  challenge: { lifee: 5m }\n", 1, []string{":10:16:", `unknown key "lifee"`, `Did you mean "life"?`}},
		"two mistakes":      {"brnad: { name: X }\npolicy: { throttle: { free: many } }\n", 2, []string{":9:", ":10:", `"brand"`}},
		"tenant of no name": {"tenants: [ { slug: T2 } ]\n", 1, []string{":9:", "tenants[0].slug"}},
		"out of bounds":     {"policy: { challenge: { length: 3 } }\n", 1, []string{"policy.challenge.length", "4"}},
		"not YAML":          {"policy: [\n", 1, nil},
	} {
		t.Run(name, func(t *testing.T) {
			config, _ := deployment(t, c.more)
			for _, args := range [][]string{{"serve"}, {"config", "validate"}} {
				complains(t, run(t, nil, append(args, "--config", config)...), 3, c.lines, append(c.words, config)...)
			}
		})
	}
	t.Run("no file", func(t *testing.T) {
		complains(t, run(t, nil, "serve", "--config", "nowhere.yaml"), 3, 1, "nowhere.yaml")
	})
	t.Run("unknown variable", func(t *testing.T) {
		config, _ := deployment(t, "")
		complains(t, run(t, []string{"COUNTERSIGN_POLICY_CHALENGE_LIFE=5m"}, "serve", "--config", config), 3, 1,
			"COUNTERSIGN_POLICY_CHALENGE_LIFE", "COUNTERSIGN_POLICY_CHALLENGE_LIFE")
	})
	t.Run("nothing said", func(t *testing.T) {
		complains(t, run(t, nil, "serve"), 3, 4, "public_url", "database.url", "keys.file", "channels")
	})
}

func TestCLIProductionRefusesDevelopmentChannels(t *testing.T) {
	t.Parallel()
	config, _ := deployment(t, "")
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte("channels:\n"), []byte("channels:\n  sms: { use: dev_sms }\n"), 1)
	if err := os.WriteFile(config, text, 0o600); err != nil {
		t.Fatal(err)
	}
	complains(t, run(t, nil, "serve", "--config", config), 3, 1, "dev_sms")
}

func TestCLIWrongUsage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args  []string
		words []string
	}{
		{[]string{"serv"}, []string{"serv", `"countersign serve"`}},
		{[]string{"nonsense"}, []string{"nonsense", "countersign --help"}},
		{[]string{"keys", "nwe"}, []string{"nwe", `"countersign keys new"`}},
		{[]string{"serve", "--lisen", ":1"}, []string{"--lisen", "countersign serve --help"}},
		{[]string{"serve", "extra"}, []string{"extra"}},
		{[]string{"keys", "new", "--file"}, []string{"--file"}},
		{[]string{"keys", "new", "--file", "k.json", "--algorithm", "RS256"}, []string{"RS256", "EdDSA"}},
		{[]string{"config", "explain", "a", "b"}, nil},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			complains(t, run(t, nil, c.args...), 2, 1, c.words...)
		})
	}
}

func TestCLIKeysAreNotOverwritten(t *testing.T) {
	t.Parallel()
	keys := harness.NewKeys(t)
	before, err := os.ReadFile(keys)
	if err != nil {
		t.Fatal(err)
	}
	complains(t, run(t, nil, "keys", "new", "--file", keys), 7, 1, keys)
	complains(t, run(t, nil, "keys", "epoch", "--file", keys), 7, 1, "--yes")
	after, err := os.ReadFile(keys)
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("the key file has changed (%v)", err)
	}
	if got := run(t, nil, "keys", "rotate", "--file", keys); got.code != 0 {
		t.Errorf("rotate: exit code %d: %s", got.code, got.err)
	}
	if after, err = os.ReadFile(keys); err != nil || bytes.Equal(before, after) {
		t.Errorf("rotate has not changed the key file (%v)", err)
	}
	info, err := os.Stat(keys)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key file has the mode %v (%v), want 0600", info.Mode(), err)
	}
}

func TestCLIConfig(t *testing.T) {
	t.Parallel()
	config, _ := deployment(t, "policy: { challenge: { life: 4m } }\n")
	if got := run(t, nil, "config", "validate", "--config", config); got.code != 0 || !strings.Contains(got.err, "valid") {
		t.Errorf("validate: %+v", got)
	}
	for _, c := range []struct {
		env  []string
		want []string
	}{
		{nil, []string{"policy.challenge.life = 4m", config + ":9"}},
		{[]string{"COUNTERSIGN_POLICY_CHALLENGE_LIFE=3m"}, []string{"policy.challenge.life = 3m", "COUNTERSIGN_POLICY_CHALLENGE_LIFE"}},
	} {
		got := run(t, c.env, "config", "explain", "--config", config, "policy.challenge.life")
		for _, want := range c.want {
			if got.code != 0 || !strings.Contains(got.out, want) {
				t.Errorf("explain with %v: %+v, want %q in it", c.env, got, want)
			}
		}
	}
	complains(t, run(t, nil, "config", "explain", "--config", config, "policy.nothing"), 6, 1, "policy.nothing")

	var schema struct {
		Schema     string         `json:"$schema"`
		Properties map[string]any `json:"properties"`
	}
	got := run(t, nil, "config", "schema")
	if err := json.Unmarshal([]byte(got.out), &schema); err != nil || got.code != 0 {
		t.Fatalf("schema: exit code %d, %v", got.code, err)
	}
	if schema.Schema == "" || schema.Properties["policy"] == nil || schema.Properties["channels"] == nil {
		t.Errorf("the schema knows %v", schema.Properties)
	}
}

// The help of `config explain` shows it without a configuration.
func TestCLIExplainWorksAsItsHelpSays(t *testing.T) {
	t.Parallel()
	got := run(t, nil, "config", "explain", "policy.challenge.life")
	if got.code != 0 || !strings.Contains(got.out, "policy.challenge.life = 5m") {
		t.Errorf("countersign config explain policy.challenge.life: %+v", got)
	}
}

func TestCLISecretsAreNotExplained(t *testing.T) {
	t.Parallel()
	config, _ := deployment(t, "")
	got := run(t, []string{"COUNTERSIGN_DATABASE_URL=postgres://u:hush-hush@db.example.com/data"}, "config", "explain", "--config", config)
	if got.code != 0 || strings.Contains(got.out+got.err, "hush-hush") || !strings.Contains(got.out, "database.url") {
		t.Errorf("explain: exit code %d, want no password: %s%s", got.code, got.out, got.err)
	}
}

func TestCLIMigrateTwice(t *testing.T) {
	t.Parallel()
	harness.Stores(t, func(t *testing.T, store harness.Store) {
		dry := run(t, nil, "migrate", "--dry-run", "--database", store.URL)
		first := run(t, nil, "migrate", "--database", store.URL)
		second := run(t, nil, "migrate", "--database", store.URL)
		if dry.code != 0 || !strings.Contains(dry.out, "would apply") {
			t.Errorf("dry: %+v", dry)
		}
		if first.code != 0 || !strings.Contains(first.out, "applied") {
			t.Errorf("first: %+v", first)
		}
		if second.code != 0 || second.out != "" || !strings.Contains(second.err, "up to date") {
			t.Errorf("second: %+v", second)
		}
	})
}

func TestCLIMigrateRefusesMemory(t *testing.T) {
	t.Parallel()
	complains(t, run(t, nil, "migrate", "--database", "memory:"), 2, 1, "memory")
}

func TestCLIVersion(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"version"}, {"--version"}} {
		got := run(t, nil, args...)
		if got.code != 0 || !strings.HasPrefix(got.out, "countersign ") || strings.Count(got.out, "\n") != 1 || got.err != "" {
			t.Errorf("%v: %+v", args, got)
		}
	}
	if got := run(t, nil, "--help"); got.code != 0 || !strings.Contains(got.out, "countersign dev") {
		t.Errorf("--help: %+v", got)
	}
}
