package app

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"go.uber.org/fx"

	"github.com/countersign/countersign/app/channels"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/plugins/devinbox"
	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/message"
)

// calls opens a development server's channels, of which one calls by a gateway.
func calls(t *testing.T, gateway string, really ...string) (channels.Instance, *dev) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "dev.yaml")
	err := os.WriteFile(file, []byte(`
channels:
  call:
    use: httpsender
    httpsender:
      recipe: twilio_voice
      endpoint: `+gateway+`
      allow_private: true
      params: { account_sid: AC00000000000000000000000000000001, from: "+15005550006" }
      secrets: { auth_token: { value: hush } }
`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	catalog, err := (&cli{}).catalog()
	if err != nil {
		t.Fatal(err)
	}
	l, _, err := load(sources{mode: Development, file: file, flags: map[string]string{
		"database.url": memory, "listen": "127.0.0.1:0", "metrics_listen": "127.0.0.1:0",
	}}, catalog)
	if err != nil {
		t.Fatal(err)
	}
	l.Config, l.really = withPublicURL(l.Config), really
	var r *channels.Registry
	var d *dev
	if err := New(l, fx.Populate(&r, &d)).Err(); err != nil {
		t.Fatal(err)
	}
	in, err := r.Get("call")
	if err != nil {
		t.Fatal(err)
	}
	return in, d
}

// TestDevelopmentAsksNoGateway: what a recipe would send goes into the inbox, in
// the form that the recipe says.
func TestDevelopmentAsksNoGateway(t *testing.T) {
	var asked atomic.Int32
	gateway := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	t.Cleanup(gateway.Close)
	in, d := calls(t, gateway.URL)
	if !in.Reaches(contact.Phone) || in.Form() != message.Voice || in.AMR[0] != "tel" {
		t.Fatalf("%+v", in.Descriptor)
	}
	receipt, err := in.Sender.Send(t.Context(), channel.Message{To: "+447700900123", Text: "4 8 2", Code: "482915"})
	if err != nil || asked.Load() != 0 || !strings.HasPrefix(receipt.ID, "dev-") {
		t.Errorf("%v, %v, asked %d times", receipt, err, asked.Load())
	}
	if got := d.inbox.List(devinbox.Filter{To: "+447700900123"}); len(got) != 1 || got[0].Channel != "call" {
		t.Errorf("%v", got)
	}
}

func TestDevelopmentReallySendsWhatItIsToldTo(t *testing.T) {
	var asked atomic.Int32
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write([]byte(`{"sid":"CA1"}`))
	}))
	t.Cleanup(gateway.Close)
	in, d := calls(t, gateway.URL, "httpsender")
	if _, err := in.Sender.Send(t.Context(), channel.Message{Key: "k", To: "+447700900123", Text: "4 8 2", Code: "482915"}); err != nil || asked.Load() != 1 {
		t.Errorf("%v, asked %d times", err, asked.Load())
	}
	if got := d.inbox.List(devinbox.Filter{}); len(got) > 0 {
		t.Errorf("%v", got)
	}
	if _, errs, code := order(t, "dev", "--really", "pigeon"); code != exitUsage || !strings.Contains(errs, "countersign plugin list") {
		t.Errorf("code %d, %s", code, errs)
	}
	var out strings.Builder
	greet(&out, Loaded{Config: DefaultConfig(), really: []string{"pager"}})
	if !strings.Contains(out.String(), "only what goes by pager is really sent") {
		t.Errorf("%s", out.String())
	}
}
