package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"go.uber.org/fx"

	"github.com/countersign/countersign/adapters/auditlog"
	"github.com/countersign/countersign/adapters/meter"
	"github.com/countersign/countersign/adapters/system"
	"github.com/countersign/countersign/adapters/webhook"
	"github.com/countersign/countersign/app/events"
	"github.com/countersign/countersign/app/feed"
	port "github.com/countersign/countersign/ports/event"
	"github.com/countersign/countersign/ports/store"
	portsystem "github.com/countersign/countersign/ports/system"
)

// listeners are all who are told reliably, by name.
type listeners []port.Listener

// audience is what listeners are made of.
type audience struct {
	fx.In

	Loaded      Loaded
	Log         *slog.Logger
	Subscribers []port.Listener `group:"listeners"`
}

// newListeners opens the webhooks, which join those who subscribed in this
// process. Two of one name would take each other's events.
func newListeners(lc fx.Lifecycle, a audience) (listeners, error) {
	all := listeners(slices.Clone(a.Subscribers))
	for _, w := range a.Loaded.Webhooks {
		e, err := webhook.New(webhook.Options{
			Name: w.name(), URL: w.URL, Secret: w.Secret.Reveal(), Events: w.Events,
			AllowPrivate: w.AllowPrivate || a.Loaded.Mode == Development,
			Clock:        system.Clock{}, // the world's: receivers compare it with theirs
			Log:          a.Log,
		})
		if err != nil {
			return nil, configuration(fmt.Errorf("webhook %q: %w", w.name(), err))
		}
		lc.Append(fx.StopHook(e.Close))
		all = append(all, e)
	}
	seen := map[string]bool{}
	for _, l := range all {
		switch name := l.Name(); {
		case !listenerForm.MatchString(name):
			return nil, fmt.Errorf("%q cannot be a listener's name: use small letters, digits, dots, dashes and underscores", name)
		case seen[name]:
			return nil, configuration(fmt.Errorf("two listeners are called %q", name))
		default:
			seen[name] = true
		}
	}
	return all, nil
}

// teller is what the dispatcher of facts is made of. It uses the store itself,
// since the store that publishes wakes it.
type teller struct {
	fx.In

	Store  store.Store
	Clock  portsystem.Clock
	IDs    portsystem.IDs
	Random io.Reader
	Meter  *meter.Meter
	Log    *slog.Logger
}

func newFeed(t teller, all listeners) *feed.Dispatcher {
	return feed.New(feed.Needs{
		Store: t.Store, Listeners: all, Clock: t.Clock, Random: t.Random, Meter: t.Meter, Log: t.Log, Owner: t.IDs.New(),
	})
}

// newPublishing lets the log hear of every fact, and queues it for those who
// listen. It wraps whatever store there is, also somebody else's.
func newPublishing(s store.Store, log *slog.Logger, all listeners, d *feed.Dispatcher) *events.Publishing {
	return events.Publish(s, auditlog.New(log), events.Audience{Listeners: all, Queued: d.Wake})
}

// feedGauges shows what waits for each listener.
func (w works) feedGauges() {
	for _, l := range w.Feed.Listeners {
		waiting := func() (out store.FactsWaiting) {
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
			defer cancel()
			all, err := w.Store.FactsWaiting(ctx)
			if err != nil {
				w.Log.Warn("the queue of events cannot be measured", "error", err)
				return store.FactsWaiting{Depth: -1}
			}
			for _, one := range all {
				if one.Listener == l.Name() {
					return one
				}
			}
			return out
		}
		labels := fmt.Sprintf("{listener=%q}", l.Name())
		w.Meter.Gauge("countersign_facts_waiting"+labels, func() float64 { return float64(waiting().Depth) })
		w.Meter.Gauge("countersign_facts_oldest_age_seconds"+labels, func() float64 {
			oldest := waiting().Oldest
			if oldest.IsZero() {
				return 0
			}
			return max(0, w.Clock.Now().Sub(oldest).Seconds())
		})
	}
}
