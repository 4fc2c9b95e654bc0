// Package auditlog writes every fact as one line of the structured log, so that
// whoever collects logs sees who signed in, what was enrolled and what was
// locked. Facts hold neither secrets nor full addresses.
package auditlog

import (
	"context"
	"log/slog"
	"maps"
	"slices"

	"github.com/countersign/countersign/domain/event"
	port "github.com/countersign/countersign/ports/event"
)

// Log writes facts. It is safe for concurrent use.
type Log struct{ log *slog.Logger }

// New writes to a log.
func New(log *slog.Logger) Log { return Log{log} }

var _ port.Publisher = Log{}

// Publish writes one line for each fact.
func (l Log) Publish(ctx context.Context, facts []event.Event) {
	for _, e := range facts {
		level := levelOf(e.Type)
		if !l.log.Enabled(ctx, level) {
			continue
		}
		attrs := make([]slog.Attr, 0, 5+len(e.Data))
		attrs = append(attrs, slog.String("event", string(e.Type)), slog.String("id", e.ID),
			slog.String("tenant", e.Tenant), slog.String("user", e.User), slog.Time("at", e.At))
		for _, k := range slices.Sorted(maps.Keys(e.Data)) {
			attrs = append(attrs, slog.String("data."+k, e.Data[k]))
		}
		l.log.LogAttrs(ctx, level, "event", attrs...)
	}
}

// levelOf raises what an operator should look at.
func levelOf(t event.Type) slog.Level {
	switch t { //nolint:exhaustive // the rest is everyday
	case event.SessionReused, event.DeviceLocked, event.DeliveryFailed, event.DeliveryComplained, event.RangeBlocked:
		return slog.LevelWarn
	}
	return slog.LevelInfo
}
