package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/fault"
	"github.com/countersign/countersign/domain/limit"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/store"
)

// The tenants of the kit.
const (
	home  = "default"
	other = "t2"
)

// start is when every check begins.
var start = time.Date(2030, 1, 2, 3, 4, 5, 678901000, time.UTC)

// six is what a typed answer of six digits looks like.
var six = []challenge.Format{challenge.Digits(6), challenge.Crockford(6)}

// tester is what testing.T and rapid.T have in common.
type tester interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// kit is a store under test, with a clock and a source of ids.
type kit struct {
	tester
	store.Store
	ctx context.Context
	now time.Time
	ids *atomic.Int64
}

func newKit(t testing.TB, s store.Store, ids *atomic.Int64) *kit {
	return &kit{tester: t, Store: s, ctx: t.Context(), now: start, ids: ids}
}

// id returns a UUID that is greater than all before.
func (k *kit) id() string { return fmt.Sprintf("01940000-0000-7000-8000-%012x", k.ids.Add(1)) }

// name returns a text that nothing else is called.
func (k *kit) name(prefix string) string { return fmt.Sprintf("%s-%06d", prefix, k.ids.Add(1)) }

func (k *kit) pass(d time.Duration) { k.now = k.now.Add(d) }

func (k *kit) ok(err error, what string) {
	k.Helper()
	if err != nil {
		k.Fatalf("%s: %v", what, err)
	}
}

func (k *kit) refused(err, want error, what string) {
	k.Helper()
	if !errors.Is(err, want) {
		k.Fatalf("%s: got %v, want %v", what, err, want)
	}
}

// after is how long a refusal says to wait.
func after(err error) time.Duration {
	if f, ok := fault.Of(err); ok {
		return f.After
	}
	return -1
}

// do is one unit of work that must succeed.
func (k *kit) do(fn func(tx store.Tx) error) {
	k.Helper()
	k.ok(k.Do(k.ctx, func(_ context.Context, tx store.Tx) error { return fn(tx) }), "unit of work")
}

// question makes a challenge that sends six digits, without storing it.
func (k *kit) question() challenge.Challenge {
	return challenge.Challenge{
		Handle: k.name("handle-that-nobody-guesses"), Tenant: home, Purpose: challenge.SignIn, Channel: "email",
		Status: challenge.Pending, Delivery: challenge.Queued, Kind: contact.Email,
		Destination: k.name("ann") + "@example.com", Shown: "a••@example.com", Counter: k.name("counter"),
		Nonce: []byte("0123456789abcdef"), KeyID: 7, Format: challenge.Digits(6), Locale: "en", Client: "Firefox on Windows",
		Extra: challenge.Extra{ReturnTo: "https://example.com/back", Profile: map[string]string{"first_name": "Ann"}},
		Round: 1, Allowed: 5, Sends: 1, MaxSends: 3,
		CreatedAt: k.now, ExpiresAt: k.now.Add(10 * time.Minute), ResendAt: k.now.Add(30 * time.Second),
	}
}

// ask starts a challenge after the given changes.
func (k *kit) ask(changes ...func(*challenge.Challenge)) challenge.Challenge {
	k.Helper()
	c := k.question()
	for _, change := range changes {
		change(&c)
	}
	k.ok(k.Start(k.ctx, store.Start{Challenge: c, Now: k.now}), "start")
	return c
}

// pay is the price of a typed answer to c.
func (k *kit) pay(c challenge.Challenge) store.Charge {
	return store.Charge{Tenant: c.Tenant, Handle: c.Handle, Formats: six, Now: k.now}
}

func (k *kit) charge(in store.Charge) store.Charged {
	k.Helper()
	out, err := k.Charge(k.ctx, in)
	k.ok(err, "charge")
	return out
}

func (k *kit) read(c challenge.Challenge) challenge.Challenge {
	k.Helper()
	got, err := k.Challenge(k.ctx, c.Tenant, c.Handle, 0)
	k.ok(err, "read challenge")
	return got
}

// settle settles a new challenge with what follows.
func (k *kit) settle(follow store.Settlement) {
	k.Helper()
	c := k.ask(func(c *challenge.Challenge) {
		if follow.Tenant != "" {
			c.Tenant = follow.Tenant
		}
	})
	follow.Tenant, follow.Handle, follow.Now = c.Tenant, c.Handle, k.now
	k.ok(k.Settle(k.ctx, follow), "settle")
}

// person adds a person of tenant with an unproven e-mail address.
func (k *kit) person(tenant string) user.Account {
	k.Helper()
	a := k.stranger(tenant)
	k.do(func(tx store.Tx) error { return tx.Users().Add(k.ctx, a) })
	return a
}

// stranger makes a person without storing them.
func (k *kit) stranger(tenant string) user.Account {
	id := k.id()
	return user.Account{
		User: user.User{
			ID: id, Tenant: tenant, Status: user.Active, FirstName: "Ann", LastName: "O'Neill", Locale: "en",
			Metadata: map[string]string{"plan": "gold"}, InvitedBy: k.id(), ResetAt: k.now, CreatedAt: k.now,
		},
		Identifiers: []user.Identifier{{
			Contact: contact.Contact{Kind: contact.Email, Value: k.name("ann") + "@example.com"},
			Tenant:  tenant, User: id, CreatedAt: k.now,
		}},
	}
}

func (k *kit) account(a user.Account) user.Account {
	k.Helper()
	got, err := k.Account(k.ctx, a.Tenant, a.ID)
	k.ok(err, "read account")
	return got
}

// app makes an authenticator app of a, without storing it.
func (k *kit) app(a user.Account) store.Device {
	k.pass(time.Second)
	return store.Device{
		ID: k.id(), Tenant: a.Tenant, User: a.ID, Channel: "totp", Name: "Phone", Credential: []byte("sealed"),
		Version: 3, Status: "active", CreatedAt: k.now,
	}
}

func (k *kit) addDevice(d store.Device) store.Device {
	k.Helper()
	k.do(func(tx store.Tx) error { return tx.Devices().Add(k.ctx, d) })
	return d
}

func (k *kit) device(d store.Device) store.Device {
	k.Helper()
	var got store.Device
	k.do(func(tx store.Tx) (err error) {
		got, err = tx.Devices().Get(k.ctx, d.Tenant, d.ID)
		return err
	})
	return got
}

// proof is evidence that a holds an address, given now.
func (k *kit) proof(a user.Account) []store.Evidence {
	return []store.Evidence{{Channel: "email", Authenticator: "addr:" + a.ID, Factor: "possession", Max: 1, AMR: []string{"otp"}, Device: true, At: k.now}}
}

// visit makes a session of a that begins now, without storing it.
func (k *kit) visit(a user.Account) session.Session {
	return session.Session{
		ID: k.id(), Tenant: a.Tenant, User: a.ID, Evidence: k.proof(a), Client: "Firefox on Windows",
		Generation: 1, RotatedAt: k.now, CreatedAt: k.now, ExpiresAt: k.now.Add(720 * time.Hour),
	}
}

// signedIn stores a session of a.
func (k *kit) signedIn(a user.Account) session.Session {
	k.Helper()
	s := k.visit(a)
	k.settle(store.Settlement{Tenant: a.Tenant, Session: &s})
	return s
}

func (k *kit) session(s session.Session) store.Signed {
	k.Helper()
	got, err := k.Session(k.ctx, s.Tenant, s.ID)
	k.ok(err, "read session")
	return got
}

// half makes a sign-in of a that waits, without storing it.
func (k *kit) half(a user.Account) session.SignIn {
	return session.SignIn{
		ID: k.id(), Tenant: a.Tenant, User: a.ID, Evidence: k.proof(a), Client: "curl",
		CreatedAt: k.now, ExpiresAt: k.now.Add(5 * time.Minute),
	}
}

// waiting stores a sign-in of a.
func (k *kit) waiting(a user.Account, changes ...func(*session.SignIn)) session.SignIn {
	k.Helper()
	s := k.half(a)
	for _, change := range changes {
		change(&s)
	}
	k.settle(store.Settlement{Tenant: a.Tenant, SignIn: &s})
	return s
}

// window is one that allows most within an hour.
func (k *kit) window(most int) limit.Charge {
	return limit.Charge{Rule: limit.Rule{Max: most, Window: time.Hour}, Key: k.name("window")}
}
