package harness

import (
	"bytes"
	"errors"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Bounds of what is waited for.
const (
	startTimeout = 30 * time.Second
	stopTimeout  = 20 * time.Second
	pollInterval = 10 * time.Millisecond
	portTries    = 5
)

// Server is a running program.
type Server struct {
	URL     string
	Address string // host:port
	Options Options

	t      testing.TB
	config string

	mu       sync.Mutex // guards the rest
	running  *process
	earlier  string // what processes that are gone have logged
	said     string // what they have printed
	replicas []*Server
}

// process is one life of a server.
type process struct {
	cmd      *exec.Cmd
	log, out *record
	ended    chan struct{} // closed when it has ended
	err      error         // of its end; read after ended
}

// record is what a process writes.
type record struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write keeps the bytes.
func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

// String is all that was written until now.
func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

// Start runs a server until the test ends, and waits until it is ready. At the
// end it has to stop by itself, with exit code 0 and without a panic in its log.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	if o.Store.URL == "" {
		o.Store = SQLite(t)
	}
	if o.Mode == "" {
		o.Mode = Dev
	}
	if o.Log == "" {
		o.Log = "debug"
	}
	if o.Keys == "" {
		o.Keys = NewKeys(t)
	}
	var s *Server
	for range portTries { // another process may take the port before the server does
		address := FreeAddress(t)
		s = &Server{URL: "http://" + address, Address: address, Options: o, t: t, config: o.write(t, address)}
		if s.begin() || !strings.Contains(s.Log(), "is taken") {
			break
		}
	}
	if !s.alive() {
		t.Fatalf("the server does not start:\n%s", tail(s.Log()))
	}
	t.Cleanup(s.end)
	return s
}

// Replica runs another server on the same database with the same keys.
func (s *Server) Replica(t testing.TB) *Server {
	t.Helper()
	o := s.Options
	if o.Public == "" { // replicas must have one name, or they refuse each other's tokens
		o.Public = s.URL
	}
	r := Start(t, o)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replicas = append(s.replicas, r)
	return r
}

// Config is the path of the configuration file.
func (s *Server) Config() string { return s.config }

// begin starts the process and waits until it is ready or has ended.
func (s *Server) begin() bool {
	command := "serve"
	if s.Options.Mode == Dev {
		command = "dev"
	}
	p := &process{cmd: exec.Command(Binary(s.t), command, "--config", s.config), log: &record{}, out: &record{}, ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.log
	p.cmd.Env = append([]string{"PATH=/usr/bin:/bin", "HOME=" + s.t.TempDir()}, s.Options.Env...)
	p.cmd.Dir = s.t.TempDir()
	tie(p.cmd)
	if err := p.cmd.Start(); err != nil {
		s.t.Fatalf("start the server: %v", err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	s.mu.Lock()
	s.running = p
	s.mu.Unlock()
	return s.await(p)
}

func (s *Server) await(p *process) bool {
	deadline := time.After(startTimeout)
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	client := http.Client{Timeout: time.Second}
	for {
		select {
		case <-p.ended:
			return false
		case <-deadline:
			_ = p.cmd.Process.Kill()
			<-p.ended
			return false
		case <-tick.C:
		}
		if a, err := client.Get(s.URL + "/readyz"); err == nil {
			_ = a.Body.Close()
			if a.StatusCode == http.StatusOK {
				return true
			}
		}
	}
}

func (s *Server) process() *process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.running
}

func (s *Server) alive() bool {
	p := s.process()
	if p == nil {
		return false
	}
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// Log is what all lives of the server have logged.
func (s *Server) Log() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running == nil {
		return s.earlier
	}
	return s.earlier + s.running.log.String()
}

// Output is what all lives of the server have printed. In development that
// includes codes.
func (s *Server) Output() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running == nil {
		return s.said
	}
	return s.said + s.running.out.String()
}

// Signal sends a signal and does not wait.
func (s *Server) Signal(which syscall.Signal) {
	if p := s.process(); p != nil {
		_ = p.cmd.Process.Signal(which)
	}
}

// Wait waits until the process has ended and gives its exit code; -1 if a
// signal ended it.
func (s *Server) Wait(patience time.Duration) (code int, ok bool) {
	p := s.process()
	if p == nil {
		return 0, true
	}
	select {
	case <-p.ended:
	case <-time.After(patience):
		return 0, false
	}
	s.forget(p)
	if e, failed := errors.AsType[*exec.ExitError](p.err); failed {
		return e.ExitCode(), true
	}
	return 0, true
}

func (s *Server) forget(p *process) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running == p {
		s.earlier += p.log.String()
		s.said += p.out.String()
		s.running = nil
	}
}

// Kill ends the process at once, as a crash would. Restart may follow.
func (s *Server) Kill() {
	p := s.process()
	if p == nil {
		return
	}
	_ = p.cmd.Process.Kill()
	<-p.ended
	s.forget(p)
}

// Stop asks the process to end, and fails the test if it does not do so well.
func (s *Server) Stop() {
	s.Signal(syscall.SIGTERM)
	code, ok := s.Wait(stopTimeout)
	if !ok {
		s.Kill()
		s.t.Errorf("the server did not stop within %s:\n%s", stopTimeout, tail(s.Log()))
	}
	if code != 0 {
		s.t.Errorf("the server stopped with exit code %d:\n%s", code, tail(s.Log()))
	}
}

// Restart starts the server again on the same address, after it was stopped or
// killed; one that runs is stopped first.
func (s *Server) Restart() {
	if s.alive() {
		s.Stop()
	}
	if !s.begin() {
		s.t.Fatalf("the server does not start again:\n%s", tail(s.Log()))
	}
}

// end is the last thing in a server's life.
func (s *Server) end() {
	if s.process() != nil {
		s.Stop()
	}
	log := s.Log()
	if _, found, ok := strings.Cut(log, "panic"); ok {
		s.t.Errorf("the server's log tells of a panic%.2000s", found)
	}
	if s.t.Failed() {
		s.t.Logf("the end of the log of %s (%s):\n%s", s.URL, s.Options.Store.Name, tail(log))
	}
}

// tail is the end of a long text.
func tail(text string) string {
	const enough = 4000
	if len(text) > enough {
		return "…" + text[len(text)-enough:]
	}
	return text
}
