package app

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"go.uber.org/fx"

	"github.com/countersign/countersign/adapters/bunstore"
	"github.com/countersign/countersign/adapters/keyring"
	"github.com/countersign/countersign/adapters/memstore"
	"github.com/countersign/countersign/app/challenges"
	"github.com/countersign/countersign/app/channels"
	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/store"
	portsystem "github.com/countersign/countersign/ports/system"
)

// memory is the database that is lost at the end.
const memory = "memory:"

// openTimeout is how long a database may take to answer when we start.
const openTimeout = 20 * time.Second

// newStore opens the database and brings its schema up to date.
func newStore(lc fx.Lifecycle, l Loaded) (store.Store, error) {
	s, err := openStore(l.Config, !l.asIs)
	if err != nil {
		return nil, dependency(err)
	}
	lc.Append(fx.StopHook(s.Close))
	return s, nil
}

func openStore(c Config, migrate bool) (store.Store, error) {
	url := c.Database.URL.Reveal()
	if url == memory {
		return memstore.New(), nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), openTimeout)
	defer cancel()
	return bunstore.Open(ctx, bunstore.Options{URL: url, MaxConns: c.Database.Connections, Migrate: migrate})
}

// newRing reads the keys. Development makes some where there are none, beside
// the database, because what is stored cannot be read without them.
func newRing(l Loaded, random io.Reader, clock portsystem.Clock) (*keyring.Ring, error) {
	if l.Mode == Development && l.Keys.File == "" {
		path, ok := devKeys(l.Database.URL.Reveal())
		if !ok {
			return keyring.Ephemeral(random, clock.Now())
		}
		l.Keys.File = path
		if err := ensureKeys(path, random, clock.Now(), l.Policy.Tokens.Algorithm); err != nil {
			return nil, configuration(err)
		}
	}
	ring, err := keyring.Read(l.Keys.File, keyring.Options{Strict: l.Mode == Production, Random: random})
	return ring, configuration(err)
}

// devKeys is where development keeps the keys of a database.
func devKeys(url string) (string, bool) {
	path, ok := strings.CutPrefix(url, "sqlite:")
	if !ok {
		return "", false
	}
	return strings.TrimPrefix(path, "//") + ".keys.json", true
}

// newEnv is what the host lends to every channel.
func newEnv(l Loaded, log *slog.Logger, clock portsystem.Clock, random io.Reader, codes *challenges.Codes) func(string) channel.Env {
	client := &http.Client{Timeout: 10 * time.Second}
	return func(instance string) channel.Env {
		return channel.Env{
			Instance: instance, Brand: l.Brand.Name, Origin: strings.TrimSuffix(l.PublicURL, "/"),
			Log: log.With("channel", instance), HTTP: client,
			Now: clock.Now, Random: random, Codes: codes, Receipts: l.receipts(instance),
		}
	}
}

// receipts is where a carrier's reports reach a channel. They come from outside,
// so nothing is promised without a public URL that carriers accept.
func (l Loaded) receipts(instance string) string {
	if base := strings.TrimSuffix(l.PublicURL, "/"); strings.HasPrefix(base, "https://") {
		return base + challenges.ReceiptsPath + instance
	}
	return ""
}

// newRegistry opens the configured channels. Recovery codes need no
// configuration, so they are there unless they were given another name.
func newRegistry(lc fx.Lifecycle, l Loaded, c *channels.Catalog, d *dev, env func(string) channel.Env) (*channels.Registry, error) {
	specs := l.Specs
	if d != nil {
		var err error
		if c, err = d.catalog(c); err != nil {
			return nil, err
		}
		specs = d.divert(specs, c)
	}
	specs = withRecovery(specs, c)
	ctx, cancel := context.WithTimeout(context.Background(), openTimeout)
	defer cancel()
	r, err := c.Open(ctx, specs, env)
	if err != nil {
		return nil, configuration(err)
	}
	lc.Append(fx.StopHook(func(ctx context.Context) error { return r.Close(ctx) }))
	return r, nil
}

// recoveryType is the plugin that prints sheets of recovery codes.
const recoveryType = "recovery"

func withRecovery(specs []channels.Spec, c *channels.Catalog) []channels.Spec {
	if _, ok := c.Find(recoveryType); !ok {
		return specs
	}
	for _, s := range specs {
		if p, ok := c.Find(s.Use); s.ID == recoveryType || ok && p.Backup {
			return specs
		}
	}
	return append(specs, channels.Spec{ID: recoveryType, Use: recoveryType, Decode: func(any) error { return nil }})
}
