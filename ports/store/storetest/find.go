package storetest

import (
	"strings"
	"time"

	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/store"
)

func (k *kit) wantFound(q store.UserQuery, want ...user.Account) {
	k.Helper()
	k.do(func(tx store.Tx) error {
		got, err := tx.Users().Find(k.ctx, q)
		k.same(got, want, "the people who are found by "+q.Text)
		return err
	})
}

// named stores a person of a tenant by what they are called.
func (k *kit) named(tenant, first, last, username string) user.Account {
	k.Helper()
	a := k.stranger(tenant)
	a.FirstName, a.LastName = first, last
	k.another(&a, contact.Username, username)
	k.do(func(tx store.Tx) error { return tx.Users().Add(k.ctx, a) })
	return a
}

func findsByParts(k *kit) {
	tenant := k.name("tenant")
	zoe := k.named(tenant, "Zoë", "Ünal", `50%_off\`)
	abe := k.named(tenant, "Abraham", "Mc'Donald", "500xoff")
	k.named(k.name("tenant"), "Zoë", "Ünal", `50%_off\`)
	by := func(text string, want ...user.Account) {
		k.Helper()
		k.wantFound(store.UserQuery{Tenant: tenant, Text: text, Limit: 9}, want...)
	}
	by("", zoe, abe)
	by("zoë", zoe)
	by("ZO", zoe)
	by("ZOË") // only ASCII case does not count
	by("Ünal", zoe)
	by("ünal")
	by("mc'don", abe)
	by("0%_o", zoe)
	by("50_") // neither is a pattern
	by(`f\`, zoe)
	by("%", zoe)
	by("OFF", zoe, abe)
	by("aham m") // a part of one thing that they are called
	mail := abe.Identifiers[0].Value
	by(strings.ToUpper(mail), abe)
	by(mail[1:len(mail)-1], abe)
	by(abe.ID, abe)
	by(abe.ID[:35])
	by("Zoë Ünal")
	by("nobody at all")
}

// findsTentative makes people who are tentative and others, before and after.
func findsTentative(k *kit) {
	tenant := k.name("tenant")
	add := func(tenant string, tentative bool) user.Account {
		k.pass(time.Second)
		a := k.stranger(tenant)
		a.Tentative = tentative
		k.another(&a, contact.Username, k.name("user"))
		k.do(func(tx store.Tx) error { return tx.Users().Add(k.ctx, a) })
		return a
	}
	a, _, b := add(tenant, true), add(tenant, false), add(tenant, true)
	add(k.name("tenant"), true)
	k.pass(time.Second)
	before := k.now
	c := add(tenant, true)
	by := func(q store.UserQuery, want ...user.Account) {
		k.Helper()
		q.Tenant = tenant
		k.wantFound(q, want...)
	}
	by(store.UserQuery{Tentative: before}, a, b)
	by(store.UserQuery{Tentative: b.CreatedAt}, a)
	by(store.UserQuery{Tentative: c.CreatedAt.Add(time.Second), Limit: 2}, a, b)
	by(store.UserQuery{Tentative: before, After: a.ID}, b)
	by(store.UserQuery{Tentative: before, Text: b.Identifiers[1].Value}, b)
	by(store.UserQuery{Tentative: before, Text: c.Identifiers[1].Value})
	a.Tentative = false
	k.do(func(tx store.Tx) error { return tx.Users().Save(k.ctx, a.User) })
	by(store.UserQuery{Tentative: before}, b)
	k.same(k.account(a), a, "the account that is tentative no more")
}

func pagesPeople(k *kit) {
	tenant := k.name("tenant")
	var all []user.Account
	for range 4 {
		all = append(all, k.named(tenant, "Ann", "", k.name("user")))
	}
	bare := k.stranger(tenant) // somebody whom nobody finds by an address
	bare.Identifiers = nil
	k.do(func(tx store.Tx) error { return tx.Users().Add(k.ctx, bare) })
	all = append(all, bare)
	page := func(text, after string, limit int, want ...user.Account) {
		k.Helper()
		k.wantFound(store.UserQuery{Tenant: tenant, Text: text, After: after, Limit: limit}, want...)
	}
	page("", "", 0, all...)
	page("", "", 2, all[:2]...)
	page("", all[1].ID, 2, all[2:4]...)
	page("", all[3].ID, 2, all[4])
	page("", all[4].ID, 2)
	page("ann", all[0].ID, 3, all[1:4]...)
	page("USER", "", 3, all[:3]...)
	page("USER", all[2].ID, 3, all[3])
}
