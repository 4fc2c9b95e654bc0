package registration

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/countersign/countersign/app/challenges"
	"github.com/countersign/countersign/app/notices"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/fault"
	"github.com/countersign/countersign/domain/password"
	"github.com/countersign/countersign/domain/policy"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/message"
	"github.com/countersign/countersign/ports/store"
)

// newcomer is somebody on their way into storage.
type newcomer struct {
	account user.Account  // with their user name only
	changes []user.Change // one for each address
	hash    password.Hash
	claims  bool                     // addresses that are free become theirs at once, not proven
	known   map[contact.Contact]bool // proven by somebody else
}

func (s *Service) compose(in Input, f form, p policy.Policy) newcomer {
	now := s.Clock.Now()
	u := user.User{
		ID: s.IDs.New(), Tenant: in.Tenant, Status: user.Active, FirstName: in.FirstName, LastName: in.LastName, Locale: in.Locale, CreatedAt: now,
	}
	if u.Locale == "" {
		u.Locale = in.Prefers
	}
	n := newcomer{account: user.Account{User: u}, hash: f.hash, claims: !p.Identity.Defer, known: map[contact.Contact]bool{}}
	life := user.ClaimLife
	if p.Identity.Defer {
		life = user.ChangeLife
	}
	for _, c := range f.named {
		if c.Kind == contact.Username {
			n.account.Identifiers = append(n.account.Identifiers, user.Identifier{Contact: c, Tenant: u.Tenant, User: u.ID, CreatedAt: now})
			continue
		}
		n.changes = append(n.changes, user.Change{
			Contact: c, ID: s.IDs.New(), Tenant: u.Tenant, User: u.ID, CreatedAt: now, ExpiresAt: now.Add(life),
		})
	}
	return n
}

// rounds is how often storing somebody is tried while others take their addresses.
const rounds = 3

// add stores somebody new. Of two who come at once with one address, the second
// finds it taken and is stored without it.
func (s *Service) add(ctx context.Context, in Input, n *newcomer) error {
	var err error
	for range rounds {
		named := false
		err = s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
			named, err = nameTaken(ctx, tx, n.account)
			if err != nil || named {
				return errors.Join(err, user.ErrTaken)
			}
			return s.addOnce(ctx, tx, in, n)
		})
		if named || !errors.Is(err, user.ErrTaken) {
			return err
		}
	}
	return err
}

func nameTaken(ctx context.Context, tx store.Tx, a user.Account) (bool, error) {
	name, ok := a.Find(contact.Username)
	if !ok {
		return false, nil
	}
	_, err := tx.Identifiers().Find(ctx, a.Tenant, name.Contact)
	if errors.Is(err, user.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

func (s *Service) addOnce(ctx context.Context, tx store.Tx, in Input, n *newcomer) error {
	account := n.account
	now := account.CreatedAt
	clear(n.known)
	for _, ch := range n.changes {
		owner, err := tx.Identifiers().Find(ctx, in.Tenant, ch.Contact)
		switch {
		case errors.Is(err, user.ErrNotFound):
			if n.claims {
				account.Identifiers = append(slices.Clip(account.Identifiers), user.Identifier{
					Contact: ch.Contact, Tenant: in.Tenant, User: account.ID, CreatedAt: now,
				})
			}
		case err != nil:
			return err
		case owner.Verified():
			n.known[ch.Contact] = true
			if err := s.tell(ctx, tx, in, owner, now); err != nil {
				return err
			}
		}
	}
	if err := tx.Users().Add(ctx, account); err != nil {
		return err
	}
	for _, ch := range n.changes {
		if err := tx.Changes().Put(ctx, ch); err != nil {
			return err
		}
	}
	if n.hash != "" {
		if err := tx.Passwords().Put(ctx, password.Record{Tenant: in.Tenant, User: account.ID, Hash: n.hash, ChangedAt: now}); err != nil {
			return err
		}
	}
	return tx.Journal().Record(ctx, event.Event{
		ID: s.IDs.New(), Tenant: in.Tenant, User: account.ID, Type: event.UserRegistered, At: now, Data: map[string]string{"channel": "form"},
	})
}

// tell lets the owner of an address know that somebody signed up with it.
func (s *Service) tell(ctx context.Context, tx store.Tx, in Input, id user.Identifier, now time.Time) error {
	owner, err := tx.Users().Get(ctx, in.Tenant, id.User)
	if err != nil {
		return err
	}
	return s.Notices.Tell(ctx, tx, notices.Telling{
		Account: owner, Kind: message.SignUpAttempt, To: id.Contact, Locale: in.Prefers, Client: in.Client, Now: now,
	})
}

// ask sends a code to each address that was given. One to whom nothing can be
// sent now is left out: its owner asks again when they have signed in.
func (s *Service) ask(ctx context.Context, in Input, n newcomer) ([]challenges.View, error) {
	var out []challenges.View
	for _, ch := range n.changes {
		account := n.account
		if in.Trapped {
			account = user.Account{User: user.User{Tenant: in.Tenant}}
		}
		v, err := s.Challenges.StartChange(ctx, challenges.ChangeInput{
			Account: account, Change: ch, To: ch.Contact, Decoy: in.Trapped || n.known[ch.Contact], Locale: in.Locale, Prefers: in.Prefers,
			Client: in.Client, Address: in.Address,
		})
		if err == nil {
			out = append(out, v)
			continue
		}
		if no, foreseen := fault.Of(err); !foreseen || errors.Is(no, store.ErrUnavailable) {
			return out, err
		}
	}
	return out, nil
}
