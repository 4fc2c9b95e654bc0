package memstore

import (
	"context"
	"time"

	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/limit"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/store"
)

// tx is a unit of work. Its parts are views of one state.
type tx struct{ st *state }

func (t tx) Challenges() store.Challenges   { return challenges(t) }
func (t tx) Users() store.Users             { return users(t) }
func (t tx) Devices() store.Devices         { return devices(t) }
func (t tx) Sessions() store.Sessions       { return sessions(t) }
func (t tx) Journal() store.Journal         { return journal(t) }
func (t tx) SignIns() store.SignIns         { return signIns(t) }
func (t tx) Counters() store.Counters       { return counters(t) }
func (t tx) Identifiers() store.Identifiers { return identifiers(t) }
func (t tx) Changes() store.Changes         { return changes(t) }
func (t tx) Passwords() store.Passwords     { return passwords(t) }
func (t tx) Invitations() store.Invitations { return invitations(t) }
func (t tx) Keys() store.Keys               { return keys(t) }
func (t tx) Rules() store.Rules             { return rules(t) }
func (t tx) Refs() store.Refs               { return refs(t) }
func (t tx) Receipts() store.Receipts       { return receipts(t) }

type challenges struct{ st *state }

func (x challenges) Get(_ context.Context, tenant, handle string) (challenge.Challenge, error) {
	return x.st.challenge(tenant, handle)
}

func (x challenges) Save(_ context.Context, c challenge.Challenge) error {
	if _, err := x.st.challenge(c.Tenant, c.Handle); err != nil {
		return err
	}
	x.st.challenges.put(c.Handle, c)
	return nil
}

func (x challenges) Queue(_ context.Context, m store.Message) error {
	x.st.messages.put(m.ID, m)
	return nil
}

// Take undoes its own part of the unit of work if it refuses, because its
// caller may go on.
func (x challenges) Take(_ context.Context, windows []limit.Charge, now time.Time) error {
	mark := len(x.st.log.steps)
	err := x.st.take(windows, kept(now))
	if err != nil {
		x.st.log.back(mark)
	}
	return err
}

func (x challenges) Refund(_ context.Context, key string, windows []string, now time.Time) error {
	if n, ok := x.st.counters.get(key); ok {
		n.Refund()
		x.st.counters.put(key, n)
	}
	x.st.giveBack(windows, kept(now))
	return nil
}

type users struct{ st *state }

func (x users) Get(_ context.Context, tenant, id string) (user.Account, error) {
	return x.st.account(tenant, id)
}

func (x users) Add(_ context.Context, a user.Account) error {
	mark := len(x.st.log.steps)
	err := x.st.addAccount(a)
	if err != nil {
		x.st.log.back(mark)
	}
	return err
}

func (x users) Save(_ context.Context, u user.User) error {
	if _, err := x.st.user(u.Tenant, u.ID); err != nil {
		return err
	}
	x.st.users.put(u.ID, u)
	return nil
}

// Delete also removes the person's challenges with their messages: nothing
// that is on its way may still bring them back.
func (x users) Delete(_ context.Context, tenant, id string) error {
	if _, err := x.st.user(tenant, id); err != nil {
		return err
	}
	x.st.users.remove(id)
	mine := join(tenant, id)
	x.st.identifiers.removeOf(mine)
	x.st.devices.removeOf(mine)
	x.st.sessions.removeOf(mine)
	x.st.signIns.removeOf(mine)
	x.st.changes.removeOf(mine)
	x.st.passwords.removeOf(mine)
	var handles []string
	for handle, c := range x.st.challenges.rows {
		if c.Tenant == tenant && c.User == id {
			handles = append(handles, handle)
		}
	}
	for _, handle := range handles {
		x.st.messages.removeOf(handle)
		x.st.challenges.remove(handle)
	}
	return nil
}
