// Package invitations asks people in where nobody may come by themselves, and
// lets in who was asked.
package invitations

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/countersign/countersign/app/challenges"
	"github.com/countersign/countersign/app/channels"
	"github.com/countersign/countersign/app/notices"
	"github.com/countersign/countersign/app/tenants"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/fault"
	"github.com/countersign/countersign/domain/invitation"
	"github.com/countersign/countersign/domain/limit"
	"github.com/countersign/countersign/domain/password"
	"github.com/countersign/countersign/domain/rule"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/message"
	"github.com/countersign/countersign/ports/store"
	"github.com/countersign/countersign/ports/system"
)

// Needs is what the service is made of.
type Needs struct {
	Store      store.Store
	Challenges *challenges.Service
	Notices    *notices.Service
	Channels   *channels.Registry
	Tenants    *tenants.Book
	Contacts   contact.Parser
	Gate       challenges.Gate
	Passwords  Passwords
	Tokens     Tokens
	Clock      system.Clock
	IDs        system.IDs
}

// Passwords are what people may choose when they come in.
type Passwords interface {
	// Check names every reason why a password will not do, under the pointer.
	Check(tenant, pointer, text string, profile ...string) []fault.Field
	// Hash makes what is kept of it.
	Hash(ctx context.Context, text string) (password.Hash, error)
}

// Service is the use cases around invitations. It is safe for concurrent use.
type Service struct{ Needs }

// New makes the service.
func New(n Needs) *Service { return &Service{n} }

// ErrRequest means that an invitation cannot be made or accepted as it was asked
// for.
var ErrRequest = challenges.ErrRequest

// most is how many people one person may ask in: whoever invites has messages
// sent in our name to whom they like.
func most() limit.Rule { return limit.Rule{Max: 50, Window: 24 * time.Hour} }

// Wish is somebody to be asked in.
type Wish struct {
	Tenant   string
	Inviter  *user.User // nil: an operator, who always may
	By       string     // who invites, in words for the record: "user …", "key …", "cli"
	Email    string     // as typed; exactly one of the two
	Phone    string
	Locale   string        // of the message; "" is the tenant's
	ReturnTo string        // the page that accepts; "" is ours
	Life     time.Duration // 0 is invitation.DefaultLife
	Client   string
	IP       netip.Addr
}

// Invite asks an address in. Somebody who is here already is told that they were
// asked, and whoever asks is answered alike. It refuses with
// invitation.ErrNotAllowed, rule.ErrBlocked, channels.ErrNotConfigured,
// limit.ErrExceeded and ErrRequest.
func (s *Service) Invite(ctx context.Context, w Wish) (invitation.Invitation, error) {
	p := s.Tenants.Policy(w.Tenant)
	if w.Inviter != nil && !p.Invites().OK {
		return invitation.Invitation{}, invitation.ErrNotAllowed
	}
	to, err := s.read(w)
	if err != nil {
		return invitation.Invitation{}, err
	}
	if err := s.Gate.Serve(w.Tenant, rule.Asked{Contact: to, Address: w.IP}); err != nil {
		return invitation.Invitation{}, err
	}
	if len(s.Channels.Senders(to.Kind)) == 0 {
		return invitation.Invitation{}, channels.ErrNotConfigured
	}
	i := w.invitation(to, s.IDs.New(), s.Clock.Now())
	windows := append(challenges.RecipientCharges(w.Tenant, to, p), challenges.TenantCharges(w.Tenant, p)...)
	if w.Inviter != nil {
		windows = append(windows, challenges.CallerCharges("invites", w.Tenant, w.Inviter.ID, most())...)
	}
	err = s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		if err := tx.Challenges().Take(ctx, windows, i.CreatedAt); err != nil {
			return err
		}
		if err := tx.Invitations().Add(ctx, i); err != nil {
			return err
		}
		if err := s.tell(ctx, tx, w, i); err != nil {
			return err
		}
		return tx.Journal().Record(ctx, s.fact(i, event.InvitationSent, w.By, i.CreatedAt))
	})
	if err != nil {
		return invitation.Invitation{}, err
	}
	s.Notices.Wake()
	return i, nil
}

func (w Wish) invitation(to contact.Contact, id string, now time.Time) invitation.Invitation {
	life := w.Life
	if life == 0 {
		life = invitation.DefaultLife
	}
	i := invitation.Invitation{
		Contact: to, ID: id, Tenant: w.Tenant, By: w.By, Locale: w.Locale, ReturnTo: w.ReturnTo, CreatedAt: now, ExpiresAt: now.Add(life),
	}
	if w.Inviter != nil {
		i.Inviter = w.Inviter.ID
	}
	return i
}

// read finds out who is meant, and names everything that will not do.
func (s *Service) read(w Wish) (contact.Contact, error) {
	kind, raw := contact.Email, w.Email
	if raw == "" {
		kind, raw = contact.Phone, w.Phone
	}
	var bad []fault.Field
	add := func(pointer, code, detail string) {
		bad = append(bad, fault.Field{Pointer: pointer, Code: code, Detail: detail})
	}
	var to contact.Contact
	switch p := s.Tenants.Policy(w.Tenant); {
	case raw == "":
		add("/email", "field_required", "Say whom to invite: an e-mail address or a phone number.")
	case w.Email != "" && w.Phone != "":
		add("/phone", "not_allowed", "Invite one address at a time.")
	case !p.Identity.Allows(kind):
		add("/"+string(kind), "invalid_kind", "Nobody is found by this kind of identifier here.")
	default:
		var err error
		to, err = s.Contacts.Parse(kind, raw, p.Identity.Region)
		if f, ok := fault.Of(err); ok {
			add("/"+string(kind), f.Code, f.Text)
		} else if err != nil {
			return to, err
		}
	}
	if w.Life != 0 && (w.Life < invitation.MinLife || w.Life > invitation.MaxLife) {
		add("/expires_in", "out_of_range", "Use 60 seconds to 30 days, in seconds.")
	}
	if w.ReturnTo != "" && !s.Tenants.Returns(w.Tenant, w.ReturnTo) {
		add("/return_to", "invalid_return_to", "Use a path of this site, such as /welcome, or an address at one of the configured origins.")
	}
	if bad != nil {
		return to, ErrRequest.With(bad...)
	}
	return to, nil
}

// tell queues the message. Whoever has proven the address already needs no
// invitation, and learns that somebody asked.
func (s *Service) tell(ctx context.Context, tx store.Tx, w Wish, i invitation.Invitation) error {
	t := notices.Telling{
		Account: user.Account{User: user.User{Tenant: w.Tenant}}, Kind: message.Invitation, To: i.Contact, Locale: w.Locale, Ref: i.ID, Now: i.CreatedAt,
	}
	if w.Inviter != nil {
		t.Data = map[string]string{"inviter": name(*w.Inviter)}
	}
	known, err := tx.Identifiers().Find(ctx, w.Tenant, i.Contact)
	if err != nil && !errors.Is(err, user.ErrNotFound) {
		return err
	}
	if err == nil && known.Verified() {
		owner, err := tx.Users().Get(ctx, w.Tenant, known.User)
		if err != nil {
			return err
		}
		t.Account, t.Kind, t.Ref, t.Data = owner, message.SignUpAttempt, "", nil
	}
	return s.Notices.Tell(ctx, tx, t)
}

// name is how people know somebody; "" if they gave no name.
func name(u user.User) string {
	if u.FirstName == "" || u.LastName == "" {
		return u.FirstName + u.LastName
	}
	return u.FirstName + " " + u.LastName
}

// List gives invitations, newest first: those of one inviter, or everybody's if
// it is "". After is the id of the last one that is known already.
func (s *Service) List(ctx context.Context, q store.InvitationQuery) (all []invitation.Invitation, err error) {
	err = s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		all, err = tx.Invitations().List(ctx, q)
		return err
	})
	return all, err
}

// Revocation is an invitation to be taken back.
type Revocation struct {
	Tenant, ID string
	Inviter    string // whose it must be; "": anybody's
	By         string
}

// Revoke takes an invitation back: invitation.ErrNotFound if it is not the
// caller's, invitation.ErrExpired if it was used or has run out. Taking one back
// twice changes nothing.
func (s *Service) Revoke(ctx context.Context, r Revocation) error {
	now := s.Clock.Now()
	return s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		i, err := tx.Invitations().Get(ctx, r.Tenant, r.ID)
		switch {
		case err != nil:
			return err
		case r.Inviter != "" && i.Inviter != r.Inviter:
			return invitation.ErrNotFound
		case i.At(now) == invitation.Revoked:
			return nil
		}
		if err := i.Revoke(now); err != nil {
			return err
		}
		if err := tx.Invitations().Save(ctx, i); err != nil {
			return err
		}
		return tx.Journal().Record(ctx, s.fact(i, event.InvitationRevoked, r.By, now))
	})
}

func (s *Service) fact(i invitation.Invitation, t event.Type, by string, now time.Time) event.Event {
	return event.Event{
		ID: s.IDs.New(), Tenant: i.Tenant, User: i.Inviter, Type: t, At: now,
		Data: map[string]string{"invitation": i.ID, "kind": string(i.Kind), "by": by},
	}
}
