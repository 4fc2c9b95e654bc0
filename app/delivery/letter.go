package delivery

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/invitation"
	"github.com/countersign/countersign/ports/message"
	"github.com/countersign/countersign/ports/store"
)

// letter is what a message says, whichever carrier takes it, and to whom.
type letter struct {
	message.Request

	to string
}

// letter finds out what a message says. Only now are codes and links made.
func (d *Dispatcher) letter(ctx context.Context, p store.Parcel, now time.Time) (letter, error) {
	if !now.Before(p.Deadline) {
		return letter{}, errDead
	}
	write := d.code
	if p.Notice != nil {
		write = d.notice
	}
	out, err := write(ctx, p, now)
	brand := d.Tenants.Brand(p.Tenant)
	out.Tenant, out.Brand, out.Support, out.Host = p.Tenant, brand.Name, brand.Support, d.Host
	out.Locale = d.Composer.Match(out.Locale, d.Tenants.Locale(p.Tenant))
	return out, err
}

func (d *Dispatcher) code(_ context.Context, p store.Parcel, _ time.Time) (letter, error) {
	c := p.Challenge
	code, ok := d.Codes.Of(c)
	if !ok || c.Status != challenge.Pending {
		return letter{}, errDead
	}
	out := letter{to: c.Destination, Request: message.Request{
		Kind: message.Code, Purpose: message.Purpose(c.Purpose), Locale: c.Locale, Code: code,
		Life: c.ExpiresAt.Sub(c.CreatedAt), Where: c.Client,
	}}
	if d.Links != nil {
		if link, ok := d.Links.Of(c); ok {
			out.Link = link
		}
	}
	if c.Purpose == challenge.Approve {
		for _, f := range c.Extra.Detail {
			out.Facts = append(out.Facts, message.Fact(f))
		}
	}
	return out, nil
}

func (d *Dispatcher) notice(ctx context.Context, p store.Parcel, now time.Time) (letter, error) {
	n := p.Notice
	out := letter{to: n.To.Value, Request: message.Request{
		Kind: message.Kind(n.Kind), Locale: n.Locale, Where: n.Client, Data: n.Data, At: n.At,
	}}
	if out.Kind != message.Invitation {
		return out, nil
	}
	i, err := d.invitation(ctx, p)
	if errors.Is(err, invitation.ErrNotFound) || err == nil && i.At(now) != invitation.Open {
		return letter{}, errDead
	}
	if err != nil {
		return letter{}, fmt.Errorf("find the invitation: %w", err)
	}
	out.Life = i.ExpiresAt.Sub(now)
	if d.Links != nil {
		out.Link = d.Links.Invitation(i)
	}
	return out, nil
}

func (d *Dispatcher) invitation(ctx context.Context, p store.Parcel) (i invitation.Invitation, err error) {
	err = d.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		i, err = tx.Invitations().Get(ctx, p.Tenant, p.Notice.Ref)
		return err
	})
	return i, err
}
