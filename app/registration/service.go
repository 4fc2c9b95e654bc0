// Package registration makes users of people who fill in a form. They have proven
// nothing yet, so nothing that they say is believed, and nothing that they hear
// tells who else is known.
package registration

import (
	"context"
	"log/slog"
	"net/netip"

	"github.com/countersign/countersign/app/challenges"
	"github.com/countersign/countersign/app/channels"
	"github.com/countersign/countersign/app/notices"
	"github.com/countersign/countersign/app/passwords"
	"github.com/countersign/countersign/app/sessions"
	"github.com/countersign/countersign/app/tenants"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/password"
	"github.com/countersign/countersign/domain/policy"
	"github.com/countersign/countersign/domain/rule"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/store"
	"github.com/countersign/countersign/ports/system"
)

// Needs is what the service is made of.
type Needs struct {
	Store      store.Store
	Challenges *challenges.Service
	Passwords  *passwords.Service
	Sessions   *sessions.Service
	Channels   *channels.Registry
	Tenants    *tenants.Book
	Contacts   contact.Parser
	Gate       challenges.Gate
	Notices    *notices.Service
	Clock      system.Clock
	IDs        system.IDs
	Log        *slog.Logger
}

// Service is signing up. It is safe for concurrent use.
type Service struct{ Needs }

// New makes the service.
func New(n Needs) *Service { return &Service{n} }

// Input is a form that somebody filled in, as typed. What is empty was not given.
type Input struct {
	Tenant    string
	Email     string
	Phone     string
	Username  string
	Password  string `json:"-"`
	FirstName string
	LastName  string
	Locale    string // that was asked for
	Prefers   string // that the client prefers
	Client    string
	Address   string     // the client's network as limits see it
	IP        netip.Addr // the client's network address
	Trapped   bool       // a machine asks: it is answered alike, and nothing is made
}

// Registered is somebody who signed up.
type Registered struct {
	Account user.Account
	Changes []user.Change     // what waits to be proven
	Asked   []challenges.View // one for each address that was asked at once
	Claim   string            // shows, along with the proof of an address, that it was they who signed up
}

// Register makes a user. An address that somebody else has proven changes nothing
// of the answer: the user is made, the address waits for a proof that cannot be
// given, and its owner is told. A user name that is taken is user.ErrTaken: names
// are public by nature.
func (s *Service) Register(ctx context.Context, in Input) (Registered, error) {
	p := s.Tenants.Policy(in.Tenant)
	if d := p.Admit(policy.ByForm, nil); !d.OK {
		return Registered{}, user.ErrNotAllowed
	}
	f, err := s.read(in, p)
	if err != nil {
		return Registered{}, err
	}
	if err := s.admit(ctx, in, f); err != nil {
		return Registered{}, err
	}
	if in.Password != "" {
		if f.hash, err = s.hash(ctx, in); err != nil {
			return Registered{}, err
		}
	}
	n := s.compose(in, f, p)
	n.account.Tentative = true
	if !in.Trapped {
		if err := s.add(ctx, in, &n); err != nil {
			return Registered{}, err
		}
		s.Notices.Wake()
	}
	out := Registered{Account: n.account, Changes: n.changes, Claim: s.Sessions.Claim(n.account.User)}
	if p.Identity.AutoSend {
		out.Asked, err = s.ask(ctx, in, n)
	}
	return out, err
}

// admit turns away whom the lists block, and who comes too often. That is paid
// for before anything that costs us time, and whatever comes of it: trying names
// is not free.
func (s *Service) admit(ctx context.Context, in Input, f form) error {
	if in.Trapped {
		return s.Gate.Trap(ctx, in.Tenant, in.IP, s.Tenants.Policy(in.Tenant).Rules.Honeypot)
	}
	for _, c := range f.named {
		if err := s.Gate.Serve(in.Tenant, rule.Asked{Contact: c, Address: in.IP}); err != nil {
			return err
		}
	}
	return s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		return tx.Challenges().Take(ctx, s.Challenges.Price(in.Tenant, in.Address), s.Clock.Now())
	})
}

// hash makes the hash of the new password. If nobody has time for it, nothing is
// paid.
func (s *Service) hash(ctx context.Context, in Input) (password.Hash, error) {
	h, err := s.Passwords.Hash(ctx, in.Password)
	if err == nil || in.Trapped {
		return h, err
	}
	var keys []string
	for _, w := range s.Challenges.Price(in.Tenant, in.Address) {
		keys = append(keys, w.Key)
	}
	ctx = context.WithoutCancel(ctx)
	if err := s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		return tx.Challenges().Refund(ctx, "", keys, s.Clock.Now())
	}); err != nil {
		s.Log.Error("the price of a sign-up could not be given back", "error", err)
	}
	return "", err
}
