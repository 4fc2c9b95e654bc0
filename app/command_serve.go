package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/fx"

	"github.com/countersign/countersign/adapters/bunstore"
)

func (c *cli) serve() *cobra.Command {
	cmd := &cobra.Command{
		Use: "serve", Short: "Run a deployment",
		Example: "  countersign serve --config /etc/countersign/countersign.yaml",
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := c.load(cmd, "")
			if err != nil {
				return err
			}
			l.Config = withPublicURL(l.Config)
			return serve(cmd.Context(), l, c.opts, nil)
		},
	}
	serverFlags(cmd)
	return cmd
}

func (c *cli) dev() *cobra.Command {
	var asJSON bool
	var really []string
	cmd := &cobra.Command{
		Use: "dev", Short: "Try it: nothing to install, nothing is really sent",
		Example: "  countersign dev\n  countersign dev --listen :8081 --database memory:",
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := c.load(cmd, Development)
			if err != nil {
				return err
			}
			l.Config = withPublicURL(l.Config)
			if l.really, err = c.senders(really); err != nil {
				return err
			}
			var d *dev
			opts := append(slices.Clone(c.opts), fx.Populate(&d))
			ctx, cancel := context.WithCancel(cmd.Context())
			defer cancel()
			return serve(ctx, l, opts, func() {
				out := cmd.OutOrStdout()
				if asJSON {
					greetJSON(out, l)
					return
				}
				greet(out, l)
				go d.print(ctx, out)
			})
		},
	}
	serverFlags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "say where things are in one line of JSON")
	cmd.Flags().StringSliceVar(&really, "really", nil, "types of plugins that do send, and need their configuration")
	return cmd
}

// senders refuses types that no plugin has.
func (c *cli) senders(types []string) ([]string, error) {
	catalog, err := c.catalog()
	if err != nil {
		return nil, err
	}
	for _, typ := range types {
		if _, ok := catalog.Find(typ); !ok {
			return nil, usage(fmt.Errorf("--really: there is no plugin %q. All of them: countersign plugin list", typ))
		}
	}
	return types, nil
}

// withPublicURL is where a server without a public URL is reached: here.
func withPublicURL(c Config) Config {
	if c.PublicURL != "" {
		c.PublicURL = strings.TrimSuffix(c.PublicURL, "/")
		return c
	}
	host, port, err := net.SplitHostPort(c.Listen)
	if ip := net.ParseIP(host); err != nil || host == "" || ip != nil && (ip.IsUnspecified() || ip.IsLoopback()) {
		host = "localhost"
	}
	c.PublicURL = "http://" + net.JoinHostPort(host, port)
	return c
}

// data is where the data is, as people would look for it.
func data(l Loaded) string {
	url := l.Database.URL.Reveal()
	if path, ok := strings.CutPrefix(url, "sqlite:"); ok {
		if path, absolute := strings.CutPrefix(path, "//"); absolute {
			return path + " (delete it to start over)"
		}
		return "./" + path + " (delete it to start over)"
	}
	if url == memory {
		return "in memory (lost at the end)"
	}
	return "PostgreSQL"
}

func names(l Loaded) []string {
	ids := make([]string, len(l.Specs))
	for i, s := range l.Specs {
		ids[i] = s.ID
	}
	return ids
}

func greet(w io.Writer, l Loaded) {
	address := strings.TrimPrefix(l.PublicURL, "http://")
	sent, to := "nothing is really sent", "all messages to the test inbox"
	if len(l.really) > 0 {
		who := strings.Join(l.really, ", ")
		sent, to = "only what goes by "+who+" is really sent", "messages to the test inbox, but for "+who
	}
	fmt.Fprintf(w, `countersign %s  development mode, %s

  Test inbox  %s/dev/inbox
  API docs    %s/docs

  Data        %s
  Channels    %s → %s

  Try it      curl -s --json '{"to":"ada@example.com"}' %s/v1/challenges
  Next        countersign keys new, countersign serve      Help  countersign help

`, Version, sent, l.PublicURL, l.PublicURL, data(l), strings.Join(names(l), ", "), to, address)
}

func greetJSON(w io.Writer, l Loaded) {
	_ = json.NewEncoder(w).Encode(map[string]any{
		"version": Version, "mode": l.Mode, "url": l.PublicURL, "inbox": l.PublicURL + "/dev/inbox",
		"docs": l.PublicURL + "/docs", "channels": names(l),
	})
}

func (c *cli) migrate() *cobra.Command {
	var dry bool
	cmd := &cobra.Command{
		Use: "migrate", Short: "Bring the schema of the database up to date",
		Long: "Brings the schema of the database up to date. serve does this as well when it starts;\n" +
			"run it apart where the server's own user may not change the schema.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			url, err := c.databaseURL(cmd, "has no schema to bring up to date")
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), 10*time.Minute)
			defer cancel()
			work, done := bunstore.Migrate, "applied"
			if dry {
				work, done = bunstore.Pending, "would apply"
			}
			applied, err := work(ctx, url)
			for _, name := range applied {
				fmt.Fprintln(cmd.OutOrStdout(), done, name)
			}
			if err == nil && len(applied) == 0 {
				fmt.Fprintln(cmd.ErrOrStderr(), "The schema is up to date.")
			}
			return dependency(err)
		},
	}
	cmd.Flags().String("database", "", "where data is stored: sqlite:FILE or postgres://…")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "only say what would be done")
	return cmd
}

// databaseURL is all of the configuration that some commands need. Its other
// argument says why a database in memory will not do.
func (c *cli) databaseURL(cmd *cobra.Command, memoryIs string) (string, error) {
	url := given(cmd)["database.url"]
	if url == "" || c.config != "" {
		l, err := c.load(cmd, "")
		if err != nil {
			return "", err
		}
		url = l.Database.URL.Reveal()
	}
	if url != memory {
		return url, nil
	}
	return "", usage(errors.New("a database in memory " + memoryIs))
}
