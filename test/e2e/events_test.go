package e2e_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/countersign/countersign/test/harness"
)

func TestCLIEventsTail(t *testing.T) {
	both(t, quick, func(t *testing.T, s *harness.Server, c *harness.Client) {
		user := claims(t, c.SignIn(ann).Access).Sub
		c.SignIn(bob)
		got := run(t, nil, "events", "tail", "--database", s.Options.Store.URL, "--user", user, "--type", "session.*", "--json")
		var e struct {
			Type string
			User string `json:"user_id"`
		}
		if err := json.Unmarshal([]byte(got.out), &e); got.code != 0 || err != nil || e.Type != "session.started" || e.User != user {
			t.Fatalf("%+v, %v", got, err)
		}
		all := run(t, nil, "events", "tail", "--database", s.Options.Store.URL)
		if all.code != 0 || strings.Count(all.out, "session.started") != 2 || strings.Contains(all.out, ann) {
			t.Errorf("%+v", all)
		}
	})
}

// page is what a running command prints.
type page struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (p *page) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.Write(b)
}

func (p *page) has(text string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Contains(p.text.String(), text)
}

func TestCLIEventsTailFollowsUntilInterrupted(t *testing.T) {
	both(t, quick, func(t *testing.T, s *harness.Server, c *harness.Client) {
		c.SignIn(ann)
		var out, complaint page
		cmd := exec.CommandContext(t.Context(), harness.Binary(t), "events", "tail", "-f", "--database", s.Options.Store.URL)
		cmd.Stdout, cmd.Stderr = &out, &complaint
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		waitFor(t, patient, "the past is printed", func() bool { return out.has("session.started") })
		user := claims(t, c.SignIn(bob).Access).Sub
		waitFor(t, patient, "what comes is printed", func() bool { return out.has(user) })
		if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		failed, ok := errors.AsType[*exec.ExitError](cmd.Wait())
		if !ok || failed.ExitCode() != 130 || complaint.has("\n") {
			t.Errorf("ended with %v, said %q", failed, complaint.text.String())
		}
	})
}

func TestCLIEventsTailRefusals(t *testing.T) {
	t.Parallel()
	complains(t, run(t, nil, "events", "tail", "--database", "memory:"), 2, 1, "memory")
	complains(t, run(t, nil, "events", "tail", "--database", "sqlite:data.db", "--type", "sesion.*"), 2, 1, `no event is called "sesion.*"`, `Did you mean "session.*"?`)
	complains(t, run(t, nil, "events", "tail", "--database", "sqlite:data.db", "-n", "-1"), 2, 1, "--lines")
	complains(t, run(t, nil, "events", "tail", "--database", "postgres://nobody@127.0.0.1:1/none"), 4, 1, "cannot reach PostgreSQL")
}
