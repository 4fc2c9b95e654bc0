package janitor_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/device"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/password"
	"github.com/countersign/countersign/domain/tenant"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/store"
)

const month = 720 * time.Hour

// signUp stores what a form makes: a name, an address that is claimed, a password
// and a device that was not proven.
func (r *rig) signUp(of string, changes ...func(*user.Account)) user.Account {
	r.Helper()
	now := r.clock.Now()
	a := user.Account{User: user.User{ID: r.ids.New(), Tenant: of, Status: user.Active, Tentative: true, CreatedAt: now}}
	for _, c := range []contact.Contact{{Kind: contact.Username, Value: "name-" + a.ID}, {Kind: contact.Email, Value: a.ID + "@example.com"}} {
		a.Identifiers = append(a.Identifiers, user.Identifier{Contact: c, Tenant: of, User: a.ID, CreatedAt: now})
	}
	for _, change := range changes {
		change(&a)
	}
	claim := user.Change{
		Contact: a.Identifiers[1].Contact, ID: r.ids.New(), Tenant: of, User: a.ID, CreatedAt: now, ExpiresAt: now.Add(user.ClaimLife),
	}
	r.do(func(ctx context.Context, tx store.Tx) error {
		return errors.Join(tx.Users().Add(ctx, a), tx.Changes().Put(ctx, claim),
			tx.Passwords().Put(ctx, password.Record{Tenant: of, User: a.ID, Hash: "$hash", ChangedAt: now}),
			tx.Devices().Add(ctx, device.Device{ID: r.ids.New(), Tenant: of, User: a.ID, Channel: "totp", Status: device.Pending, CreatedAt: now}))
	})
	return a
}

// there reports whether an account is, and fails if only a part of it is.
func (r *rig) there(a user.Account) bool {
	r.Helper()
	_, missing := r.store.Account(r.Context(), a.Tenant, a.ID)
	_, unnamed := r.store.Identify(r.Context(), a.Tenant, a.Identifiers[0].Contact)
	var claims []user.Change
	var secret error
	r.do(func(ctx context.Context, tx store.Tx) (err error) {
		_, secret = tx.Passwords().Get(ctx, a.Tenant, a.ID)
		claims, err = tx.Changes().List(ctx, a.Tenant, a.ID)
		return err
	})
	if whole := []bool{missing == nil, unnamed == nil, secret == nil, len(claims) > 0}; whole[0] != whole[1] || whole[0] != whole[2] || whole[0] != whole[3] {
		r.Errorf("of %s there are: account, name, password, claim: %v", a.ID, whole)
	}
	return missing == nil
}

func TestAnAccountOfWhichNothingCameGoesAfterItsTime(t *testing.T) {
	r := newRig(t)
	usual, brisk, patient := r.signUp(tenant.Default), r.signUp("brisk"), r.signUp("patient")
	for _, x := range []struct {
		after              time.Duration
		usual, brisk, long bool
	}{
		{24 * time.Hour, true, true, true}, {24*time.Hour + 1e3, true, false, true}, {month, true, false, true},
		{month + 1e3, false, false, true}, {10 * month, false, false, true},
	} {
		r.clock.Set(noon.Add(x.after))
		r.sweep()
		if got := []bool{r.there(usual), r.there(brisk), r.there(patient)}; got[0] != x.usual || got[1] != x.brisk || got[2] != x.long {
			t.Errorf("after %s: %v, want %v", x.after, got, x)
		}
	}
	r.do(func(ctx context.Context, tx store.Tx) error {
		all, err := tx.Journal().Events(ctx, store.EventQuery{Tenant: tenant.Default, User: usual.ID})
		if len(all) != 1 || all[0].Type != event.UserDeleted || all[0].Data["reason"] != "idle" {
			t.Errorf("the events: %v", all)
		}
		return err
	})
}

func TestAnAccountOfWhichSomethingCameStays(t *testing.T) {
	r := newRig(t)
	kept := map[string]user.Account{
		"proven":      r.signUp(tenant.Default, func(a *user.Account) { a.Identifiers[1].VerifiedAt = noon }),
		"used":        r.signUp(tenant.Default, func(a *user.Account) { a.LastSignIn = noon }),
		"blocked":     r.signUp(tenant.Default, func(a *user.Account) { a.Status = user.Blocked }),
		"not by form": r.signUp(tenant.Default, func(a *user.Account) { a.Tentative = false }),
	}
	brought := r.signUp(tenant.Default)
	r.do(func(ctx context.Context, tx store.Tx) error {
		return tx.Devices().Add(ctx, device.Device{ID: r.ids.New(), Tenant: brought.Tenant, User: brought.ID, Channel: "totp", Status: device.Active, CreatedAt: noon})
	})
	kept["with a device that an operator brought in"] = brought
	idle := r.signUp(tenant.Default)
	r.clock.Set(noon.Add(month + time.Second))
	r.sweep()
	for what, a := range kept {
		if !r.there(a) {
			t.Errorf("the account that is %s went", what)
			continue
		}
		if now, err := r.store.Account(t.Context(), a.Tenant, a.ID); err != nil || now.Tentative {
			t.Errorf("the account that is %s will be looked at again: %v", what, err)
		}
	}
	if r.there(idle) {
		t.Error("the idle account stayed")
	}
}

func TestMoreAccountsThanABatchAllGo(t *testing.T) {
	r := newRig(t)
	var all []user.Account
	for i := range 120 {
		all = append(all, r.signUp(tenant.Default, func(a *user.Account) {
			if i%3 == 0 {
				a.LastSignIn = noon
			}
		}))
	}
	r.clock.Set(noon.Add(month + time.Second))
	r.sweep()
	left := 0
	for i, a := range all {
		if there := r.there(a); there != (i%3 == 0) {
			t.Error(fmt.Sprint("account ", i, " is there: ", there))
		} else if there {
			left++
		}
	}
	if left != 40 {
		t.Errorf("%d accounts are left, want 40", left)
	}
}
