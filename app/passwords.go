package app

import (
	"io"

	"github.com/countersign/countersign/adapters/argon2"
	"github.com/countersign/countersign/adapters/commonwords"
	"github.com/countersign/countersign/adapters/keyring"
	"github.com/countersign/countersign/adapters/textnorm"
	"github.com/countersign/countersign/ports/password"
)

// newHasher takes at most 19 MiB at once for each thread that Go runs, and
// turns people away when 64 wait.
func newHasher(ring *keyring.Ring, random io.Reader) (password.Hasher, error) {
	return argon2.New(argon2.Config{Random: random, Normalize: textnorm.NFKC, Pepper: ring})
}

func newCommon() password.Common { return commonwords.New(textnorm.NFKC) }
