package feed

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/countersign/countersign/domain/event"
	port "github.com/countersign/countersign/ports/event"
	"github.com/countersign/countersign/ports/meter"
	"github.com/countersign/countersign/ports/store"
)

// waits are the pauses after the first failures; the last one is for all that
// follow.
var waits = [...]time.Duration{time.Second, 5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, time.Hour}

// patience is how long after an event somebody may still hear of it.
const patience = 72 * time.Hour

// tell hands one fact to a listener and stores what became of it.
func (d *Dispatcher) tell(l *lane, f store.Fact) {
	err := hear(d.ctx, l, f.Event)
	now := d.Clock.Now()
	last := f.Event.At.Add(patience)
	out, outcome := store.FinishFact{Listener: f.Listener, Event: f.Event.ID, Fence: f.Fence}, "failed"
	switch {
	case err == nil:
		out.Done, outcome = true, "heard"
		d.Meter.Observe(meter.FactSeconds, now.Sub(f.Event.At).Seconds(), meter.L("listener", f.Listener))
	case d.ctx.Err() != nil:
		out.RetryAt = now // handed back: another replica, or our next life
	case !now.Before(last):
		out.Done, outcome = true, "given_up"
	default:
		out.RetryAt = now.Add(d.backoff(f.Tries, err))
		if out.RetryAt.After(last) {
			out.RetryAt = last // once more, at the very end
		}
		d.expect(out.RetryAt)
	}
	d.Meter.Count(meter.FactsTold, meter.L("listener", f.Listener), meter.L("outcome", outcome))
	d.report(f, outcome, err)
	d.finish(out)
}

func (d *Dispatcher) report(f store.Fact, outcome string, err error) {
	about := []any{"listener", f.Listener, "event", f.Event.Type, "id", f.Event.ID, "try", f.Tries, "error", err}
	switch _, asked := errors.AsType[*port.LaterError](err); {
	case err == nil || d.ctx.Err() != nil:
	case outcome == "given_up":
		d.Log.Error("a listener was not told of an event, and will not be any more", about...)
	case asked:
		d.Log.Debug("a listener wants to be told of an event later", about...)
	default:
		d.Log.Warn("a listener was not told of an event", about...)
	}
}

// finish stores what became of a fact, also when we are about to end.
func (d *Dispatcher) finish(out store.FinishFact) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(d.ctx), timeout)
	defer cancel()
	ours, err := d.Store.FinishFact(ctx, out)
	switch {
	case err != nil:
		d.expect(d.Clock.Now().Add(lease))
		d.Log.Error("what became of an event could not be stored: it may be told again", "listener", out.Listener, "id", out.Event, "error", err)
	case !ours:
		d.Log.Warn("an event took so long to tell that somebody else tells it", "listener", out.Listener, "id", out.Event)
	}
}

// hear lets a listener hear. One that panics has failed, and takes nobody else
// with it.
func hear(ctx context.Context, l port.Listener, fact event.Event) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the listener panicked: %v", r)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return l.Hear(ctx, fact)
}

// backoff is how long to wait before the next try: between half and all of what
// the table says by chance, so that replicas do not come back together, and not
// less than the listener asks for.
func (d *Dispatcher) backoff(tries int, err error) time.Duration {
	wait := waits[min(max(tries, 1), len(waits))-1]
	var b [4]byte
	if _, e := d.Random.Read(b[:]); e == nil {
		wait = wait/2 + time.Duration(float64(wait/2)*float64(binary.BigEndian.Uint32(b[:]))/(1<<32))
	}
	if later, ok := errors.AsType[*port.LaterError](err); ok {
		wait = max(wait, later.After)
	}
	return wait
}
