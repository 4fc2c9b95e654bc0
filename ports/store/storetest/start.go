package storetest

import (
	"time"

	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/limit"
	"github.com/countersign/countersign/ports/store"
)

func starts() []behaviour {
	return []behaviour{
		{"a refused start leaves no challenge, no message and no charge", startsAllOrNothing},
		{"a refusal names the window that opens last", namesTheLastWindow},
		{"a window that ended begins anew", windowsBeginAnew},
		{"a handle is used once", handlesAreUnique},
		{"windows are read as they stand, in the order of the keys", readsWindows},
	}
}

// startsAllOrNothing also shows that the message is gone: a later claim would
// find it, were it there, because the next start succeeds with the same id.
func startsAllOrNothing(k *kit) {
	wide, full := k.window(3), k.window(1)
	k.ok(k.Start(k.ctx, store.Start{Challenge: k.question(), Windows: []limit.Charge{full, wide}, Now: k.now}), "start")
	c := k.question()
	m := k.message(c)
	for _, windows := range [][]limit.Charge{{wide, full}, {full, wide}} {
		err := k.Start(k.ctx, store.Start{Challenge: c, Windows: windows, Message: &m, Now: k.now})
		k.refused(err, limit.ErrExceeded, "start with a full window")
		_, err = k.Challenge(k.ctx, home, c.Handle, 0)
		k.refused(err, challenge.ErrNotFound, "read what was refused")
	}
	k.wantTaken(wide, 1)
	k.wantTaken(full, 1)
	k.ok(k.Start(k.ctx, store.Start{Challenge: c, Windows: []limit.Charge{wide}, Message: &m, Now: k.now}), "start what was refused")
	k.wantTaken(wide, 2)
}

func namesTheLastWindow(k *kit) {
	soon := limit.Charge{Rule: limit.Rule{Max: 1, Window: time.Minute}, Key: k.name("window")}
	cool := limit.Charge{Rule: limit.Rule{Max: 1, Window: time.Hour}, Key: k.name("window"), Cooldown: true}
	open := k.window(100)
	k.ok(k.Start(k.ctx, store.Start{Challenge: k.question(), Windows: []limit.Charge{soon, cool}, Now: k.now}), "start")
	k.pass(10 * time.Second)
	for _, windows := range [][]limit.Charge{{soon, open, cool}, {cool, soon, open}} {
		err := k.Start(k.ctx, store.Start{Challenge: k.question(), Windows: windows, Now: k.now})
		k.refused(err, limit.ErrCooldown, "start")
		k.same(after(err), time.Hour-10*time.Second, "wait of the window that opens last")
	}
	err := k.Start(k.ctx, store.Start{Challenge: k.question(), Windows: []limit.Charge{soon, open}, Now: k.now})
	k.refused(err, limit.ErrExceeded, "start")
	k.same(after(err), 50*time.Second, "wait of the window that is full")
	k.wantTaken(open, 0)
}

func windowsBeginAnew(k *kit) {
	w := k.window(1)
	in := func() store.Start {
		return store.Start{Challenge: k.question(), Windows: []limit.Charge{w}, Now: k.now}
	}
	k.ok(k.Start(k.ctx, in()), "start")
	k.pass(time.Hour - time.Microsecond)
	err := k.Start(k.ctx, in())
	k.refused(err, limit.ErrExceeded, "start before the window ends")
	k.same(after(err), time.Second, "the shortest wait")
	k.pass(time.Microsecond)
	k.ok(k.Start(k.ctx, in()), "start when the window ends")
	k.refused(k.Start(k.ctx, in()), limit.ErrExceeded, "start in the new window")
}

func readsWindows(k *kit) {
	one, two, none := k.window(3), k.window(5), k.window(1)
	began := k.now
	k.ok(k.Start(k.ctx, store.Start{Challenge: k.question(), Windows: []limit.Charge{one, two}, Now: k.now}), "start")
	k.pass(time.Minute)
	k.ok(k.Start(k.ctx, store.Start{Challenge: k.question(), Windows: []limit.Charge{two}, Now: k.now}), "start")
	for range 2 { // reading takes nothing
		got, err := k.Windows(k.ctx, two.Key, none.Key, one.Key)
		k.ok(err, "read windows")
		k.same(got, []limit.Window{{Count: 2, Ends: began.Add(two.Window)}, {}, {Count: 1, Ends: began.Add(one.Window)}}, "windows")
	}
	got, err := k.Windows(k.ctx)
	k.ok(err, "read no windows")
	k.same(len(got), 0, "windows that nobody asked for")
}

func handlesAreUnique(k *kit) {
	c := k.ask()
	again := c
	again.Destination, again.Allowed = "eve@example.com", 99
	if err := k.Start(k.ctx, store.Start{Challenge: again, Now: k.now}); err == nil {
		k.Errorf("a handle that exists was started again")
	}
	k.same(k.read(c), c, "the first challenge")
}

// message asks for the newest message of c.
func (k *kit) message(c challenge.Challenge) store.Message {
	return store.Message{
		ID: k.id(), Tenant: c.Tenant, Handle: c.Handle, Channel: c.Channel, Number: c.Sends,
		NextAt: k.now, Deadline: c.ExpiresAt,
	}
}
