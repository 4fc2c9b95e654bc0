// Package challenges asks and judges: it starts challenges, evaluates answers in
// three steps (pay, ask, settle), and makes of a success what its purpose says.
package challenges

import (
	"context"
	"io"
	"log/slog"
	"net/netip"
	"time"

	"github.com/countersign/countersign/app/channels"
	"github.com/countersign/countersign/app/conversion"
	"github.com/countersign/countersign/app/notices"
	"github.com/countersign/countersign/app/sessions"
	"github.com/countersign/countersign/app/tenants"
	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/rule"
	"github.com/countersign/countersign/ports/meter"
	"github.com/countersign/countersign/ports/seal"
	"github.com/countersign/countersign/ports/store"
	"github.com/countersign/countersign/ports/system"
	"github.com/countersign/countersign/ports/token"
)

// Needs is what the service is made of.
type Needs struct {
	Store    store.Store
	Channels *channels.Registry
	Sessions *sessions.Service
	Tenants  *tenants.Book
	Contacts contact.Parser
	Region   func(e164 string) string // ISO 3166 code of a phone number's country; nil knows none
	Gate     Gate
	Notices  *notices.Service
	Sealer   seal.Sealer
	Signer   token.Signer
	Codes    *Codes
	Links    Links
	Courier  Courier
	Clock    system.Clock
	IDs      system.IDs
	Random   io.Reader
	Meter    meter.Meter
	Log      *slog.Logger
	Patience time.Duration // how long a channel may think; 0 means 5 s
}

// Gate says who is not served, by the policy's lists and those that were added
// while the server ran. Asking it costs no statement.
type Gate interface {
	// Serve returns rule.ErrBlocked, or nil.
	Serve(tenant string, q rule.Asked) error
	// Trap notes a client that filled in a field which people do not see.
	Trap(ctx context.Context, tenant string, client netip.Addr, field string) error
}

// Courier sends messages that were queued. A message can be handed to it at once,
// so that it need not find it in the queue.
type Courier interface {
	// Reserve marks the message as taken by this courier, if it has a free hand
	// now. If it reports true, exactly one of Take and Release must follow.
	Reserve(m *store.Message, now time.Time) bool
	// Take sends a reserved message, whose challenge is committed now.
	Take(p store.Parcel)
	// Release gives the hand back: the message was not committed.
	Release()
	// Wake looks into the queue soon.
	Wake()
}

// Service is the use cases around one challenge. It is safe for concurrent use.
type Service struct {
	Needs

	pace   *pace
	ranges *conversion.Breaker
}

// New makes the service.
func New(n Needs) *Service {
	if n.Patience <= 0 {
		n.Patience = 5 * time.Second
	}
	return &Service{
		Needs: n, pace: &pace{},
		ranges: conversion.New(conversion.Needs{Store: n.Store, Tenants: n.Tenants, Clock: n.Clock, IDs: n.IDs, Meter: n.Meter, Log: n.Log}),
	}
}

// Get shows a challenge to whoever holds its handle.
func (s *Service) Get(ctx context.Context, tenant, handle string) (View, error) {
	c, err := s.Store.Challenge(ctx, tenant, handle, s.Tenants.Policy(tenant).Challenge.Live)
	if err != nil {
		return View{}, err
	}
	return s.view(c), nil
}

// Cancel ends a challenge: its code is dead.
func (s *Service) Cancel(ctx context.Context, tenant, handle string) error {
	return s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		c, err := tx.Challenges().Get(ctx, tenant, handle)
		if err != nil {
			return err
		}
		if err := c.Cancel(); err != nil {
			return err
		}
		return tx.Challenges().Save(ctx, c)
	})
}

// Devices lists a person's confirmed devices, oldest first.
func (s *Service) devices(ctx context.Context, tenant, user string) (out []store.Device, err error) {
	err = s.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		all, err := tx.Devices().List(ctx, tenant, user, "", 0)
		out = out[:0]
		for _, d := range all {
			if d.Confirmed() {
				out = append(out, d)
			}
		}
		return err
	})
	return out, err
}

// placeOfState is where a challenge's state is sealed to.
func placeOfState(c challenge.Challenge) string {
	return seal.Place{Tenant: c.Tenant, Table: "challenges", Row: c.Handle, Column: "state"}.String()
}

// PlaceOfCredential is where a device's credential is sealed to.
func PlaceOfCredential(tenant, device string) string {
	return seal.Place{Tenant: tenant, Table: "devices", Row: device, Column: "credential"}.String()
}
