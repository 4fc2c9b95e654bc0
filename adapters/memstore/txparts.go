package memstore

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/ports/store"
)

type devices struct{ st *state }

func (x devices) Get(_ context.Context, tenant, id string) (store.Device, error) {
	return x.st.device(tenant, id)
}

func (x devices) List(_ context.Context, tenant, user, after string, limit int) ([]store.Device, error) {
	all := x.st.devices.of(join(tenant, user))
	slices.SortFunc(all, func(a, b store.Device) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	if i := slices.IndexFunc(all, func(d store.Device) bool { return d.ID == after }); i >= 0 {
		all = all[i+1:]
	} else {
		// The device is gone; ids sort by time.
		all = slices.DeleteFunc(all, func(d store.Device) bool { return d.ID <= after })
	}
	return first(all, limit), nil
}

// first is the beginning of all; 0 means no limit.
func first[T any](all []T, limit int) []T {
	if limit > 0 && len(all) > limit {
		return all[:limit]
	}
	return all
}

func (x devices) Add(_ context.Context, d store.Device) error { return x.st.putDevice(d) }

func (x devices) Save(_ context.Context, d store.Device) error {
	if _, err := x.st.device(d.Tenant, d.ID); err != nil {
		return err
	}
	return x.st.putDevice(d)
}

func (x devices) Delete(_ context.Context, tenant, id string) error {
	if _, err := x.st.device(tenant, id); err != nil {
		return err
	}
	x.st.devices.remove(id)
	return nil
}

type sessions struct{ st *state }

func (x sessions) Get(_ context.Context, tenant, id string) (session.Session, error) {
	return x.st.session(tenant, id)
}

func (x sessions) List(_ context.Context, tenant, user string, now time.Time) ([]session.Session, error) {
	all := slices.DeleteFunc(x.st.sessions.of(join(tenant, user)), func(s session.Session) bool { return !s.Alive(now) })
	slices.SortFunc(all, func(a, b session.Session) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(b.ID, a.ID))
	})
	return all, nil
}

func (x sessions) Add(_ context.Context, s session.Session) error {
	x.st.addSession(s, s.CreatedAt)
	return nil
}

func (x sessions) Save(_ context.Context, s session.Session) error {
	if _, err := x.st.session(s.Tenant, s.ID); err != nil {
		return err
	}
	x.st.sessions.put(s.ID, s)
	return nil
}

func (x sessions) RevokeOthers(_ context.Context, in store.RevokeOthers) (int, error) {
	n := 0
	for _, s := range x.st.sessions.of(join(in.Tenant, in.User)) {
		if s.ID == in.Except || !s.Alive(in.Now) {
			continue
		}
		s.Revoke(in.Now, in.Reason)
		x.st.sessions.put(s.ID, s)
		n++
	}
	return n, nil
}

type journal struct{ st *state }

func (x journal) Record(_ context.Context, events ...event.Event) error {
	x.st.record(events)
	return nil
}

func (x journal) Queue(_ context.Context, facts ...store.Fact) error {
	x.st.queue(facts)
	return nil
}

func (x journal) Events(_ context.Context, q store.EventQuery) ([]event.Event, error) {
	var all []event.Event
	if q.User != "" {
		all = x.st.events.of(join(q.Tenant, q.User))
	} else {
		all = x.st.events.pick(func(e event.Event) bool { return e.Tenant == q.Tenant })
	}
	all = slices.DeleteFunc(all, func(e event.Event) bool {
		return e.ID <= q.After || q.Before != "" && e.ID >= q.Before
	})
	slices.SortFunc(all, func(a, b event.Event) int { return cmp.Compare(b.ID, a.ID) })
	return first(all, q.Limit), nil
}

func (x journal) Recall(_ context.Context, key string, now time.Time) (store.Answer, error) {
	a, ok := x.st.answers.get(key)
	if !ok || !now.Before(a.ExpiresAt) {
		return store.Answer{}, store.ErrNoAnswer
	}
	return a, nil
}

func (x journal) Remember(_ context.Context, a store.Answer) error {
	x.st.answers.put(a.Key, a)
	return nil
}
