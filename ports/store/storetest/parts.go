package storetest

import (
	"errors"
	"time"

	"github.com/countersign/countersign/domain/device"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/session"
	"github.com/countersign/countersign/ports/store"
)

func devices() []behaviour {
	return []behaviour{
		{"devices come page by page in the order in which they were made", pagesDevices},
		{"devices are saved and removed", savesDevices},
		{"a new sheet of recovery codes replaces the old ones", replacesSheets},
	}
}

func sessions() []behaviour {
	return []behaviour{
		{"sessions that last are listed newest first", listsSessions},
		{"all sessions but one are ended", endsOthers},
	}
}

func journals() []behaviour {
	return []behaviour{
		{"events come newest first", listsEvents},
		{"an answer is remembered until it expires", remembers},
	}
}

func pagesDevices(k *kit) {
	a := k.person(home)
	var all []store.Device
	for range 5 {
		all = append(all, k.addDevice(k.app(a)))
		k.addDevice(k.app(k.person(home)))
	}
	list := func(after string, limit int) []store.Device {
		var out []store.Device
		k.do(func(tx store.Tx) (err error) {
			out, err = tx.Devices().List(k.ctx, home, a.ID, after, limit)
			return err
		})
		return out
	}
	k.same(list("", 0), all, "all devices")
	k.same(list("", 2), all[:2], "the first page")
	k.same(list(all[1].ID, 2), all[2:4], "the second page")
	k.same(list(all[3].ID, 2), all[4:], "the last page")
	k.same(len(list(all[4].ID, 2)), 0, "devices after the last page")
	k.same(list(all[0].ID, 0), all[1:], "all after the first")
}

func savesDevices(k *kit) {
	d := k.addDevice(k.app(k.person(home)))
	d.Name, d.Address, d.Ref, d.Credential = "Zoë's phone", "+447700900123", "r", []byte{0, 1, 255}
	d.Version, d.Status, d.LastUsedAt = 9, device.Pending, k.now
	k.do(func(tx store.Tx) error { return tx.Devices().Save(k.ctx, d) })
	k.same(k.device(d), d, "the device after saving")
	k.do(func(tx store.Tx) error { return tx.Devices().Delete(k.ctx, home, d.ID) })
	k.do(func(tx store.Tx) error {
		_, err := tx.Devices().Get(k.ctx, home, d.ID)
		k.refused(err, device.ErrNotFound, "the device that was removed")
		return nil
	})
}

func replacesSheets(k *kit) {
	a := k.person(home)
	phone := k.addDevice(k.app(a))
	stranger := k.app(k.person(home))
	stranger.Backup = true
	k.addDevice(stranger)
	var sheet store.Device
	for range 3 {
		sheet = k.app(a)
		sheet.Backup, sheet.Channel = true, "recovery"
		k.settle(store.Settlement{Recovery: &sheet})
	}
	k.do(func(tx store.Tx) error {
		got, err := tx.Devices().List(k.ctx, home, a.ID, "", 0)
		k.same(got, []store.Device{phone, sheet}, "devices after three sheets")
		return err
	})
	k.same(k.device(stranger), stranger, "somebody else's sheet")
}

func listsSessions(k *kit) {
	a := k.person(home)
	var want []session.Session
	for range 3 {
		k.pass(time.Second)
		want = append([]session.Session{k.signedIn(a)}, want...)
		k.signedIn(k.person(home))
	}
	over := k.visit(a)
	over.ExpiresAt = k.now.Add(time.Minute)
	k.settle(store.Settlement{Session: &over})
	k.pass(time.Minute)
	ended := want[1]
	ended.Revoke(k.now, session.ByOwner)
	k.do(func(tx store.Tx) error { return tx.Sessions().Save(k.ctx, ended) })
	k.do(func(tx store.Tx) error {
		got, err := tx.Sessions().List(k.ctx, home, a.ID, k.now)
		k.same(got, []session.Session{want[0], want[2]}, "sessions that last")
		one, err2 := tx.Sessions().Get(k.ctx, home, ended.ID)
		k.same(one, ended, "the session that ended")
		return errors.Join(err, err2)
	})
}

func endsOthers(k *kit) {
	a := k.person(home)
	here, there, gone := k.signedIn(a), k.signedIn(a), k.signedIn(a)
	stranger := k.signedIn(k.person(home))
	end := func(except string, why session.Reason) (n int) {
		k.do(func(tx store.Tx) (err error) {
			n, err = tx.Sessions().RevokeOthers(k.ctx, store.RevokeOthers{Tenant: home, User: a.ID, Except: except, Reason: why, Now: k.now})
			return err
		})
		return n
	}
	gone.Revoke(k.now, session.SignedOut)
	k.do(func(tx store.Tx) error { return tx.Sessions().Save(k.ctx, gone) })
	k.pass(time.Minute)
	k.same(end(here.ID, session.ByOwner), 1, "how many sessions were ended")
	there.Revoke(k.now, session.ByOwner)
	k.same(k.session(here).Session, here, "the session that was spared")
	k.same(k.session(there).Session, there, "the session that was ended")
	k.same(k.session(gone).Session, gone, "the session that had ended before")
	k.same(k.session(stranger).Session, stranger, "somebody else's session")
	k.pass(time.Minute)
	k.same(end("", session.UserClosed), 1, "how many sessions were left to end")
	here.Revoke(k.now, session.UserClosed)
	k.same(k.session(here).Session, here, "the last session")
}

func listsEvents(k *kit) {
	a := k.person(home)
	var want []event.Event
	for range 4 {
		k.pass(time.Second)
		e := event.Event{ID: k.id(), Tenant: home, User: a.ID, Type: event.DeviceRenamed, At: k.now, Data: map[string]string{"n": k.name("n")}}
		want = append([]event.Event{e}, want...)
		k.do(func(tx store.Tx) error {
			return tx.Journal().Record(k.ctx, e, event.Event{ID: k.id(), Tenant: home, Type: event.DeliveryFailed, At: k.now})
		})
	}
	read := func(limit int) (got []event.Event) {
		k.do(func(tx store.Tx) (err error) {
			got, err = tx.Journal().Events(k.ctx, store.EventQuery{Tenant: home, User: a.ID, Limit: limit})
			return err
		})
		return got
	}
	k.same(read(10), want, "all events")
	k.same(read(2), want[:2], "the newest events")
}

func remembers(k *kit) {
	a := store.Answer{Key: k.name("key"), Request: []byte("hash"), ExpiresAt: k.now.Add(time.Hour)}
	recall := func() (got store.Answer, err error) {
		k.do(func(tx store.Tx) error {
			got, err = tx.Journal().Recall(k.ctx, a.Key, k.now)
			return nil
		})
		return got, err
	}
	keep := func() { k.do(func(tx store.Tx) error { return tx.Journal().Remember(k.ctx, a) }) }
	_, err := recall()
	k.refused(err, store.ErrNoAnswer, "an answer that nobody gave")
	for _, status := range []int{0, 202} {
		keep()
		got, err := recall()
		k.ok(err, "recall")
		k.same(got, a, "the answer")
		a.Status, a.Body = status+202, []byte{0, 255, 'x'}
	}
	k.pass(time.Hour - time.Microsecond)
	_, err = recall()
	k.ok(err, "recall at the last moment")
	k.pass(time.Microsecond)
	_, err = recall()
	k.refused(err, store.ErrNoAnswer, "an answer that expired")
	a.ExpiresAt, a.Request = k.now.Add(time.Hour), []byte("another")
	keep()
	got, err := recall()
	k.ok(err, "recall")
	k.same(got, a, "the answer that replaced an expired one")
}
