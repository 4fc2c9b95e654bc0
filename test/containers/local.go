package containers

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

// installations are where distributions keep PostgreSQL's programs off the PATH.
const installations = "/usr/lib/postgresql/*/bin"

// supervisor runs the server until its own input ends, which happens at the
// latest when the test process dies, however it dies. Then nothing is left.
const supervisor = `dir=$1; shift
"$@" & server=$!
cat >/dev/null
kill -INT "$server"
wait "$server"
rm -rf "$dir"`

// startLocal makes a cluster in a temporary directory and runs it on a free
// port of the loopback interface.
func startLocal(ctx context.Context) (server, error) {
	programs, err := findPrograms()
	if err != nil {
		return server{}, err
	}
	dir, err := os.MkdirTemp("", "countersign-postgres-")
	if err != nil {
		return server{}, fmt.Errorf("make the data directory: %w", err)
	}
	got, err := runLocal(ctx, programs, dir)
	if err != nil {
		return server{}, errors.Join(err, os.RemoveAll(dir))
	}
	return got, nil
}

// runLocal initializes dir and starts the server in it.
func runLocal(ctx context.Context, programs, dir string) (server, error) {
	password := rand.Text()
	if err := initialize(ctx, programs, dir, password); err != nil {
		return server{}, err
	}
	port, err := freePort()
	if err != nil {
		return server{}, err
	}
	stop, err := supervise(programs, dir, port)
	if err != nil {
		return server{}, err
	}
	dsn := address(net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), password)
	alive := func(context.Context) error { return nil }
	if _, err := awaitReady(ctx, []string{dsn}, alive); err != nil {
		report, _ := os.ReadFile(filepath.Join(dir, "log"))
		return server{}, errors.Join(fmt.Errorf("%w: %s", err, bytes.TrimSpace(report)), stop())
	}
	return server{dsn: dsn, stop: stop}, nil
}

// findPrograms returns the directory of initdb and postgres: from the PATH,
// else the newest installation of the distribution.
func findPrograms() (string, error) {
	var found []string
	if path, err := exec.LookPath("initdb"); err == nil {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			found = append(found, filepath.Dir(real))
		}
	}
	installed, err := filepath.Glob(installations)
	if err != nil {
		return "", fmt.Errorf("look for installations: %w", err)
	}
	slices.Reverse(installed)
	for _, dir := range append(found, installed...) {
		if isFile(filepath.Join(dir, "initdb")) && isFile(filepath.Join(dir, "postgres")) {
			return dir, nil
		}
	}
	return "", errors.New("neither initdb on the PATH nor " + installations)
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// initialize runs initdb as a user that it accepts.
func initialize(ctx context.Context, programs, dir, password string) error {
	secret := filepath.Join(dir, "password")
	if err := os.WriteFile(secret, []byte(password), 0o600); err != nil {
		return fmt.Errorf("write the password file: %w", err)
	}
	for _, path := range []string{dir, secret} {
		if err := handOver(path); err != nil {
			return fmt.Errorf("hand the data directory over: %w", err)
		}
	}
	initdb := exec.CommandContext(ctx, filepath.Join(programs, "initdb"), "-D", filepath.Join(dir, "data"),
		"-U", "postgres", "--pwfile="+secret, "--auth=scram-sha-256", "-E", "UTF8", "--locale=C", "--no-sync")
	if err := unprivileged(initdb, dir); err != nil {
		return err
	}
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, bytes.TrimSpace(out))
	}
	return os.Remove(secret)
}

// freePort asks the system for a port. Another process may take it before the
// server does; then the server does not start and its log says so.
func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	address, ok := listener.Addr().(*net.TCPAddr)
	if err := listener.Close(); err != nil || !ok {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	return address.Port, nil
}

// supervise starts the server and returns what ends it.
func supervise(programs, dir string, port int) (func() error, error) {
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, fmt.Errorf("open the server's log: %w", err)
	}
	arguments := []string{"-c", supervisor, "sh", dir, filepath.Join(programs, "postgres"),
		"-D", filepath.Join(dir, "data"), "-p", strconv.Itoa(port),
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="}
	command := exec.Command("sh", append(arguments, settings()...)...)
	command.Stdout, command.Stderr = log, log
	if err := unprivileged(command, dir); err != nil {
		return nil, errors.Join(err, log.Close())
	}
	input, err := command.StdinPipe()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("connect the supervisor: %w", err), log.Close())
	}
	if err := command.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start PostgreSQL: %w", err), log.Close())
	}
	if err := log.Close(); err != nil {
		return nil, errors.Join(fmt.Errorf("close the server's log: %w", err), end(command, input, dir))
	}
	return func() error { return end(command, input, dir) }, nil
}

// end closes the supervisor's input, which makes it stop the server, and
// kills it if that takes long.
func end(command *exec.Cmd, input io.Closer, dir string) error {
	const patience = 20 * time.Second
	closed := input.Close()
	kill := time.AfterFunc(patience, func() { _ = command.Process.Kill() })
	defer kill.Stop()
	return errors.Join(closed, command.Wait(), os.RemoveAll(dir))
}
