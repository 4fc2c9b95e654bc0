package invitations_test

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign/adapters/jwttoken"
	"github.com/countersign/countersign/adapters/keyring"
	"github.com/countersign/countersign/adapters/memstore"
	"github.com/countersign/countersign/app/challenges"
	"github.com/countersign/countersign/app/channels"
	"github.com/countersign/countersign/app/invitations"
	"github.com/countersign/countersign/app/notices"
	"github.com/countersign/countersign/app/sessions"
	"github.com/countersign/countersign/app/tenants"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/fault"
	"github.com/countersign/countersign/domain/invitation"
	"github.com/countersign/countersign/domain/password"
	"github.com/countersign/countersign/domain/policy"
	"github.com/countersign/countersign/domain/rule"
	"github.com/countersign/countersign/domain/tenant"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/message"
	"github.com/countersign/countersign/ports/meter"
	"github.com/countersign/countersign/ports/store"
	"github.com/countersign/countersign/ports/system/systemtest"
)

const base = "https://login.example.com"

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

// gate blocks one address.
type gate struct{ blocked string }

func (g *gate) Serve(_ string, q rule.Asked) error {
	if g.blocked != "" && q.Contact.Value == g.blocked {
		return rule.ErrBlocked
	}
	return nil
}

func (*gate) Trap(context.Context, string, netip.Addr, string) error { return nil }

// fake knows one password that everybody uses, and hashes in a way that only
// tests may.
type fake struct{}

func (fake) Hash(_ context.Context, text string) (password.Hash, error) {
	return password.Hash("hash of " + text), nil
}

func (fake) Check(_, pointer, text string, profile ...string) (out []fault.Field) {
	for _, p := range (password.Rules{MinLength: 8, RefuseCommon: true}).Check(password.Candidate{Text: text, Profile: profile, Common: text == "correct horse"}) {
		out = append(out, fault.Field{Pointer: pointer, Code: p.Code, Detail: p.Detail})
	}
	return out
}

// desk is the courier: it is told of nothing but that something waits.
type desk struct{ woken int }

func (*desk) Reserve(*store.Message, time.Time) bool { return false }
func (*desk) Take(store.Parcel)                      {}
func (*desk) Release()                               {}
func (d *desk) Wake()                                { d.woken++ }

// rig is the service over memory.
type rig struct {
	t      *testing.T
	store  *memstore.Store
	clock  *systemtest.Clock
	gate   *gate
	desk   *desk
	tokens invitations.Tokens
	s      *invitations.Service
}

// newRig makes one, with a second tenant, t2.
func newRig(t *testing.T, tune ...func(*policy.Policy)) *rig {
	t.Helper()
	p := policy.Default()
	p.SignUp.Allowed = false
	for _, change := range tune {
		change(&p)
	}
	book := tenants.NewBook(
		tenants.Entry{Tenant: tenant.Tenant{Slug: tenant.Default, Origins: []string{"https://app.example.com"}}, Policy: p},
		tenants.Entry{Tenant: tenant.Tenant{Slug: "t2"}, Policy: p},
	)
	catalog := must(channels.NewCatalog([]channel.Plugin{sender(channel.Email, 1), sender(channel.Phone, 2)}))(t)
	var specs []channels.Spec
	for _, id := range []string{"email", "phone"} {
		specs = append(specs, channels.Spec{ID: id, Use: id, Decode: func(any) error { return nil }})
	}
	registry := must(catalog.Open(t.Context(), specs, func(string) channel.Env { return channel.Env{} }))(t)
	r := &rig{t: t, store: memstore.New(), clock: systemtest.NewClock(time.Time{}), gate: &gate{}, desk: &desk{}}
	ids := &systemtest.IDs{}
	ring := must(keyring.Ephemeral(rand.Reader, r.clock.Now()))(t)
	jwt := must(jwttoken.New(jwttoken.Config{Keys: ring, Issuer: base, Audience: base, Now: r.clock.Now}))(t)
	parser := contact.Parser{
		NFKC: func(s string) string { return s }, ToASCII: func(s string) (string, error) { return s, nil },
		E164: func(raw, _ string) (string, error) { return raw, nil },
	}
	tells := notices.New(notices.Needs{Channels: registry, Courier: r.desk, IDs: ids})
	who := sessions.New(sessions.Needs{
		Store: r.store, Signer: jwt, Reader: jwt, Deriver: ring, Clock: r.clock, IDs: ids, Meter: meter.Nothing{}, Tenants: book, Notices: tells,
	})
	asks := challenges.New(challenges.Needs{
		Store: r.store, Channels: registry, Sessions: who, Tenants: book, Contacts: parser, Gate: r.gate, Notices: tells, Sealer: ring,
		Signer: jwt, Codes: challenges.NewCodes(ring), Courier: r.desk, Clock: r.clock, IDs: ids, Random: rand.Reader,
		Meter: meter.Nothing{}, Log: slog.New(slog.DiscardHandler),
	})
	r.tokens = invitations.Tokens{Deriver: ring, Base: base}
	r.s = invitations.New(invitations.Needs{
		Store: r.store, Challenges: asks, Notices: tells, Channels: registry, Tenants: book, Contacts: parser, Gate: r.gate,
		Passwords: fake{}, Tokens: r.tokens, Clock: r.clock, IDs: ids,
	})
	return r
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

// person adds somebody with an address, proven or only claimed.
func (r *rig) person(id, address string, proven bool) user.User {
	r.t.Helper()
	u := user.User{ID: id, Tenant: tenant.Default, Status: user.Active, FirstName: "Ada", LastName: "Byron", CreatedAt: r.clock.Now()}
	i := user.Identifier{Contact: contact.Contact{Kind: contact.Email, Value: address}, Tenant: u.Tenant, User: u.ID, CreatedAt: u.CreatedAt}
	if proven {
		i.VerifiedAt = u.CreatedAt
	}
	r.do(func(ctx context.Context, tx store.Tx) error {
		return tx.Users().Add(ctx, user.Account{User: u, Identifiers: []user.Identifier{i}})
	})
	return u
}

// queued takes what waits out of the queue.
func (r *rig) queued() []store.Parcel {
	r.t.Helper()
	return must(r.store.Claim(r.t.Context(), store.Claim{Owner: "test", Lease: 1000 * time.Hour, Max: 99, Now: r.clock.Now()}))(r.t)
}

func (r *rig) events(t event.Type) (out []event.Event) {
	r.t.Helper()
	r.do(func(ctx context.Context, tx store.Tx) error {
		all, err := tx.Journal().Events(ctx, store.EventQuery{Tenant: tenant.Default, Limit: 99})
		for _, e := range all {
			if e.Type == t {
				out = append(out, e)
			}
		}
		return err
	})
	return out
}

func (r *rig) invite(w invitations.Wish) invitation.Invitation {
	r.t.Helper()
	if w.Tenant == "" {
		w.Tenant = tenant.Default
	}
	return must(r.s.Invite(r.t.Context(), w))(r.t)
}

func (r *rig) accept(in invitations.AcceptInput) (challenges.Outcome, error) {
	r.t.Helper()
	if in.Tenant == "" {
		in.Tenant = tenant.Default
	}
	return r.s.Accept(r.t.Context(), in)
}

const grace = "grace@example.com"

func TestWhoeverIsAskedInComesIn(t *testing.T) {
	r := newRig(t)
	ada := r.person("00000000-0000-7000-8000-0000000000aa", "ada@example.com", true)
	i := r.invite(invitations.Wish{Inviter: &ada, By: "user ada", Email: " Grace@example.com ", Locale: "de"})
	if i.Value != grace || i.Inviter != ada.ID || !i.ExpiresAt.Equal(r.clock.Now().Add(7*24*time.Hour)) {
		t.Fatalf("invited %+v", i)
	}
	got := r.queued()
	if len(got) != 1 || got[0].Notice.Kind != string(message.Invitation) || got[0].Notice.Ref != i.ID || got[0].Notice.To.Value != grace ||
		got[0].Notice.Data["inviter"] != "Ada Byron" || got[0].Notice.Locale != "de" || r.desk.woken != 1 {
		t.Fatalf("queued %+v, woken %d", got, r.desk.woken)
	}
	out, err := r.accept(invitations.AcceptInput{Token: r.tokens.Token(i), Username: "Grace", FirstName: "Grace", Password: "a fine sentence", Client: "Firefox"})
	if err != nil || out.Status != challenges.SignedIn || !out.NewUser || out.Tokens.Access == "" {
		t.Fatalf("outcome %+v, error %v", out, err)
	}
	a := *out.Account
	if a.InvitedBy != ada.ID || a.FirstName != "Grace" || a.Locale != "de" {
		t.Errorf("the account is %+v", a.User)
	}
	if id, ok := a.Find(contact.Email); !ok || !id.Verified() || id.Value != grace {
		t.Errorf("the address is not proven: %v", id)
	}
	r.do(func(ctx context.Context, tx store.Tx) error {
		kept, err := tx.Passwords().Get(ctx, tenant.Default, a.ID)
		if kept.Hash != "hash of a fine sentence" {
			t.Error("the password is not kept")
		}
		return err
	})
	facts := r.events(event.InvitationAccepted)
	if len(facts) != 1 || facts[0].User != a.ID || facts[0].Data["invited_by"] != ada.ID || facts[0].Data["invitation"] != i.ID {
		t.Errorf("recorded %v", facts)
	}
	if _, err := r.accept(invitations.AcceptInput{Token: r.tokens.Token(i)}); !errors.Is(err, invitation.ErrExpired) {
		t.Errorf("a second time: %v", err)
	}
}

func TestManyAtOnceMakeOneUser(t *testing.T) {
	r := newRig(t)
	token := r.tokens.Token(r.invite(invitations.Wish{By: "cli", Email: grace}))
	var mu sync.Mutex
	won, errs := 0, []error{}
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			_, err := r.accept(invitations.AcceptInput{Token: token})
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won++
			} else if !errors.Is(err, invitation.ErrExpired) {
				errs = append(errs, err)
			}
		})
	}
	all.Wait()
	if won != 1 || len(errs) > 0 {
		t.Errorf("%d came in, and others heard %v", won, errs)
	}
}

func TestTokensThatAreNone(t *testing.T) {
	r := newRig(t)
	i := r.invite(invitations.Wish{By: "cli", Email: grace})
	token := r.tokens.Token(i)
	elsewhere := i
	elsewhere.Tenant = "t2"
	other := i
	other.Value = "eve@example.com"
	last := "A"
	if strings.HasSuffix(token, "A") {
		last = "Q"
	}
	middle := "x"
	if token[30] == 'x' {
		middle = "y"
	}
	for name, text := range map[string]string{
		"nothing": "", "another kind": "csp_" + token[4:], "cut": token[:len(token)-1], "changed": token[:30] + middle + token[31:],
		"another end": token[:len(token)-1] + last, "another tenant's": r.tokens.Token(elsewhere), "for another address": r.tokens.Token(other),
		"longer": token + "AAAA", "with a line": token + "\n", "very long": token + strings.Repeat("A", 9999),
	} {
		if _, err := r.accept(invitations.AcceptInput{Token: text}); !errors.Is(err, invitation.ErrNotFound) || errors.Is(err, invitation.ErrExpired) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := r.accept(invitations.AcceptInput{Tenant: "t2", Token: token}); !errors.Is(err, invitation.ErrNotFound) {
		t.Errorf("at another tenant: %v", err)
	}
	if slug, ok := invitations.TenantOf(r.tokens.Token(elsewhere)); !ok || slug != "t2" {
		t.Errorf("the token belongs to %q", slug)
	}
	if _, err := r.accept(invitations.AcceptInput{Token: token}); err != nil {
		t.Errorf("the good one: %v", err)
	}
}

func TestOldAndRevokedInvitationsAreGone(t *testing.T) {
	r := newRig(t)
	ada := r.person("00000000-0000-7000-8000-0000000000aa", "ada@example.com", true)
	old := r.invite(invitations.Wish{By: "cli", Email: grace, Life: time.Minute})
	back := r.invite(invitations.Wish{Inviter: &ada, By: "user", Email: grace})
	ctx := t.Context()
	for who, want := range map[string]error{"somebody else": invitation.ErrNotFound, ada.ID: nil} {
		if err := r.s.Revoke(ctx, invitations.Revocation{Tenant: tenant.Default, ID: back.ID, Inviter: who, By: "x"}); !errors.Is(err, want) {
			t.Errorf("%s revokes: %v, want %v", who, err, want)
		}
	}
	if err := r.s.Revoke(ctx, invitations.Revocation{Tenant: tenant.Default, ID: back.ID, By: "cli"}); err != nil {
		t.Errorf("a second time: %v", err)
	}
	if n := len(r.events(event.InvitationRevoked)); n != 1 {
		t.Errorf("revoked %d times", n)
	}
	r.clock.Advance(time.Minute)
	for name, i := range map[string]invitation.Invitation{"old": old, "revoked": back} {
		if _, err := r.s.Open(ctx, tenant.Default, r.tokens.Token(i)); !errors.Is(err, invitation.ErrExpired) {
			t.Errorf("%s opens: %v", name, err)
		}
		if _, err := r.accept(invitations.AcceptInput{Token: r.tokens.Token(i)}); !errors.Is(err, invitation.ErrExpired) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := r.s.Revoke(ctx, invitations.Revocation{Tenant: tenant.Default, ID: old.ID, By: "cli"}); !errors.Is(err, invitation.ErrExpired) {
		t.Errorf("the old one is revoked: %v", err)
	}
}

func TestWhoIsHereAlreadyIsToldAndNobodyElseIs(t *testing.T) {
	r := newRig(t)
	ada := r.person("00000000-0000-7000-8000-0000000000aa", "ada@example.com", true)
	r.person("00000000-0000-7000-8000-0000000000bb", grace, true)
	known := r.invite(invitations.Wish{Inviter: &ada, By: "user", Email: grace})
	unknown := r.invite(invitations.Wish{Inviter: &ada, By: "user", Email: "new@example.com"})
	if now := r.clock.Now(); known.At(now) != unknown.At(now) {
		t.Error("they are answered differently")
	}
	kinds := map[string]string{}
	for _, p := range r.queued() {
		kinds[p.Notice.To.Value] = p.Notice.Kind
	}
	if kinds[grace] != string(message.SignUpAttempt) || kinds["new@example.com"] != string(message.Invitation) {
		t.Errorf("queued %v", kinds)
	}
	if _, err := r.accept(invitations.AcceptInput{Token: r.tokens.Token(known)}); !errors.Is(err, user.ErrTaken) {
		t.Errorf("accepting what is somebody's: %v", err)
	}
	if _, err := r.s.Open(t.Context(), tenant.Default, r.tokens.Token(known)); err != nil {
		t.Errorf("the refusal used the invitation up: %v", err)
	}
}

func TestProofBeatsSaying(t *testing.T) {
	r := newRig(t)
	r.person("00000000-0000-7000-8000-0000000000bb", grace, false)
	out, err := r.accept(invitations.AcceptInput{Token: r.tokens.Token(r.invite(invitations.Wish{By: "cli", Email: grace}))})
	if err != nil || out.Account.ID == "00000000-0000-7000-8000-0000000000bb" {
		t.Fatalf("account %v, error %v", out.Account, err)
	}
	if facts := r.events(event.IdentifierRemoved); len(facts) != 1 || facts[0].User != "00000000-0000-7000-8000-0000000000bb" {
		t.Errorf("recorded %v", facts)
	}
}

func TestWhoMayInvite(t *testing.T) {
	r := newRig(t, func(p *policy.Policy) { p.SignUp.Invite = false })
	ada := r.person("00000000-0000-7000-8000-0000000000aa", "ada@example.com", true)
	if _, err := r.s.Invite(t.Context(), invitations.Wish{Tenant: tenant.Default, Inviter: &ada, Email: grace}); !errors.Is(err, invitation.ErrNotAllowed) {
		t.Errorf("a user: %v", err)
	}
	r.invite(invitations.Wish{By: "cli", Email: grace})
	r.gate.blocked = "eve@example.com"
	if _, err := r.s.Invite(t.Context(), invitations.Wish{Tenant: tenant.Default, By: "cli", Email: "eve@example.com"}); !errors.Is(err, rule.ErrBlocked) {
		t.Errorf("to a blocked address: %v", err)
	}
}

func TestInvitationsThatWillNotDo(t *testing.T) {
	r := newRig(t, func(p *policy.Policy) { p.Identity.Fields = []contact.Kind{contact.Email} })
	for name, c := range map[string]struct {
		wish          invitations.Wish
		pointer, code string
	}{
		"nobody":       {invitations.Wish{}, "/email", "field_required"},
		"two":          {invitations.Wish{Email: grace, Phone: "+447700900123"}, "/phone", "not_allowed"},
		"no address":   {invitations.Wish{Email: "grace"}, "/email", "invalid_email"},
		"unused kind":  {invitations.Wish{Phone: "+447700900123"}, "/phone", "invalid_kind"},
		"too short":    {invitations.Wish{Email: grace, Life: time.Second}, "/expires_in", "out_of_range"},
		"too long":     {invitations.Wish{Email: grace, Life: 31 * 24 * time.Hour}, "/expires_in", "out_of_range"},
		"negative":     {invitations.Wish{Email: grace, Life: -time.Hour}, "/expires_in", "out_of_range"},
		"another site": {invitations.Wish{Email: grace, ReturnTo: "https://evil.example"}, "/return_to", "invalid_return_to"},
	} {
		c.wish.Tenant = tenant.Default
		_, err := r.s.Invite(t.Context(), c.wish)
		f, ok := fault.Of(err)
		if !ok || f.Code != "invalid_request" || len(f.Fields) != 1 || f.Fields[0].Pointer != c.pointer || f.Fields[0].Code != c.code {
			t.Errorf("%s: %v %+v", name, err, f)
		}
	}
}

func TestProfilesThatWillNotDoLeaveTheInvitationOpen(t *testing.T) {
	r := newRig(t, func(p *policy.Policy) { p.Identity.Profile = []string{policy.FirstName} })
	r.gate.blocked = "root"
	token := r.tokens.Token(r.invite(invitations.Wish{By: "cli", Email: grace}))
	for name, c := range map[string]struct {
		in            invitations.AcceptInput
		pointer, code string
	}{
		"name":           {invitations.AcceptInput{FirstName: "a\nb"}, "/first_name", "invalid_name"},
		"unused name":    {invitations.AcceptInput{LastName: "Hopper"}, "/last_name", "not_allowed"},
		"user name":      {invitations.AcceptInput{Username: "x"}, "/username", "invalid_username"},
		"short password": {invitations.AcceptInput{Password: "abc"}, "/password", "password_too_short"},
		"common":         {invitations.AcceptInput{Password: "correct horse"}, "/password", "password_too_common"},
		"their address":  {invitations.AcceptInput{Password: grace}, "/password", "password_too_similar"},
	} {
		c.in.Token = token
		_, err := r.accept(c.in)
		f, ok := fault.Of(err)
		if !ok || len(f.Fields) == 0 || f.Fields[0].Pointer != c.pointer || f.Fields[0].Code != c.code {
			t.Errorf("%s: %v %+v", name, err, f)
		}
	}
	if _, err := r.accept(invitations.AcceptInput{Token: token, Username: "root"}); !errors.Is(err, rule.ErrBlocked) {
		t.Errorf("a blocked name: %v", err)
	}
	if _, err := r.accept(invitations.AcceptInput{Token: token}); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestWhatIsMissingIsAskedForFirst(t *testing.T) {
	r := newRig(t, func(p *policy.Policy) { p.SignUp.Required = []contact.Kind{contact.Username, contact.Email} })
	token := r.tokens.Token(r.invite(invitations.Wish{By: "cli", Email: grace}))
	out, err := r.accept(invitations.AcceptInput{Token: token, Password: "a fine sentence"})
	if err != nil || out.Status != challenges.IdentifierRequired || len(out.Missing) != 1 || out.Missing[0] != contact.Username || out.Pending == "" {
		t.Fatalf("outcome %+v, error %v", out, err)
	}
	if _, err := r.s.Open(t.Context(), tenant.Default, token); err != nil {
		t.Errorf("asking used the invitation up: %v", err)
	}
	waiting := must(r.s.Challenges.Sessions.Pending(t.Context(), tenant.Default, out.Pending))(t)
	done, err := r.s.Challenges.Complete(t.Context(), challenges.CompleteInput{Tenant: tenant.Default, Pending: waiting, Username: "grace"})
	if err != nil || done.Status != challenges.SignedIn {
		t.Fatalf("outcome %+v, error %v", done, err)
	}
	r.do(func(ctx context.Context, tx store.Tx) error {
		kept, err := tx.Passwords().Get(ctx, tenant.Default, done.Account.ID)
		if err != nil || kept.Hash == "" {
			t.Errorf("the password was lost: %v", err)
		}
		return nil
	})
	if _, err := r.s.Open(t.Context(), tenant.Default, token); !errors.Is(err, invitation.ErrExpired) {
		t.Errorf("it can be used again: %v", err)
	}
}

func TestLinksLeadToTheApplicationOrToUs(t *testing.T) {
	r := newRig(t)
	for to, want := range map[string]string{
		"": base + "/l/csi_", "/welcome": base + "/welcome?invitation=csi_",
		"https://app.example.com/in?a=1": "https://app.example.com/in?a=1&invitation=csi_",
		"https://app.example.com/in#top": "https://app.example.com/in?invitation=csi_",
	} {
		i := r.invite(invitations.Wish{By: "cli", Phone: "+447700900123", ReturnTo: to})
		if got := r.tokens.Link(i); !strings.HasPrefix(got, want) {
			t.Errorf("%q leads to %s", to, got)
		}
		r.clock.Advance(24 * time.Hour)
	}
}

func TestOnePersonCannotInviteEverybody(t *testing.T) {
	r := newRig(t)
	ada := r.person("00000000-0000-7000-8000-0000000000aa", "ada@example.com", true)
	var err error
	n := 0
	for ; err == nil && n < 99; n++ {
		_, err = r.s.Invite(t.Context(), invitations.Wish{Tenant: tenant.Default, Inviter: &ada, Email: "a" + strings.Repeat("b", n) + "@example.com"})
	}
	if f, ok := fault.Of(err); !ok || f.Kind != fault.Throttled || n != 51 {
		t.Errorf("after %d: %v", n, err)
	}
}
