package meter_test

import (
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/adapters/meter"
	port "github.com/countersign/countersign/ports/meter"
)

func TestEverythingCountedCanBeScraped(t *testing.T) {
	m := meter.New()
	m.Count(port.LimitsHit, port.L("reason", `co"oldown`))
	m.Count(port.LimitsHit, port.L("reason", `co"oldown`))
	m.Observe(port.DeliverySeconds, 0.25, port.L("channel", "email"))
	m.Request("/v1/me", "GET", 200, time.Millisecond)
	m.Gauge("countersign_outbox_depth", func() float64 { return 7 })
	var out strings.Builder
	m.Write(&out)
	for _, want := range []string{
		`countersign_limits_hit_total{reason="co\"oldown"} 2`,
		`countersign_message_delivery_seconds_sum{channel="email"} 0.25`,
		`countersign_http_requests_total{route="/v1/me",method="GET",status="200"} 1`,
		`countersign_outbox_depth 7`,
		`process_resident_memory_bytes`,
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the scrape lacks %s", want)
		}
	}
}
