package bunstore

import (
	"context"
	"time"

	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/device"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/store"
)

var (
	settled        = "UPDATE challenges SET status = $2, state = NULL WHERE handle = $1"
	signInText     = signInColumns.pick("sign_ins") + " WHERE id = $1 AND tenant = $2"
	signInUsed     = "UPDATE sign_ins SET used_at = $2 WHERE id = $1"
	signInAdd      = signInColumns.insert("sign_ins")
	sessionAdd     = sessionColumns.insert("sessions")
	sessionText    = sessionColumns.pick("sessions") + " WHERE id = $1 AND tenant = $2"
	sessionProven  = "UPDATE sessions SET evidence = $2 WHERE id = $1"
	deviceChanged  = "UPDATE devices SET credential = $2, version = $3, ref = $4, status = $5, last_used_at = $6 WHERE id = $1"
	deviceAdd      = deviceColumns.insert("devices")
	onceAdd        = "INSERT INTO once_keys (key, forget_at) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET forget_at = excluded.forget_at WHERE once_keys.forget_at <= $3"
	userAdd        = userColumns.insert("users")
	identifierAdd  = identifierColumns.insert("identifiers")
	identifierText = "SELECT 1 FROM identifiers WHERE tenant = $1 AND kind = $2 AND value = $3"
	verified       = "UPDATE identifiers SET verified_at = $5 WHERE tenant = $1 AND kind = $2 AND value = $3 AND user_id = $4 AND verified_at = 0"
	signedIn       = "UPDATE users SET last_sign_in = $3 WHERE id = $1 AND tenant = $2"
	sheetsGone     = "DELETE FROM devices WHERE user_id = $1 AND tenant = $2 AND backup"
	counterGone    = "DELETE FROM counters WHERE key = $1"
	givenBack      = "UPDATE windows SET taken = taken - 1 WHERE key = $1 AND taken > 0 AND ends > $2"
	eventAdd       = "INSERT INTO events (tenant, user_id, id, type, at, data) VALUES ($1, $2, $3, $4, $5, $6)"
)

// Settle ends a challenge with success and everything that follows from it.
func (s *Store) Settle(ctx context.Context, in store.Settlement) error {
	if s.pg != nil {
		done, err := s.pg.settle(ctx, in)
		if err != nil || done {
			return failure("settle challenge", err)
		}
	}
	if in.Then == nil {
		return s.step(ctx, "settle challenge", func(ctx context.Context, r *runner) error { return r.settle(ctx, in) })
	}
	return s.foreign(ctx, "settle challenge", func(inner context.Context, r *runner) error {
		if err := r.settle(inner, in); err != nil {
			return err
		}
		return own(in.Then(ctx, &tx{r: r, ctx: inner}))
	})
}

// settle asks all guards before it changes anything.
func (r *runner) settle(ctx context.Context, in store.Settlement) error {
	in.Now = kept(in.Now)
	c, err := findChallenge(ctx, r, in.Tenant, in.Handle, r.locking())
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
	d, err := r.guards(ctx, in)
	if err != nil {
		return err
	}
	if _, err := r.exec(ctx, settled, c.Handle, string(c.Status)); err != nil {
		return err
	}
	if err := r.guarded(ctx, in, d); err != nil {
		return err
	}
	return r.follow(ctx, in, c)
}

// guards looks at everything that may refuse, in the order of the port, and
// returns the device as it is afterwards.
func (r *runner) guards(ctx context.Context, in store.Settlement) (d store.Device, err error) {
	if in.UseSignIn != "" {
		if err := r.waits(ctx, in); err != nil {
			return d, err
		}
	}
	if in.Strengthen != nil {
		if err := r.lasts(ctx, in); err != nil {
			return d, err
		}
	}
	if in.Device != nil {
		var row deviceRow
		found, err := one(ctx, r, row.dest(), deviceText+r.locking(), in.Device.ID, in.Tenant)
		if err != nil || !found {
			return d, missingOr(err, device.ErrUsed)
		}
		d = row.domain()
		if err := d.Apply(*in.Device); err != nil {
			return d, err
		}
	}
	if in.Once != nil {
		var until int64
		found, err := one(ctx, r, []any{&until}, "SELECT forget_at FROM once_keys WHERE key = $1"+r.locking(), in.Once.Key)
		if err != nil || found && until > micros(in.Now) {
			return d, missingOr(err, store.ErrOnce)
		}
	}
	if in.NewUser == nil {
		return d, nil
	}
	return d, r.free(ctx, *in.NewUser)
}

// missingOr is the engine's error, or else the refusal.
func missingOr(err, refusal error) error {
	if err != nil {
		return err
	}
	return refusal
}

// missing is the refusal unless something was found.
func missing(found bool, refusal error) error {
	if found {
		return nil
	}
	return refusal
}

func (r *runner) waits(ctx context.Context, in store.Settlement) error {
	var row signInRow
	found, err := one(ctx, r, row.dest(), signInText+r.locking(), in.UseSignIn, in.Tenant)
	if err != nil || !found {
		return missingOr(err, session.ErrPendingInvalid)
	}
	return row.domain().Refusal(in.Now)
}

func (r *runner) lasts(ctx context.Context, in store.Settlement) error {
	var row sessionRow
	found, err := one(ctx, r, row.dest(), sessionText+r.locking(), in.Strengthen.Session, in.Tenant)
	if err != nil || !found || !row.domain().Alive(in.Now) {
		return missingOr(err, session.ErrRevoked)
	}
	return nil
}

// free looks whether a person's identifiers belong to nobody. The tables'
// own keys decide in the end; this only spares SQLite a half-done unit.
func (r *runner) free(ctx context.Context, a user.Account) error {
	var n int
	for _, i := range a.Identifiers {
		found, err := one(ctx, r, []any{&n}, identifierText, a.Tenant, string(i.Kind), i.Value)
		if err != nil || found {
			return missingOr(err, user.ErrTaken)
		}
	}
	found, err := one(ctx, r, []any{&n}, "SELECT 1 FROM users WHERE id = $1", a.ID)
	if err != nil || found {
		return missingOr(err, user.ErrTaken)
	}
	return nil
}

// guarded makes the changes whose guards have agreed.
func (r *runner) guarded(ctx context.Context, in store.Settlement, d store.Device) error {
	if in.UseSignIn != "" {
		if _, err := r.exec(ctx, signInUsed, in.UseSignIn, micros(in.Now)); err != nil {
			return err
		}
	}
	if in.Strengthen != nil {
		if _, err := r.exec(ctx, sessionProven, in.Strengthen.Session, encodeEvidence(in.Strengthen.Evidence)); err != nil {
			return err
		}
	}
	if in.Device != nil {
		if _, err := r.exec(ctx, deviceChanged, d.ID, d.Credential, d.Version, d.Ref, string(d.Status), micros(d.LastUsedAt)); err != nil {
			return err
		}
	}
	if in.Once != nil {
		n, err := r.exec(ctx, onceAdd, in.Once.Key, micros(in.Once.ForgetAt), micros(in.Now))
		if err != nil || n == 0 {
			return missingOr(err, store.ErrOnce)
		}
	}
	if in.NewUser == nil {
		return nil
	}
	return r.addAccount(ctx, *in.NewUser)
}

func (r *runner) addAccount(ctx context.Context, a user.Account) error {
	if _, err := r.exec(ctx, userAdd, fromUser(a.User).args()...); err != nil {
		return err
	}
	for _, i := range a.Identifiers {
		if _, err := r.exec(ctx, identifierAdd, fromIdentifier(a.User, i).args()...); err != nil {
			return err
		}
	}
	return nil
}

// follow makes the changes that nothing refuses.
func (r *runner) follow(ctx context.Context, in store.Settlement, c challenge.Challenge) error {
	if err := r.stands(ctx, in); err != nil {
		return err
	}
	if v := in.Verify; v != nil && c.User != "" {
		if _, err := r.exec(ctx, verified, c.Tenant, string(v.Kind), v.Value, c.User, micros(in.Now)); err != nil {
			return err
		}
	}
	if in.Session != nil && !returns(in) {
		if err := r.addSession(ctx, *in.Session, in.Now); err != nil {
			return err
		}
	}
	if in.SignIn != nil {
		if _, err := r.exec(ctx, signInAdd, fromSignIn(*in.SignIn).args()...); err != nil {
			return err
		}
	}
	if in.Recovery != nil {
		if err := r.replaceSheet(ctx, *in.Recovery); err != nil {
			return err
		}
	}
	if in.Counter != "" {
		if _, err := r.exec(ctx, counterGone, in.Counter); err != nil {
			return err
		}
	}
	if err := r.giveBack(ctx, in.GiveBack, in.Now); err != nil {
		return err
	}
	if err := r.record(ctx, in.Events); err != nil {
		return err
	}
	return r.queue(ctx, in.Facts)
}

func (r *runner) addSession(ctx context.Context, x session.Session, now time.Time) error {
	if _, err := r.exec(ctx, sessionAdd, fromSession(x).args()...); err != nil {
		return err
	}
	_, err := r.exec(ctx, signedIn, x.User, x.Tenant, micros(now))
	return err
}

func (r *runner) replaceSheet(ctx context.Context, sheet store.Device) error {
	if _, err := r.exec(ctx, sheetsGone, sheet.User, sheet.Tenant); err != nil {
		return err
	}
	_, err := r.exec(ctx, deviceAdd, fromDevice(sheet).args()...)
	return err
}

func (r *runner) giveBack(ctx context.Context, windows []string, now time.Time) error {
	for _, key := range sortedKeys(windows) {
		if _, err := r.exec(ctx, givenBack, key, micros(now)); err != nil {
			return err
		}
	}
	return nil
}

func (r *runner) record(ctx context.Context, events []event.Event) error {
	for _, e := range events {
		row := fromEvent(e)
		if _, err := r.exec(ctx, eventAdd, row.Tenant, row.UserID, row.ID, row.Type, row.At, row.Data); err != nil {
			return err
		}
	}
	return nil
}
