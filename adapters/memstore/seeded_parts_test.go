package memstore

import (
	"context"

	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/invitation"
	"github.com/countersign/countersign/domain/limit"
	"github.com/countersign/countersign/domain/rule"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/store"
)

// parts is a unit of work of which some parts have a bug.
type parts struct {
	store.Tx
	users       store.Users
	sessions    store.Sessions
	identifiers store.Identifiers
	changes     store.Changes
	invitations store.Invitations
	keys        store.Keys
	rules       store.Rules
	journal     store.Journal
	counters    store.Counters
}

func (p *parts) Users() store.Users             { return p.users }
func (p *parts) Sessions() store.Sessions       { return p.sessions }
func (p *parts) Identifiers() store.Identifiers { return p.identifiers }
func (p *parts) Changes() store.Changes         { return p.changes }
func (p *parts) Invitations() store.Invitations { return p.invitations }
func (p *parts) Keys() store.Keys               { return p.keys }
func (p *parts) Rules() store.Rules             { return p.rules }
func (p *parts) Journal() store.Journal         { return p.journal }
func (p *parts) Counters() store.Counters       { return p.counters }

// onUnit has fn change the parts of every unit of work.
func onUnit(fn func(st *state, p *parts)) func(*seeded) {
	return func(x *seeded) {
		x.do = func(ctx context.Context, unit func(context.Context, store.Tx) error) error {
			return x.Store.Do(ctx, func(ctx context.Context, t store.Tx) error {
				p := &parts{
					Tx: t, users: t.Users(), sessions: t.Sessions(), identifiers: t.Identifiers(), changes: t.Changes(),
					invitations: t.Invitations(), keys: t.Keys(), rules: t.Rules(), journal: t.Journal(), counters: t.Counters(),
				}
				fn(x.state, p)
				return unit(ctx, p)
			})
		}
	}
}

// The parts with hooks, each for what its bugs need.
type (
	finder struct {
		store.Users
		find func(context.Context, store.UserQuery) ([]user.Account, error)
	}
	putter struct {
		store.Identifiers
		put func(context.Context, user.Identifier) error
	}
	changer struct {
		store.Changes
		put func(context.Context, user.Change) error
	}
	hosts struct {
		store.Invitations
		list func(context.Context, store.InvitationQuery) ([]invitation.Invitation, error)
	}
	book struct {
		store.Rules
		list   func(context.Context, string) ([]rule.Entry, error)
		remove func(ctx context.Context, tenant, id string) error
	}
	diary struct {
		store.Journal
		read func(context.Context, store.EventQuery) ([]event.Event, error)
	}
	abacus struct {
		store.Counters
		read func(context.Context, string) (limit.Counter, error)
	}
)

func (h finder) Find(ctx context.Context, q store.UserQuery) ([]user.Account, error) {
	return h.find(ctx, q)
}

func (h putter) Put(ctx context.Context, i user.Identifier) error { return h.put(ctx, i) }

func (h changer) Put(ctx context.Context, c user.Change) error { return h.put(ctx, c) }

func (h hosts) List(ctx context.Context, q store.InvitationQuery) ([]invitation.Invitation, error) {
	return h.list(ctx, q)
}

func (h book) List(ctx context.Context, tenant string) ([]rule.Entry, error) {
	return h.list(ctx, tenant)
}

func (h book) Delete(ctx context.Context, tenant, id string) error { return h.remove(ctx, tenant, id) }

func (h diary) Events(ctx context.Context, q store.EventQuery) ([]event.Event, error) {
	return h.read(ctx, q)
}

func (h abacus) Read(ctx context.Context, key string) (limit.Counter, error) { return h.read(ctx, key) }

// onFind has fn change what is looked for.
func onFind(fn func(q *store.UserQuery)) func(*seeded) {
	return onUnit(func(_ *state, p *parts) {
		p.users = finder{p.users, func(ctx context.Context, q store.UserQuery) ([]user.Account, error) {
			fn(&q)
			return p.Tx.Users().Find(ctx, q)
		}}
	})
}

// onFound has fn decide who is found by a text.
func onFound(fn func(a user.Account, text string) bool) func(*seeded) {
	return onUnit(func(_ *state, p *parts) {
		p.users = finder{p.users, func(ctx context.Context, q store.UserQuery) ([]user.Account, error) {
			text := q.Text
			q.Text = ""
			all, err := p.Tx.Users().Find(ctx, q)
			var out []user.Account
			for _, a := range all {
				if text == "" || fn(a, text) {
					out = append(out, a)
				}
			}
			return out, err
		}}
	})
}

// called is everything that somebody may be found by a part of.
func called(a user.Account) []string {
	out := []string{a.FirstName, a.LastName}
	for _, i := range a.Identifiers {
		out = append(out, i.Value)
	}
	return out
}

// afterDelete has fn bring something of a deleted user back.
func afterDelete(fn func(st *state, tenant, id string) (undo func())) func(*seeded) {
	return onUnit(func(st *state, p *parts) {
		p.users = deleteAround{p.users, st, fn}
	})
}

type deleteAround struct {
	store.Users
	st *state
	fn func(st *state, tenant, id string) func()
}

func (h deleteAround) Delete(ctx context.Context, tenant, id string) error {
	undo := h.fn(h.st, tenant, id)
	err := h.Users.Delete(ctx, tenant, id)
	if err == nil {
		undo()
	}
	return err
}

// onFacts has fn change the facts before a claim.
func onFacts(fn func(f *store.Fact, in *store.ClaimFacts)) func(*seeded) {
	return func(x *seeded) {
		x.facts = func(ctx context.Context, in store.ClaimFacts) ([]store.Fact, error) {
			x.poke(func(st *state) {
				for key, f := range st.facts.rows {
					fn(&f, &in)
					st.facts.put(key, f)
				}
			})
			return x.Store.ClaimFacts(ctx, in)
		}
	}
}

// onPut has fn put identifiers.
func onPut(fn func(ctx context.Context, tx store.Tx, i user.Identifier) error) func(*seeded) {
	return onUnit(func(_ *state, p *parts) {
		p.identifiers = putter{p.identifiers, func(ctx context.Context, i user.Identifier) error { return fn(ctx, p.Tx, i) }}
	})
}

// kinds lists all kinds of contacts.
func kinds() []contact.Kind { return []contact.Kind{contact.Email, contact.Phone, contact.Username} }
