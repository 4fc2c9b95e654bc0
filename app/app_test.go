package app

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"go.uber.org/fx"
	"go.uber.org/goleak"

	"github.com/countersign/countersign/adapters/memstore"
	"github.com/countersign/countersign/domain/policy"
	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/password"
	"github.com/countersign/countersign/ports/store"
)

type noConfig struct{}

func (noConfig) Validate() error { return nil }

type silent struct{}

func (silent) Send(context.Context, channel.Message) (channel.Receipt, error) {
	return channel.Receipt{}, nil
}

// pager is somebody else's channel.
func pager(typ string) channel.Plugin {
	return channel.DefineSender(channel.Descriptor{
		Type: typ, Title: "Pager", Summary: "Beeps.", Address: channel.Phone, Factor: channel.Possession, MaxAAL: 1,
	}, func() noConfig { return noConfig{} }, func(context.Context, noConfig, channel.Env) (channel.Sender, error) { return silent{}, nil })
}

// development is a configuration that needs nothing.
func development(t *testing.T) Loaded {
	t.Helper()
	catalog, err := (&cli{}).catalog()
	if err != nil {
		t.Fatal(err)
	}
	l, _, err := load(sources{mode: Development, flags: map[string]string{
		"database.url": memory, "listen": "127.0.0.1:0", "metrics_listen": "127.0.0.1:0",
	}}, catalog)
	if err != nil {
		t.Fatal(err)
	}
	l.Config = withPublicURL(l.Config)
	return l
}

func TestTheCompositionIsWhole(t *testing.T) {
	if err := fx.ValidateApp(composition(development(t), nil)); err != nil {
		t.Error(err)
	}
}

func TestPasswordsAreHashedAndKnown(t *testing.T) {
	var hasher password.Hasher
	var common password.Common
	if err := New(development(t), fx.Populate(&hasher, &common)).Err(); err != nil {
		t.Fatal(err)
	}
	hash, err := hasher.Hash(t.Context(), "caf\u00e9 au lait")
	if err != nil || !strings.HasPrefix(string(hash), "$argon2id$v=19$m=19456,t=2,p=1,keyid=") {
		t.Fatalf("hash %q, error %v", string(hash), err)
	}
	if same, stale, err := hasher.Compare(t.Context(), hash, "cafe\u0301 au lait"); err != nil || !same || stale {
		t.Errorf("same %t, stale %t, error %v", same, stale, err)
	}
	if !common.Common("P@ssw0rd1") || common.Common("caf\u00e9 au lait") {
		t.Error("what is common is not known")
	}
}

func TestStoppingLeavesNothingBehind(t *testing.T) {
	ignore := goleak.IgnoreCurrent()
	app := New(development(t))
	if err := app.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := app.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	http.DefaultClient.CloseIdleConnections()
	// fasthttp looks only every ten seconds whether its pool has ended.
	goleak.VerifyNone(t, ignore, goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"))
}

func TestAnotherStoreCanBePutIn(t *testing.T) {
	var opened atomic.Int32
	app := New(development(t), Store(func() *memstore.Store {
		opened.Add(1)
		return memstore.New()
	}), fx.Invoke(func(s store.Store) {
		if _, ok := s.(*memstore.Store); !ok {
			t.Errorf("the store is a %T", s)
		}
	}))
	if err := app.Err(); err != nil {
		t.Fatal(err)
	}
	if opened.Load() != 1 {
		t.Errorf("the constructor was called %d times", opened.Load())
	}
}

func TestSomebodyElsesChannelIsKnownEverywhere(t *testing.T) {
	catalog, err := (&cli{opts: []Option{Channels(pager("pager"))}}).catalog()
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := catalog.Find("pager"); !ok {
		t.Error("the channel is not in the catalogue")
	}
	_, _, err = load(sources{mode: Development, flags: map[string]string{"channels.beep.use": "pager"}}, catalog)
	if err != nil {
		t.Errorf("it cannot be configured: %v", err)
	}
}

func TestTwoChannelsOfOneTypeAreRefused(t *testing.T) {
	_, err := (&cli{opts: []Option{Channels(pager("totp"))}}).catalog()
	if err == nil || !strings.Contains(err.Error(), `"totp"`) {
		t.Errorf("got %v, want an error that names the type", err)
	}
}

func TestProductionHasNothingOfDevelopment(t *testing.T) {
	l := development(t)
	l.Mode = Production
	if d := newDev(l); d != nil {
		t.Error("production has an inbox")
	}
}

func TestProductionNamesEverythingThatIsMissing(t *testing.T) {
	c := DefaultConfig()
	err := c.Validate()
	if err == nil {
		t.Fatal("an empty configuration will do for production")
	}
	for _, want := range []string{"public_url", "database.url", "keys.file", "channels"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%s is not named in: %v", want, err)
		}
	}
}

func TestTheDesignsLimitsAreServedAndTheDefault(t *testing.T) {
	file := t.TempDir() + "/c.yaml"
	text := "policy: { limits: { prefix_conversion: { sends: 20, within: 10m, below_percent: 10, block: 1h } } }\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	catalog, err := (&cli{}).catalog()
	if err != nil {
		t.Fatal(err)
	}
	said, _, err := load(sources{file: file, mode: Development}, catalog)
	if err != nil {
		t.Fatal(err)
	}
	got, err := said.Config.Policy.domain()
	if want := policy.Default().Limits.Conversion; err != nil || got.Limits.Conversion != want || !want.On() {
		t.Errorf("%+v, %v, want %+v", got.Limits.Conversion, err, want)
	}
}

func TestErrorsEndTheProcessWithTheirCode(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		code int
		says string
	}{
		"nothing":       {nil, exitOK, ""},
		"an accident":   {io.ErrUnexpectedEOF, exitFailure, "unexpected EOF\n"},
		"configuration": {configuration(errors.New("wrong")), exitConfig, "wrong\n"},
		"first cause":   {dependency(refused(errors.New("no"))), exitRefused, "no\n"},
	} {
		var out bytes.Buffer
		if got := finish(&out, c.err); got != c.code || out.String() != c.says {
			t.Errorf("%s: code %d, said %q", name, got, out.String())
		}
	}
}
