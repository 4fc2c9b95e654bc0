package postgres

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// settings are those of a small production server: everything else is
// PostgreSQL's default, fsync and synchronous_commit included.
var settings = []string{"-c", "fsync=on", "-c", "synchronous_commit=on", "-c", "shared_buffers=128MB", "-c", "max_connections=100", "-c", "unix_socket_directories="}

// startLocal makes a cluster in a directory of its own and starts it on a free
// port of the loopback interface.
func startLocal(ctx context.Context, parent string) (*Server, error) {
	programs, err := programs()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(parent, "postgres-")
	if err != nil {
		return nil, fmt.Errorf("make the data directory: %w", err)
	}
	password := rand.Text()
	if err := initialize(ctx, programs, dir, password); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	port, err := freePort()
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, fmt.Errorf("open the log of PostgreSQL: %w", err)
	}
	defer func() { _ = log.Close() }()
	arguments := append([]string{"-D", filepath.Join(dir, "data"), "-p", strconv.Itoa(port), "-c", "listen_addresses=127.0.0.1"}, settings...)
	command := exec.Command(filepath.Join(programs, "postgres"), arguments...)
	command.Stdout, command.Stderr = log, log
	if err := lesser(command, dir); err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start PostgreSQL: %w", err), os.RemoveAll(dir))
	}
	stop := func() error { return errors.Join(end(command), os.RemoveAll(dir)) }
	admin := url.URL{Scheme: "postgres", User: url.UserPassword("postgres", password), Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), Path: "/postgres", RawQuery: "sslmode=disable"}
	if err := await(ctx, admin.String()); err != nil {
		said, _ := os.ReadFile(log.Name())
		return nil, errors.Join(fmt.Errorf("%w: %s", err, bytes.TrimSpace(said)), stop())
	}
	return &Server{admin: admin.String(), Origin: "started for this run", stop: stop}, nil
}

// programs is the directory of initdb and postgres: by the PATH, else the
// newest that a distribution has installed.
func programs() (string, error) {
	var dirs []string
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			dirs = append(dirs, filepath.Dir(path))
		}
	}
	installed, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil {
		return "", fmt.Errorf("look for PostgreSQL: %w", err)
	}
	slices.Reverse(installed)
	for _, dir := range append(dirs, installed...) {
		if _, err := os.Stat(filepath.Join(dir, "postgres")); err == nil {
			return dir, nil
		}
	}
	return "", errors.New("PostgreSQL is not installed: no initdb on the PATH, nothing under /usr/lib/postgresql")
}

func initialize(ctx context.Context, programs, dir, password string) error {
	secret := filepath.Join(dir, "password")
	if err := os.WriteFile(secret, []byte(password), 0o600); err != nil {
		return fmt.Errorf("write the password of PostgreSQL: %w", err)
	}
	command := exec.CommandContext(ctx, filepath.Join(programs, "initdb"), "-D", filepath.Join(dir, "data"), "-U", "postgres",
		"--pwfile="+secret, "--auth=scram-sha-256", "-E", "UTF8", "--locale=C", "--no-sync")
	if err := lesser(command, dir, secret); err != nil {
		return err
	}
	if said, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, bytes.TrimSpace(said))
	}
	return os.Remove(secret)
}

// lesser makes the command run in dir, and if we are root, which PostgreSQL
// refuses to be, as somebody without rights, who is given the paths.
func lesser(command *exec.Cmd, dir string, paths ...string) error {
	command.Dir = dir
	command.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if os.Geteuid() != 0 {
		return nil
	}
	who, err := user.Lookup("postgres")
	if err != nil {
		who, err = user.Lookup("nobody")
	}
	if err != nil {
		return fmt.Errorf("find a user without rights: %w", err)
	}
	uid, err := strconv.ParseUint(who.Uid, 10, 32)
	if err != nil {
		return fmt.Errorf("read a user's id: %w", err)
	}
	gid, err := strconv.ParseUint(who.Gid, 10, 32)
	if err != nil {
		return fmt.Errorf("read a group's id: %w", err)
	}
	command.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	for _, path := range append(paths, dir) {
		if err := os.Chown(path, int(uid), int(gid)); err != nil {
			return fmt.Errorf("give PostgreSQL its directory: %w", err)
		}
	}
	return nil
}

// freePort finds a port that nobody listens on now.
func freePort() (int, error) {
	listener, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer func() { _ = listener.Close() }()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	return strconv.Atoi(port)
}

// await waits until the server answers.
func await(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		c, err := pgx.Connect(ctx, address)
		if err == nil {
			return c.Close(ctx)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.New("PostgreSQL does not answer")
		}
	}
}

// end stops the server the fast way: connections are cut, data is written.
func end(command *exec.Cmd) error {
	_ = command.Process.Signal(os.Interrupt)
	kill := time.AfterFunc(20*time.Second, func() { _ = command.Process.Kill() })
	defer kill.Stop()
	return command.Wait()
}
