package hooks

import (
	"bytes"
	"maps"
	"net/http"
	"testing"
	"time"

	"github.com/countersign/countersign/ports/signature"
)

func TestOnlySignedWebhooksAreTaken(t *testing.T) {
	r, err := New()
	if err != nil {
		t.Fatal(err)
	}
	keys, err := signature.ParseKeys(Secret)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		sent   string
		status int
	}{{`{"type":"user.created"}`, http.StatusNoContent}, {`{"type":"user.deleted"}`, http.StatusBadRequest}} {
		q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.URL(), bytes.NewBufferString(c.sent))
		if err != nil {
			t.Fatal(err)
		}
		maps.Copy(q.Header, signature.Sign(keys, "msg_1", []byte(`{"type":"user.created"}`), time.Now()))
		resp, err := http.DefaultClient.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != c.status {
			t.Errorf("%s: %d, want %d", c.sent, resp.StatusCode, c.status)
		}
	}
	if r.Taken() != 1 || r.Refused() != 1 {
		t.Errorf("took %d and refused %d, want one each", r.Taken(), r.Refused())
	}
	http.DefaultClient.CloseIdleConnections()
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}
