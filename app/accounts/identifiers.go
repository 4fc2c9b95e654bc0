package accounts

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/countersign/countersign/app/challenges"
	"github.com/countersign/countersign/app/sessions"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/fault"
	"github.com/countersign/countersign/domain/rule"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/store"
)

// Wanted is an identifier that somebody wants to have, as typed.
type Wanted struct {
	Kind    contact.Kind
	Value   string
	Locale  string
	Prefers string
	Client  string
	Address string     // the client's network as limits see it
	IP      netip.Addr // the client's network address
}

// Changing is how an identifier stands, and what has to be answered for it.
type Changing struct {
	Current user.Identifier // zero if there is none of that kind
	Change  *user.Change    // nil if nothing waits
	Asked   []challenges.View
}

// SetIdentifier gives the caller another identifier. An address replaces nothing
// until it is proven, by the current one too if that is; one that somebody else
// has proven is answered alike, and asked by a decoy. A user name counts at once,
// or is user.ErrTaken. The address that they have already ends what waits.
func (s *Service) SetIdentifier(ctx context.Context, c sessions.Caller, in Wanted) (Changing, error) {
	account, err := s.Store.Account(ctx, c.Tenant, c.User.ID)
	if err != nil {
		return Changing{}, err
	}
	if c.Devices > 0 || hasProven(account) {
		if err := s.Sessions.RequireFresh(c); err != nil {
			return Changing{}, err
		}
	}
	want, err := s.wanted(c.Tenant, in)
	if err != nil {
		return Changing{}, err
	}
	current, had := account.Find(want.Kind)
	switch {
	case want.Kind == contact.Username:
		return s.rename(ctx, c, want)
	case had && current.Contact == want && current.Verified():
		return Changing{Current: current}, ignoreNothing(s.CancelChange(ctx, c, want.Kind))
	}
	return s.startChange(ctx, c, in, account, want)
}

func hasProven(a user.Account) bool {
	for _, i := range a.Identifiers {
		if i.Verified() {
			return true
		}
	}
	return false
}

func ignoreNothing(err error) error {
	if errors.Is(err, user.ErrNothing) {
		return nil
	}
	return err
}

func (s *Service) wanted(tenant string, in Wanted) (contact.Contact, error) {
	p := s.Tenants.Policy(tenant)
	if !p.Identity.Allows(in.Kind) {
		return contact.Contact{}, challenges.ErrRequest.With(fault.Field{Pointer: "/kind", Code: "invalid_kind", Detail: "Nobody is found by this kind of identifier here."})
	}
	want, err := s.Contacts.Parse(in.Kind, in.Value, p.Identity.Region)
	if f, ok := fault.Of(err); ok {
		return want, challenges.ErrRequest.With(fault.Field{Pointer: "/value", Code: f.Code, Detail: f.Text})
	}
	if err != nil {
		return want, err
	}
	return want, s.Gate.Serve(tenant, rule.Asked{Contact: want, Address: in.IP})
}

// rename takes a user name, in place of the one that there is.
func (s *Service) rename(ctx context.Context, c sessions.Caller, want contact.Contact) (Changing, error) {
	own := user.Identifier{Contact: want, Tenant: c.Tenant, User: c.User.ID, CreatedAt: s.Clock.Now()}
	return Changing{Current: own}, s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		account, err := tx.Users().Get(ctx, c.Tenant, c.User.ID)
		if err != nil {
			return err
		}
		old, had := account.Find(contact.Username)
		if had && old.Contact == want {
			return nil
		}
		if err := tx.Identifiers().Put(ctx, own); err != nil {
			return err
		}
		if had {
			if err := tx.Identifiers().Delete(ctx, c.Tenant, old.Contact); err != nil {
				return err
			}
		}
		return tx.Journal().Record(ctx, s.event(c, event.IdentifierChanged, map[string]string{"kind": string(contact.Username)}))
	})
}

// startChange asks first and keeps the change then: a request that is refused
// leaves what waited before as it was. Nobody can answer before it is kept.
func (s *Service) startChange(ctx context.Context, c sessions.Caller, in Wanted, account user.Account, want contact.Contact) (Changing, error) {
	now := s.Clock.Now()
	current, had := account.Find(want.Kind)
	ch := user.Change{
		Contact: want, ID: s.IDs.New(), Tenant: c.Tenant, User: c.User.ID, CreatedAt: now, ExpiresAt: now.Add(user.ChangeLife),
		Replaces: current.Value, NeedsCurrent: had && current.Verified(),
	}
	owner, err := s.Store.Identify(ctx, c.Tenant, want)
	if err != nil && !errors.Is(err, user.ErrNotFound) {
		return Changing{}, err
	}
	theirs, _ := owner.Find(want.Kind)
	q := challenges.ChangeInput{
		Account: account, Change: ch, To: want, Caller: &c, Decoy: err == nil && owner.ID != c.User.ID && theirs.Verified(),
		Locale: in.Locale, Prefers: in.Prefers, Client: in.Client, Address: in.Address,
	}
	out := Changing{Current: current, Change: &ch}
	asked, err := s.Challenges.StartChange(ctx, q)
	if err != nil {
		return Changing{}, err
	}
	out.Asked = append(out.Asked, asked)
	if ch.NeedsCurrent {
		q.To, q.Decoy = current.Contact, false
		asked, err := s.Challenges.StartChange(ctx, q)
		if err != nil {
			return Changing{}, errors.Join(err, s.Challenges.Cancel(context.WithoutCancel(ctx), c.Tenant, out.Asked[0].Handle))
		}
		out.Asked = append(out.Asked, asked)
	}
	return out, s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		old, err := tx.Changes().Get(ctx, c.Tenant, c.User.ID, want.Kind)
		switch {
		case errors.Is(err, user.ErrNothing):
		case err != nil:
			return err
		case !had:
			ch.Replaces = claimOf(old)
		}
		if err := tx.Changes().Put(ctx, ch); err != nil {
			return err
		}
		return tx.Journal().Record(ctx, s.event(c, event.IdentifierChanging, map[string]string{"kind": string(want.Kind)}))
	})
}

// claimOf is what somebody said at sign-up, as far as a change remembers it.
func claimOf(c user.Change) string {
	if c.Claim() {
		return c.Value
	}
	return c.Replaces
}

// CancelChange forgets a change that waits: user.ErrNothing if none does. What was
// said at sign-up is no change; it comes to light again.
func (s *Service) CancelChange(ctx context.Context, c sessions.Caller, k contact.Kind) error {
	now := s.Clock.Now()
	return s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		account, err := tx.Users().Get(ctx, c.Tenant, c.User.ID)
		if err != nil {
			return err
		}
		ch, err := tx.Changes().Get(ctx, c.Tenant, c.User.ID, k)
		if err != nil {
			return err
		}
		if ch.Claim() || !ch.Alive(now) {
			return user.ErrNothing
		}
		if err := s.uncover(ctx, tx, account, ch, now); err != nil {
			return err
		}
		return tx.Journal().Record(ctx, s.event(c, event.ChangeCancelled, map[string]string{"kind": string(k)}))
	})
}

func (s *Service) uncover(ctx context.Context, tx store.Tx, account user.Account, ch user.Change, now time.Time) error {
	if _, had := account.Find(ch.Kind); had || ch.Replaces == "" {
		return tx.Changes().Delete(ctx, ch.Tenant, ch.User, ch.Kind)
	}
	return tx.Changes().Put(ctx, user.Change{
		Contact: contact.Contact{Kind: ch.Kind, Value: ch.Replaces}, ID: s.IDs.New(), Tenant: ch.Tenant, User: ch.User,
		CreatedAt: now, ExpiresAt: now.Add(user.ClaimLife),
	})
}
