package storetest

import (
	"time"

	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/limit"
	"github.com/countersign/countersign/ports/message"
	"github.com/countersign/countersign/ports/store"
)

func notices() []behaviour {
	return []behaviour{
		{"a notice is claimed with everything it says, and without a challenge", claimsNotices},
		{"a notice is finished like any other message", finishesNotices},
		{"a notice outlives its reader's account", keepsNotices},
		{"a message whose challenge is gone is left alone", skipsOrphans},
	}
}

// notice queues a message that answers nothing.
func (k *kit) notice(changes ...func(*store.Message)) store.Message {
	k.Helper()
	m := store.Message{
		ID: k.id(), Tenant: home, Channel: "email", Number: 1, NextAt: k.now, Deadline: k.now.Add(24 * time.Hour),
		Notice: &store.Notice{
			Kind: string(message.Invitation), To: contact.Contact{Kind: contact.Email, Value: k.name("guest") + "@example.com"},
			Locale: "de", At: k.now, Client: "Firefox on Windows", Ref: k.id(), Data: map[string]string{"inviter": "Zoë"},
		},
	}
	for _, change := range changes {
		change(&m)
	}
	k.do(func(tx store.Tx) error { return tx.Challenges().Queue(k.ctx, m) })
	return m
}

func claimsNotices(k *kit) {
	code := k.post()
	k.pass(time.Second)
	m := k.notice()
	k.pass(time.Second)
	bare := k.notice(func(m *store.Message) { m.Notice = &store.Notice{Kind: string(message.AccountDeleted)} })
	k.wantBacklog(3, code.NextAt)
	got := k.wantClaim(9, code, m, bare)
	for i, want := range []store.Message{code, m, bare} {
		want.Tries, want.Fence, want.Owner, want.Leased = 1, 1, "replica-1", k.now.Add(30*time.Second)
		k.same(got[i].Message, want, "the message that was claimed")
	}
	k.same(got[0].Challenge.Handle, code.Handle, "the challenge of a code")
	k.same(got[1].Challenge, challenge.Challenge{}, "the challenge of a notice")
}

func finishesNotices(k *kit) {
	w := k.window(9)
	for _, x := range []struct {
		outcome challenge.Delivery
		taken   int
		left    int
	}{{challenge.Sent, 1, 0}, {challenge.Queued, 2, 1}, {challenge.Failed, 2, 0}} {
		m := k.notice()
		k.do(func(tx store.Tx) error { return tx.Challenges().Take(k.ctx, []limit.Charge{w}, k.now) })
		in := k.end(k.wantClaim(9, m)[0], x.outcome)
		in.GiveBack = []string{w.Key}
		old := in
		old.Fence--
		k.wantFinish(old, false)
		k.wantFinish(in, true)
		k.wantTaken(w, x.taken)
		k.pass(10 * time.Second)
		again := k.claim(9)
		k.same(len(again), x.left, "how many come again")
		for _, p := range again {
			k.same(p.Notice, m.Notice, "the notice that comes again")
			k.wantFinish(k.end(p, challenge.Sent), true)
		}
	}
	k.wantBacklog(0, time.Time{})
}

// keepsNotices: somebody is told that their account is gone.
func keepsNotices(k *kit) {
	a := k.person(home)
	m := k.notice(func(m *store.Message) { m.Notice.To = a.Identifiers[0].Contact })
	k.do(func(tx store.Tx) error { return tx.Users().Delete(k.ctx, home, a.ID) })
	k.same(k.purge(store.Horizon{Challenges: k.now}), 0, "how many rows went before the deadline")
	got := k.wantClaim(9, m)
	k.same(got[0].Notice, m.Notice, "the notice")
	k.pass(25 * time.Hour)
	k.same(k.purge(store.Horizon{Challenges: k.now}), 1, "how many rows went after the deadline")
	k.wantClaim(9)
}

func skipsOrphans(k *kit) {
	k.do(func(tx store.Tx) error {
		return tx.Challenges().Queue(k.ctx, store.Message{
			ID: k.id(), Tenant: home, Handle: "handle-of-nothing-at-all", Channel: "email", NextAt: k.now, Deadline: k.now.Add(time.Hour),
		})
	})
	k.pass(time.Second)
	m := k.notice()
	k.wantClaim(1, m)
	k.wantClaim(1)
}
