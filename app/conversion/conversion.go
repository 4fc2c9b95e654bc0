// Package conversion stops codes to ranges of phone numbers whose codes nobody
// answers. Whoever asks is answered as ever: only what would be sent is not.
package conversion

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"log/slog"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign/app/tenants"
	"github.com/countersign/countersign/domain/challenge"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/fault"
	"github.com/countersign/countersign/domain/limit"
	"github.com/countersign/countersign/ports/meter"
	"github.com/countersign/countersign/ports/store"
	"github.com/countersign/countersign/ports/system"
)

// Needs is what the breaker is made of.
type Needs struct {
	Store   store.Store
	Tenants *tenants.Book
	Clock   system.Clock
	IDs     system.IDs
	Meter   meter.Meter
	Log     *slog.Logger
}

// Breaker counts the codes that go to a range of numbers, and those that come
// back. All replicas count together. It is safe for concurrent use, and asks
// storage nothing about what goes elsewhere than to phones.
type Breaker struct{ Needs }

// New makes a breaker.
func New(n Needs) *Breaker { return &Breaker{n} }

// account is the range of numbers that a challenge's messages go to.
type account struct {
	rule          limit.Conversion
	tenant, where string
	span          int64
}

// of reports false for what is not counted.
func (b *Breaker) of(c challenge.Challenge) (account, bool) {
	if c.Kind != contact.Phone || c.Destination == "" || c.Decoy {
		return account{}, false
	}
	rule := b.Tenants.Policy(c.Tenant).Limits.Conversion
	where := contact.Contact{Kind: c.Kind, Value: c.Destination}.Range()
	return account{rule, c.Tenant, where, rule.Span(c.CreatedAt)}, rule.On()
}

// charge is a window of the range; it does not tell which. What belongs to a span
// is kept a while longer, for answers that come late.
func (a account) charge(name string, r limit.Rule, span int64) limit.Charge {
	sum := sha256.Sum256([]byte(strings.Join([]string{a.tenant, name, a.where, a.rule.Within.String(), strconv.FormatInt(span, 10)}, "\x00")))
	return limit.Charge{Rule: r, Key: "range_" + name + ":" + base64.RawURLEncoding.EncodeToString(sum[:16])}
}

func (a account) sent(most int) limit.Charge {
	return a.charge("sent", limit.Rule{Max: most, Window: 2 * a.rule.Within}, a.span)
}

func (a account) answered() limit.Charge {
	return a.charge("answered", limit.Rule{Max: math.MaxInt32, Window: 2 * a.rule.Within}, a.span)
}

func (a account) blocked() limit.Charge {
	return a.charge("blocked", limit.Rule{Max: 1, Window: a.rule.Block}, 0)
}

// Pay pays for a message before it goes out. It reports false if the message must
// not: then whoever asked must not be able to tell.
func (b *Breaker) Pay(ctx context.Context, c challenge.Challenge) (bool, error) {
	a, ok := b.of(c)
	if !ok {
		return true, nil
	}
	now := b.Clock.Now()
	seen, err := b.Store.Windows(ctx, a.blocked().Key, a.answered().Key)
	if err != nil {
		return false, err
	}
	if now.Before(seen[0].Ends) {
		return false, nil
	}
	err = b.take(ctx, a.sent(a.rule.Room(seen[1].Count)), now)
	if f, foreseen := fault.Of(err); foreseen && f.Kind == fault.Throttled {
		return false, b.block(ctx, a, seen[1].Count, now)
	}
	return err == nil, err
}

func (b *Breaker) take(ctx context.Context, w limit.Charge, now time.Time) error {
	return b.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		return tx.Challenges().Take(ctx, []limit.Charge{w}, now)
	})
}

// block stops what goes to a range. Of several who find out, one says so.
func (b *Breaker) block(ctx context.Context, a account, answered int, now time.Time) error {
	e := event.Event{
		ID: b.IDs.New(), Tenant: a.tenant, Type: event.RangeBlocked, At: now,
		Data: map[string]string{"range": a.where, "answered": strconv.Itoa(answered), "until": now.Add(a.rule.Block).UTC().Format(time.RFC3339)},
	}
	err := b.Store.Do(ctx, func(ctx context.Context, tx store.Tx) error {
		if err := tx.Challenges().Take(ctx, []limit.Charge{a.blocked()}, now); err != nil {
			return err
		}
		return tx.Journal().Record(ctx, e)
	})
	if f, foreseen := fault.Of(err); foreseen && f.Kind == fault.Throttled {
		return nil
	}
	if err == nil {
		b.Meter.Count(meter.RangesBlocked)
		b.Log.Warn("codes to a range of numbers are not answered: none is sent for a while", "tenant", a.tenant, "range", a.where, "for", a.rule.Block)
	}
	return err
}

// GiveBack is for a message that was paid for and did not go out.
func (b *Breaker) GiveBack(ctx context.Context, c challenge.Challenge) {
	a, ok := b.of(c)
	if !ok {
		return
	}
	err := b.Store.Do(context.WithoutCancel(ctx), func(ctx context.Context, tx store.Tx) error {
		return tx.Challenges().Refund(ctx, "", []string{a.sent(0).Key}, b.Clock.Now())
	})
	if err != nil {
		b.Log.Error("a message that was not sent counts as sent", "error", err)
	}
}

// Answered counts a right answer. That it was right is settled already, so what
// goes wrong here is nothing to whoever gave it.
func (b *Breaker) Answered(ctx context.Context, c challenge.Challenge) {
	a, ok := b.of(c)
	if !ok || c.Delivery == challenge.NoDelivery {
		return
	}
	if err := b.take(context.WithoutCancel(ctx), a.answered(), b.Clock.Now()); err != nil {
		b.Log.Error("a right answer counts as none", "error", err)
	}
}
