package delivery_test

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/countersign/countersign/adapters/memstore"
	"github.com/countersign/countersign/app/challenges"
	"github.com/countersign/countersign/app/channels"
	"github.com/countersign/countersign/app/delivery"
	"github.com/countersign/countersign/app/tenants"
	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/limit"
	"github.com/countersign/countersign/domain/tenant"
	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/message"
	"github.com/countersign/countersign/ports/meter"
	"github.com/countersign/countersign/ports/store"
	"github.com/countersign/countersign/ports/system/systemtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// carrier is a sender that does as it is told.
type carrier struct {
	mu   sync.Mutex // guards what follows
	errs []error    // of the next sends; then nil
	took time.Duration
	got  []channel.Message

	nameless bool // its receipts have no id
}

func (c *carrier) Send(ctx context.Context, m channel.Message) (channel.Receipt, error) {
	select {
	case <-time.After(c.took):
	case <-ctx.Done():
		return channel.Receipt{}, fmt.Errorf("%w: %w", channel.ErrUnavailable, ctx.Err())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.errs) > 0 {
		err := c.errs[0]
		c.errs = c.errs[1:]
		if err != nil {
			return channel.Receipt{}, err
		}
	}
	c.got = append(c.got, m)
	if c.nameless {
		return channel.Receipt{}, nil
	}
	return channel.Receipt{ID: "r"}, nil
}

func (c *carrier) sent() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.got)
}

type noConfig struct{}

func (noConfig) Validate() error { return nil }

func plugin(typ string, to channel.AddressKind, c *carrier) channel.Plugin {
	return channel.DefineSender(channel.Descriptor{Type: typ, Title: typ, Address: to}, func() noConfig { return noConfig{} },
		func(context.Context, noConfig, channel.Env) (channel.Sender, error) {
			if typ == "other" {
				return reporter{c}, nil
			}
			return c, nil
		})
}

type fixedCodes struct{}

func (fixedCodes) Of(challenge.Challenge) (string, bool) { return "123456", true }

// plainComposer remembers what it was asked for.
type plainComposer struct {
	mu    sync.Mutex // guards asked
	asked []message.Request
}

func (c *plainComposer) Compose(r message.Request) (message.Text, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = append(c.asked, r)
	return message.Text{Locale: r.Locale, Subject: r.Brand + ", " + r.Support, Text: "code " + r.Code}, nil
}

// Match takes the first preference there is.
func (*plainComposer) Match(preferences ...string) string { return cmp.Or(preferences...) }
func (*plainComposer) Locales() []string                  { return []string{"en"} }

func (c *plainComposer) last() message.Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.asked[len(c.asked)-1]
}

// rig is a dispatcher over memory, with the bubble's clock.
type rig struct {
	store        *memstore.Store
	first, other *carrier
	words        *plainComposer
	log          *strings.Builder
	d            *delivery.Dispatcher
	ids          systemtest.IDs
}

type bubbleClock struct{}

func (bubbleClock) Now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

func newRig(t *testing.T) *rig { return rigOf(t, channel.Email, nil, nil) }

// rigOf sends to addresses of a kind by "email", and by "backup" if that fails, each
// to some countries only: the first two digits of a number are its country.
func rigOf(t *testing.T, to channel.AddressKind, first, other []string) *rig {
	t.Helper()
	r := &rig{store: memstore.New(), first: &carrier{}, other: &carrier{}, words: &plainComposer{}, log: &strings.Builder{}}
	catalog, err := channels.NewCatalog([]channel.Plugin{plugin("first", to, r.first), plugin("other", to, r.other)})
	if err != nil {
		t.Fatal(err)
	}
	noDecode := func(any) error { return nil }
	registry, err := catalog.Open(t.Context(), []channels.Spec{
		{ID: "email", Use: "first", Decode: noDecode, Fallback: []string{"backup"}, Regions: first},
		{ID: "backup", Use: "other", Decode: noDecode, Regions: other},
	}, func(string) channel.Env { return channel.Env{} })
	if err != nil {
		t.Fatal(err)
	}
	r.d = delivery.New(delivery.Needs{
		Store: r.store, Channels: registry, Codes: fixedCodes{}, Composer: r.words, Clock: bubbleClock{}, IDs: &r.ids,
		Random: systemtest.NewRandom("delivery"), Meter: meter.Nothing{}, Log: slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Owner: "me", Host: "example.com", Links: links{}, Region: func(e164 string) string { return e164[1:3] },
		Tenants: tenants.NewBook(tenants.Entry{Tenant: tenant.Tenant{Slug: tenant.Default}, Brand: tenants.Brand{Name: "Example", Support: "help@example.com"}, Locale: "en"},
			tenants.Entry{Tenant: tenant.Tenant{Slug: "t2"}, Brand: tenants.Brand{Name: "Two"}, Locale: "de"}),
	})
	return r
}

// start queues the message of a new challenge, for somebody or for nobody.
func (r *rig) start(t *testing.T, decoy bool) store.Start {
	t.Helper()
	now := bubbleClock{}.Now()
	c := challenge.Challenge{
		Handle: "h" + r.ids.New(), Tenant: "default", Purpose: challenge.SignIn, Channel: "email", Status: challenge.Pending,
		Delivery: challenge.Queued, Decoy: decoy, Kind: contact.Email, Destination: "ada@example.com", Counter: "c",
		Format: challenge.Digits(6), Round: 1, Allowed: 5, Sends: 1, MaxSends: 3, CreatedAt: now, ExpiresAt: now.Add(5 * time.Minute),
	}
	return store.Start{Challenge: c, Now: now, Message: &store.Message{
		ID: r.ids.New(), Tenant: c.Tenant, Handle: c.Handle, Channel: "email", Number: 1, NextAt: now, Deadline: c.ExpiresAt,
	}}
}

func (r *rig) queue(t *testing.T, s store.Start) {
	t.Helper()
	if err := r.store.Start(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	r.d.Wake()
}

func (r *rig) fate(t *testing.T, s store.Start) challenge.Delivery {
	t.Helper()
	c, err := r.store.Challenge(t.Context(), s.Challenge.Tenant, s.Challenge.Handle, 0)
	if err != nil {
		t.Fatal(err)
	}
	return c.Delivery
}

// bubble runs a test with a dispatcher at work, in time that passes at once.
func bubble(t *testing.T, fn func(t *testing.T, r *rig)) {
	t.Helper()
	bubbleOf(t, newRig, fn)
}

func bubbleOf(t *testing.T, open func(*testing.T) *rig, fn func(t *testing.T, r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := open(t)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); r.d.Run(ctx) }()
		fn(t, r)
		cancel()
		<-done
		stop, free := context.WithTimeout(context.Background(), time.Minute)
		defer free()
		r.d.Stop(stop)
	})
}

func TestAReservedMessageIsSentWithoutTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t) // nobody runs it
		s := r.start(t, false)
		if !r.d.Reserve(s.Message, s.Now) {
			t.Fatal("no free hand")
		}
		if err := r.store.Start(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		r.d.Take(store.Parcel{Message: *s.Message, Challenge: s.Challenge})
		synctest.Wait()
		if r.first.sent() != 1 || r.fate(t, s) != challenge.Sent {
			t.Fatalf("sent %d times, delivery %q", r.first.sent(), r.fate(t, s))
		}
		if m := r.first.got[0]; m.Code != "123456" || m.To != "ada@example.com" || m.Key != s.Message.ID+"-1" {
			t.Errorf("the carrier got key %q", m.Key)
		}
	})
}

// Hands are promised ahead only while messages flow: others might send what a
// carrier that stands still keeps us from.
func TestHandsArePromisedAheadWhileMessagesFlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		reserve := func() (all []store.Start) {
			for {
				s := r.start(t, false)
				if !r.d.Reserve(s.Message, s.Now) {
					return all
				}
				all = append(all, s)
			}
		}
		take := func(all []store.Start) {
			for _, s := range all {
				if err := r.store.Start(t.Context(), s); err != nil {
					t.Fatal(err)
				}
				r.d.Take(store.Parcel{Message: *s.Message, Challenge: s.Challenge})
			}
			synctest.Wait()
		}
		first := reserve()
		take(first)
		second := reserve()
		if len(first) != 16 || len(second) != 32 {
			t.Fatalf("%d are promised to begin with, and %d while messages flow; want 16 and 32", len(first), len(second))
		}
		r.d.Release()
		if s := r.start(t, false); !r.d.Reserve(s.Message, s.Now) || r.d.Reserve(s.Message, s.Now) {
			t.Error("what was released is not promised again, or twice")
		}
		take(second)
		if n := r.first.sent(); n != len(first)+len(second) {
			t.Errorf("%d were sent, want %d", n, len(first)+len(second))
		}
	})
}

func TestMessagesAreWrittenInTheNameOfTheTenant(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		ours, theirs, asked := r.start(t, false), r.start(t, false), r.start(t, false)
		for _, s := range []*store.Start{&theirs, &asked} {
			s.Challenge.Tenant, s.Message.Tenant = "t2", "t2"
		}
		asked.Challenge.Locale = "fr"
		want := map[string]string{
			ours.Message.ID: "en Example, help@example.com", theirs.Message.ID: "de Two, help@example.com", asked.Message.ID: "fr Two, help@example.com",
		}
		for _, s := range []store.Start{ours, theirs, asked} {
			r.queue(t, s)
		}
		time.Sleep(time.Second) // of the bubble
		synctest.Wait()
		for _, m := range r.first.got {
			id := strings.TrimSuffix(m.Key, "-1")
			if got := m.Locale + " " + m.Subject; got != want[id] {
				t.Errorf("a message reads %q, want %q", got, want[id])
			}
			delete(want, id)
		}
		if len(want) > 0 {
			t.Errorf("%d messages were not sent", len(want))
		}
	})
}

func TestQueuedMessagesAreSentWhenWoken(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		var all []store.Start
		for range 40 { // more than there are hands
			s := r.start(t, false)
			r.queue(t, s)
			all = append(all, s)
		}
		time.Sleep(time.Millisecond) // of the bubble
		synctest.Wait()
		for _, s := range all {
			if got := r.fate(t, s); got != challenge.Sent {
				t.Fatalf("delivery is %q", got)
			}
		}
		if r.first.sent() != len(all) {
			t.Errorf("%d messages were sent %d times", len(all), r.first.sent())
		}
	})
}

func TestAnOutageIsOutwaited(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		down := fmt.Errorf("%w: connection refused", channel.ErrUnavailable)
		r.first.errs = []error{down, down, down}
		r.other.errs = []error{down, down, down}
		s := r.start(t, false)
		r.queue(t, s)
		time.Sleep(40 * time.Second)
		synctest.Wait()
		if r.first.sent()+r.other.sent() != 1 || r.fate(t, s) != challenge.Sent {
			t.Errorf("sent %d and %d times, delivery %q", r.first.sent(), r.other.sent(), r.fate(t, s))
		}
	})
}

func TestAnotherChannelStandsIn(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.first.errs = []error{fmt.Errorf("%w: status 401", channel.ErrRefused)}
		s := r.start(t, false)
		r.queue(t, s)
		time.Sleep(time.Second)
		synctest.Wait()
		if r.other.sent() != 1 || r.fate(t, s) != challenge.Sent {
			t.Errorf("the stand-in sent %d messages, delivery %q", r.other.sent(), r.fate(t, s))
		}
	})
}

func TestNothingIsSentAfterTheCodeHasRunOut(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		for range 200 {
			r.first.errs = append(r.first.errs, channel.ErrUnavailable)
			r.other.errs = append(r.other.errs, channel.ErrUnavailable)
		}
		s := r.start(t, false)
		r.queue(t, s)
		time.Sleep(5 * time.Minute)
		r.first.mu.Lock()
		r.first.errs = nil
		r.first.mu.Unlock()
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if r.first.sent() != 0 || r.fate(t, s) != challenge.Failed {
			t.Errorf("sent %d times, delivery %q", r.first.sent(), r.fate(t, s))
		}
	})
}

func TestAFinalFailureGivesTheCooldownBack(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.first.errs = []error{channel.ErrUndeliverable}
		s := r.start(t, false)
		s.Windows = []limit.Charge{{Key: challenges.CooldownKey(s.Challenge), Rule: limit.Rule{Max: 1, Window: time.Minute}, Cooldown: true}}
		r.queue(t, s)
		time.Sleep(time.Second)
		synctest.Wait()
		if r.fate(t, s) != challenge.Failed || r.other.sent() != 0 {
			t.Fatalf("delivery %q, the stand-in sent %d", r.fate(t, s), r.other.sent())
		}
		again := r.start(t, false)
		again.Windows = s.Windows
		if err := r.store.Start(t.Context(), again); err != nil {
			t.Errorf("the cool-down was not given back: %v", err)
		}
	})
}

func TestADecoySendsNothingAndFaresLikeTheRest(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.first.took = 300 * time.Millisecond
		real, decoy := r.start(t, false), r.start(t, true)
		r.queue(t, real)
		time.Sleep(time.Second)
		r.queue(t, decoy)
		time.Sleep(200 * time.Millisecond)
		synctest.Wait()
		if got := r.fate(t, decoy); got != challenge.Queued {
			t.Errorf("after less than a message takes, the decoy is %q", got)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if got := r.fate(t, decoy); got != challenge.Sent {
			t.Errorf("the decoy is %q", got)
		}
		if r.first.sent() != 1 {
			t.Errorf("%d messages were sent for one person", r.first.sent())
		}
		if n := len(r.words.asked); n != 2 {
			t.Errorf("%d messages were written for a person and a decoy: one of them is less work", n)
		}
	})
}

func TestStoppingHandsBackWhatIsOnItsWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.first.took, r.other.took = time.Hour, time.Hour
		s := r.start(t, false)
		r.d.Reserve(s.Message, s.Now)
		if err := r.store.Start(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		r.d.Take(store.Parcel{Message: *s.Message, Challenge: s.Challenge})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		r.d.Stop(ctx)
		if r.d.Reserve(s.Message, s.Now) {
			t.Error("a stopped dispatcher took a message")
		}
		got, err := r.store.Claim(t.Context(), store.Claim{Owner: "another", Lease: time.Minute, Max: 9, Now: bubbleClock{}.Now()})
		if err != nil || len(got) != 1 {
			t.Errorf("another replica found %d messages, %v", len(got), err)
		}
	})
}

func TestLogsHoldNeitherCodeNorAddress(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.first.errs = []error{channel.ErrUndeliverable}
		r.queue(t, r.start(t, false))
		time.Sleep(time.Second)
		synctest.Wait()
		if !strings.Contains(r.log.String(), "was not sent") || strings.Contains(r.log.String(), "was sent") {
			t.Fatalf("the failure was not logged: %s", r.log)
		}
		r.queue(t, r.start(t, false))
		time.Sleep(time.Second)
		synctest.Wait()
		if !strings.Contains(r.log.String(), `level=DEBUG msg="a message was sent" channel=email`) {
			t.Fatalf("the success was not logged: %s", r.log)
		}
		for _, secret := range []string{"123456", "ada@example.com"} {
			if strings.Contains(r.log.String(), secret) {
				t.Errorf("the log holds %s", secret)
			}
		}
	})
}

func TestPausesAreSpreadOverTheirUpperHalf(t *testing.T) {
	d := newRig(t).d
	notice := store.Message{Notice: &store.Notice{}, Tries: 20}
	for p, most := range map[*store.Message]time.Duration{
		{}: time.Second, {Tries: 4}: 16 * time.Second, {Tries: 9}: 30 * time.Second, &notice: 15 * time.Minute,
	} {
		low, high := most, time.Duration(0)
		for range 500 {
			wait := delivery.Backoff(d, store.Parcel{Message: *p}, channel.ErrUnavailable)
			low, high = min(low, wait), max(high, wait)
		}
		if low < most/2 || low > most*6/10 || high < most*9/10 || high > most {
			t.Errorf("after try %d the pauses are %s to %s, want %s to %s", p.Tries, low, high, most/2, most)
		}
	}
}

func TestAFailureIsRecordedInTheOrderOfTime(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.first.errs = []error{channel.ErrUndeliverable}
		s := r.start(t, false)
		r.queue(t, s)
		time.Sleep(time.Second)
		synctest.Wait()
		got := r.failures(t, "default")
		if len(got) != 1 || got[0].Type != event.DeliveryFailed || got[0].ID <= s.Message.ID {
			t.Errorf("recorded %+v", got)
		}
	})
}

func TestACodeThatWasUsedHasArrived(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		s := r.start(t, false) // sent by a process that died, and answered
		s.Message.NextAt = s.Now.Add(time.Second)
		r.queue(t, s)
		if err := r.store.Settle(t.Context(), store.Settlement{Tenant: "default", Handle: s.Challenge.Handle, Now: s.Now}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := r.failures(t, "default"); len(got) != 0 || r.first.sent() != 0 {
			t.Errorf("recorded %+v, sent %d", got, r.first.sent())
		}
	})
}
