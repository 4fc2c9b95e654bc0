package storetest

import (
	"cmp"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/countersign/countersign/ports/store"
)

// feed is the model of a queue of facts.
type feed struct {
	ears  []string
	whose []string // people; "" is nobody
	late  []string // ids of facts that were made and not queued yet
	facts []*store.Fact
}

func (m *model) newFeed() feed {
	return feed{ears: []string{m.name("listener"), m.name("listener")}, whose: []string{"", m.ann.ID, m.id()}}
}

// queueFacts queues facts by a settlement or by a unit of work, sometimes later
// than others that were made after them.
func (m *model) queueFacts(rt *rapid.T) {
	var all []store.Fact
	for range rapid.IntRange(1, 3).Draw(rt, "how many facts") {
		f := m.fact(draw(rt, "listener", m.ears...), draw(rt, "whose", m.whose...))
		f.NextAt = m.now.Add(draw(rt, "due in", 0, 0, time.Second))
		f.Event.Tenant = draw(rt, "tenant of the fact", home, home, home, other)
		switch n := rapid.IntRange(0, 3).Draw(rt, "comes late"); {
		case n == 0:
			m.late = append(m.late, f.Event.ID)
			continue
		case n == 1 && len(m.late) > 0:
			f.Event.ID, m.late = m.late[0], m.late[1:]
		}
		all = append(all, f)
	}
	if rapid.Bool().Draw(rt, "by a settlement") {
		m.settle(store.Settlement{Facts: all})
	} else {
		m.queue(all...)
	}
	for _, f := range all {
		m.facts = append(m.facts, &f)
	}
}

// next reports whether a fact may be claimed, as store.Feed says.
func (m *model) next(f *store.Fact) bool {
	if m.now.Before(f.NextAt) || m.now.Before(f.Leased) {
		return false
	}
	return f.Event.User == "" || !slices.ContainsFunc(m.facts, func(o *store.Fact) bool {
		same := o.Listener == f.Listener && o.Event.Tenant == f.Event.Tenant && o.Event.User == f.Event.User
		return same && (o.Event.ID < f.Event.ID || o.Event.ID > f.Event.ID && m.now.Before(o.Leased))
	})
}

func (m *model) claimFacts(rt *rapid.T) {
	in := store.ClaimFacts{
		Listeners: draw(rt, "listeners", m.ears, m.ears[:1], m.ears[1:], nil), Owner: m.name("owner"),
		Lease: 30 * time.Second, Max: rapid.IntRange(1, 4).Draw(rt, "max"), Now: m.now,
	}
	var due []*store.Fact
	for _, f := range m.facts {
		if slices.Contains(in.Listeners, f.Listener) && m.next(f) {
			due = append(due, f)
		}
	}
	slices.SortFunc(due, func(a, b *store.Fact) int {
		return cmp.Or(a.NextAt.Compare(b.NextAt), cmp.Compare(a.Event.ID, b.Event.ID))
	})
	var want []store.Fact
	for _, f := range due[:min(len(due), in.Max)] {
		f.Tries, f.Fence, f.Owner, f.Leased = f.Tries+1, f.Fence+1, in.Owner, m.now.Add(in.Lease)
		want = append(want, *f)
	}
	got, err := m.ClaimFacts(m.ctx, in)
	m.ok(err, "claim facts")
	m.same(got, want, "the facts that were claimed")
}

func (m *model) finishFact(rt *rapid.T) {
	if len(m.facts) == 0 {
		return
	}
	f := draw(rt, "fact", m.facts...)
	in := store.FinishFact{
		Listener: f.Listener, Event: f.Event.ID, Fence: f.Fence - draw(rt, "how old the fence is", 0, 0, 0, 1),
		Done: rapid.Bool().Draw(rt, "done"), RetryAt: m.now.Add(10 * time.Second),
	}
	done, err := m.FinishFact(m.ctx, in)
	m.ok(err, "finish fact")
	m.same(done, in.Fence == f.Fence, "whether a finish counts")
	switch {
	case !done:
	case in.Done:
		m.facts = slices.DeleteFunc(m.facts, func(o *store.Fact) bool { return o == f })
	default:
		f.NextAt, f.Owner, f.Leased = in.RetryAt, "", time.Time{}
	}
}
