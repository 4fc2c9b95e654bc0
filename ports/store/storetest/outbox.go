package storetest

import (
	"time"

	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/limit"
	"github.com/countersign/countersign/ports/store"
)

func outboxes() []behaviour {
	return []behaviour{
		{"messages are claimed oldest first, when they are due", claimsInOrder},
		{"a claim takes no more than it asks for", claimsNoMore},
		{"a message past its deadline is claimed like any other", keepsLate},
		{"a lease ends, and its fence with it", fencesLeases},
		{"a message may start with a lease", startsLeased},
		{"what becomes of a message shows on its challenge", showsOutcome},
		{"an older message says nothing about a challenge", ignoresOldMessages},
		{"a deleted person gets no message", forgetsMessages},
	}
}

// post starts a challenge with a message.
func (k *kit) post(changes ...func(*store.Message)) store.Message {
	k.Helper()
	c := k.question()
	m := k.message(c)
	for _, change := range changes {
		change(&m)
	}
	k.ok(k.Start(k.ctx, store.Start{Challenge: c, Message: &m, Now: k.now}), "start")
	return m
}

// claim claims up to most messages for half a minute.
func (k *kit) claim(most int) []store.Parcel {
	k.Helper()
	got, err := k.Claim(k.ctx, store.Claim{Owner: "replica-1", Lease: 30 * time.Second, Max: most, Now: k.now})
	k.ok(err, "claim")
	return got
}

// wantClaim checks which messages a claim gets.
func (k *kit) wantClaim(most int, want ...store.Message) []store.Parcel {
	k.Helper()
	got := k.claim(most)
	var had, wanted []string
	for _, p := range got {
		had = append(had, p.ID)
	}
	for _, m := range want {
		wanted = append(wanted, m.ID)
	}
	k.same(had, wanted, "the messages that were claimed")
	return got
}

func (k *kit) wantBacklog(depth int, oldest time.Time) {
	k.Helper()
	n, at, err := k.Backlog(k.ctx, k.now)
	k.ok(err, "backlog")
	k.same(n, depth, "how many messages wait")
	k.same(at, oldest, "since when the oldest waits")
}

// end is what became of p.
func (k *kit) end(p store.Parcel, outcome challenge.Delivery) store.Finish {
	return store.Finish{
		ID: p.ID, Tenant: p.Tenant, Handle: p.Handle, Number: p.Number, Fence: p.Fence, Outcome: outcome,
		RetryAt: k.now.Add(10 * time.Second), Now: k.now,
	}
}

func (k *kit) wantFinish(in store.Finish, want bool) {
	k.Helper()
	done, err := k.Finish(k.ctx, in)
	k.ok(err, "finish")
	k.same(done, want, "whether it counts")
}

func claimsInOrder(k *kit) {
	k.wantBacklog(0, time.Time{})
	k.wantClaim(5)
	var all []store.Message
	for range 4 {
		k.pass(time.Second)
		all = append(all, k.post())
	}
	later := k.post(func(m *store.Message) { m.NextAt = k.now.Add(time.Second) })
	k.do(func(tx store.Tx) error {
		m := all[0]
		m.ID, m.Number, m.NextAt = k.id(), 2, k.now.Add(2*time.Second)
		all = append(all, later, m)
		return tx.Challenges().Queue(k.ctx, m)
	})
	n, oldest, err := k.Backlog(k.ctx, k.now)
	k.ok(err, "backlog")
	k.same(n >= 4 && oldest.Equal(all[0].NextAt), true, "whether the backlog knows of the oldest four")
	k.same(len(k.claim(0)), 0, "messages for somebody who wants none")
	p := k.wantClaim(3, all[:3]...)[0]
	all[0].Tries, all[0].Fence, all[0].Owner, all[0].Leased = 1, 1, "replica-1", k.now.Add(30*time.Second)
	k.same(p.Message, all[0], "the message that was claimed")
	k.same(p.Challenge, k.read(p.Challenge), "its challenge")
	k.wantClaim(3, all[3])
	k.pass(time.Second - time.Microsecond)
	k.wantClaim(3)
	k.pass(time.Microsecond)
	k.wantClaim(3, later)
	k.pass(time.Second)
	k.wantClaim(3, all[5])
}

// claimsNoMore is for engines that look again for each row: who claims has a
// hand for each message, and none for more.
func claimsNoMore(k *kit) {
	for range 60 {
		k.post()
	}
	for _, most := range []int{1, 7, 16} {
		k.same(len(k.claim(most)), most, "messages that were claimed")
	}
}

// keepsLate: whoever claims it says that it has failed. If nobody did, its
// challenge would say "queued" for ever.
func keepsLate(k *kit) {
	m := k.post(func(m *store.Message) { m.Deadline = k.now.Add(time.Minute) })
	k.pass(time.Hour)
	k.wantBacklog(1, m.NextAt)
	k.wantClaim(5, m)
}

func fencesLeases(k *kit) {
	m := k.post()
	first := k.wantClaim(1, m)[0]
	k.pass(30*time.Second - time.Microsecond)
	k.wantClaim(1)
	k.pass(time.Microsecond)
	second := k.wantClaim(1, m)[0]
	k.same(second.Fence, first.Fence+1, "the second fence")
	k.same(second.Tries, 2, "tries")
	for _, outcome := range []challenge.Delivery{challenge.Sent, challenge.Failed, challenge.Queued} {
		k.wantFinish(k.end(first, outcome), false)
	}
	k.same(k.read(first.Challenge).Delivery, challenge.Queued, "the delivery after a late finish")
	k.wantClaim(1)
	foreign := k.end(second, challenge.Sent)
	foreign.Tenant = other
	k.wantFinish(foreign, false)
	k.pass(time.Hour) // the lease is over, but nobody else has the message
	k.wantFinish(k.end(second, challenge.Sent), true)
	k.wantFinish(k.end(second, challenge.Failed), false)
	k.same(k.read(first.Challenge).Delivery, challenge.Sent, "the delivery")
}

func startsLeased(k *kit) {
	m := k.post(func(m *store.Message) {
		m.Owner, m.Leased, m.Fence, m.Tries = "starter", k.now.Add(30*time.Second), 1, 1
	})
	k.pass(30*time.Second - time.Microsecond)
	k.wantClaim(1)
	k.pass(time.Microsecond)
	p := k.wantClaim(1, m)[0]
	k.same([]int{p.Fence, p.Tries}, []int{2, 2}, "fence and tries of the second owner")
	in := k.end(p, challenge.Sent)
	in.Fence = 1
	k.wantFinish(in, false)
	m = k.post(func(m *store.Message) {
		m.Owner, m.Leased, m.Fence, m.Tries = "starter", k.now.Add(30*time.Second), 1, 1
	})
	k.wantFinish(k.end(store.Parcel{Message: m}, challenge.Sent), true)
}

func showsOutcome(k *kit) {
	w := k.window(9)
	for _, x := range []struct {
		outcome challenge.Delivery
		taken   int
	}{{challenge.Sent, 1}, {challenge.Queued, 2}, {challenge.Failed, 2}} {
		m := k.post()
		k.do(func(tx store.Tx) error { return tx.Challenges().Take(k.ctx, []limit.Charge{w}, k.now) })
		p := k.wantClaim(1, m)[0]
		in := k.end(p, x.outcome)
		in.GiveBack = []string{w.Key}
		k.wantFinish(in, true)
		k.wantTaken(w, x.taken)
		k.same(k.read(p.Challenge).Delivery, x.outcome, "the delivery")
		if x.outcome != challenge.Queued {
			k.pass(time.Minute)
			k.wantClaim(1)
			continue
		}
		k.pass(10*time.Second - time.Microsecond)
		k.wantClaim(1)
		k.pass(time.Microsecond)
		p = k.wantClaim(1, m)[0]
		k.same([]int{p.Fence, p.Tries}, []int{2, 2}, "fence and tries after a retry")
		k.wantFinish(k.end(p, challenge.Sent), true)
	}
	k.wantBacklog(0, time.Time{})
}

func ignoresOldMessages(k *kit) {
	old := k.post()
	p := k.wantClaim(1, old)[0]
	c := p.Challenge
	k.ok(c.Resend(k.now, 0), "resend")
	newest := k.message(c)
	k.do(func(tx store.Tx) error {
		if err := tx.Challenges().Save(k.ctx, c); err != nil {
			return err
		}
		return tx.Challenges().Queue(k.ctx, newest)
	})
	k.wantFinish(k.end(p, challenge.Failed), true)
	k.same(k.read(c).Delivery, challenge.Queued, "the delivery after an older message failed")
	p = k.wantClaim(5, newest)[0]
	k.wantFinish(k.end(p, challenge.Sent), true)
	k.same(k.read(c).Delivery, challenge.Sent, "the delivery after the newest message was sent")
}

func forgetsMessages(k *kit) {
	a := k.person(home)
	c := k.question()
	c.User = a.ID
	m := k.message(c)
	k.ok(k.Start(k.ctx, store.Start{Challenge: c, Message: &m, Now: k.now}), "start")
	k.do(func(tx store.Tx) error { return tx.Users().Delete(k.ctx, home, a.ID) })
	k.wantClaim(5)
	k.wantBacklog(0, time.Time{})
}
