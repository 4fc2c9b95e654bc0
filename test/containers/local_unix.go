//go:build unix

package containers

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

// handOver gives a path to the user that PostgreSQL runs as. Only root has to:
// PostgreSQL refuses to run as root.
func handOver(path string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	uid, gid, err := lesserUser()
	if err != nil {
		return err
	}
	return os.Chown(path, int(uid), int(gid))
}

// unprivileged makes the command run in dir, as nobody special if we are root.
// The command gets a process group of its own: an interrupt from the keyboard
// is ours to handle.
func unprivileged(command *exec.Cmd, dir string) error {
	command.Dir = dir
	command.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if os.Geteuid() != 0 {
		return nil
	}
	uid, gid, err := lesserUser()
	if err != nil {
		return err
	}
	command.SysProcAttr.Credential = &syscall.Credential{Uid: uid, Gid: gid}
	return nil
}

// lesserUser finds the ids of a user without rights.
func lesserUser() (uid, gid uint32, err error) {
	found, err := user.Lookup("postgres")
	if err != nil {
		found, err = user.Lookup("nobody")
	}
	if err != nil {
		return 0, 0, fmt.Errorf("find a user without rights: %w", err)
	}
	u, err := strconv.ParseUint(found.Uid, 10, 32)
	if err != nil {
		return 0, 0, fmt.Errorf("read the user's id: %w", err)
	}
	g, err := strconv.ParseUint(found.Gid, 10, 32)
	if err != nil {
		return 0, 0, fmt.Errorf("read the group's id: %w", err)
	}
	return uint32(u), uint32(g), nil
}
