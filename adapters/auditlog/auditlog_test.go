package auditlog_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"github.com/countersign/countersign/adapters/auditlog"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/ports/event/eventtest"
)

type line struct {
	Level  string
	ID     string
	Event  string
	Reason string `json:"data.reason"`
}

func lines(t testing.TB, raw []byte) (out []line) {
	t.Helper()
	for s := bufio.NewScanner(bytes.NewReader(raw)); s.Scan(); {
		var l line
		if err := json.Unmarshal(s.Bytes(), &l); err != nil {
			t.Fatalf("%q: %v", s.Text(), err)
		}
		out = append(out, l)
	}
	return out
}

func TestConformance(t *testing.T) {
	eventtest.Run(t, func(t testing.TB) eventtest.Subject {
		var out bytes.Buffer // slog's handler serialises writes
		return eventtest.Subject{
			Publisher: auditlog.New(slog.New(slog.NewJSONHandler(&out, nil))),
			Told: func() (ids []string) {
				for _, l := range lines(t, out.Bytes()) {
					ids = append(ids, l.ID)
				}
				return ids
			},
		}
	})
}

func TestWhatAnOperatorShouldSeeIsAWarning(t *testing.T) {
	var out bytes.Buffer
	l := auditlog.New(slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelWarn})))
	l.Publish(t.Context(), []event.Event{
		{ID: "1", Type: event.SessionStarted, At: time.Now()},
		{ID: "2", Type: event.SessionReused, At: time.Now(), Data: map[string]string{"reason": "refresh_reused"}},
	})
	got := lines(t, out.Bytes())
	if len(got) != 1 || got[0] != (line{Level: "WARN", ID: "2", Event: "session.refresh_reused", Reason: "refresh_reused"}) {
		t.Errorf("wrote %+v", got)
	}
}
