package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/countersign/countersign/adapters/keyring"
	"github.com/countersign/countersign/adapters/system"
	"github.com/countersign/countersign/app/channels"
	"github.com/countersign/countersign/plugins/devinbox"
	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/token"
)

// dev is what only development has: an inbox in place of carriers, and a clock
// that can be moved. In production it is nil, and nothing of it is registered.
type dev struct {
	inbox  *devinbox.Inbox
	clock  *system.Movable
	really []string // types of plugins that are left alone
}

func newDev(l Loaded) *dev {
	if l.Mode != Development {
		return nil
	}
	return &dev{inbox: devinbox.New(), clock: &system.Movable{}, really: l.really}
}

// developmentDefaults is the configuration of a newcomer.
func developmentDefaults(c Config) Config {
	c.Mode = Development
	c.Database.URL = channel.NewSecret("sqlite:countersign-dev.db")
	c.Channels = map[string]Channel{
		"email": {Use: "dev_email"}, "sms": {Use: "dev_sms"}, "totp": {Use: "totp"}, recoveryType: {Use: recoveryType},
	}
	c.Log = Log{Level: "warn", Format: "text"}
	return c
}

// catalog is the plugins of a development build: everything that would send is
// diverted into the inbox, but for what really should.
func (d *dev) catalog(c *channels.Catalog) (*channels.Catalog, error) {
	plugins := c.Plugins()
	for i, p := range plugins {
		switch {
		case slices.Contains(d.really, p.Type):
		case sends(p):
			plugins[i] = devinbox.StandIn(d.inbox, p.Descriptor)
		case p.Address == channel.Account: // where to is learnt from the provider, so it must be the real one
			plugins[i] = p.Wrap(d.diverted)
		default:
			plugins[i] = p.Wrap(d.described)
		}
	}
	return channels.NewCatalog(append(plugins, devinbox.Plugins(d.inbox)...))
}

// described diverts a channel that sends because its configuration says so.
func (d *dev) described(ch channel.Channel, env channel.Env) channel.Channel {
	if _, ok := channel.As[channel.Describer](ch); !ok {
		return ch
	}
	return d.diverted(ch, env)
}

// diverted diverts a channel if it sends.
func (d *dev) diverted(ch channel.Channel, env channel.Env) channel.Channel {
	if _, ok := channel.As[channel.Sender](ch); !ok {
		return ch
	}
	return devinbox.Divert(d.inbox, ch, env)
}

// divert leaves out the configuration of what is diverted: carriers' passwords
// need not be there to try something out.
func (d *dev) divert(specs []channels.Spec, c *channels.Catalog) []channels.Spec {
	out := slices.Clone(specs)
	for i, s := range out {
		if p, ok := c.Find(s.Use); ok && sends(p) && !slices.Contains(d.really, p.Type) {
			out[i].Decode = func(any) error { return nil }
		}
	}
	return out
}

func sends(p channel.Plugin) bool { return p.Address == channel.Email || p.Address == channel.Phone }

// print shows every message as it arrives, until ctx ends.
func (d *dev) print(ctx context.Context, w io.Writer) {
	var last int64
	for {
		m, err := d.inbox.Latest(ctx, devinbox.Filter{After: last})
		if err != nil {
			return
		}
		for _, m := range after(d.inbox.List(devinbox.Filter{After: last})) {
			fmt.Fprintf(w, "  %s  %s → %s   %s   (dev only)\n", m.At.Local().Format(time.TimeOnly), m.Channel, m.To, m.Code)
		}
		last = m.Seq
	}
}

// after puts the messages into the order in which they came.
func after(newestFirst []devinbox.Message) []devinbox.Message {
	out := slices.Clone(newestFirst)
	slices.Reverse(out)
	return out
}

// ensureKeys makes a key file where there is none.
func ensureKeys(path string, random io.Reader, now time.Time, algorithm string) error {
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		return nil // reading it says what is wrong with it
	}
	f, err := keyring.Generate(random, now, token.Algorithm(algorithm))
	if err != nil {
		return err
	}
	return f.Create(path)
}
