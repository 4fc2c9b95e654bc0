package delivery

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/countersign/countersign/app/challenges"
	"github.com/countersign/countersign/app/channels"
	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/meter"
	"github.com/countersign/countersign/ports/store"
)

// deliver sends one message along its route and stores what became of it. It
// reports whether a carrier took it.
func (d *Dispatcher) deliver(ctx context.Context, p store.Parcel) bool {
	now := d.Clock.Now()
	f := store.Finish{ID: p.ID, Tenant: p.Tenant, Handle: p.Handle, Number: p.Number, Fence: p.Fence}
	via, missing := d.carriers(p)
	p.Challenge.Decoy = p.Challenge.Decoy || missing == nil && len(via) == 0 // nothing is sent to that country, and nobody is told
	pays, err := d.ranges.Pay(ctx, p.Challenge)
	p.Challenge.Decoy = p.Challenge.Decoy || !pays // from here on nothing tells them apart
	var receipt *store.Receipt
	if err == nil {
		if receipt, err = d.send(ctx, p, now); err != nil {
			d.ranges.GiveBack(ctx, p.Challenge)
		}
	}
	f.Now = d.Clock.Now()
	switch {
	case err == nil:
		f.Outcome, f.Receipt = challenge.Sent, receipt
		d.Meter.Observe(meter.DeliverySeconds, f.Now.Sub(p.NextAt).Seconds(), meter.L("channel", p.Channel))
	case ctx.Err() != nil:
		f.Outcome, f.RetryAt = challenge.Queued, f.Now // handed back: another replica, or our next life
	case hopeless(err):
		f.Outcome = challenge.Failed
	default:
		f.Outcome, f.RetryAt = challenge.Queued, f.Now.Add(d.backoff(p, err))
		if !f.RetryAt.Before(p.Deadline) {
			f.Outcome = challenge.Failed
		}
	}
	if f.Outcome == challenge.Failed && p.Notice == nil {
		f.GiveBack = []string{challenges.CooldownKey(p.Challenge)}
	}
	if err != nil {
		d.finish(ctx, p, f, err)
		return false
	}
	d.mark(ctx, p, f)
	return true
}

// mark notes that a message was sent. The hand that sent it does not wait for
// that, unless too many already do.
func (d *Dispatcher) mark(ctx context.Context, p store.Parcel, f store.Finish) {
	select {
	case d.marks <- struct{}{}:
		d.busy.Go(func() {
			d.finish(ctx, p, f, nil)
			<-d.marks
		})
	default:
		d.finish(ctx, p, f, nil)
	}
}

func (d *Dispatcher) finish(ctx context.Context, p store.Parcel, f store.Finish, why error) {
	if !p.Challenge.Decoy {
		d.Meter.Count(meter.MessagesFinished, meter.L("channel", p.Channel), meter.L("outcome", string(f.Outcome)))
	}
	if why != nil && ctx.Err() == nil {
		d.Log.Warn("a message was not sent", "channel", p.Channel, "message", p.ID, "try", p.Tries, "outcome", f.Outcome, "error", why)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	defer cancel()
	ours, err := d.Store.Finish(ctx, f)
	if err != nil {
		d.Log.Error("what became of a message could not be stored: it may be sent again", "message", p.ID, "error", err)
	}
	if ours && f.Outcome == challenge.Failed && !p.Challenge.Decoy && !used(p.Challenge) {
		d.recordFailure(ctx, p, f)
	}
}

// used reports whether somebody has answered with the code: then it has arrived,
// and only the process that sent it died before it could say so.
func used(c challenge.Challenge) bool {
	return c.Status == challenge.Verified || c.Status == challenge.Answered
}

func (d *Dispatcher) recordFailure(ctx context.Context, p store.Parcel, f store.Finish) {
	e := event.Event{
		ID: d.IDs.New(), Tenant: p.Tenant, User: p.Challenge.User, Type: event.DeliveryFailed, At: f.Now,
		Data: map[string]string{"channel": p.Channel},
	}
	if p.Notice != nil {
		e.Data["kind"] = "notice"
	}
	if err := d.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error { return tx.Journal().Record(ctx, e) }); err != nil {
		d.Log.Error("a failed delivery could not be recorded", "message", p.ID, "error", err)
	}
}

// send tries the message's channel, and then those that stand in for it. A
// decoy takes as long as the last real message did, and fares as it fared.
func (d *Dispatcher) send(ctx context.Context, p store.Parcel, now time.Time) (*store.Receipt, error) {
	out, err := d.letter(ctx, p, now)
	if err != nil {
		return nil, err
	}
	if p.Challenge.Decoy {
		return nil, d.pretend(ctx, p.Channel, out)
	}
	route, err := d.carriers(p)
	if err != nil {
		return nil, errors.Join(err, channel.ErrRefused)
	}
	if len(route) == 0 {
		d.Log.Info("nothing is sent to that country", "channel", p.Channel, "message", p.ID)
	}
	ctx, cancel := context.WithTimeout(ctx, min(timeout, p.Deadline.Sub(now)))
	defer cancel()
	var receipt *store.Receipt
	for i, via := range route {
		if i > 0 {
			d.Log.Warn("falling over to another channel", "from", p.Channel, "to", via.ID, "error", err)
		}
		began := d.Clock.Now()
		receipt, err = d.sendVia(ctx, via, p, out)
		if via.ID == p.Channel && !errors.Is(err, channel.ErrUndeliverable) { // which says nothing about the next address
			d.health.learn(p.Channel, d.Clock.Now().Sub(began), err)
		}
		if err == nil {
			d.Log.Debug("a message was sent", "channel", via.ID, "message", p.ID, "try", p.Tries)
		}
		if err == nil || errors.Is(err, channel.ErrUndeliverable) || ctx.Err() != nil {
			break
		}
	}
	return receipt, err
}

// carriers lists what may take a message, the first first: its channel, and those
// that stand in for that, as far as they send to the country it goes to.
func (d *Dispatcher) carriers(p store.Parcel) ([]channels.Instance, error) {
	first, err := d.Channels.Get(p.Channel)
	if err != nil {
		return nil, err
	}
	all := []channels.Instance{first}
	for _, id := range first.Fallback {
		if next, err := d.Channels.Get(id); err == nil {
			all = append(all, next)
		}
	}
	to := contact.Contact{Kind: p.Challenge.Kind, Value: p.Challenge.Destination}
	if p.Notice != nil {
		to = p.Notice.To
	}
	if to.Kind != contact.Phone || d.Region == nil {
		return all, nil
	}
	region := d.Region(to.Value)
	return slices.DeleteFunc(all, func(in channels.Instance) bool { return !in.Serves(region) }), nil
}

// pretend writes what a decoy would say, and keeps it: whoever asks next must not
// meet a server that had less to do.
func (d *Dispatcher) pretend(ctx context.Context, id string, out letter) error {
	began := d.Clock.Now()
	if via, err := d.Channels.Get(id); err == nil {
		out.Form = via.Form()
		if _, err := d.Composer.Compose(out.Request); err != nil {
			d.Log.Error("a message cannot be written", "channel", id, "error", err)
		}
	}
	return d.health.pretend(ctx, id, d.Clock.Now().Sub(began))
}

// sendVia hands the message to one carrier. A plugin that panics has failed, and
// takes nobody else with it.
func (d *Dispatcher) sendVia(ctx context.Context, via channels.Instance, p store.Parcel, out letter) (noted *store.Receipt, err error) {
	defer func() {
		if r := recover(); r != nil {
			noted, err = nil, fmt.Errorf("channel %q panicked: %w", via.ID, channel.ErrUnavailable)
		}
	}()
	if via.Sender == nil {
		return nil, fmt.Errorf("channel %q sends nothing: %w", via.ID, channel.ErrRefused)
	}
	out.Form = via.Form()
	text, err := d.Composer.Compose(out.Request)
	if err != nil {
		return nil, errors.Join(err, channel.ErrRefused)
	}
	receipt, err := via.Sender.Send(ctx, channel.Message{
		Key: fmt.Sprintf("%s-%d", p.ID, p.Number), To: out.to, Locale: text.Locale,
		Subject: text.Subject, Text: text.Text, HTML: text.HTML, Code: out.Code, Link: out.Link,
	})
	if err != nil {
		return nil, err
	}
	return d.note(via, p, receipt), nil
}

// note is what a carrier's report will be matched with: nil if there will be
// none, because the carrier reports nothing or has no name for the message.
func (d *Dispatcher) note(via channels.Instance, p store.Parcel, r channel.Receipt) *store.Receipt {
	if _, reports := channel.As[channel.Tracker](via.Channel); !reports || r.ID == "" {
		return nil
	}
	return &store.Receipt{
		Channel: via.ID, ID: r.ID, Tenant: p.Tenant, Handle: p.Handle, Number: p.Number, ExpiresAt: d.Clock.Now().Add(reported),
	}
}

// errDead means that the code has run out, was used or cancelled, or cannot be
// made any more; or that a notice is too old, or its invitation is closed.
var errDead = errors.New("the code or the notice is dead")

// hopeless reports whether trying again cannot help.
func hopeless(err error) bool {
	return errors.Is(err, errDead) || errors.Is(err, channel.ErrUndeliverable) || errors.Is(err, channel.ErrRefused)
}

// backoff is how long to wait before the next try: twice as long each time, up
// to half a minute or, for notices, which nobody waits for, a quarter of an hour,
// and between half and all of that by chance, so that replicas do not come back
// together.
func (d *Dispatcher) backoff(p store.Parcel, err error) time.Duration {
	most := 30 * time.Second
	if p.Notice != nil {
		most = 15 * time.Minute
	}
	wait := min(time.Second<<min(p.Tries, 10), most)
	var b [4]byte
	if _, e := d.Random.Read(b[:]); e == nil {
		wait = wait/2 + time.Duration(float64(wait/2)*float64(binary.BigEndian.Uint32(b[:]))/(1<<32))
	}
	if busy, ok := errors.AsType[*channel.ThrottledError](err); ok {
		wait = max(wait, busy.After)
	}
	return wait
}
