// Package meter counts in the Prometheus text format, with VictoriaMetrics'
// small client.
package meter

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/countersign/countersign/ports/meter"
)

// Meter is a set of series. It is safe for concurrent use.
type Meter struct{ set *metrics.Set }

// New makes an empty set.
func New() *Meter { return &Meter{set: metrics.NewSet()} }

var _ meter.Meter = (*Meter)(nil)

// Count adds one to a series.
func (m *Meter) Count(name meter.Name, labels ...meter.Label) {
	m.set.GetOrCreateCounter(series(string(name), labels)).Inc()
}

// Observe adds a value to a summary with the quantiles 0.5, 0.9, 0.97, 0.99 and
// 1 of the last five minutes.
func (m *Meter) Observe(name meter.Name, seconds float64, labels ...meter.Label) {
	m.set.GetOrCreateSummary(series(string(name), labels)).Update(seconds)
}

// Request counts one HTTP request. Route is the pattern, never the path.
func (m *Meter) Request(route, method string, status int, took time.Duration) {
	labels := []meter.Label{meter.L("route", route), meter.L("method", method)}
	m.set.GetOrCreateSummary(series("countersign_http_request_seconds", labels)).Update(took.Seconds())
	m.set.GetOrCreateCounter(series("countersign_http_requests_total", append(labels, meter.L("status", strconv.Itoa(status))))).Inc()
}

// Gauge shows whatever read returns at the time of the scrape.
func (m *Meter) Gauge(name string, read func() float64) { m.set.NewGauge(name, read) }

// Write writes everything, and how the process fares.
func (m *Meter) Write(w io.Writer) {
	m.set.WritePrometheus(w)
	metrics.WriteProcessMetrics(w)
}

func series(name string, labels []meter.Label) string {
	if len(labels) == 0 {
		return name
	}
	var b strings.Builder
	b.WriteString(name)
	sep := byte('{')
	for _, l := range labels {
		b.WriteByte(sep)
		fmt.Fprintf(&b, "%s=%q", l.Key, l.Value)
		sep = ','
	}
	b.WriteByte('}')
	return b.String()
}
