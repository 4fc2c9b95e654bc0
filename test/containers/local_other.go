//go:build !unix

package containers

import (
	"errors"
	"os/exec"
)

// errNotUnix says why there is no local server: running one without rights,
// and ending it with us, is done the Unix way only.
var errNotUnix = errors.New("a local PostgreSQL is started on Unix only")

func handOver(string) error { return errNotUnix }

func unprivileged(*exec.Cmd, string) error { return errNotUnix }
