package harness

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/countersign/countersign/test/containers"
)

// Modes of a server.
const (
	Dev        = "dev"
	Production = "production"
)

// Store is a database that a server may use.
type Store struct {
	Name string // sqlite or postgres
	URL  string
}

// Options say what server a test needs. The zero value is a development server
// on a SQLite file of its own, without limits by recipient or client address:
// all tests come from one address.
type Options struct {
	Store  Store
	Mode   string   // Dev, the default, or Production
	Policy string   // lines below `policy:`; without `limits:` all limits are off
	Config string   // further sections
	SMTP   string   // production: host:port of the mail server
	Keys   string   // key file; one is made if empty
	Env    []string // further environment, "NAME=value"
	Log    string   // level; debug if empty
	Public string   // public URL; the server's own if empty
}

// Stores runs the test on each database: as subtests "sqlite" and "postgres".
func Stores(t *testing.T, fn func(t *testing.T, s Store)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { fn(t, SQLite(t)) })
	t.Run("postgres", func(t *testing.T) { fn(t, Postgres(t)) })
}

// SQLite is a new file.
func SQLite(t testing.TB) Store {
	t.Helper()
	return Store{Name: "sqlite", URL: "sqlite://" + filepath.Join(t.TempDir(), "data.db")}
}

// Postgres is a new database.
func Postgres(t testing.TB) Store {
	t.Helper()
	return Store{Name: "postgres", URL: containers.Postgres(t, nil)}
}

// noLimits lets any number of requests come from the one address that all
// tests come from.
const noLimits = "limits: { recipient: [], ip: [], ip_failures: [], tenant: [], prefix_conversion: { sends: 0 } }"

// write makes the configuration file of a server.
func (o Options) write(t testing.TB, address string) string {
	t.Helper()
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("metrics_listen: %q", "")
	line("listen: %q", address)
	if o.Public == "" {
		o.Public = "http://" + address
	}
	line("public_url: %q", o.Public)
	line("keys: { file: %q }", o.Keys)
	line("log: { level: %s, format: json }", o.Log)
	line("database: { url: %q }", o.Store.URL)
	if o.Mode == Production {
		line("mode: production")
		if o.SMTP != "" {
			line("channels:")
			line("  email: { use: email, email: { addr: %q, from: %q, tls: none, timeout: 4s } }", o.SMTP, "Example <login@example.com>")
			line("  totp: { use: totp }")
		}
	}
	line("policy:")
	if !strings.Contains(o.Policy, "limits:") {
		line("  %s", noLimits)
	}
	for l := range strings.Lines(o.Policy) {
		line("  %s", strings.TrimRight(l, "\n"))
	}
	line("%s", o.Config)
	file := filepath.Join(t.TempDir(), "countersign.yaml")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// FreeAddress is a loopback address that nothing listened on a moment ago.
func FreeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("find a free port: %v", err)
	}
	defer l.Close()
	return l.Addr().String()
}
