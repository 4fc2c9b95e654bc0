package harness

import (
	"os/exec"
	"syscall"
)

// tie lets the kernel end the server if this process is killed.
func tie(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
