package memstore

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/invitation"
	"github.com/countersign/countersign/domain/password"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/store"
)

// Find looks people up for operators.
func (x users) Find(_ context.Context, q store.UserQuery) ([]user.Account, error) {
	var out []user.Account
	for _, u := range x.st.users.pick(func(u user.User) bool { return u.Tenant == q.Tenant && u.ID > q.After && asked(u, q) }) {
		a, err := x.st.account(u.Tenant, u.ID)
		if err != nil {
			return nil, err
		}
		if q.Text == "" || found(a, q.Text) {
			out = append(out, a)
		}
	}
	slices.SortFunc(out, func(a, b user.Account) int { return cmp.Compare(a.ID, b.ID) })
	return first(out, q.Limit), nil
}

func asked(u user.User, q store.UserQuery) bool {
	return q.Tentative.IsZero() || u.Tentative && u.CreatedAt.Before(q.Tentative)
}

func found(a user.Account, text string) bool {
	has := func(s string) bool { return strings.Contains(lower(s), lower(text)) }
	return a.ID == text || has(a.FirstName) || has(a.LastName) ||
		slices.ContainsFunc(a.Identifiers, func(i user.Identifier) bool { return has(i.Value) })
}

// lower makes ASCII letters small, as every engine does.
func lower(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

type identifiers struct{ st *state }

func (x identifiers) Find(_ context.Context, tenant string, c contact.Contact) (user.Identifier, error) {
	i, ok := x.st.identifiers.get(identifierKey(tenant, c))
	if !ok {
		return user.Identifier{}, user.ErrNotFound
	}
	return i, nil
}

func (x identifiers) Put(_ context.Context, i user.Identifier) error {
	if _, err := x.st.user(i.Tenant, i.User); err != nil {
		return err
	}
	key := identifierKey(i.Tenant, i.Contact)
	if old, ok := x.st.identifiers.get(key); ok && old.User != i.User {
		return user.ErrTaken
	}
	x.st.identifiers.put(key, i)
	return nil
}

func (x identifiers) Delete(_ context.Context, tenant string, c contact.Contact) error {
	x.st.identifiers.remove(identifierKey(tenant, c))
	return nil
}

type changes struct{ st *state }

func (x changes) Get(_ context.Context, tenant, id string, k contact.Kind) (user.Change, error) {
	c, ok := x.st.changes.get(join(tenant, id, string(k)))
	if !ok {
		return user.Change{}, user.ErrNothing
	}
	return c, nil
}

func (x changes) List(_ context.Context, tenant, id string) ([]user.Change, error) {
	all := x.st.changes.of(join(tenant, id))
	slices.SortFunc(all, func(a, b user.Change) int { return cmp.Compare(a.Kind, b.Kind) })
	return all, nil
}

func (x changes) Put(_ context.Context, c user.Change) error {
	x.st.changes.put(join(c.Tenant, c.User, string(c.Kind)), c)
	return nil
}

func (x changes) Delete(_ context.Context, tenant, id string, k contact.Kind) error {
	x.st.changes.remove(join(tenant, id, string(k)))
	return nil
}

type passwords struct{ st *state }

func (x passwords) Get(_ context.Context, tenant, id string) (password.Record, error) {
	r, ok := x.st.passwords.get(join(tenant, id))
	if !ok {
		return password.Record{}, password.ErrNone
	}
	return r, nil
}

func (x passwords) Put(_ context.Context, r password.Record) error {
	x.st.passwords.put(join(r.Tenant, r.User), r)
	return nil
}

func (x passwords) Delete(_ context.Context, tenant, id string) error {
	x.st.passwords.remove(join(tenant, id))
	return nil
}

type invitations struct{ st *state }

func (x invitations) Get(_ context.Context, tenant, id string) (invitation.Invitation, error) {
	i, ok := x.st.invitations.get(id)
	if !ok || i.Tenant != tenant {
		return invitation.Invitation{}, invitation.ErrNotFound
	}
	return i, nil
}

func (x invitations) List(_ context.Context, q store.InvitationQuery) ([]invitation.Invitation, error) {
	all := x.st.invitations.pick(func(i invitation.Invitation) bool {
		return i.Tenant == q.Tenant && (q.Inviter == "" || i.Inviter == q.Inviter) && (q.Before == "" || i.ID < q.Before)
	})
	slices.SortFunc(all, func(a, b invitation.Invitation) int { return cmp.Compare(b.ID, a.ID) })
	return first(all, q.Limit), nil
}

func (x invitations) Add(_ context.Context, i invitation.Invitation) error {
	x.st.invitations.put(i.ID, i)
	return nil
}

func (x invitations) Save(ctx context.Context, i invitation.Invitation) error {
	if _, err := x.Get(ctx, i.Tenant, i.ID); err != nil {
		return err
	}
	x.st.invitations.put(i.ID, i)
	return nil
}
