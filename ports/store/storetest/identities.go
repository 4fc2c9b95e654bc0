package storetest

import (
	"errors"
	"time"

	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/password"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/store"
)

func identities() []behaviour {
	return []behaviour{
		{"an identifier is put, replaced, and never taken from somebody", putsIdentifiers},
		{"an identifier that is deleted is free", freesIdentifiers},
		{"a person waits for at most one change of each kind", keepsChanges},
		{"a person has at most one password", keepsPasswords},
		{"a session may begin without a challenge", addsSessions},
		{"people are found by parts of what they are called", findsByParts},
		{"people are found page by page", pagesPeople},
		{"people who are tentative are found by when they were made", findsTentative},
	}
}

// refusedIn runs a method in a unit of work and checks its refusal there.
func (k *kit) refusedIn(want error, what string, fn func(tx store.Tx) error) {
	k.Helper()
	k.do(func(tx store.Tx) error {
		k.refused(fn(tx), want, what)
		return nil
	})
}

func (k *kit) find(c contact.Contact, in string) (got user.Identifier, err error) {
	k.Helper()
	k.do(func(tx store.Tx) error {
		got, err = tx.Identifiers().Find(k.ctx, in, c)
		return nil
	})
	return got, err
}

func putsIdentifiers(k *kit) {
	a, b := k.person(home), k.person(home)
	phone := user.Identifier{
		Contact: contact.Contact{Kind: contact.Phone, Value: "+44770091" + k.id()[32:]}, Tenant: home, User: a.ID,
		CreatedAt: k.now.Add(time.Second),
	}
	_, err := k.find(phone.Contact, home)
	k.refused(err, user.ErrNotFound, "an identifier of nobody")
	for range 2 {
		k.do(func(tx store.Tx) error { return tx.Identifiers().Put(k.ctx, phone) })
		got, err := k.find(phone.Contact, home)
		k.ok(err, "find")
		k.same(got, phone, "the identifier that is found")
		want := a
		want.Identifiers = append(a.Identifiers[:1:1], phone)
		k.same(k.account(a), want, "the account")
		phone.VerifiedAt, phone.CreatedAt = k.now, k.now.Add(time.Minute)
	}
	theft := phone
	theft.User, theft.VerifiedAt = b.ID, k.now.Add(time.Hour)
	b.FirstName = "Barbara"
	k.do(func(tx store.Tx) error {
		k.refused(tx.Identifiers().Put(k.ctx, theft), user.ErrTaken, "put somebody else's identifier")
		return tx.Users().Save(k.ctx, b.User) // the unit of work goes on
	})
	k.same(k.account(b), b, "the account of the one who was refused")
	got, err := k.Identify(k.ctx, home, phone.Contact)
	k.ok(err, "identify")
	k.same(got.ID, a.ID, "whose identifier it is")
	twin := k.person(other)
	theft.User, theft.Tenant = twin.ID, home
	k.refusedIn(user.ErrNotFound, "put an identifier of nobody here", func(tx store.Tx) error { return tx.Identifiers().Put(k.ctx, theft) })
	theft.Tenant = other
	k.do(func(tx store.Tx) error { return tx.Identifiers().Put(k.ctx, theft) })
	got, err = k.Identify(k.ctx, other, phone.Contact)
	k.ok(err, "identify")
	k.same(got.ID, twin.ID, "whose identifier it is in another tenant")
}

func freesIdentifiers(k *kit) {
	a, b := k.person(home), k.person(home)
	mail := a.Identifiers[0]
	k.do(func(tx store.Tx) error {
		return errors.Join(tx.Identifiers().Delete(k.ctx, other, mail.Contact), tx.Identifiers().Delete(k.ctx, home, contact.Contact{Kind: contact.Username, Value: mail.Value}))
	})
	k.same(k.account(a), a, "the account after identifiers were deleted that are not there")
	k.do(func(tx store.Tx) error { return tx.Identifiers().Delete(k.ctx, home, mail.Contact) })
	_, err := k.Identify(k.ctx, home, mail.Contact)
	k.refused(err, user.ErrNotFound, "identify by what was deleted")
	k.same(len(k.account(a).Identifiers), 0, "how many identifiers are left")
	mail.User = b.ID
	k.do(func(tx store.Tx) error { return tx.Identifiers().Put(k.ctx, mail) })
	got, err := k.Identify(k.ctx, home, mail.Contact)
	k.ok(err, "identify")
	k.same(got.ID, b.ID, "whose identifier it is now")
}

// change makes a change of a's identifier of a kind, without storing it.
func (k *kit) change(a user.Account, kind contact.Kind) user.Change {
	return user.Change{
		Contact: contact.Contact{Kind: kind, Value: k.name("new")}, ID: k.id(), Tenant: a.Tenant, User: a.ID,
		Replaces: a.Identifiers[0].Value, NeedsCurrent: true, CurrentAt: k.now, CreatedAt: k.now, ExpiresAt: k.now.Add(user.ChangeLife),
	}
}

func (k *kit) changes(a user.Account) (all []user.Change) {
	k.Helper()
	k.do(func(tx store.Tx) (err error) {
		all, err = tx.Changes().List(k.ctx, a.Tenant, a.ID)
		return err
	})
	return all
}

func keepsChanges(k *kit) {
	a, b := k.person(home), k.person(home)
	k.refusedIn(user.ErrNothing, "a change that nobody asked for", func(tx store.Tx) error {
		_, err := tx.Changes().Get(k.ctx, home, a.ID, contact.Email)
		return err
	})
	k.same(len(k.changes(a)), 0, "how many changes wait")
	phone, mail, theirs := k.change(a, contact.Phone), k.change(a, contact.Email), k.change(b, contact.Email)
	theirs.Contact = mail.Contact // many may wait for one address
	put := func(all ...user.Change) {
		for _, c := range all {
			k.do(func(tx store.Tx) error { return tx.Changes().Put(k.ctx, c) })
		}
	}
	put(phone, mail, theirs)
	k.same(k.changes(a), []user.Change{mail, phone}, "the changes")
	mail = k.change(a, contact.Email)
	mail.Replaces, mail.NeedsCurrent, mail.NewAt, mail.CurrentAt = "", false, k.now, time.Time{}
	put(mail)
	k.do(func(tx store.Tx) error {
		got, err := tx.Changes().Get(k.ctx, home, a.ID, contact.Email)
		k.same(got, mail, "the change that replaced an earlier one")
		return err
	})
	remove := func() { k.do(func(tx store.Tx) error { return tx.Changes().Delete(k.ctx, home, a.ID, contact.Email) }) }
	remove()
	remove() // does not matter
	k.same(k.changes(a), []user.Change{phone}, "the changes that are left")
	k.same(k.changes(b), []user.Change{theirs}, "somebody else's changes")
}

func (k *kit) password(a user.Account) (got password.Record, err error) {
	k.Helper()
	k.do(func(tx store.Tx) error {
		got, err = tx.Passwords().Get(k.ctx, a.Tenant, a.ID)
		return nil
	})
	return got, err
}

func keepsPasswords(k *kit) {
	a, b := k.person(home), k.person(home)
	_, err := k.password(a)
	k.refused(err, password.ErrNone, "a password that nobody chose")
	for _, hash := range []password.Hash{"$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA", "$scrypt$another"} {
		r := password.Record{Tenant: home, User: a.ID, Hash: hash, ChangedAt: k.now}
		theirs := r
		theirs.User, theirs.Hash = b.ID, "$other"
		k.do(func(tx store.Tx) error {
			return errors.Join(tx.Passwords().Put(k.ctx, r), tx.Passwords().Put(k.ctx, theirs))
		})
		got, err := k.password(a)
		k.ok(err, "read password")
		k.same(got, r, "the password")
		k.pass(time.Minute)
	}
	for range 2 {
		k.do(func(tx store.Tx) error { return tx.Passwords().Delete(k.ctx, home, a.ID) })
		_, err = k.password(a)
		k.refused(err, password.ErrNone, "a password that was deleted")
	}
	_, err = k.password(b)
	k.ok(err, "somebody else's password")
}

func addsSessions(k *kit) {
	a := k.person(home)
	x := k.visit(a)
	k.do(func(tx store.Tx) error { return tx.Sessions().Add(k.ctx, x) })
	k.same(k.session(x).Session, x, "the session")
	a.LastSignIn = x.CreatedAt
	k.same(k.account(a), a, "the account, with its last sign-in")
}
