// Package accounts is what people may see and change of their own account.
package accounts

import (
	"context"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/countersign/countersign/app/challenges"
	"github.com/countersign/countersign/app/channels"
	"github.com/countersign/countersign/app/notices"
	"github.com/countersign/countersign/app/sessions"
	"github.com/countersign/countersign/app/tenants"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/fault"
	"github.com/countersign/countersign/domain/policy"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/message"
	"github.com/countersign/countersign/ports/seal"
	"github.com/countersign/countersign/ports/store"
	"github.com/countersign/countersign/ports/system"
)

// Needs is what the service is made of.
type Needs struct {
	Store      store.Store
	Challenges *challenges.Service
	Sessions   *sessions.Service
	Channels   *channels.Registry
	Contacts   contact.Parser
	Gate       challenges.Gate
	Tenants    *tenants.Book
	Sealer     seal.Sealer
	Locales    message.Composer
	Notices    *notices.Service
	Clock      system.Clock
	IDs        system.IDs
}

// Service is the use cases around one's own account. It is safe for concurrent use.
type Service struct{ Needs }

// New makes the service.
func New(n Needs) *Service { return &Service{n} }

// Profile is an account as its owner sees it.
type Profile struct {
	user.Account
	Changes []user.Change // that wait, by kind
}

// Get shows the caller their account.
func (s *Service) Get(ctx context.Context, c sessions.Caller) (p Profile, err error) {
	err = s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		if p.Account, err = tx.Users().Get(ctx, c.Tenant, c.User.ID); err != nil {
			return err
		}
		p.Changes, err = s.waiting(ctx, tx, c)
		return err
	})
	return p, err
}

// waiting lists the changes that still wait.
func (s *Service) waiting(ctx context.Context, tx store.Tx, c sessions.Caller) ([]user.Change, error) {
	all, err := tx.Changes().List(ctx, c.Tenant, c.User.ID)
	now := s.Clock.Now()
	return slices.DeleteFunc(all, func(ch user.Change) bool { return !ch.Alive(now) }), err
}

// Change is what somebody may change of themselves. Nil leaves things as they are.
type Change struct {
	FirstName *string
	LastName  *string
	Locale    *string
	Metadata  map[string]*string // merged: a nil value removes its key (RFC 7396)
}

// Limits of what people may store about themselves, in runes.
const (
	maxName  = 100
	maxKey   = 64
	maxValue = 512
)

// Update changes names, language and metadata.
func (s *Service) Update(ctx context.Context, c sessions.Caller, ch Change) (p Profile, err error) {
	if err := s.check(c.Tenant, ch); err != nil {
		return p, err
	}
	err = s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		if p.Account, err = tx.Users().Get(ctx, c.Tenant, c.User.ID); err != nil {
			return err
		}
		if err := ch.apply(&p.User); err != nil {
			return err
		}
		if err := tx.Users().Save(ctx, p.User); err != nil {
			return err
		}
		if p.Changes, err = s.waiting(ctx, tx, c); err != nil {
			return err
		}
		return tx.Journal().Record(ctx, s.event(c, event.UserUpdated, nil))
	})
	return p, err
}

func (s *Service) check(tenant string, ch Change) error {
	var bad []fault.Field
	identity := s.Tenants.Policy(tenant).Identity
	for field, v := range map[string]*string{policy.FirstName: ch.FirstName, policy.LastName: ch.LastName} {
		switch {
		case v == nil:
		case *v != "" && !identity.Names(field):
			bad = append(bad, fault.Field{Pointer: "/" + field, Code: "not_allowed", Detail: "People have no such name here."})
		case !printable(*v, maxName):
			bad = append(bad, fault.Field{Pointer: "/" + field, Code: "invalid_name", Detail: "Use at most 100 printable characters."})
		}
	}
	if ch.Locale != nil && *ch.Locale != "" && !slices.Contains(s.Locales.Locales(), *ch.Locale) {
		bad = append(bad, fault.Field{Pointer: "/locale", Code: "invalid_locale", Detail: "Choose one of the offered languages."})
	}
	for k, v := range ch.Metadata {
		if k == "" || !printable(k, maxKey) || v != nil && !printable(*v, maxValue) {
			bad = append(bad, fault.Field{Pointer: "/metadata", Code: "invalid_metadata", Detail: "Keys have at most 64 and values at most 512 printable characters."})
			break
		}
	}
	if len(bad) > 0 {
		slices.SortFunc(bad, func(a, b fault.Field) int { return strings.Compare(a.Pointer, b.Pointer) })
		return challenges.ErrRequest.With(bad...)
	}
	return nil
}

func printable(text string, most int) bool {
	return utf8.ValidString(text) && utf8.RuneCountInString(text) <= most &&
		!strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f })
}

func (ch Change) apply(u *user.User) error {
	for _, f := range []struct{ to, from *string }{{&u.FirstName, ch.FirstName}, {&u.LastName, ch.LastName}, {&u.Locale, ch.Locale}} {
		if f.from != nil {
			*f.to = *f.from
		}
	}
	merged := maps.Clone(u.Metadata)
	if merged == nil {
		merged = map[string]string{}
	}
	for k, v := range ch.Metadata {
		if v == nil {
			delete(merged, k)
		} else {
			merged[k] = *v
		}
	}
	if len(merged) > user.MaxMetadata {
		return challenges.ErrRequest.With(fault.Field{Pointer: "/metadata", Code: "too_many", Detail: "At most 32 entries fit."})
	}
	u.Metadata = merged
	return nil
}

// Delete removes the caller with everything that is theirs, and tells them where
// they could be reached until now.
func (s *Service) Delete(ctx context.Context, c sessions.Caller) error {
	if err := s.Sessions.RequireFresh(c); err != nil {
		return err
	}
	err := s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		account, err := tx.Users().Get(ctx, c.Tenant, c.User.ID)
		if err != nil {
			return err
		}
		if err := s.tell(ctx, tx, c, account, message.AccountDeleted, nil); err != nil {
			return err
		}
		if err := tx.Journal().Record(ctx, s.event(c, event.UserDeleted, nil)); err != nil {
			return err
		}
		return tx.Users().Delete(ctx, c.Tenant, c.User.ID)
	})
	if err == nil {
		s.Notices.Wake()
	}
	return err
}

func (s *Service) tell(ctx context.Context, tx store.Tx, c sessions.Caller, account user.Account, k message.Kind, data map[string]string) error {
	return s.Notices.Tell(ctx, tx, notices.Telling{
		Account: account, Kind: k, Client: c.Session.Client, Data: data, Now: s.Clock.Now(),
	})
}

func (s *Service) event(c sessions.Caller, t event.Type, data map[string]string) event.Event {
	return event.Event{ID: s.IDs.New(), Tenant: c.Tenant, User: c.User.ID, Type: t, At: s.Clock.Now(), Data: data}
}
