package storetest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/device"
	"github.com/countersign/countersign/ports/store"
)

func named() []behaviour {
	return []behaviour{
		{"a device is found by its channel's name for it", findsByRef},
		{"a name is one device's, within tenant and channel", keepsRefsApart},
		{"of many who want one name, one gets it", racesForRef},
		{"a device without a name is in nobody's way", manyWithoutRef},
		{"an account elsewhere stays linked when it is used", staysLinked},
		{"a receipt tells which message it is about", findsReceipts},
		{"a receipt is forgotten once", forgetsReceiptsOnce},
		{"a message that failed leaves no receipt", noReceiptOfFailures},
	}
}

// link is somebody's account elsewhere.
func (k *kit) link(user, tenant, ref string) store.Device {
	return store.Device{
		ID: k.id(), Tenant: tenant, User: user, Channel: "google", Name: "Google", Ref: ref, Status: device.Linked, CreatedAt: k.now,
	}
}

func (k *kit) byRef(tenant, channel, ref string) (d store.Device, err error) {
	k.do(func(tx store.Tx) error {
		d, err = tx.Refs().Find(k.ctx, tenant, channel, ref)
		return nil
	})
	return d, err
}

func findsByRef(k *kit) {
	a, ref := k.person(home), k.name("sub")
	d := k.addDevice(k.link(a.ID, home, ref))
	got, err := k.byRef(home, "google", ref)
	k.ok(err, "find by ref")
	k.same(got, d, "the device that was found")
	for _, wrong := range [][3]string{{other, "google", ref}, {home, "apple", ref}, {home, "google", ref + "x"}, {home, "google", ""}} {
		_, err := k.byRef(wrong[0], wrong[1], wrong[2])
		k.refused(err, device.ErrNotFound, "find by "+wrong[0]+" "+wrong[1])
	}
}

func keepsRefsApart(k *kit) {
	a, b, ref := k.person(home), k.person(home), k.name("sub")
	k.addDevice(k.link(a.ID, home, ref))
	add := func(d store.Device) error {
		return k.Do(k.ctx, func(ctx context.Context, tx store.Tx) error { return tx.Devices().Add(ctx, d) })
	}
	k.refused(add(k.link(b.ID, home, ref)), device.ErrLinked, "the same name again")
	k.ok(add(k.link(k.person(other).ID, other, ref)), "the same name in another tenant")
	second := k.link(b.ID, home, ref)
	second.Channel = "apple"
	k.ok(add(second), "the same name in another channel")
	third := k.addDevice(k.link(b.ID, home, k.name("sub")))
	third.Ref = ref
	err := k.Do(k.ctx, func(ctx context.Context, tx store.Tx) error { return tx.Devices().Save(ctx, third) })
	k.refused(err, device.ErrLinked, "renamed to the same")
	// Enrolling learns the name as it settles.
	pending := k.link(b.ID, home, "")
	pending.Status = device.Pending
	k.addDevice(pending)
	c := k.ask(func(c *challenge.Challenge) { c.User, c.Device = b.ID, pending.ID })
	err = k.Settle(k.ctx, store.Settlement{
		Tenant: home, Handle: c.Handle, Now: k.now, Device: &store.DeviceChange{ID: pending.ID, Ref: ref, UsedAt: k.now},
	})
	k.refused(err, device.ErrLinked, "enrolled under the same name")
	if got := k.read(c); got.Status != challenge.Pending {
		k.Errorf("the challenge is %s after a refusal", got.Status)
	}
}

func racesForRef(k *kit) {
	ref := k.name("sub")
	var won atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		d := k.link(k.person(home).ID, home, ref)
		all.Go(func() {
			err := k.Do(k.ctx, func(ctx context.Context, tx store.Tx) error { return tx.Devices().Add(ctx, d) })
			switch {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, device.ErrLinked):
				k.Errorf("lost with %v", err)
			}
		})
	}
	all.Wait()
	if n := won.Load(); n != 1 {
		k.Errorf("%d got the name", n)
	}
}

func manyWithoutRef(k *kit) {
	a := k.person(home)
	k.addDevice(k.link(a.ID, home, ""))
	k.addDevice(k.link(a.ID, home, ""))
}

func staysLinked(k *kit) {
	a := k.person(home)
	d := k.addDevice(k.link(a.ID, home, k.name("sub")))
	k.settle(store.Settlement{Device: &store.DeviceChange{ID: d.ID, Ref: d.Ref, UsedAt: k.now}})
	if got := k.device(d); got.Status != device.Linked || !got.LastUsedAt.Equal(k.now) {
		k.Errorf("it is %s, last used at %v", got.Status, got.LastUsedAt)
	}
}

func (k *kit) receipt(channel, id string) (r store.Receipt, err error) {
	k.do(func(tx store.Tx) error {
		r, err = tx.Receipts().Find(k.ctx, channel, id)
		return nil
	})
	return r, err
}

// hand claims a message and finishes it with a receipt.
func (k *kit) hand(m store.Message, outcome challenge.Delivery, r *store.Receipt) {
	k.Helper()
	for _, p := range k.claim(1000) {
		if p.ID != m.ID {
			continue
		}
		done, err := k.Finish(k.ctx, store.Finish{
			ID: m.ID, Tenant: m.Tenant, Handle: m.Handle, Number: m.Number, Fence: p.Fence, Outcome: outcome, Receipt: r, Now: k.now,
		})
		k.ok(err, "finish")
		if !done {
			k.Fatalf("the message is somebody else's")
		}
		return
	}
	k.Fatalf("the message was not claimed")
}

func findsReceipts(k *kit) {
	m := k.post()
	want := store.Receipt{Channel: "sms", ID: k.name("SM"), Tenant: home, Handle: m.Handle, Number: m.Number, ExpiresAt: k.now.Add(time.Hour)}
	k.hand(m, challenge.Sent, &want)
	got, err := k.receipt("sms", want.ID)
	k.ok(err, "find receipt")
	k.same(got, want, "the receipt")
	_, err = k.receipt("voice", want.ID)
	k.refused(err, store.ErrNoReceipt, "another channel's receipt")
	k.refused(k.forget("voice", want.ID), store.ErrNoReceipt, "forgetting another channel's receipt")
	k.pass(2 * time.Hour)
	_, err = k.Purge(k.ctx, store.Horizon{Windows: k.now})
	k.ok(err, "purge")
	_, err = k.receipt("sms", want.ID)
	k.refused(err, store.ErrNoReceipt, "a receipt that ran out")
}

// forget deletes a receipt.
func (k *kit) forget(channel, id string) (err error) {
	k.do(func(tx store.Tx) error {
		err = tx.Receipts().Delete(k.ctx, channel, id)
		return nil
	})
	return err
}

func forgetsReceiptsOnce(k *kit) {
	m := k.post()
	r := store.Receipt{Channel: "sms", ID: k.name("SM"), Tenant: home, Handle: m.Handle, Number: m.Number, ExpiresAt: k.now.Add(time.Hour)}
	k.hand(m, challenge.Sent, &r)
	k.ok(k.forget("sms", r.ID), "forget a receipt")
	k.refused(k.forget("sms", r.ID), store.ErrNoReceipt, "forgetting it again")
	_, err := k.receipt("sms", r.ID)
	k.refused(err, store.ErrNoReceipt, "a forgotten receipt")
}

func noReceiptOfFailures(k *kit) {
	m := k.post()
	r := store.Receipt{Channel: "sms", ID: k.name("SM"), Tenant: home, Handle: m.Handle, Number: m.Number, ExpiresAt: k.now.Add(time.Hour)}
	k.hand(m, challenge.Failed, &r)
	_, err := k.receipt("sms", r.ID)
	k.refused(err, store.ErrNoReceipt, "the receipt of a failure")
}
