package bunstore

import (
	"context"

	"github.com/countersign/countersign/domain/apikey"
	"github.com/countersign/countersign/domain/invitation"
	"github.com/countersign/countersign/domain/limit"
	"github.com/countersign/countersign/domain/rule"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/ports/store"
)

type signIns struct{ *tx }

func (x signIns) Get(ctx context.Context, tenant, id string) (session.SignIn, error) {
	s, err := findSignIn(x.with(ctx), x.read(), tenant, id)
	return s, failure("read sign-in", err)
}

func (x signIns) Add(ctx context.Context, s session.SignIn) error {
	return failure("add sign-in", x.add(ctx, fromSignIn(s)))
}

func (x signIns) Save(ctx context.Context, s session.SignIn) error {
	return failure("save sign-in", x.update(ctx, fromSignIn(s), s.Tenant, session.ErrPendingInvalid))
}

type counters struct{ *tx }

func (x counters) Read(ctx context.Context, key string) (limit.Counter, error) {
	n, err := readCounter(x.with(ctx), x.r, key, x.r.locking())
	return n, failure("read counter", err)
}

func (x counters) Clear(ctx context.Context, key string) error {
	_, err := x.r.exec(x.with(ctx), counterGone, key)
	return failure("clear counter", err)
}

type invitations struct{ *tx }

func (x invitations) Get(ctx context.Context, tenant, id string) (invitation.Invitation, error) {
	i, err := find[invitationRow](x.with(ctx), x.read().Where("id = ? AND tenant = ?", id, tenant), invitation.ErrNotFound)
	return i, failure("read invitation", err)
}

func (x invitations) List(ctx context.Context, in store.InvitationQuery) ([]invitation.Invitation, error) {
	q := x.r.bun.NewSelect().Where("tenant = ?", in.Tenant).Order("id DESC").Limit(most(in.Limit))
	if in.Inviter != "" {
		q = q.Where("inviter = ?", in.Inviter)
	}
	if in.Before != "" {
		q = q.Where("id < ?", in.Before)
	}
	all, err := list[invitationRow](x.with(ctx), q)
	return all, failure("list invitations", err)
}

func (x invitations) Add(ctx context.Context, i invitation.Invitation) error {
	return failure("add invitation", x.add(ctx, fromInvitation(i)))
}

func (x invitations) Save(ctx context.Context, i invitation.Invitation) error {
	return failure("save invitation", x.update(ctx, fromInvitation(i), i.Tenant, invitation.ErrNotFound))
}

type keys struct{ *tx }

func (x keys) Get(ctx context.Context, id string) (apikey.Key, error) {
	k, err := find[keyRow](x.with(ctx), x.read().Where("id = ?", id), apikey.ErrNotFound)
	return k, failure("read API key", err)
}

func (x keys) List(ctx context.Context, tenant string) ([]apikey.Key, error) {
	all, err := list[keyRow](x.with(ctx), x.r.bun.NewSelect().Where("tenant = ?", tenant).Order("id"))
	return all, failure("list API keys", err)
}

func (x keys) Add(ctx context.Context, k apikey.Key) error {
	return failure("add API key", x.add(ctx, fromKey(k)))
}

func (x keys) Save(ctx context.Context, k apikey.Key) error {
	return failure("save API key", x.update(ctx, fromKey(k), k.Tenant, apikey.ErrNotFound))
}

type rules struct{ *tx }

func (x rules) List(ctx context.Context, tenant string) ([]rule.Entry, error) {
	q := x.r.bun.NewSelect().Order("id")
	if tenant != "" {
		q = q.Where("tenant = ?", tenant)
	}
	all, err := list[entryRow](x.with(ctx), q)
	return all, failure("list rules", err)
}

func (x rules) Add(ctx context.Context, e rule.Entry) error {
	return failure("add rule", x.add(ctx, fromEntry(e)))
}

func (x rules) Delete(ctx context.Context, tenant, id string) error {
	n, err := x.r.exec(x.with(ctx), "DELETE FROM rules WHERE id = $1 AND tenant = $2", id, tenant)
	return failure("delete rule", changed(n, err, rule.ErrNotFound))
}
