package delivery_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/invitation"
	"github.com/countersign/countersign/domain/limit"
	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/message"
	"github.com/countersign/countersign/ports/store"
)

// links are as long as their challenge has one.
type links struct{}

func (links) Of(c challenge.Challenge) (string, bool) {
	return "https://example.com/l/" + c.Extra.ReturnTo, c.Extra.ReturnTo != ""
}

func (links) Invitation(i invitation.Invitation) string {
	return "https://example.com/i/" + i.Tenant + "/" + i.ID
}

// tell queues a notice for a day.
func (r *rig) tell(t *testing.T, k message.Kind, change func(*store.Message)) store.Message {
	t.Helper()
	now := bubbleClock{}.Now()
	m := store.Message{
		ID: r.ids.New(), Tenant: "t2", Channel: "email", Number: 1, NextAt: now, Deadline: now.Add(24 * time.Hour),
		Notice: &store.Notice{
			Kind: string(k), To: contact.Contact{Kind: contact.Email, Value: "ada@example.com"}, Locale: "de", At: now,
			Client: "Firefox", Data: map[string]string{"name": "Phone"},
		},
	}
	if change != nil {
		change(&m)
	}
	r.do(t, func(ctx context.Context, tx store.Tx) error { return tx.Challenges().Queue(ctx, m) })
	r.d.Wake()
	return m
}

func (r *rig) do(t *testing.T, fn func(ctx context.Context, tx store.Tx) error) {
	t.Helper()
	if err := r.store.Do(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

// waiting is how many messages are queued, whether or not they are due.
func (r *rig) waiting(t *testing.T) int {
	t.Helper()
	n, _, err := r.store.Backlog(t.Context(), bubbleClock{}.Now().Add(1000*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// failures are the facts of deliveries that failed, in a tenant.
func (r *rig) failures(t *testing.T, tenant string) (out []event.Event) {
	t.Helper()
	r.do(t, func(ctx context.Context, tx store.Tx) (err error) {
		out, err = tx.Journal().Events(ctx, store.EventQuery{Tenant: tenant, Limit: 9})
		return err
	})
	return out
}

func settle(d time.Duration) {
	time.Sleep(d) // of the bubble
	synctest.Wait()
}

func TestANoticeIsPutIntoWordsWhenItIsSent(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		m := r.tell(t, message.DeviceAdded, nil)
		settle(time.Second)
		if r.first.sent() != 1 || r.waiting(t) != 0 {
			t.Fatalf("sent %d times, %d wait", r.first.sent(), r.waiting(t))
		}
		if got := r.first.got[0]; got.To != "ada@example.com" || got.Code != "" || got.Link != "" || got.Key != m.ID+"-1" {
			t.Errorf("the carrier got code %q, link %q, key %q", got.Code, got.Link, got.Key)
		}
		q := r.words.last()
		if q.Kind != message.DeviceAdded || q.Form != message.Email || q.Tenant != "t2" || q.Locale != "de" || q.Where != "Firefox" ||
			!q.At.Equal(m.Notice.At) || q.Data["name"] != "Phone" || q.Brand != "Two" || q.Support != "help@example.com" || q.Code != "" || q.Link != "" {
			t.Errorf("composed of %+v, data %v", q.LogValue(), q.Data)
		}
		if got := r.failures(t, "t2"); len(got) != 0 {
			t.Errorf("facts were recorded: %v", got)
		}
	})
}

func TestANoticeFallsOverAndOutwaitsAnOutage(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.first.errs = []error{fmt.Errorf("%w: status 401", channel.ErrRefused)}
		r.tell(t, message.DeviceAdded, nil)
		settle(time.Second)
		if r.other.sent() != 1 {
			t.Fatalf("the stand-in sent %d", r.other.sent())
		}
		for range 20 { // hours, at a quarter of an hour each
			r.first.errs = append(r.first.errs, channel.ErrUnavailable)
			r.other.errs = append(r.other.errs, channel.ErrUnavailable)
		}
		r.tell(t, message.DeviceRemoved, nil)
		settle(time.Hour)
		if r.first.sent() != 0 || r.waiting(t) != 1 {
			t.Fatalf("sent %d in an outage, %d wait", r.first.sent(), r.waiting(t))
		}
		settle(20 * time.Hour)
		if r.first.sent() != 1 || r.waiting(t) != 0 {
			t.Errorf("sent %d after the outage, %d wait", r.first.sent(), r.waiting(t))
		}
	})
}

func TestANoticeIsGivenUpAfterADay(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		for range 400 {
			r.first.errs = append(r.first.errs, channel.ErrUnavailable)
			r.other.errs = append(r.other.errs, channel.ErrUnavailable)
		}
		m := r.tell(t, message.DeviceAdded, nil)
		settle(25 * time.Hour)
		if tries := 400 - len(r.first.errs); r.first.sent() != 0 || r.waiting(t) != 0 || tries < 90 || tries > 220 {
			t.Errorf("sent %d, %d wait, %d tries", r.first.sent(), r.waiting(t), tries)
		}
		got := r.failures(t, "t2")
		if len(got) != 1 || got[0].Type != event.DeliveryFailed || got[0].ID <= m.ID || got[0].Data["kind"] != "notice" || got[0].Data["channel"] != "email" {
			t.Errorf("recorded %v", got)
		}
	})
}

// A notice may go to an address whose owner waits for a code.
func TestAFailedNoticeTouchesNoChallenge(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		s := r.start(t, false)
		s.Windows = []limit.Charge{{Key: "cooldown", Rule: limit.Rule{Max: 1, Window: time.Hour}, Cooldown: true}}
		r.queue(t, s)
		settle(time.Second)
		r.first.errs = []error{channel.ErrUndeliverable}
		r.tell(t, message.DeviceAdded, nil)
		settle(time.Second)
		if len(r.failures(t, "t2")) != 1 || r.fate(t, s) != challenge.Sent {
			t.Errorf("delivery of the challenge is %q, failures %v", r.fate(t, s), r.failures(t, "t2"))
		}
		again := r.start(t, false)
		again.Windows = s.Windows
		if err := r.store.Start(t.Context(), again); err == nil {
			t.Error("a notice gave the cool-down of a challenge back")
		}
		if strings.Contains(r.log.String(), "ada@") {
			t.Errorf("the log holds the address: %s", r.log)
		}
	})
}

func TestAnInvitationIsSentAsLongAsItIsOpen(t *testing.T) {
	for name, k := range map[string]struct {
		change func(*invitation.Invitation)
		sent   int
	}{
		"open":     {func(*invitation.Invitation) {}, 1},
		"revoked":  {func(i *invitation.Invitation) { i.RevokedAt = i.CreatedAt }, 0},
		"accepted": {func(i *invitation.Invitation) { i.UsedAt = i.CreatedAt }, 0},
		"expired":  {func(i *invitation.Invitation) { i.ExpiresAt = i.CreatedAt }, 0},
		"unknown":  {func(i *invitation.Invitation) { i.ID = "another" }, 0},
	} {
		bubble(t, func(t *testing.T, r *rig) {
			now := bubbleClock{}.Now()
			i := invitation.Invitation{ID: "i1", Tenant: "t2", CreatedAt: now, ExpiresAt: now.Add(time.Hour)}
			k.change(&i)
			r.do(t, func(ctx context.Context, tx store.Tx) error { return tx.Invitations().Add(ctx, i) })
			r.tell(t, message.Invitation, func(m *store.Message) { m.Notice.Ref = "i1" })
			settle(time.Second)
			if r.first.sent() != k.sent || r.waiting(t) != 0 {
				t.Fatalf("%s: sent %d, %d wait", name, r.first.sent(), r.waiting(t))
			}
			if k.sent == 0 {
				return
			}
			const link = "https://example.com/i/t2/i1"
			if q := r.words.last(); q.Link != link || q.Life != time.Hour || r.first.got[0].Link != link {
				t.Errorf("link %q and %q, life %s", q.Link, r.first.got[0].Link, q.Life)
			}
		})
	}
}

func TestCodesGoWithTheirLinkAndWithWhatIsApproved(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		bare := r.start(t, false)
		full := r.start(t, false)
		full.Challenge.Purpose = challenge.Approve
		full.Challenge.Extra = challenge.Extra{ReturnTo: "here", Detail: []challenge.Fact{{Label: "Amount", Value: "120.00 EUR"}}}
		r.queue(t, bare)
		settle(time.Second)
		if q := r.words.last(); q.Link != "" || q.Facts != nil || r.first.got[0].Link != "" || q.Brand != "Example" {
			t.Errorf("link %q, %d facts, from %q", q.Link, len(q.Facts), q.Brand)
		}
		r.queue(t, full)
		settle(time.Second)
		q := r.words.last()
		if q.Link != "https://example.com/l/here" || r.first.got[1].Link != q.Link || r.first.got[1].Code != "123456" {
			t.Errorf("link %q and %q", q.Link, r.first.got[1].Link)
		}
		if len(q.Facts) != 1 || q.Facts[0] != (message.Fact{Label: "Amount", Value: "120.00 EUR"}) {
			t.Errorf("%d facts", len(q.Facts))
		}
	})
}
