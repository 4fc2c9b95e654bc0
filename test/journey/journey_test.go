// Package journey_test goes the way of somebody who writes a channel: from
// nothing to a server that sends by it. Nothing is fetched; what is built takes
// this checkout.
package journey_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/adapters/gotool"
	"github.com/countersign/countersign/app"
	"github.com/countersign/countersign/test/harness"
)

// alone keeps the go command away from the network and from workspaces.
func alone(t *testing.T) {
	t.Helper()
	t.Setenv("GOPROXY", "off")
	t.Setenv("GOWORK", "off")
	t.Setenv("GOFLAGS", "")
}

// countersign runs our command line, and expects it to end like this.
func countersign(t *testing.T, code int, args ...string) {
	t.Helper()
	if got := app.Run(args); got != code {
		t.Fatalf("countersign %s ended with %d, not %d", strings.Join(args, " "), got, code)
	}
}

func TestASenderIsWrittenTriedAndStarted(t *testing.T) {
	alone(t)
	dir := filepath.Join(t.TempDir(), "acme")
	countersign(t, 0, "plugin", "new", "acme_sms", "--dir", dir)
	countersign(t, 0, "plugin", "test", dir)
	countersign(t, 0, "plugin", "lint", dir)
	countersign(t, 7, "plugin", "new", "acme_sms", "--dir", dir)
	started(t, dir, func(url, line string) {
		if !strings.Contains(line, `"acme_sms"`) {
			t.Errorf("the channel is not there: %s", line)
		}
		id := post(t, url+"/v1/challenges", `{"to":"+447400123456","channel":"acme_sms"}`)["id"]
		code := get(t, url+"/dev/inbox/latest?kind=code&wait=5s")["code"]
		if answer := post(t, fmt.Sprintf("%s/v1/challenges/%s/verify", url, id), fmt.Sprintf(`{"code":%q}`, code)); answer["status"] != "signed_in" {
			t.Errorf("the code by the new channel led to %v", answer)
		}
	})
}

func TestAChannelIsWrittenTriedAndStarted(t *testing.T) {
	alone(t)
	dir := filepath.Join(t.TempDir(), "keypad")
	countersign(t, 0, "plugin", "new", "key-pad", "--channel", "--dir", dir, "--module", "git.example.org/team/countersign-keypad")
	countersign(t, 0, "plugin", "test", dir)
	countersign(t, 0, "plugin", "lint", dir)
	started(t, dir, func(_, line string) {
		if !strings.Contains(line, `"key_pad"`) {
			t.Errorf("the channel is not there: %s", line)
		}
	})
}

func TestABrokenPluginIsNoticed(t *testing.T) {
	alone(t)
	dir := filepath.Join(t.TempDir(), "acme")
	countersign(t, 0, "plugin", "new", "acme", "--dir", dir)
	replace(t, filepath.Join(dir, "acme.go"), "a.Taken()", "map[int]error{}[a.Status]")
	var failed []string
	good, err := gotool.Test(t.Context(), dir, false, func(b gotool.Behaviour) {
		if b.Outcome == gotool.Failed {
			failed = append(failed, b.Name)
		}
	})
	if err != nil || good || !strings.Contains(strings.Join(failed, "; "), "when the provider is busy while we begin") {
		t.Errorf("%v, good %t, failed %q", err, good, failed)
	}
	replace(t, filepath.Join(dir, "acme.go"), "channel.Phone", "channel.Account")
	failed = nil
	good, err = gotool.Test(t.Context(), dir, false, func(b gotool.Behaviour) {
		if b.Outcome == gotool.Failed {
			failed = append(failed, b.Name)
		}
	})
	if err != nil || good || len(failed) == 0 || failed[0] != "descriptor" {
		t.Errorf("a sender to accounts: %v, good %t, failed %q", err, good, failed)
	}
	replace(t, filepath.Join(dir, "acme.go"), "channel.Account", "channel.Phone")
	replace(t, filepath.Join(dir, "config.go"), "Where messages are posted to.", "Where messages go to.")
	if found, err := gotool.Lint(t.Context(), dir, false); err != nil || len(found) != 2 || !strings.HasPrefix(found[0], "CONFIG.md is not what the struct says") {
		t.Errorf("%q, %v", found, err)
	}
	if found, err := gotool.Lint(t.Context(), dir, true); err != nil || len(found) != 0 {
		t.Errorf("mended: %q, %v", found, err)
	}
	if found, err := gotool.Lint(t.Context(), dir, false); err != nil || len(found) != 0 {
		t.Errorf("after it was mended: %q, %v", found, err)
	}
	replace(t, filepath.Join(dir, "acme.go"), "return sender{cfg, env.HTTP}, nil", "return sender{cfg, http.DefaultClient}, nil")
	if found, err := gotool.Lint(t.Context(), dir, false); err != nil || len(found) != 1 || !strings.HasSuffix(found[0], "http.DefaultClient: take Env.HTTP") {
		t.Errorf("a client of its own: %q, %v", found, err)
	}
	replace(t, filepath.Join(dir, "acme.go"), "func Plugin()", "func Channel()")
	if found, err := gotool.Lint(t.Context(), dir, false); err != nil || len(found) != 1 || found[0] != "there is no func Plugin() channel.Plugin" {
		t.Errorf("without Plugin: %q, %v", found, err)
	}
	replace(t, filepath.Join(dir, "acme.go"), "func Channel()", "func Plugin()")
	replace(t, filepath.Join(dir, "acme_test.go"), "channeltest.Run", "_ = channeltest.Failures")
	if _, err := gotool.Test(t.Context(), dir, false, func(gotool.Behaviour) {}); err == nil {
		t.Error("tests without the kit were taken for tests by it")
	}
	replace(t, filepath.Join(dir, "acme.go"), "package acme", "package acme oops")
	if _, err := gotool.Test(t.Context(), dir, false, func(gotool.Behaviour) {}); err == nil || !strings.Contains(err.Error(), "oops") {
		t.Errorf("what does not compile led to: %v", err)
	}
}

func replace(t *testing.T, file, old, fresh string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(text), old) {
		t.Fatalf("%q is not in %s: %v", old, file, err)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(string(text), old, fresh, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// started runs the plugin's server while f works with it. line is what the
// server says of itself.
func started(t *testing.T, dir string, f func(url, line string)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	at := harness.FreeAddress(t)
	reads, writes := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		var complaint strings.Builder
		err := gotool.Run(ctx, gotool.Server{
			Dir: dir, Stdout: writes, Stderr: &complaint,
			Args: []string{"--json", "--listen", at, "--metrics-listen", "127.0.0.1:0", "--database", "memory:"},
		})
		if err != nil {
			err = fmt.Errorf("%w: %s", err, complaint.String())
		}
		_ = writes.CloseWithError(io.EOF)
		ended <- err
	}()
	if out := bufio.NewScanner(reads); out.Scan() {
		f("http://"+at, out.Text())
	} else {
		t.Error("the server did not start")
	}
	cancel()
	go func() { _, _ = io.Copy(io.Discard, reads) }()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func post(t *testing.T, url, body string) map[string]any {
	t.Helper()
	return ask(t, http.MethodPost, url, strings.NewReader(body))
}

func get(t *testing.T, url string) map[string]any {
	t.Helper()
	return ask(t, http.MethodGet, url, nil)
}

func ask(t *testing.T, method, url string, body io.Reader) map[string]any {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var out map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil || resp.StatusCode >= 400 {
		t.Fatalf("%s: %d %v %v", req.URL.Path, resp.StatusCode, out, err)
	}
	return out
}
