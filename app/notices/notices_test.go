package notices_test

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/countersign/countersign/adapters/memstore"
	"github.com/countersign/countersign/app/channels"
	"github.com/countersign/countersign/app/notices"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/message"
	"github.com/countersign/countersign/ports/store"
	"github.com/countersign/countersign/ports/system/systemtest"
)

type noConfig struct{}

func (noConfig) Validate() error { return nil }

type silent struct{}

func (silent) Send(context.Context, channel.Message) (channel.Receipt, error) {
	return channel.Receipt{}, nil
}

// rig is the service over memory, with channels for some kinds of address.
type rig struct {
	t     *testing.T
	store *memstore.Store
	clock *systemtest.Clock
	s     *notices.Service
	woken int
}

// Wake counts.
func (r *rig) Wake() { r.woken++ }

func newRig(t *testing.T, reached ...channel.AddressKind) *rig {
	t.Helper()
	var plugins []channel.Plugin
	var specs []channels.Spec
	for _, kind := range reached {
		plugins = append(plugins, channel.DefineSender(channel.Descriptor{Type: string(kind), Title: "T", Address: kind},
			func() noConfig { return noConfig{} },
			func(context.Context, noConfig, channel.Env) (channel.Sender, error) { return silent{}, nil }))
		specs = append(specs, channels.Spec{ID: string(kind), Use: string(kind), Decode: func(any) error { return nil }})
	}
	catalog, err := channels.NewCatalog(plugins)
	if err != nil {
		t.Fatal(err)
	}
	registry, err := catalog.Open(t.Context(), specs, func(string) channel.Env { return channel.Env{} })
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, store: memstore.New(), clock: systemtest.NewClock(time.Time{})}
	r.s = notices.New(notices.Needs{Channels: registry, Courier: r, IDs: &systemtest.IDs{}})
	return r
}

func (r *rig) tell(t notices.Telling) {
	r.t.Helper()
	t.Now = r.clock.Now()
	err := r.store.Do(r.t.Context(), func(ctx context.Context, tx store.Tx) error { return r.s.Tell(ctx, tx, t) })
	if err != nil {
		r.t.Fatal(err)
	}
}

// queued takes what waits out of the queue.
func (r *rig) queued() []store.Parcel {
	r.t.Helper()
	got, err := r.store.Claim(r.t.Context(), store.Claim{Owner: "test", Lease: 1000 * time.Hour, Max: 99, Now: r.clock.Now()})
	if err != nil {
		r.t.Fatal(err)
	}
	return got
}

var (
	ada   = contact.Contact{Kind: contact.Email, Value: "ada@example.com"}
	phone = contact.Contact{Kind: contact.Phone, Value: "+447700900123"}
)

// account is Ada's, with an address and a phone number that may be proven.
func account(proven time.Time) user.Account {
	return user.Account{User: user.User{ID: "u", Tenant: "t1", Locale: "de"}, Identifiers: []user.Identifier{
		{Contact: phone, Tenant: "t1", User: "u", VerifiedAt: time.Unix(1, 0)}, {Contact: ada, Tenant: "t1", User: "u", VerifiedAt: proven},
	}}
}

func TestANoticeGoesToTheProvenAddress(t *testing.T) {
	r := newRig(t, channel.Email, channel.Phone)
	r.tell(notices.Telling{
		Account: account(time.Unix(1, 0)), Kind: message.DeviceAdded, Locale: "en", Client: "Firefox on Windows",
		Data: map[string]string{"name": "Phone"},
	})
	all := r.queued()
	if len(all) != 1 {
		t.Fatalf("%d messages are queued", len(all))
	}
	m, now := all[0].Message, r.clock.Now()
	if m.Tenant != "t1" || m.Channel != "email" || m.Handle != "" || !m.NextAt.Equal(now) || !m.Deadline.Equal(now.Add(24*time.Hour)) || m.ID == "" || m.Number != 1 {
		t.Errorf("queued as %+v", m)
	}
	want := store.Notice{
		Kind: "device_added", To: ada, Locale: "de", At: now, Client: "Firefox on Windows", Data: map[string]string{"name": "Phone"},
	}
	if !reflect.DeepEqual(*m.Notice, want) {
		t.Errorf("the notice is %+v, want %+v", *m.Notice, want)
	}
	if r.s.Wake(); r.woken != 1 {
		t.Errorf("the courier was woken %d times", r.woken)
	}
}

func TestWhomNothingReachesIsToldNothing(t *testing.T) {
	for name, k := range map[string]struct {
		reached []channel.AddressKind
		account user.Account
		to      contact.Contact
		want    string // the channel, if anything is queued
	}{
		"an address nobody has proven":   {[]channel.AddressKind{channel.Email, channel.Phone}, account(time.Time{}), contact.Contact{}, ""},
		"no address":                     {[]channel.AddressKind{channel.Email, channel.Phone}, user.Account{}, contact.Contact{}, ""},
		"no channel":                     {[]channel.AddressKind{channel.Phone}, account(time.Unix(1, 0)), contact.Contact{}, ""},
		"a phone that is named":          {[]channel.AddressKind{channel.Email, channel.Phone}, account(time.Time{}), phone, "phone"},
		"a phone that cannot be reached": {[]channel.AddressKind{channel.Email}, account(time.Unix(1, 0)), phone, ""},
		"an address that is named":       {[]channel.AddressKind{channel.Email}, user.Account{}, ada, "email"},
	} {
		r := newRig(t, k.reached...)
		r.tell(notices.Telling{Account: k.account, Kind: message.PasswordChanged, To: k.to})
		got := ""
		for _, p := range r.queued() {
			got += p.Channel
		}
		if got != k.want {
			t.Errorf("%s: told by %q, want %q", name, got, k.want)
		}
	}
}

func TestAnAddressIsToldOfSignUpsOnceADay(t *testing.T) {
	r := newRig(t, channel.Email)
	attempt := func(tenant string, to contact.Contact) int {
		a := account(time.Unix(1, 0))
		a.Tenant = tenant
		r.tell(notices.Telling{Account: a, Kind: message.SignUpAttempt, To: to})
		return len(r.queued())
	}
	other := contact.Contact{Kind: contact.Email, Value: "eve@example.com"}
	for i, want := range []int{attempt("t1", ada), attempt("t1", ada), attempt("t1", other), attempt("t2", ada)} {
		if want != []int{1, 0, 1, 1}[i] {
			t.Errorf("attempt %d queues %d", i+1, want)
		}
	}
	r.clock.Advance(24*time.Hour - time.Second)
	if attempt("t1", ada) != 0 {
		t.Error("told a second time within a day")
	}
	r.clock.Advance(time.Second)
	if attempt("t1", ada) != 1 {
		t.Error("not told after a day")
	}
	r.tell(notices.Telling{Account: account(time.Unix(1, 0)), Kind: message.PasswordChanged})
	r.tell(notices.Telling{Account: account(time.Unix(1, 0)), Kind: message.PasswordChanged})
	if n := len(r.queued()); n != 2 {
		t.Errorf("of two facts that happened, %d are told", n)
	}
}

func TestNothingIsToldOfWhatWasTakenBack(t *testing.T) {
	r := newRig(t, channel.Email)
	broken := errors.New("broken")
	err := r.store.Do(t.Context(), func(ctx context.Context, tx store.Tx) error {
		if err := r.s.Tell(ctx, tx, notices.Telling{Account: account(time.Unix(1, 0)), Kind: message.SignUpAttempt, Now: r.clock.Now()}); err != nil {
			return err
		}
		return broken
	})
	if !errors.Is(err, broken) || len(r.queued()) != 0 {
		t.Fatalf("error %v, or something is queued", err)
	}
	r.tell(notices.Telling{Account: account(time.Unix(1, 0)), Kind: message.SignUpAttempt})
	if len(r.queued()) != 1 {
		t.Error("what was taken back counts as told")
	}
}
