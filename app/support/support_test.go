package support_test

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/adapters/jwttoken"
	"github.com/countersign/countersign/adapters/keyring"
	"github.com/countersign/countersign/adapters/memstore"
	"github.com/countersign/countersign/app/challenges"
	"github.com/countersign/countersign/app/channels"
	"github.com/countersign/countersign/app/notices"
	"github.com/countersign/countersign/app/sessions"
	"github.com/countersign/countersign/app/support"
	"github.com/countersign/countersign/app/tenants"
	"github.com/countersign/countersign/domain/assurance"
	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/device"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/limit"
	"github.com/countersign/countersign/domain/password"
	"github.com/countersign/countersign/domain/policy"
	"github.com/countersign/countersign/domain/rule"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/domain/tenant"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/plugins/recovery"
	"github.com/countersign/countersign/plugins/totp"
	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/meter"
	"github.com/countersign/countersign/ports/store"
	"github.com/countersign/countersign/ports/system/systemtest"
)

type silent struct{}

func (silent) Validate() error { return nil }

func (silent) Send(context.Context, channel.Message) (channel.Receipt, error) {
	return channel.Receipt{}, nil
}

func sender(kind channel.AddressKind, most channel.AAL) channel.Plugin {
	return channel.DefineSender(channel.Descriptor{
		Type: string(kind), Title: "T", Address: kind, Factor: channel.Possession, MaxAAL: most, AMR: []string{"otp"},
	}, func() silent { return silent{} }, func(context.Context, silent, channel.Env) (channel.Sender, error) { return silent{}, nil })
}

type open struct{}

func (open) Serve(string, rule.Asked) error { return nil }

func (open) Trap(context.Context, string, netip.Addr, string) error { return nil }

// desk is the courier: everything waits in the queue.
type desk struct{}

func (desk) Reserve(*store.Message, time.Time) bool { return false }
func (desk) Take(store.Parcel)                      {}
func (desk) Release()                               {}
func (desk) Wake()                                  {}

// rig is the service over memory, with one person.
type rig struct {
	t     *testing.T
	store *memstore.Store
	clock *systemtest.Clock
	ids   *systemtest.IDs
	asks  *challenges.Service
	codes *challenges.Codes
	s     *support.Service
	ada   user.Account
}

var (
	mail  = contact.Contact{Kind: contact.Email, Value: "ada@example.com"}
	phone = contact.Contact{Kind: contact.Phone, Value: "+447700900123"}
)

func newRig(t *testing.T) *rig {
	t.Helper()
	p := policy.Default()
	p.Limits, p.Challenge.ResendAfter = policy.Limits{}, 0
	book := tenants.NewBook(tenants.Entry{Tenant: tenant.Tenant{Slug: tenant.Default}, Policy: p}, tenants.Entry{Tenant: tenant.Tenant{Slug: "t2"}, Policy: p})
	r := &rig{t: t, store: memstore.New(), clock: systemtest.NewClock(time.Time{}), ids: &systemtest.IDs{}}
	ring := must(keyring.Ephemeral(rand.Reader, r.clock.Now()))(t)
	r.codes = challenges.NewCodes(ring)
	catalog := must(channels.NewCatalog([]channel.Plugin{sender(channel.Email, 1), sender(channel.Phone, 2), totp.Plugin(), recovery.Plugin()}))(t)
	var specs []channels.Spec
	for _, id := range []string{"email", "phone", "totp", "recovery"} {
		specs = append(specs, channels.Spec{ID: id, Use: id, Decode: func(any) error { return nil }})
	}
	registry := must(catalog.Open(t.Context(), specs, func(id string) channel.Env {
		return channel.Env{Instance: id, Brand: "Example", Log: slog.New(slog.DiscardHandler), Now: r.clock.Now, Random: rand.Reader, Codes: r.codes}
	}))(t)
	jwt := must(jwttoken.New(jwttoken.Config{Keys: ring, Issuer: "https://x.example", Audience: "https://x.example", Now: r.clock.Now}))(t)
	parser := contact.Parser{
		NFKC: func(s string) string { return s }, ToASCII: func(s string) (string, error) { return s, nil },
		E164: func(raw, _ string) (string, error) {
			return "+44" + strings.TrimPrefix(strings.ReplaceAll(raw, " ", ""), "0"), nil
		},
	}
	tells := notices.New(notices.Needs{Channels: registry, Courier: desk{}, IDs: r.ids})
	who := sessions.New(sessions.Needs{
		Store: r.store, Signer: jwt, Reader: jwt, Deriver: ring, Clock: r.clock, IDs: r.ids, Meter: meter.Nothing{}, Tenants: book, Notices: tells,
	})
	r.asks = challenges.New(challenges.Needs{
		Store: r.store, Channels: registry, Sessions: who, Tenants: book, Contacts: parser, Gate: open{}, Notices: tells, Sealer: ring,
		Signer: jwt, Codes: r.codes, Courier: desk{}, Clock: r.clock, IDs: r.ids, Random: rand.Reader,
		Meter: meter.Nothing{}, Log: slog.New(slog.DiscardHandler),
	})
	r.s = support.New(support.Needs{
		Store: r.store, Challenges: r.asks, Notices: tells, Channels: registry, Tenants: book, Contacts: parser, Sealer: ring,
		Clock: r.clock, IDs: r.ids,
	})
	r.person()
	return r
}

// person adds Ada: a proven address and number, two devices and a session.
func (r *rig) person() {
	r.t.Helper()
	now := r.clock.Now()
	u := user.User{ID: r.ids.New(), Tenant: tenant.Default, Status: user.Active, FirstName: "Ada", TwoFactor: true, CreatedAt: now}
	r.ada = user.Account{User: u}
	for _, c := range []contact.Contact{mail, phone, {Kind: contact.Username, Value: "ada"}} {
		id := user.Identifier{Contact: c, Tenant: u.Tenant, User: u.ID, CreatedAt: now}
		if c.Kind != contact.Username {
			id.VerifiedAt = now
		}
		r.ada.Identifiers = append(r.ada.Identifiers, id)
	}
	r.do(func(ctx context.Context, tx store.Tx) error {
		if err := tx.Users().Add(ctx, r.ada); err != nil {
			return err
		}
		for _, d := range []store.Device{
			{Channel: "totp", Name: "App"}, {Channel: "phone", Name: "Phone", Address: "+447700900124"}, {Channel: "gone", Name: "Old"},
		} {
			d.ID, d.Tenant, d.User, d.Status, d.CreatedAt, d.Credential = r.ids.New(), u.Tenant, u.ID, device.Active, now, []byte("sealed")
			if err := tx.Devices().Add(ctx, d); err != nil {
				return err
			}
		}
		if err := tx.Passwords().Put(ctx, password.Record{Tenant: u.Tenant, User: u.ID, Hash: "h", ChangedAt: now}); err != nil {
			return err
		}
		return tx.Sessions().Add(ctx, session.Session{
			ID: r.ids.New(), Tenant: u.Tenant, User: u.ID, Evidence: []assurance.Evidence{}, Generation: 1, CreatedAt: now, RotatedAt: now, ExpiresAt: now.Add(time.Hour),
		})
	})
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func (r *rig) do(fn func(ctx context.Context, tx store.Tx) error) {
	r.t.Helper()
	if err := r.store.Do(r.t.Context(), fn); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) act() support.Act {
	return support.Act{Tenant: tenant.Default, User: r.ada.ID, By: "cli", Reason: "ticket 7"}
}

func (r *rig) show() support.Person {
	r.t.Helper()
	return must(r.s.Show(r.t.Context(), tenant.Default, r.ada.ID))(r.t)
}

// told takes the notices out of the queue: kind and kind of address.
func (r *rig) told() (out []string) {
	r.t.Helper()
	for _, p := range must(r.store.Claim(r.t.Context(), store.Claim{Owner: "t", Lease: time.Hour, Max: 99, Now: r.clock.Now()}))(r.t) {
		if p.Notice != nil {
			out = append(out, p.Notice.Kind+" "+string(p.Notice.To.Kind)+" "+p.Notice.Data["name"])
		}
	}
	return out
}

// recorded fails unless the newest event of a type names who and why.
func (r *rig) recorded(t event.Type) event.Event {
	r.t.Helper()
	for _, e := range r.show().Events {
		if e.Type == t {
			if e.Data["by"] != "cli" || e.Data["reason"] != "ticket 7" && e.Data["why"] != "ticket 7" {
				r.t.Errorf("%s says %v", t, e.Data)
			}
			return e
		}
	}
	r.t.Errorf("%s is not recorded", t)
	return event.Event{}
}

// sign starts a sign-in by the address and gives the right code.
func (r *rig) sign() (challenges.Outcome, error) {
	r.t.Helper()
	v := must(r.asks.Start(r.t.Context(), challenges.StartInput{Tenant: tenant.Default, To: mail.Value}))(r.t)
	return r.give(v.Handle)
}

func (r *rig) give(handle string) (challenges.Outcome, error) {
	r.t.Helper()
	code, _ := r.codes.Of(must(r.store.Challenge(r.t.Context(), tenant.Default, handle, 0))(r.t))
	return r.asks.Answer(r.t.Context(), challenges.AnswerInput{Tenant: tenant.Default, Handle: handle, Code: &code})
}

func TestResetTakesEverySecondFactorAway(t *testing.T) {
	r := newRig(t)
	before := must(r.asks.Start(t.Context(), challenges.StartInput{Tenant: tenant.Default, To: mail.Value}))(t)
	r.told()
	r.clock.Advance(time.Second)
	done := must(r.s.Reset(t.Context(), r.act()))(t)
	p := r.show()
	if done.Devices != 3 || done.Sessions != 1 || len(p.Devices) != 0 || len(p.Sessions) != 0 || p.TwoFactor || !p.ResetAt.Equal(r.clock.Now()) {
		t.Errorf("done %+v, left %+v", done, p)
	}
	if got := r.told(); len(got) != 2 || got[0] != "two_factor_changed email " || got[1] != "two_factor_changed phone " {
		t.Errorf("told %q", got)
	}
	r.recorded(event.DeviceRemoved)
	r.recorded(event.SessionRevoked)
	if e := r.recorded(event.TwoFactorChanged); e.Data["required"] != "no" || e.Data["reset"] != "yes" {
		t.Errorf("recorded %v", e.Data)
	}
	if _, err := r.give(before.Handle); !errors.Is(err, challenge.ErrNotFound) {
		t.Errorf("a code from before: %v", err)
	}
	if out, err := r.sign(); err != nil || out.Status != challenges.SignedIn {
		t.Errorf("signing in afterwards: %v, %v", out.Status, err)
	}
}

func TestResetTellsOfDevicesWhereTheSecondStepWasOff(t *testing.T) {
	r := newRig(t)
	r.do(func(ctx context.Context, tx store.Tx) error {
		r.ada.TwoFactor = false
		return tx.Users().Save(ctx, r.ada.User)
	})
	must(r.s.Reset(t.Context(), r.act()))(t)
	if got := strings.Join(r.told(), ","); !strings.Contains(got, "device_removed email App") || !strings.Contains(got, "device_removed phone Phone") {
		t.Errorf("told %s", got)
	}
}

func TestLockedDevicesAreSeenAndUnlocked(t *testing.T) {
	r := newRig(t)
	wrong := "000000"
	var err error
	for n := 0; n < 60 && err == nil; n++ {
		r.clock.Advance(time.Second)
		v := must(r.asks.Start(t.Context(), challenges.StartInput{Tenant: tenant.Default, To: mail.Value}))(t)
		if code, _ := r.codes.Of(must(r.store.Challenge(t.Context(), tenant.Default, v.Handle, 0))(t)); code == wrong {
			continue
		}
		_, err = r.asks.Answer(t.Context(), challenges.AnswerInput{Tenant: tenant.Default, Handle: v.Handle, Code: &wrong})
		if errors.Is(err, challenge.ErrWrong) {
			err = nil
		}
	}
	if !errors.Is(err, limit.ErrLocked) {
		t.Fatalf("nothing is locked: %v", err)
	}
	if p := r.show(); p.Addresses[0].Failures != 6 || p.Addresses[0].LockedUntil.IsZero() || !p.HasPassword {
		t.Errorf("support sees %+v", p.Addresses)
	}
	if done := must(r.s.Unlock(t.Context(), r.act()))(t); done.Counters != 1 {
		t.Errorf("cleared %d", done.Counters)
	}
	if e := r.recorded(event.DeviceUnlocked); e.Data["counters"] != "1" {
		t.Errorf("recorded %v", e.Data)
	}
	if out, err := r.sign(); err != nil || out.Status != challenges.FactorRequired {
		t.Errorf("afterwards: %v, %v", out.Status, err)
	}
}

func TestRecoveryCodesLetALockedOutPersonInOnce(t *testing.T) {
	r := newRig(t)
	r.do(func(ctx context.Context, tx store.Tx) error { // the application is lost, and nothing else is there
		all, err := tx.Devices().List(ctx, tenant.Default, r.ada.ID, "", 0)
		for _, d := range all {
			if d.Channel != "totp" {
				err = errors.Join(err, tx.Devices().Delete(ctx, tenant.Default, d.ID))
			}
		}
		return err
	})
	first := must(r.s.RecoveryCodes(t.Context(), r.act()))(t)
	r.told()
	codes := must(r.s.RecoveryCodes(t.Context(), r.act()))(t)
	if p := r.show(); len(codes) != 10 || p.RecoveryLeft != 10 || len(p.Devices) != 2 || p.Devices[1].Credential != nil {
		t.Fatalf("%d codes, seen %+v", len(codes), p)
	}
	if got := r.told(); len(got) != 1 || !strings.HasPrefix(got[0], "device_added email ") {
		t.Errorf("told %q", got)
	}
	r.recorded(event.RecoveryCodesIssued)
	use := func(code string) (challenges.Outcome, error) {
		in := must(r.sign())(t)
		if in.Status != challenges.FactorRequired {
			t.Fatalf("signed in by %v", in.Status)
		}
		waiting := must(r.asks.Sessions.Pending(t.Context(), tenant.Default, in.Pending))(t)
		for _, d := range in.Devices {
			if d.Backup {
				v := must(r.asks.Start(t.Context(), challenges.StartInput{Tenant: tenant.Default, Purpose: challenge.SecondFactor, Device: d.ID, Pending: &waiting}))(t)
				return r.asks.Answer(t.Context(), challenges.AnswerInput{Tenant: tenant.Default, Handle: v.Handle, Code: &code})
			}
		}
		t.Fatal("no sheet is offered")
		return challenges.Outcome{}, nil
	}
	if _, err := use(first[0]); !errors.Is(err, challenge.ErrWrong) {
		t.Errorf("a code of the old sheet: %v", err)
	}
	if out, err := use(codes[3]); err != nil || out.Status != challenges.SignedIn {
		t.Errorf("the first time: %v, %v", out.Status, err)
	}
	if _, err := use(codes[3]); !errors.Is(err, challenge.ErrWrong) {
		t.Errorf("the second time: %v", err)
	}
}

func TestBlockedPeopleAreOut(t *testing.T) {
	r := newRig(t)
	done := must(r.s.Block(t.Context(), r.act()))(t)
	if p := r.show(); done.Sessions != 1 || p.Status != user.Blocked || len(p.Sessions) != 0 || p.ResetAt.IsZero() {
		t.Errorf("done %+v, left %+v", done, p.User)
	}
	r.recorded(event.UserBlocked)
	must(r.s.Block(t.Context(), r.act()))(t)
	if _, err := r.sign(); !errors.Is(err, challenge.ErrWrong) {
		t.Errorf("signing in: %v", err)
	}
	if err := r.s.Unblock(t.Context(), r.act()); err != nil {
		t.Fatal(err)
	}
	r.recorded(event.UserUnblocked)
	n := 0
	for _, e := range r.show().Events {
		if e.Type == event.UserBlocked {
			n++
		}
	}
	if n != 1 {
		t.Errorf("blocked %d times", n)
	}
	if out, err := r.sign(); err != nil || out.Status != challenges.FactorRequired {
		t.Errorf("afterwards: %v, %v", out.Status, err)
	}
}

func TestSigningSomebodyOut(t *testing.T) {
	r := newRig(t)
	if done := must(r.s.SignOut(t.Context(), r.act()))(t); done.Sessions != 1 || len(r.show().Sessions) != 0 {
		t.Errorf("done %+v", done)
	}
	if e := r.recorded(event.SessionRevoked); e.Data["reason"] != string(session.Operator) {
		t.Errorf("recorded %v", e.Data)
	}
	if done := must(r.s.SignOut(t.Context(), r.act()))(t); done.Sessions != 0 {
		t.Errorf("a second time %+v", done)
	}
}

func TestPeopleAreFoundByWhatSupportHears(t *testing.T) {
	r := newRig(t)
	for _, text := range []string{"ADA@EXA", "07700 900123", "ada", r.ada.ID, "+44" + "7700900123", "Ada"} {
		if text == "+447700900123" {
			text = "7700900123"
		}
		all, err := r.s.Find(t.Context(), store.UserQuery{Tenant: tenant.Default, Text: text, Limit: 9})
		if err != nil || len(all) != 1 || all[0].ID != r.ada.ID {
			t.Errorf("%q finds %v, %v", text, all, err)
		}
	}
	for text, want := range map[string]error{
		r.ada.ID: nil, strings.ToUpper(r.ada.ID): nil, "Ada@Example.com": nil, "ada": nil, "07700 900123": nil, "eve": user.ErrNotFound, "!": user.ErrNotFound, "": user.ErrNotFound,
	} {
		if id, err := r.s.Resolve(t.Context(), tenant.Default, text); !errors.Is(err, want) || err == nil && id != r.ada.ID {
			t.Errorf("%q is %q, %v", text, id, err)
		}
	}
	if _, err := r.s.Resolve(t.Context(), "t2", "ada"); !errors.Is(err, user.ErrNotFound) {
		t.Errorf("of another tenant: %v", err)
	}
}

func TestActsThatWillNotDo(t *testing.T) {
	r := newRig(t)
	acts := map[string]func(support.Act) error{
		"reset":    func(a support.Act) error { _, err := r.s.Reset(t.Context(), a); return err },
		"block":    func(a support.Act) error { _, err := r.s.Block(t.Context(), a); return err },
		"codes":    func(a support.Act) error { _, err := r.s.RecoveryCodes(t.Context(), a); return err },
		"unlock":   func(a support.Act) error { _, err := r.s.Unlock(t.Context(), a); return err },
		"unblock":  func(a support.Act) error { return r.s.Unblock(t.Context(), a) },
		"sign out": func(a support.Act) error { _, err := r.s.SignOut(t.Context(), a); return err },
	}
	for name, act := range acts {
		a := r.act()
		a.Reason = ""
		if explained := name == "reset" || name == "block" || name == "codes"; explained {
			if err := act(a); !errors.Is(err, support.ErrReason) {
				t.Errorf("%s without a reason: %v", name, err)
			}
		}
		for _, reason := range []string{"a\nb", strings.Repeat("x", 201), "\xff"} {
			a.Reason = reason
			if err := act(a); !errors.Is(err, support.ErrReason) {
				t.Errorf("%s because of %q: %v", name, reason, err)
			}
		}
		nobody, elsewhere, nowhere := r.act(), r.act(), r.act()
		nobody.User, elsewhere.Tenant, nowhere.Tenant = r.ids.New(), "t2", "t9"
		if err := act(nobody); !errors.Is(err, user.ErrNotFound) {
			t.Errorf("%s nobody: %v", name, err)
		}
		if err := act(elsewhere); !errors.Is(err, user.ErrNotFound) {
			t.Errorf("%s of another tenant: %v", name, err)
		}
		if err := act(nowhere); !errors.Is(err, tenant.ErrUnknown) {
			t.Errorf("%s of no tenant: %v", name, err)
		}
	}
	if p := r.show(); len(p.Events) != 0 || len(p.Devices) != 3 || len(p.Sessions) != 1 {
		t.Errorf("something happened: %+v", p)
	}
}

func TestSeeingWholeAddressesIsRecorded(t *testing.T) {
	r := newRig(t)
	if err := r.s.Reveal(t.Context(), r.act(), r.ada.ID); err != nil {
		t.Fatal(err)
	}
	r.recorded(event.UserRevealed)
}
