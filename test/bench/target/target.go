// Package target builds, configures, starts and watches the server under test.
package target

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/countersign/countersign/test/bench/procfs"
)

// program is what is built.
const program = "github.com/countersign/countersign/cmd/countersign"

// Build makes the binary as it is released: without symbols and paths.
func Build(ctx context.Context, dir string) (string, error) {
	path := filepath.Join(dir, "countersign")
	command := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, program)
	if said, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w: %s", program, err, bytes.TrimSpace(said))
	}
	return path, nil
}

// Target is a deployment: binary, keys and configuration.
type Target struct {
	Binary string
	Dir    string // of configuration, keys and log
	config string
}

// New makes keys and configuration in the setup's directory.
func New(ctx context.Context, s Setup) (*Target, error) {
	t := &Target{Binary: s.Binary, Dir: s.Dir, config: filepath.Join(s.Dir, "countersign.yaml")}
	keys := filepath.Join(s.Dir, "keys.json")
	if err := t.run(ctx, "keys", "new", "--file", keys); err != nil {
		return nil, err
	}
	return t, s.configure(t.config, keys)
}

// Migrate brings a database's schema up to date.
func (t *Target) Migrate(ctx context.Context, database string) error {
	return t.run(ctx, "migrate", "--config", t.config, "--database", database)
}

// run runs a command of the binary. Its arguments may hold a password, so the
// error has only the first.
func (t *Target) run(ctx context.Context, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if said, err := exec.CommandContext(ctx, t.Binary, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("countersign %s: %w: %s", args[0], err, bytes.TrimSpace(said))
	}
	return nil
}

// Server is a running server.
type Server struct {
	Addr  string        // host:port
	Start time.Duration // from its start until it was ready

	command *exec.Cmd
	ended   chan error
	log     string
}

// Serve starts a server and waits until it is ready.
func (t *Target) Serve(ctx context.Context, database string) (*Server, error) {
	addr, err := free()
	if err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(t.Dir, "log"))
	if err != nil {
		return nil, fmt.Errorf("open the server's log: %w", err)
	}
	defer func() { _ = log.Close() }()
	s := &Server{Addr: addr, ended: make(chan error, 1), log: log.Name()}
	s.command = exec.Command(t.Binary, "serve", "--config", t.config, "--listen", addr, "--database", database)
	s.command.Stdout, s.command.Stderr = log, log
	s.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // an interrupt from the keyboard is ours
	began := time.Now()
	if err := s.command.Start(); err != nil {
		return nil, fmt.Errorf("start the server: %w", err)
	}
	go func() { s.ended <- s.command.Wait() }()
	if err := s.await(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("%w; its log ends: %s", err, s.Log()), s.Stop())
	}
	s.Start = time.Since(began)
	return s, nil
}

// await asks every millisecond whether the server is ready.
func (s *Server) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 2 * time.Second}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		if resp, err := client.Get("http://" + s.Addr + "/readyz"); err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case err := <-s.ended:
			s.ended <- err
			return fmt.Errorf("the server ended: %w", err)
		case <-ctx.Done():
			return errors.New("the server does not get ready")
		case <-tick.C:
		}
	}
}

// CPU is the processor time that the server has used.
func (s *Server) CPU() (time.Duration, error) {
	stat, err := procfs.Read(s.command.Process.Pid)
	return stat.Own, err
}

// Memory is what the server holds now.
func (s *Server) Memory() (procfs.Memory, error) { return procfs.MemoryOf(s.command.Process.Pid) }

// Log is the end of what the server has written.
func (s *Server) Log() string {
	const tail = 2000
	said, err := os.ReadFile(s.log)
	if err != nil {
		return ""
	}
	return string(bytes.TrimSpace(said[max(0, len(said)-tail):]))
}

// Stop ends the server and reports if it did not do so in order.
func (s *Server) Stop() error {
	_ = s.command.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-s.ended:
		s.ended <- err
		if err != nil {
			return fmt.Errorf("the server did not stop in order: %w", err)
		}
		return nil
	case <-time.After(15 * time.Second):
		_ = s.command.Process.Signal(syscall.SIGQUIT) // writes down what each goroutine does
		kill := time.AfterFunc(5*time.Second, func() { _ = s.command.Process.Kill() })
		defer kill.Stop()
		err := <-s.ended
		s.ended <- err
		return fmt.Errorf("the server had to be killed: %w", err)
	}
}

// Alive is an error if the server has ended, or does so within the time given:
// one that falls over hangs up on its clients a little before it is gone.
func (s *Server) Alive(within time.Duration) error {
	select {
	case err := <-s.ended:
		s.ended <- err
		return fmt.Errorf("the server ended (%w); its log ends: %s", err, s.Log())
	case <-time.After(within):
		return nil
	}
}

// KeepLog copies what the server has written to a file.
func (s *Server) KeepLog(path string) error {
	said, err := os.ReadFile(s.log)
	if err == nil {
		err = os.WriteFile(path, said, 0o600)
	}
	if err != nil {
		return fmt.Errorf("keep the server's log: %w", err)
	}
	return nil
}

// free finds an address that nobody listens on now.
func free() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String(), nil
}
