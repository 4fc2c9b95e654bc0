package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gofiber/fiber/v2"
	"go.uber.org/fx"

	"github.com/countersign/countersign/adapters/meter"
	"github.com/countersign/countersign/app/delivery"
	"github.com/countersign/countersign/app/feed"
	"github.com/countersign/countersign/app/janitor"
	"github.com/countersign/countersign/app/rules"
	"github.com/countersign/countersign/ports/store"
	portsystem "github.com/countersign/countersign/ports/system"
)

// settle is how long a server that is about to stop still answers, so that
// whoever spreads the load has seen that it is no longer ready.
const settleTime = 2 * time.Second

// works are what goes on while we serve.
type works struct {
	fx.In

	Loaded     Loaded
	App        *fiber.App
	Dispatcher *delivery.Dispatcher
	Feed       *feed.Dispatcher
	Janitor    *janitor.Janitor
	Rules      *rules.Gate
	Meter      *meter.Meter
	Store      store.Store
	Clock      portsystem.Clock
	Log        *slog.Logger
	Ready      *readiness
	Shutdown   fx.Shutdowner
}

// run hangs everything that goes on into the life of the process. What starts
// last stops first: the API, the metrics, the dispatchers, and then (as fx has
// seen them made) channels and storage.
func run(lc fx.Lifecycle, w works) {
	var background sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	lc.Append(fx.Hook{
		OnStart: func(start context.Context) error {
			if err := w.Rules.Refresh(start); err != nil { // before anybody can be let through
				return dependency(fmt.Errorf("read the block and allow lists: %w", err))
			}
			background.Go(func() { w.Rules.Run(ctx) })
			background.Go(func() { w.Dispatcher.Run(ctx) })
			background.Go(func() { w.Feed.Run(ctx) })
			background.Go(func() { w.Janitor.Run(ctx) })
			return nil
		},
		OnStop: func(stop context.Context) error {
			cancel()
			stop, done := context.WithTimeout(stop, patience)
			defer done()
			background.Go(func() { w.Dispatcher.Stop(stop) })
			background.Go(func() { w.Feed.Stop(stop) })
			background.Wait()
			return nil
		},
	})
	if w.Loaded.MetricsListen != "" {
		lc.Append(w.metricsHook())
	}
	var api serving
	lc.Append(fx.Hook{
		OnStart: func(ctx context.Context) error { return w.listen(ctx, &api) },
		OnStop:  func(ctx context.Context) error { return w.drain(ctx, &api) },
	})
}

// serving is an API that takes requests.
type serving struct {
	port net.Listener
	done chan struct{} // closed when it takes no more
}

func (w works) listen(ctx context.Context, api *serving) error {
	l, err := listen(ctx, w.Loaded.Listen, "listen")
	if err != nil {
		return err
	}
	api.port, api.done = l, make(chan struct{})
	w.Ready.set(true)
	go func() {
		defer close(api.done)
		if err := w.App.Listener(l); err != nil && w.Ready.yes.Load() {
			w.Log.Error("the API stopped serving", "error", err)
			_ = w.Shutdown.Shutdown(fx.ExitCode(exitFailure))
		}
	}()
	w.Log.Info("serving", "listen", l.Addr().String(), "mode", w.Loaded.Mode, "version", Version)
	return nil
}

// drain stops taking requests and waits for those that are being answered.
// The port is closed here too: a server that has hardly begun does not know it yet.
func (w works) drain(ctx context.Context, api *serving) error {
	w.Ready.set(false)
	if w.Loaded.Mode == Production {
		select {
		case <-ctx.Done():
		case <-time.After(settleTime):
		}
	}
	ctx, done := context.WithTimeout(ctx, patience)
	defer done()
	err := w.App.ShutdownWithContext(ctx)
	_ = api.port.Close() // closed already, as a rule
	select {
	case <-api.done:
	case <-ctx.Done():
	}
	return err
}

func (w works) metricsHook() fx.Hook {
	w.gauges()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		w.Meter.Write(rw)
	})
	srv := &http.Server{Handler: mux, ReadTimeout: 5 * time.Second, WriteTimeout: 10 * time.Second, IdleTimeout: time.Minute}
	return fx.Hook{
		OnStart: func(ctx context.Context) error {
			l, err := listen(ctx, w.Loaded.MetricsListen, "metrics_listen")
			if err != nil {
				return err
			}
			go func() {
				if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
					w.Log.Error("the metrics stopped being served", "error", err)
				}
			}()
			return nil
		},
		OnStop: srv.Shutdown,
	}
}

// gauges shows what is only read when somebody asks.
func (w works) gauges() {
	backlog := func() (int, time.Time) {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		depth, oldest, err := w.Store.Backlog(ctx, w.Clock.Now())
		if err != nil {
			w.Log.Warn("the queue cannot be measured", "error", err)
			return -1, time.Time{}
		}
		return depth, oldest
	}
	w.feedGauges()
	w.Meter.Gauge("countersign_outbox_depth", func() float64 { depth, _ := backlog(); return float64(depth) })
	w.Meter.Gauge("countersign_outbox_oldest_age_seconds", func() float64 {
		_, oldest := backlog()
		if oldest.IsZero() {
			return 0
		}
		return max(0, w.Clock.Now().Sub(oldest).Seconds())
	})
}

// listen opens a port, and says in one line what to do if it cannot.
func listen(ctx context.Context, address, setting string) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	switch {
	case err == nil:
		return l, nil
	case errors.Is(err, syscall.EADDRINUSE):
		err = fmt.Errorf("%s is taken by another program. Use another port: --%s, or %s in the configuration", address, flagOf(setting), setting)
	case errors.Is(err, syscall.EACCES):
		err = fmt.Errorf("%s may not be used by this user. Use a port above 1023: --%s, or %s in the configuration", address, flagOf(setting), setting)
	default:
		err = fmt.Errorf("%s cannot be listened on: %w", address, err)
	}
	return nil, dependency(err)
}

func flagOf(setting string) string {
	if setting == "metrics_listen" {
		return "metrics-listen"
	}
	return setting
}

// readiness tells whether requests are welcome.
type readiness struct{ yes atomic.Bool }

func (r *readiness) set(yes bool) { r.yes.Store(yes) }

// errStarting is why somebody is not ready who is about to stop or to start.
var errStarting = errors.New("starting or stopping")

// check asks everything that requests depend on.
func (r *readiness) check(s store.Store) func(ctx context.Context) map[string]error {
	return func(ctx context.Context) map[string]error {
		var state error
		if !r.yes.Load() {
			state = errStarting
		}
		return map[string]error{"server": state, "storage": s.Ping(ctx)}
	}
}
