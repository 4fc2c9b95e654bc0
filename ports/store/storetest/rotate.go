package storetest

import (
	"time"

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
	k.refused(err, session.ErrRevoked, "a spent token")
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
	k.refused(err, session.ErrRevoked, "rotate again after grace")
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
