package storetest

import (
	"context"
	"errors"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/limit"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/ports/store"
)

func (m *model) wait(rt *rapid.T) {
	m.pass(draw(rt, "wait", time.Microsecond, time.Second, 29*time.Second, 30*time.Second, time.Minute, 9*time.Minute, time.Hour))
}

func (m *model) start(rt *rapid.T) {
	m.pass(time.Microsecond) // no two begin at once
	c := m.question()
	c.Counter = draw(rt, "counter", m.counterKeys()...)
	c.Allowed = rapid.IntRange(1, 4).Draw(rt, "allowed")
	c.ExpiresAt = m.now.Add(draw(rt, "life", time.Minute, 10*time.Minute))
	c.Decoy = rapid.IntRange(0, 9).Draw(rt, "decoy") == 0
	c.Format = draw(rt, "format", challenge.Digits(6), challenge.Digits(6), challenge.Crockford(16), "")
	c.Delivery = draw(rt, "delivery", challenge.Queued, challenge.Queued, challenge.NoDelivery)
	in := store.Start{Challenge: c, Windows: m.some(rt), Now: m.now}
	if c.Delivery == challenge.Queued && !c.Decoy {
		msg := m.message(c)
		in.Message = &msg
	}
	want := m.take(in.Windows)
	m.agree(m.Start(m.ctx, in), want, "start")
	if want == nil {
		m.handles = append(m.handles, c.Handle)
		m.challenges[c.Handle] = &c
		if in.Message != nil {
			m.messages = append(m.messages, in.Message)
		}
	}
	m.checkWindows()
}

func (m *model) chargeOne(rt *rapid.T) {
	tenant, handle := m.any(rt)
	in := store.Charge{
		Tenant: tenant, Handle: handle, Windows: m.some(rt), Now: m.now, Live: draw(rt, "live", 0, 0, 0, 1, 2),
		Formats: draw(rt, "formats", six, six, six, nil, []challenge.Format{challenge.Crockford(16)}),
		Throttle: draw(rt, "throttle", limit.Throttle{}, limit.Throttle{Free: 3, Factor: 30 * time.Second, Cap: time.Hour},
			limit.Throttle{Factor: time.Second, Cap: 4 * time.Second}, limit.Throttle{Free: 9, Factor: time.Second, Cap: time.Hour, DisableAt: 6}),
	}
	want := m.payFor(in)
	out, err := m.Charge(m.ctx, in)
	m.agree(err, want, "charge")
	if want == nil {
		c := m.challenges[handle]
		m.same(out.Challenge, *c, "the challenge after paying")
		m.same(out.Counter, *m.counters[c.Counter], "the counter after paying")
	}
	m.check(handle)
	m.checkWindows()
}

// payFor charges the model.
func (m *model) payFor(in store.Charge) []error {
	c, ok := m.find(in.Tenant, in.Handle)
	if !ok {
		return one(challenge.ErrNotFound)
	}
	refusal := c.Refusal(m.now)
	fits := slices.Contains(in.Formats, c.Format) || len(in.Formats) == 0 && c.Format == ""
	switch {
	case errors.Is(refusal, challenge.ErrNotFound) || m.pushedOut(c, in.Live, m.now):
		return one(challenge.ErrNotFound)
	case !fits:
		return one(challenge.ErrMalformed)
	case refusal != nil:
		return one(refusal)
	}
	n := m.counters[c.Counter]
	if err := n.Refusal(in.Throttle, m.now); err != nil {
		return one(err)
	}
	if refusals := m.take(in.Windows); refusals != nil {
		return refusals
	}
	return one(errors.Join(c.Spend(m.now), n.Charge(in.Throttle, m.now)))
}

func (m *model) settleOne(rt *rapid.T) {
	tenant, handle := m.any(rt)
	in := store.Settlement{Tenant: tenant, Handle: handle, Now: m.now, GiveBack: keys(m.some(rt))}
	in.Counter = draw(rt, "cleared", append(m.counterKeys(), "")...)
	in.Answered = rapid.IntRange(0, 3).Draw(rt, "collects") == 0
	s := m.visit(m.ann)
	if rapid.Bool().Draw(rt, "begins a session") {
		in.Session = &s
	}
	var want error = challenge.ErrNotFound
	if c, ok := m.find(tenant, handle); ok {
		end := c.Settle
		if in.Answered {
			end = c.Collect
		}
		want = end(m.now)
	}
	m.agree(m.Settle(m.ctx, in), one(want), "settle")
	if want == nil {
		if in.Counter != "" {
			*m.counters[in.Counter] = limit.Counter{}
		}
		m.giveBack(in.GiveBack)
		if in.Session != nil {
			m.sessions = append(m.sessions, &s)
		}
	}
	m.check(handle)
	m.checkWindows()
}

func (m *model) giveBack(windows []string) {
	for _, key := range windows {
		m.windows[key].GiveBack(m.now)
	}
}

func (m *model) readOne(rt *rapid.T) {
	tenant, handle := m.any(rt)
	live := draw(rt, "live", 0, 1, 2)
	got, err := m.Challenge(m.ctx, tenant, handle, live)
	c, ok := m.find(tenant, handle)
	if !ok {
		m.refused(err, challenge.ErrNotFound, "read challenge")
		return
	}
	m.ok(err, "read challenge")
	want := *c
	switch {
	case c.Status == challenge.Pending && !m.now.Before(c.ExpiresAt):
		want.Status = got.Status // nobody asks whether it was pushed out before it expired
	case c.Status == challenge.Pending && m.pushedOut(c, live, m.now):
		want.Status = challenge.Cancelled
	case c.Status == challenge.Pending && m.pushedOut(c, live, time.Time{}):
		want.Status = got.Status // a reader has no clock: newer ones that have run out may count
	}
	m.same(got, want, "the challenge that is read")
}

// change applies a method of the domain to a challenge, in the store as in the
// model, with what else belongs to the same unit of work.
func (m *model) change(rt *rapid.T, method func(*challenge.Challenge) error, also func(store.Tx) error) (*challenge.Challenge, error) {
	tenant, handle := m.any(rt)
	err := m.Do(m.ctx, func(ctx context.Context, tx store.Tx) error {
		c, err := tx.Challenges().Get(ctx, tenant, handle)
		if err != nil {
			return err
		}
		if err := method(&c); err != nil {
			return err
		}
		return errors.Join(tx.Challenges().Save(ctx, c), also(tx))
	})
	c, ok := m.find(tenant, handle)
	if !ok {
		m.refused(err, challenge.ErrNotFound, "change")
		return nil, err
	}
	m.agree(err, one(method(c)), "change")
	return c, err
}

func (m *model) cancelOne(rt *rapid.T) {
	c, _ := m.change(rt, (*challenge.Challenge).Cancel, func(store.Tx) error { return nil })
	if c != nil {
		m.check(c.Handle)
	}
}

func (m *model) answerOne(rt *rapid.T) {
	c, _ := m.change(rt, func(c *challenge.Challenge) error { return c.Answer(m.now, []byte("sealed")) }, func(store.Tx) error { return nil })
	if c != nil {
		m.check(c.Handle)
	}
}

func (m *model) refundOne(rt *rapid.T) {
	key := draw(rt, "counter", m.counterKeys()...)
	windows := keys(m.some(rt))
	c, err := m.change(rt, func(c *challenge.Challenge) error { c.Refund(); return nil }, func(tx store.Tx) error {
		return tx.Challenges().Refund(m.ctx, key, windows, m.now)
	})
	if err == nil {
		m.counters[key].Refund()
		m.giveBack(windows)
		m.check(c.Handle)
	}
	m.checkCounter(key)
	m.checkWindows()
}

func (m *model) resendOne(rt *rapid.T) {
	var msg store.Message
	resend := func(c *challenge.Challenge) error {
		if c.Decoy {
			return challenge.ErrNotFound
		}
		err := c.Resend(m.now, 30*time.Second)
		msg = m.message(*c)
		return err
	}
	id := m.id()
	c, err := m.change(rt, resend, func(tx store.Tx) error {
		msg.ID = id
		return tx.Challenges().Queue(m.ctx, msg)
	})
	if err == nil {
		msg.ID = id
		m.messages = append(m.messages, &msg)
		m.check(c.Handle)
	}
}

func (m *model) rotateOne(rt *rapid.T) {
	if len(m.sessions) == 0 {
		return
	}
	s := draw(rt, "session", m.sessions...)
	generation := s.Generation - 1 + draw[uint32](rt, "generation", 0, 1, 1, 1, 2)
	got, err := m.rotate(*s, generation)
	want := s.Rotate(generation, m.now, 10*time.Second)
	m.agree(err, one(want), "rotate")
	if want == nil || errors.Is(want, session.ErrRevoked) {
		m.same(got.Session, *s, "the session that is returned")
	}
	m.same(m.session(*s).Session, *s, "the session that is kept")
}

func (m *model) claimSome(rt *rapid.T) {
	in := store.Claim{Owner: m.name("owner"), Max: rapid.IntRange(1, 3).Draw(rt, "max"), Lease: 30 * time.Second, Now: m.now}
	var due []*store.Message
	for _, msg := range m.messages {
		if !m.now.Before(msg.NextAt) && !m.now.Before(msg.Leased) {
			due = append(due, msg)
		}
	}
	slices.SortStableFunc(due, func(a, b *store.Message) int { return a.NextAt.Compare(b.NextAt) })
	var want []store.Parcel
	for _, msg := range due[:min(len(due), in.Max)] {
		msg.Tries, msg.Fence, msg.Owner, msg.Leased = msg.Tries+1, msg.Fence+1, in.Owner, m.now.Add(in.Lease)
		want = append(want, store.Parcel{Message: *msg, Challenge: *m.challenges[msg.Handle]})
	}
	got, err := m.Claim(m.ctx, in)
	m.ok(err, "claim")
	m.same(got, want, "the messages that were claimed")
}

func (m *model) finishOne(rt *rapid.T) {
	if len(m.messages) == 0 {
		return
	}
	msg := draw(rt, "message", m.messages...)
	in := store.Finish{
		ID: msg.ID, Tenant: msg.Tenant, Handle: msg.Handle, Number: msg.Number, Now: m.now, GiveBack: keys(m.some(rt)),
		Fence:   msg.Fence - draw(rt, "how old the fence is", 0, 0, 0, 1),
		Outcome: draw(rt, "outcome", challenge.Sent, challenge.Failed, challenge.Queued), RetryAt: m.now.Add(10 * time.Second),
	}
	done, err := m.Finish(m.ctx, in)
	m.ok(err, "finish")
	m.same(done, in.Fence == msg.Fence, "whether a finish counts")
	if done {
		m.finished(msg, in)
	}
	m.check(msg.Handle)
	m.checkWindows()
}

// finished does to the model what a finish does.
func (m *model) finished(msg *store.Message, in store.Finish) {
	if in.Outcome == challenge.Queued {
		msg.NextAt, msg.Owner, msg.Leased = in.RetryAt, "", time.Time{}
		return
	}
	m.messages = slices.DeleteFunc(m.messages, func(o *store.Message) bool { return o == msg })
	if c := m.challenges[msg.Handle]; in.Number == c.Sends {
		c.Delivery = in.Outcome
	}
	if in.Outcome == challenge.Failed {
		m.giveBack(in.GiveBack)
	}
}
