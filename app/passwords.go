package app

import (
	"io"

	"github.com/countersign/countersign/adapters/argon2"
	"github.com/countersign/countersign/adapters/commonwords"
	"github.com/countersign/countersign/adapters/keyring"
	"github.com/countersign/countersign/adapters/textnorm"
	"github.com/countersign/countersign/app/challenges"
	"github.com/countersign/countersign/app/notices"
	"github.com/countersign/countersign/app/passwords"
	"github.com/countersign/countersign/app/registration"
	"github.com/countersign/countersign/app/rules"
	"github.com/countersign/countersign/app/sessions"
	"github.com/countersign/countersign/ports/password"
)

// newHasher takes at most 19 MiB at once for each thread that Go runs, and
// turns people away when 64 wait.
func newHasher(ring *keyring.Ring, random io.Reader) (password.Hasher, error) {
	return argon2.New(argon2.Config{Random: random, Normalize: textnorm.NFKC, Pepper: ring})
}

func newPasswords(p parts, c *challenges.Service, s *sessions.Service, n *notices.Service, g *rules.Gate, h password.Hasher, w password.Common) *passwords.Service {
	return passwords.New(passwords.Needs{
		Store: p.Store, Challenges: c, Sessions: s, Channels: p.Channels, Tenants: p.Tenants, Contacts: p.Contacts, Gate: g,
		Notices: n, Hasher: h, Common: w, Clock: p.Clock, IDs: p.IDs, Log: p.Log,
	})
}

func newRegistration(p parts, c *challenges.Service, s *passwords.Service, w *sessions.Service, n *notices.Service, g *rules.Gate) *registration.Service {
	return registration.New(registration.Needs{
		Store: p.Store, Challenges: c, Passwords: s, Sessions: w, Channels: p.Channels, Tenants: p.Tenants, Contacts: p.Contacts, Gate: g,
		Notices: n, Clock: p.Clock, IDs: p.IDs, Log: p.Log,
	})
}

func newCommon() password.Common { return commonwords.New(textnorm.NFKC) }
