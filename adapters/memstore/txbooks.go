package memstore

import (
	"cmp"
	"context"
	"slices"

	"github.com/countersign/countersign/domain/apikey"
	"github.com/countersign/countersign/domain/limit"
	"github.com/countersign/countersign/domain/rule"
	"github.com/countersign/countersign/domain/session"
)

type signIns struct{ st *state }

func (x signIns) Get(_ context.Context, tenant, id string) (session.SignIn, error) {
	return x.st.signIn(tenant, id)
}

func (x signIns) Add(_ context.Context, s session.SignIn) error {
	x.st.signIns.put(s.ID, s)
	return nil
}

func (x signIns) Save(_ context.Context, s session.SignIn) error {
	if _, err := x.st.signIn(s.Tenant, s.ID); err != nil {
		return err
	}
	x.st.signIns.put(s.ID, s)
	return nil
}

type counters struct{ st *state }

func (x counters) Read(_ context.Context, key string) (limit.Counter, error) {
	n, _ := x.st.counters.get(key)
	return n.Counter, nil
}

func (x counters) Clear(_ context.Context, key string) error {
	x.st.counters.remove(key)
	return nil
}

type keys struct{ st *state }

func (x keys) Get(_ context.Context, id string) (apikey.Key, error) {
	k, ok := x.st.keys.get(id)
	if !ok {
		return apikey.Key{}, apikey.ErrNotFound
	}
	return k, nil
}

func (x keys) List(_ context.Context, tenant string) ([]apikey.Key, error) {
	all := x.st.keys.pick(func(k apikey.Key) bool { return k.Tenant == tenant })
	slices.SortFunc(all, func(a, b apikey.Key) int { return cmp.Compare(a.ID, b.ID) })
	return all, nil
}

func (x keys) Add(_ context.Context, k apikey.Key) error {
	x.st.keys.put(k.ID, k)
	return nil
}

func (x keys) Save(ctx context.Context, k apikey.Key) error {
	if old, err := x.Get(ctx, k.ID); err != nil || old.Tenant != k.Tenant {
		return apikey.ErrNotFound
	}
	x.st.keys.put(k.ID, k)
	return nil
}

type rules struct{ st *state }

func (x rules) List(_ context.Context, tenant string) ([]rule.Entry, error) {
	all := x.st.rules.pick(func(e rule.Entry) bool { return tenant == "" || e.Tenant == tenant })
	slices.SortFunc(all, func(a, b rule.Entry) int { return cmp.Compare(a.ID, b.ID) })
	return all, nil
}

func (x rules) Add(_ context.Context, e rule.Entry) error {
	x.st.rules.put(e.ID, e)
	return nil
}

func (x rules) Delete(_ context.Context, tenant, id string) error {
	e, ok := x.st.rules.get(id)
	if !ok || e.Tenant != tenant {
		return rule.ErrNotFound
	}
	x.st.rules.remove(id)
	return nil
}
