// Package app puts Countersign together: it is the only package that knows
// every part, and the only one that knows fx. Third parties call Main with
// their own channels, subscribers or storage:
//
//	func main() { app.Main(app.Channels(pager.Plugin())) }
package app

import (
	"go.uber.org/fx"

	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/event"
	"github.com/countersign/countersign/ports/store"
)

// Option changes how Countersign is put together.
type Option = fx.Option

// Channels adds channel plugins to those that are built in.
func Channels(plugins ...channel.Plugin) Option {
	return fx.Supply(fx.Annotate(plugins, fx.ResultTags(`group:"channels,flatten"`)))
}

// Subscribe adds listeners in this process, who hear of events as webhooks do:
// at least once, in order for each person, also after a restart. Their names
// last, and differ from each other's and the webhooks'.
func Subscribe(listeners ...event.Listener) Option {
	return fx.Supply(fx.Annotate(listeners, fx.ResultTags(`group:"listeners,flatten"`)))
}

// Store replaces the storage adapter. The argument is a constructor of a
// store.Store: a function that returns one, and perhaps an error.
func Store(constructor any) Option {
	return fx.Decorate(fx.Annotate(constructor, fx.As(new(store.Store))))
}
