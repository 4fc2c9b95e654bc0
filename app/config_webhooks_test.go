package app

import (
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/fx"

	"github.com/countersign/countersign/app/events"
	"github.com/countersign/countersign/app/feed"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/ports/store"
)

var hookSecret = "whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("s", 32)))

// hooks reads a configuration with these webhooks, each in YAML's flow style.
func hooks(t *testing.T, mode string, each ...string) (Loaded, error) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"c.yaml": "webhooks: [" + strings.Join(each, ", ") + "]\n", "secret": hookSecret + "\n" + hookSecret + "\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	catalog, err := (&cli{}).catalog()
	if err != nil {
		t.Fatal(err)
	}
	l, _, err := load(sources{file: filepath.Join(dir, "c.yaml"), mode: mode, flags: map[string]string{"database.url": memory}}, catalog)
	return l, err
}

func TestAWebhookNeedsOnlyAnAddressAndASecret(t *testing.T) {
	l, err := hooks(t, Development, fmt.Sprintf("{ url: http://127.0.0.1:9/h, secret: %s }", hookSecret), "{ url: 'https://[::1]/h', secret_file: secret, events: [user.*, session.started] }")
	if err != nil {
		t.Fatal(err)
	}
	if w := l.Webhooks[0]; !slices.Equal(w.Events, []string{"*"}) || !strings.HasPrefix(w.name(), "127.0.0.1-") || !listenerForm.MatchString(w.name()) {
		t.Errorf("events %q, name %q", w.Events, w.name())
	}
	if w := l.Webhooks[1]; !listenerForm.MatchString(w.name()) || strings.Count(w.Secret.Reveal(), "whsec_") != 2 {
		t.Errorf("name %q", w.name())
	}
}

func TestAWebhooksSecretMayComeFromTheEnvironment(t *testing.T) {
	t.Setenv("COUNTERSIGN_WEBHOOKS_0_SECRET", hookSecret)
	l, err := hooks(t, Development, "{ url: https://example.com/h }")
	if err != nil || l.Webhooks[0].Secret.Reveal() != hookSecret {
		t.Error(err)
	}
}

func TestEverythingWrongWithWebhooksIsNamed(t *testing.T) {
	good := "secret: " + hookSecret
	for name, c := range map[string]struct {
		mode string
		each []string
		says []string
	}{
		"no address":       {Development, []string{"{ " + good + " }"}, []string{"c.yaml:1:12: webhooks[0].url: is missing"}},
		"no secret":        {Development, []string{"{ url: https://example.com }"}, []string{"webhooks[0].secret: is missing, or not whsec_", "openssl rand"}},
		"a short secret":   {Development, []string{"{ url: https://example.com, secret: whsec_c2VzYW1l }"}, []string{"webhooks[0].secret: is missing, or not whsec_"}},
		"a wrong event":    {Development, []string{"{ url: https://example.com, events: ['*', sesion.started], " + good + " }"}, []string{`webhooks[0].events[1]: no event is called "sesion.started". Did you mean "session.started"?`}},
		"a wrong group":    {Development, []string{"{ url: https://example.com, events: [users.*], " + good + " }"}, []string{`no event is called "users.*". Did you mean "user.*"?`}},
		"no event":         {Development, []string{"{ url: https://example.com, events: [], " + good + " }"}, []string{"webhooks[0].events: is empty"}},
		"a wrong name":     {Development, []string{"{ url: https://example.com, name: My CRM, " + good + " }"}, []string{"webhooks[0].name: is not a name such as crm"}},
		"one name twice":   {Development, []string{"{ url: https://example.com, " + good + " }", "{ url: https://example.com, " + good + " }"}, []string{"webhooks[1].name: is \"example.com-", "as another webhook's is"}},
		"plain http":       {Production, []string{"{ url: http://example.com, " + good + " }"}, []string{"webhooks[0].url: is not https; plain http needs allow_private: true"}},
		"a private host":   {Production, []string{"{ url: https://10.1.2.3, " + good + " }"}, []string{"webhooks[0].url: leads to a private address"}},
		"a password in it": {Development, []string{"{ url: 'https://u:sesame@example.com', " + good + " }"}, []string{"webhooks[0].url: holds a user name or a password"}},
	} {
		_, err := hooks(t, c.mode, c.each...)
		if err == nil {
			t.Errorf("%s passes", name)
			continue
		}
		for _, want := range c.says {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: no %q in: %v", name, want, err)
			}
		}
		for _, secret := range []string{"sesame", "c2VzYW1l", hookSecret} {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%s: a secret is in: %v", name, err)
			}
		}
	}
	if _, err := hooks(t, Production, "{ url: http://10.1.2.3, allow_private: true, "+good+" }"); strings.Contains(err.Error(), "webhooks") {
		t.Errorf("allow_private allows nothing: %v", err)
	}
}

// ear listens in this process.
type ear struct {
	name  string
	heard chan event.Event
}

func (e ear) Name() string          { return e.name }
func (e ear) Wants(event.Type) bool { return true }
func (e ear) Hear(ctx context.Context, fact event.Event) error {
	select {
	case e.heard <- fact:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func TestWhoSubscribesHearsWhatHappens(t *testing.T) {
	l := ear{"mine", make(chan event.Event, 1)}
	var s *events.Publishing
	app := New(development(t), Subscribe(l), fx.Populate(&s))
	if err := app.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	fact := event.Event{ID: "01940000-0000-7000-8000-000000000001", Tenant: "default", Type: event.RuleAdded}
	if err := s.Do(t.Context(), func(ctx context.Context, tx store.Tx) error { return tx.Journal().Record(ctx, fact) }); err != nil {
		t.Fatal(err)
	}
	if got := <-l.heard; got.ID != fact.ID {
		t.Errorf("heard %+v", got)
	}
	if err := app.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestListenersOfOneNameAreRefused(t *testing.T) {
	for name, opts := range map[string]Option{
		`"mine"`: Subscribe(ear{name: "mine"}, ear{name: "mine"}), `""`: Subscribe(ear{}), `"a b"`: Subscribe(ear{name: "a b"}),
	} {
		err := New(development(t), opts, fx.Invoke(func(*feed.Dispatcher) {})).Err()
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
