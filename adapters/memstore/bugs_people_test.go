package memstore

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign/domain/apikey"
	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/invitation"
	"github.com/countersign/countersign/domain/limit"
	"github.com/countersign/countersign/domain/rule"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/store"
)

func peopleBugs() map[string]func(*seeded) {
	return map[string]func(*seeded){
		"identifiers can be taken over": onPut(func(ctx context.Context, tx store.Tx, i user.Identifier) error {
			return errors.Join(tx.Identifiers().Delete(ctx, i.Tenant, i.Contact), tx.Identifiers().Put(ctx, i))
		}),
		"identifiers of nobody are put": onUnit(func(st *state, p *parts) {
			p.identifiers = putter{p.identifiers, func(ctx context.Context, i user.Identifier) error {
				key := identifierKey(i.Tenant, i.Contact)
				if _, err := st.user(i.Tenant, i.User); err == nil || st.identifiers.rows[key].User != "" {
					return p.Tx.Identifiers().Put(ctx, i)
				}
				st.identifiers.put(key, i)
				return nil
			}}
		}),
		"identifiers that are there are left as they are": onPut(func(ctx context.Context, tx store.Tx, i user.Identifier) error {
			if old, err := tx.Identifiers().Find(ctx, i.Tenant, i.Contact); err == nil && old.User == i.User {
				return nil
			}
			return tx.Identifiers().Put(ctx, i)
		}),
		"a change replaces those of other kinds": onUnit(func(_ *state, p *parts) {
			p.changes = changer{p.changes, func(ctx context.Context, c user.Change) error {
				for _, k := range kinds() {
					_ = p.Tx.Changes().Delete(ctx, c.Tenant, c.User, k)
				}
				return p.Tx.Changes().Put(ctx, c)
			}}
		}),
		"a deleted user keeps a password": afterDelete(func(st *state, tenant, id string) func() {
			key := join(tenant, id)
			old, ok := st.passwords.get(key)
			return func() {
				if ok {
					st.passwords.put(key, old)
				}
			}
		}),
		"a deleted user keeps their changes": afterDelete(func(st *state, tenant, id string) func() {
			all := st.changes.of(join(tenant, id))
			return func() {
				for _, c := range all {
					st.changes.put(join(tenant, id, string(c.Kind)), c)
				}
			}
		}),
		"a deleted user takes notices along": afterDelete(func(st *state, _, _ string) func() {
			return func() { st.messages.removeIf(0, func(m store.Message) bool { return m.Notice != nil }) }
		}),
		"a session that is added is no sign-in": onUnit(func(st *state, p *parts) {
			p.sessions = quietly{p.sessions, st}
		}),
		"users forget who invited them": func(x *seeded) {
			x.state.users.copy = func(u user.User) user.User {
				u = copyUser(u)
				u.InvitedBy = ""
				return u
			}
		},
		"users forget that they are tentative": func(x *seeded) {
			x.state.users.copy = func(u user.User) user.User {
				u = copyUser(u)
				u.Tentative = false
				return u
			}
		},
		"drafts lose what was proven": func(x *seeded) {
			x.state.signIns.copy = func(s session.SignIn) session.SignIn {
				if s = copySignIn(s); s.Draft != nil {
					s.Draft.Proven = nil
				}
				return s
			}
		},
	}
}

// quietly adds sessions and nothing else.
type quietly struct {
	store.Sessions
	st *state
}

func (q quietly) Add(_ context.Context, s session.Session) error {
	q.st.sessions.put(s.ID, s)
	return nil
}

func findBugs() map[string]func(*seeded) {
	return map[string]func(*seeded){
		"find ignores where to go on":   onFind(func(q *store.UserQuery) { q.After = "" }),
		"find ignores its limit":        onFind(func(q *store.UserQuery) { q.Limit = 0 }),
		"find ignores who is tentative": onFind(func(q *store.UserQuery) { q.Tentative = time.Time{} }),
		"find takes who is not tentative": onUnit(func(_ *state, p *parts) {
			p.users = finder{p.users, func(ctx context.Context, q store.UserQuery) ([]user.Account, error) {
				before := q.Tentative
				q.Tentative = time.Time{}
				all, err := p.Tx.Users().Find(ctx, q)
				return slices.DeleteFunc(all, func(a user.Account) bool { return !before.IsZero() && !a.CreatedAt.Before(before) }), err
			}}
		}),
		"find takes who is tentative since": onFind(func(q *store.UserQuery) {
			if !q.Tentative.IsZero() {
				q.Tentative = q.Tentative.AddDate(1, 0, 0)
			}
		}),
		"find ignores text": onFind(func(q *store.UserQuery) { q.Text = "" }),
		"find takes text for a pattern": onFound(func(a user.Account, text string) bool {
			pattern := regexp.QuoteMeta(lower(text))
			like, err := regexp.Compile(strings.NewReplacer("%", ".*", "_", ".").Replace(pattern))
			return err == nil && (a.ID == text || slices.ContainsFunc(called(a), func(s string) bool { return like.MatchString(lower(s)) }))
		}),
		"find lets case count": onFound(func(a user.Account, text string) bool {
			return a.ID == text || slices.ContainsFunc(called(a), func(s string) bool { return strings.Contains(s, text) })
		}),
		"find lets no case count": onFound(func(a user.Account, text string) bool {
			return a.ID == text || slices.ContainsFunc(called(a), func(s string) bool {
				return strings.Contains(strings.ToLower(s), strings.ToLower(text))
			})
		}),
		"find knows parts of ids": onFound(func(a user.Account, text string) bool { return found(a, text) || strings.Contains(a.ID, text) }),
		"find knows no addresses": onFound(func(a user.Account, text string) bool {
			a.Identifiers = nil
			return found(a, text)
		}),
	}
}

func bookBugs() map[string]func(*seeded) {
	return map[string]func(*seeded){
		"invitations ignore where to go on": onHosts(func(q *store.InvitationQuery) { q.Before = "" }),
		"invitations of everybody":          onHosts(func(q *store.InvitationQuery) { q.Inviter = "" }),
		"keys are saved for other tenants": onUnit(func(st *state, p *parts) {
			p.keys = openKeys{p.keys, st}
		}),
		"rules are removed by other tenants": onBook(func(st *state, b *book) {
			b.remove = func(ctx context.Context, _, id string) error {
				return b.Rules.Delete(ctx, st.rules.rows[id].Tenant, id)
			}
		}),
		"rules of all tenants are listed": onBook(func(_ *state, b *book) {
			b.list = func(ctx context.Context, _ string) ([]rule.Entry, error) { return b.Rules.List(ctx, "") }
		}),
		"rules of a removed entry stay": onBook(func(_ *state, b *book) {
			b.remove = func(context.Context, string, string) error { return nil }
		}),
		"events ignore where to begin":            onDiary(func(q *store.EventQuery) { q.After = "" }),
		"events ignore where to go on":            onDiary(func(q *store.EventQuery) { q.Before = "" }),
		"events of a tenant are those of no user": onEvents(func(q store.EventQuery, e event.Event) bool { return q.User != "" || e.User == "" }),
		"counters look clear": onUnit(func(_ *state, p *parts) {
			p.counters = abacus{p.counters, func(context.Context, string) (limit.Counter, error) { return limit.Counter{}, nil }}
		}),
		"answered challenges are pending": func(x *seeded) {
			x.state.challenges.copy = func(c challenge.Challenge) challenge.Challenge {
				if c = copyChallenge(c); c.Status == challenge.Answered {
					c.Status = challenge.Pending
				}
				return c
			}
		},
	}
}

func onHosts(fn func(*store.InvitationQuery)) func(*seeded) {
	return onUnit(func(_ *state, p *parts) {
		p.invitations = hosts{p.invitations, func(ctx context.Context, q store.InvitationQuery) ([]invitation.Invitation, error) {
			fn(&q)
			return p.Tx.Invitations().List(ctx, q)
		}}
	})
}

// openKeys saves whatever it is given.
type openKeys struct {
	store.Keys
	st *state
}

func (o openKeys) Save(_ context.Context, k apikey.Key) error {
	if _, ok := o.st.keys.get(k.ID); !ok {
		return apikey.ErrNotFound
	}
	o.st.keys.put(k.ID, k)
	return nil
}

func onBook(fn func(*state, *book)) func(*seeded) {
	return onUnit(func(st *state, p *parts) {
		b := &book{Rules: p.rules, list: p.rules.List, remove: p.rules.Delete}
		fn(st, b)
		p.rules = b
	})
}

func onDiary(fn func(*store.EventQuery)) func(*seeded) {
	return onUnit(func(_ *state, p *parts) {
		p.journal = diary{p.journal, func(ctx context.Context, q store.EventQuery) ([]event.Event, error) {
			fn(&q)
			return p.Tx.Journal().Events(ctx, q)
		}}
	})
}

// onEvents has fn decide which events are shown.
func onEvents(shown func(store.EventQuery, event.Event) bool) func(*seeded) {
	return onUnit(func(_ *state, p *parts) {
		p.journal = diary{p.journal, func(ctx context.Context, q store.EventQuery) ([]event.Event, error) {
			all, err := p.Tx.Journal().Events(ctx, q)
			return slices.DeleteFunc(all, func(e event.Event) bool { return !shown(q, e) }), err
		}}
	})
}
