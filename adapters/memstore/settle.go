package memstore

import (
	"context"
	"time"

	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/device"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/ports/store"
)

// Settle ends a challenge with success and everything that follows from it.
func (s *Store) Settle(ctx context.Context, in store.Settlement) error {
	return s.work(ctx, "settle challenge", func(st *state) error {
		in.Now = kept(in.Now)
		c, err := st.challenge(in.Tenant, in.Handle)
		if err != nil {
			return err
		}
		end := c.Settle
		if in.Answered {
			end = c.Collect
		}
		if err := end(in.Now); err != nil {
			return err
		}
		st.challenges.put(c.Handle, c)
		if err := st.guards(in); err != nil {
			return err
		}
		if err := st.follow(in, c); err != nil || in.Then == nil {
			return err
		}
		return in.Then(ctx, tx{st})
	})
}

// guards makes the changes that may be refused, in their order.
func (st *state) guards(in store.Settlement) error {
	if err := st.useSignIn(in); err != nil {
		return err
	}
	if err := st.strengthen(in); err != nil {
		return err
	}
	if err := st.change(in); err != nil {
		return err
	}
	if err := st.onlyOnce(in.Once, in.Now); err != nil {
		return err
	}
	if in.NewUser != nil {
		if err := st.addAccount(*in.NewUser); err != nil {
			return err
		}
	}
	return st.stands(in)
}

func (st *state) stands(in store.Settlement) error {
	if in.Person == nil {
		return nil
	}
	u, err := st.user(in.Tenant, in.Person.ID)
	if err != nil || !u.Lasts(kept(in.Person.ResetAt)) {
		return challenge.ErrNotFound
	}
	return nil
}

func (st *state) useSignIn(in store.Settlement) error {
	if in.UseSignIn == "" {
		return nil
	}
	x, err := st.signIn(in.Tenant, in.UseSignIn)
	if err != nil {
		return err
	}
	if err := x.Refusal(in.Now); err != nil {
		return err
	}
	x.UsedAt = in.Now
	st.signIns.put(x.ID, x)
	return nil
}

func (st *state) strengthen(in store.Settlement) error {
	if in.Strengthen == nil {
		return nil
	}
	x, err := st.session(in.Tenant, in.Strengthen.Session)
	if err != nil || !x.Alive(in.Now) {
		return session.ErrRevoked
	}
	x.Evidence = in.Strengthen.Evidence
	st.sessions.put(x.ID, x)
	return nil
}

// change changes a device. One that is gone has moved on as well.
func (st *state) change(in store.Settlement) error {
	if in.Device == nil {
		return nil
	}
	d, err := st.device(in.Tenant, in.Device.ID)
	if err != nil {
		return device.ErrUsed
	}
	if err := d.Apply(*in.Device); err != nil {
		return err
	}
	return st.putDevice(d)
}

func (st *state) onlyOnce(o *store.Once, now time.Time) error {
	if o == nil {
		return nil
	}
	if until, ok := st.once.get(o.Key); ok && now.Before(until) {
		return store.ErrOnce
	}
	st.once.put(o.Key, o.ForgetAt)
	return nil
}

// follow makes the changes that nothing refuses.
func (st *state) follow(in store.Settlement, c challenge.Challenge) error {
	if in.Verify != nil {
		st.verify(c, *in.Verify, in.Now)
	}
	if in.Session != nil {
		st.addSession(*in.Session, in.Now)
	}
	if in.SignIn != nil {
		st.signIns.put(in.SignIn.ID, *in.SignIn)
	}
	if in.Recovery != nil {
		st.replaceRecovery(*in.Recovery)
	}
	st.counters.remove(in.Counter)
	st.giveBack(in.GiveBack, in.Now)
	st.record(in.Events)
	st.queue(in.Facts)
	return nil
}

func (st *state) addSession(s session.Session, now time.Time) {
	st.sessions.put(s.ID, s)
	if u, err := st.user(s.Tenant, s.User); err == nil {
		u.LastSignIn = now
		st.users.put(u.ID, u)
	}
}

func (st *state) verify(c challenge.Challenge, which contact.Contact, now time.Time) {
	key := identifierKey(c.Tenant, which)
	i, ok := st.identifiers.get(key)
	if !ok || i.User != c.User || i.Verified() {
		return
	}
	i.VerifiedAt = now
	st.identifiers.put(key, i)
}

func (st *state) replaceRecovery(sheet store.Device) {
	for _, d := range st.devices.of(join(sheet.Tenant, sheet.User)) {
		if d.Backup {
			st.devices.remove(d.ID)
		}
	}
	st.devices.put(sheet.ID, sheet)
}
