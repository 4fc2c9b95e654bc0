package storetest

import (
	"context"
	"errors"
	"time"

	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/store"
)

func rotates() []behaviour {
	return []behaviour{
		{"a spent refresh token ends its session, and that stays", endsReused},
		{"a lost answer is given again within grace", answersAgain},
		{"a blocked user's session is refused and left alone", sparesBlocked},
		{"a session that is not there is not found", missesSessions},
		{"what a caller adds to the end of a family sees it, and is kept with it once", reuseFollows},
		{"what a caller adds to the end of a family may refuse it, or panic", reuseRefuses},
	}
}

func (k *kit) rotate(s session.Session, generation uint32) (store.Signed, error) {
	return k.Rotate(k.ctx, store.Rotate{Session: s.ID, Generation: generation, Grace: 10 * time.Second, Now: k.now})
}

func endsReused(k *kit) {
	a := k.person(home)
	s := k.signedIn(a)
	k.pass(time.Minute)
	for range 2 {
		k.pass(time.Minute)
		got, err := k.rotate(s, s.Generation)
		k.ok(err, "rotate")
		s.Generation, s.RotatedAt = s.Generation+1, k.now
		k.same(got.Session, s, "the session after rotating")
		k.same(got.User.ID, a.ID, "its user")
		k.same(k.session(s).Session, s, "the session that is kept")
	}
	_, err := k.rotate(s, s.Generation+1)
	k.refused(err, session.ErrInvalid, "a token of the future")
	k.same(k.session(s).Session, s, "the session after that")
	got, err := k.rotate(s, 1)
	k.refused(err, session.ErrReused, "a spent token")
	s.RevokedAt, s.Reason = k.now, session.Reused
	k.same(got.Session, s, "the session that is returned with the refusal")
	k.same(got.User.ID, a.ID, "the user that is returned with the refusal")
	k.same(k.session(s).Session, s, "the session that ended")
	k.pass(time.Second)
	_, err = k.rotate(s, s.Generation)
	k.refused(err, session.ErrRevoked, "the newest token of an ended session")
	k.same(k.session(s).Session, s, "the session that had ended")
}

func answersAgain(k *kit) {
	s := k.signedIn(k.person(home))
	_, err := k.rotate(s, 1)
	k.ok(err, "rotate")
	k.pass(10*time.Second - time.Microsecond)
	got, err := k.rotate(s, 1)
	k.ok(err, "rotate again within grace")
	k.same(got.Session.Generation, uint32(2), "the generation of the second answer")
	k.pass(time.Microsecond)
	_, err = k.rotate(s, 1)
	k.refused(err, session.ErrReused, "rotate again after grace")
	late := k.signedIn(k.person(home))
	k.now = late.ExpiresAt
	_, err = k.rotate(late, 1)
	k.refused(err, session.ErrInvalid, "an expired session")
}

func sparesBlocked(k *kit) {
	a := k.person(home)
	s := k.signedIn(a)
	u := k.account(a).User
	u.Status = user.Blocked
	k.do(func(tx store.Tx) error { return tx.Users().Save(k.ctx, u) })
	for _, generation := range []uint32{1, 2, 0} {
		got, err := k.rotate(s, generation)
		k.refused(err, session.ErrRevoked, "a blocked user's token")
		k.same(got.User.Status, user.Blocked, "the user that is returned")
		k.same(k.session(s).Session, s, "a blocked user's session")
	}
	u.Status = user.Active
	k.do(func(tx store.Tx) error { return tx.Users().Save(k.ctx, u) })
	_, err := k.rotate(s, 1)
	k.ok(err, "rotate when the user is no longer blocked")
}

func missesSessions(k *kit) {
	_, err := k.rotate(session.Session{ID: k.id()}, 1)
	k.refused(err, session.ErrNotFound, "rotate what is not there")
}

// spend rotates with something that follows.
func (k *kit) spend(s session.Session, generation uint32, then func(context.Context, store.Tx, store.Signed) error) error {
	_, err := k.Rotate(k.ctx, store.Rotate{Session: s.ID, Generation: generation, Grace: 10 * time.Second, Now: k.now, Then: then})
	return err
}

// events are those of a person, newest first.
func (k *kit) events(a user.Account) (all []event.Event) {
	k.Helper()
	k.do(func(tx store.Tx) (err error) {
		all, err = tx.Journal().Events(k.ctx, store.EventQuery{Tenant: a.Tenant, User: a.ID})
		return err
	})
	return all
}

func reuseFollows(k *kit) {
	a := k.person(home)
	s := k.signedIn(a)
	ran := 0
	fact := event.Event{ID: k.id(), Tenant: home, User: a.ID, Type: event.SessionReused, At: k.now}
	then := func(ctx context.Context, tx store.Tx, ended store.Signed) error {
		ran++
		k.same(ended.User.ID, a.ID, "the user who is handed on")
		k.same(ended.Session, s, "the session that is handed on")
		got, e1 := tx.Sessions().Get(ctx, home, s.ID)
		k.same(got, s, "the session that is seen")
		account, e2 := tx.Users().Get(ctx, home, a.ID)
		k.same(account.Identifiers, a.Identifiers, "whose it is seen to be")
		return errors.Join(e1, e2, tx.Journal().Record(ctx, fact))
	}
	k.ok(k.spend(s, 1, then), "rotate")
	k.ok(k.spend(s, 1, then), "rotate again within grace")
	k.refused(k.spend(s, 7, then), session.ErrInvalid, "a token of the future")
	k.same(ran, 0, "how often something followed from what ended nothing")
	s.Generation, s.RotatedAt = 2, k.now
	k.pass(time.Minute)
	s.RevokedAt, s.Reason = k.now, session.Reused
	k.refused(k.spend(s, 1, then), session.ErrReused, "a spent token")
	k.same(ran > 0, true, "whether something followed")
	k.same(k.session(s).Session, s, "the session that ended")
	ran = 0
	for _, generation := range []uint32{1, 2} {
		err := k.spend(s, generation, then)
		k.refused(err, session.ErrRevoked, "a token of an ended session")
		k.same(errors.Is(err, session.ErrReused), false, "whether a session ends twice")
	}
	blocked := k.person(home)
	b := k.signedIn(blocked)
	blocked.Status = user.Blocked
	k.do(func(tx store.Tx) error { return tx.Users().Save(k.ctx, blocked.User) })
	k.refused(k.spend(b, 0, then), session.ErrRevoked, "a blocked user's token")
	k.same(ran, 0, "how often something followed when nothing ended any more")
	k.same(k.events(a), []event.Event{fact}, "the events")
}

func reuseRefuses(k *kit) {
	a := k.person(home)
	s := k.signedIn(a)
	k.ok(k.spend(s, 1, nil), "rotate")
	s.Generation, s.RotatedAt = 2, k.now
	k.pass(time.Minute)
	record := func(ctx context.Context, tx store.Tx) error {
		return tx.Journal().Record(ctx, event.Event{ID: k.id(), Tenant: home, User: a.ID, Type: event.SessionReused, At: k.now})
	}
	for _, refusal := range []error{errBack, user.ErrTaken} {
		err := k.spend(s, 1, func(ctx context.Context, tx store.Tx, _ store.Signed) error {
			if err := record(ctx, tx); err != nil {
				return err
			}
			return refusal
		})
		k.refused(err, refusal, "a spent token with something that refuses")
	}
	func() {
		defer func() { k.same(recover(), any("on purpose"), "the panic that came through") }()
		_ = k.spend(s, 1, func(context.Context, store.Tx, store.Signed) error { panic("on purpose") })
	}()
	k.same(k.session(s).Session, s, "the session after refusals")
	k.same(len(k.events(a)), 0, "how many events were recorded and taken back")
	k.refused(k.spend(s, 1, nil), session.ErrReused, "a spent token after all refusals")
}
