// Package support is what operators do for people who cannot help themselves:
// who lost their devices, locked themselves out, or must be kept out. Everything
// that changes something is recorded, with who did it and why.
package support

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/countersign/countersign/app/challenges"
	"github.com/countersign/countersign/app/channels"
	"github.com/countersign/countersign/app/notices"
	"github.com/countersign/countersign/app/tenants"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/fault"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/domain/tenant"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/seal"
	"github.com/countersign/countersign/ports/store"
	"github.com/countersign/countersign/ports/system"
)

// ErrReason means that an act was not explained, or not in a way that can be kept.
var ErrReason = fault.New(fault.Invalid, "invalid_request", "Say why, in at most 200 printable characters, for whoever reads the record.")

// maxReason is the longest reason, in runes.
const maxReason = 200

// Needs is what the service is made of.
type Needs struct {
	Store      store.Store
	Challenges *challenges.Service
	Notices    *notices.Service
	Channels   *channels.Registry
	Tenants    *tenants.Book
	Contacts   contact.Parser
	Sealer     seal.Sealer
	Clock      system.Clock
	IDs        system.IDs
}

// Service is the use cases of support. It is safe for concurrent use.
type Service struct{ Needs }

// New makes the service.
func New(n Needs) *Service { return &Service{n} }

// Act is something that an operator does to a person.
type Act struct {
	Tenant string
	User   string // id
	By     string // who does it: "cli", "key …"
	Reason string // in words, for the record; no secret, no address
}

// check refuses tenants that there are not, and reasons that cannot be kept.
func (s *Service) check(a Act, mustSay bool) error {
	switch {
	case !s.Tenants.Has(a.Tenant):
		return tenant.ErrUnknown
	case mustSay && strings.TrimSpace(a.Reason) == "",
		!utf8.ValidString(a.Reason), utf8.RuneCountInString(a.Reason) > maxReason,
		strings.ContainsFunc(a.Reason, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return ErrReason
	}
	return nil
}

// doing is an act on its way.
type doing struct {
	Act
	now     time.Time
	account user.Account
	tx      store.Tx
}

// do finds the person and does something to them, all or nothing.
func (s *Service) do(ctx context.Context, a Act, work func(ctx context.Context, d *doing) error) error {
	err := s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		account, err := tx.Users().Get(ctx, a.Tenant, a.User)
		if err != nil {
			return err
		}
		return work(ctx, &doing{Act: a, now: s.Clock.Now(), account: account, tx: tx})
	})
	if err == nil {
		s.Notices.Wake()
	}
	return err
}

// record keeps what was done; data comes in pairs.
func (s *Service) record(ctx context.Context, d *doing, t event.Type, data ...string) error {
	e := event.Event{ID: s.IDs.New(), Tenant: d.Tenant, User: d.account.ID, Type: t, At: d.now, Data: map[string]string{"by": d.By}}
	if d.Reason != "" {
		e.Data["reason"] = d.Reason
	}
	for i := 0; i+1 < len(data); i += 2 {
		e.Data[data[i]] = data[i+1]
	}
	return d.tx.Journal().Record(ctx, e)
}

// end ends all sessions of the person, and says how many there were.
func (s *Service) end(ctx context.Context, d *doing) (int, error) {
	n, err := d.tx.Sessions().RevokeOthers(ctx, store.RevokeOthers{
		Tenant: d.Tenant, User: d.account.ID, Reason: session.Operator, Now: d.now,
	})
	if err != nil || n == 0 {
		return n, err
	}
	why := []string{"reason", string(session.Operator)}
	if d.Reason != "" {
		why = append(why, "why", d.Reason)
	}
	return n, s.record(ctx, d, event.SessionRevoked, why...)
}

// Find looks people up by an id, or by a part of an address or name, or by a
// phone number in any spelling: oldest first, at most limit, those after the one
// named after.
func (s *Service) Find(ctx context.Context, q store.UserQuery) (all []user.Account, err error) {
	if !s.Tenants.Has(q.Tenant) {
		return nil, tenant.ErrUnknown
	}
	q.Text = strings.TrimSpace(q.Text)
	if c, err := s.Contacts.Guess(q.Text, s.Tenants.Policy(q.Tenant).Identity.Region); err == nil && c.Kind == contact.Phone {
		q.Text = c.Value
	}
	err = s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		all, err = tx.Users().Find(ctx, q)
		return err
	})
	return all, err
}

// Resolve finds the id of a person who is named by it, or by a whole address or
// user name: user.ErrNotFound if nobody is.
func (s *Service) Resolve(ctx context.Context, slug, text string) (string, error) {
	if !s.Tenants.Has(slug) {
		return "", tenant.ErrUnknown
	}
	account, err := s.Store.Account(ctx, slug, strings.ToLower(text))
	if !errors.Is(err, user.ErrNotFound) {
		return account.ID, err
	}
	named, bad := s.Contacts.Guess(text, s.Tenants.Policy(slug).Identity.Region)
	if bad != nil {
		return "", user.ErrNotFound
	}
	account, err = s.Store.Identify(ctx, slug, named)
	return account.ID, err
}

// Reveal records that somebody is about to see whole addresses of people.
func (s *Service) Reveal(ctx context.Context, a Act, ids ...string) error {
	if err := s.check(a, false); err != nil {
		return err
	}
	now := s.Clock.Now()
	return s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		for _, id := range ids {
			d := &doing{Act: a, now: now, account: user.Account{User: user.User{ID: id}}, tx: tx}
			if err := s.record(ctx, d, event.UserRevealed); err != nil {
				return err
			}
		}
		return nil
	})
}
