package user

import (
	"testing"
	"time"

	"github.com/countersign/countersign/domain/contact"
)

func TestIdleIsWhatNobodyProvedOrUsedOrKeptOut(t *testing.T) {
	noon := time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)
	build := func(change func(*Account)) Account {
		a := Account{User: User{Status: Active, Tentative: true, CreatedAt: noon}, Identifiers: []Identifier{
			{Contact: contact.Contact{Kind: contact.Username, Value: "ann"}},
			{Contact: contact.Contact{Kind: contact.Email, Value: "ann@example.com"}},
		}}
		change(&a)
		return a
	}
	for what, x := range map[string]struct {
		change func(*Account)
		want   bool
	}{
		"signed up":            {func(*Account) {}, true},
		"without identifiers":  {func(a *Account) { a.Identifiers = nil }, true},
		"a reset since":        {func(a *Account) { a.ResetAt = noon }, true},
		"made in another way":  {func(a *Account) { a.Tentative = false }, false},
		"blocked":              {func(a *Account) { a.Status = Blocked }, false},
		"somebody signed in":   {func(a *Account) { a.LastSignIn = noon }, false},
		"an address is proven": {func(a *Account) { a.Identifiers[1].VerifiedAt = noon }, false},
	} {
		if got := build(x.change).Idle(); got != x.want {
			t.Errorf("%s: %v", what, got)
		}
	}
}
