package memstore

import (
	"context"
	"time"

	"github.com/countersign/countersign/domain/apikey"
	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/limit"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/store"
)

// read runs fn alone and returns what it found.
func read[T any](ctx context.Context, s *Store, what string, fn func(*state) (T, error)) (T, error) {
	var out T
	err := s.work(ctx, what, func(st *state) (err error) {
		out, err = fn(st)
		return err
	})
	return out, err
}

// Identify finds whose identifier this is.
func (s *Store) Identify(ctx context.Context, tenant string, c contact.Contact) (user.Account, error) {
	return read(ctx, s, "identify", func(st *state) (user.Account, error) {
		i, ok := st.identifiers.get(identifierKey(tenant, c))
		if !ok {
			return user.Account{}, user.ErrNotFound
		}
		return st.account(tenant, i.User)
	})
}

// Account finds a person. Identifiers come in the order in which they were
// made; those made at once in the order email, phone, username.
func (s *Store) Account(ctx context.Context, tenant, id string) (user.Account, error) {
	return read(ctx, s, "read account", func(st *state) (user.Account, error) { return st.account(tenant, id) })
}

// Challenge finds a challenge.
func (s *Store) Challenge(ctx context.Context, tenant, handle string, live int) (challenge.Challenge, error) {
	return read(ctx, s, "read challenge", func(st *state) (challenge.Challenge, error) {
		c, err := st.challenge(tenant, handle)
		if err == nil && c.Status == challenge.Pending && st.pushedOut(c, live, time.Time{}) {
			c.Status = challenge.Cancelled
		}
		return c, err
	})
}

// Windows reads windows, in the order of the keys.
func (s *Store) Windows(ctx context.Context, keys ...string) ([]limit.Window, error) {
	return read(ctx, s, "read windows", func(st *state) ([]limit.Window, error) {
		out := make([]limit.Window, len(keys))
		for i, key := range keys {
			out[i], _ = st.windows.get(key)
		}
		return out, nil
	})
}

// Session finds a session with its user and counts their second factors.
func (s *Store) Session(ctx context.Context, tenant, id string) (store.Signed, error) {
	return read(ctx, s, "read session", func(st *state) (store.Signed, error) {
		x, err := st.session(tenant, id)
		if err != nil {
			return store.Signed{}, err
		}
		u, err := st.user(tenant, x.User)
		if err != nil {
			return store.Signed{}, session.ErrNotFound
		}
		out := store.Signed{Session: x, User: u}
		for _, d := range st.devices.of(join(tenant, x.User)) {
			if d.SecondFactor() {
				out.Devices++
			}
		}
		return out, nil
	})
}

// SignIn finds a sign-in, also one that was used: its Refusal says so.
func (s *Store) SignIn(ctx context.Context, tenant, id string) (session.SignIn, error) {
	return read(ctx, s, "read sign-in", func(st *state) (session.SignIn, error) { return st.signIn(tenant, id) })
}

// Key finds the key of a program.
func (s *Store) Key(ctx context.Context, id string) (apikey.Key, error) {
	return read(ctx, s, "read API key", func(st *state) (apikey.Key, error) { return keys{st}.Get(ctx, id) })
}
