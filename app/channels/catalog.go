// Package channels knows which plugins there are, which of them are configured,
// and which one reaches a given kind of address.
package channels

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/countersign/countersign/ports/channel"
)

// Catalog is every plugin that this build knows, ordered by type.
type Catalog struct {
	plugins []channel.Plugin
}

// NewCatalog sorts the plugins, and refuses two of one type and those that cannot
// be what they say.
func NewCatalog(plugins []channel.Plugin) (*Catalog, error) {
	all := slices.Clone(plugins)
	slices.SortFunc(all, func(a, b channel.Plugin) int { return strings.Compare(a.Type, b.Type) })
	for _, p := range all {
		if err := p.Check(); err != nil {
			return nil, err
		}
	}
	for i := 1; i < len(all); i++ {
		if all[i].Type == all[i-1].Type {
			return nil, fmt.Errorf("two channel plugins call themselves %q: leave one of them out", all[i].Type)
		}
	}
	return &Catalog{plugins: all}, nil
}

// Plugins lists the plugins, ordered by type.
func (c *Catalog) Plugins() []channel.Plugin { return slices.Clone(c.plugins) }

// Find returns the plugin of a type.
func (c *Catalog) Find(typ string) (channel.Plugin, bool) {
	i, ok := slices.BinarySearchFunc(c.plugins, typ, func(p channel.Plugin, t string) int { return strings.Compare(p.Type, t) })
	if !ok {
		return channel.Plugin{}, false
	}
	return c.plugins[i], true
}

// Spec is one configured instance.
type Spec struct {
	ID       string
	Use      string         // the plugin's type
	Decode   channel.Decode // the plugin's own configuration
	Fallback []string       // instances that take over when this one cannot send
	Regions  []string       // ISO 3166 codes of the countries that it sends to; none means all
}

// Open opens every instance, and reports every one that cannot be opened. What
// was opened is closed again if anything failed.
func (c *Catalog) Open(ctx context.Context, specs []Spec, env func(instance string) channel.Env) (*Registry, error) {
	r := &Registry{byID: make(map[string]Instance, len(specs))}
	var errs []error
	for _, s := range specs {
		in, err := c.open(ctx, s, env(s.ID))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		r.add(in)
	}
	if err := errors.Join(append(errs, r.check())...); err != nil {
		return nil, errors.Join(err, r.Close(ctx))
	}
	return r, nil
}

func (c *Catalog) open(ctx context.Context, s Spec, env channel.Env) (Instance, error) {
	p, ok := c.Find(s.Use)
	if !ok {
		return Instance{}, fmt.Errorf("channels.%s.use: there is no plugin %q; there are %s", s.ID, s.Use, strings.Join(c.Types(), ", "))
	}
	ch, err := p.Open(ctx, s.Decode, env)
	if err != nil {
		return Instance{}, err
	}
	in := Instance{Descriptor: described(p.Descriptor, ch), ID: s.ID, Channel: ch, Fallback: s.Fallback, Regions: s.Regions}
	in.Sender, _ = channel.As[channel.Sender](ch)
	return in, nil
}

// described is what an open channel says it is, within what its plugin says that
// it can be: no configuration makes a channel stronger.
func described(plugin channel.Descriptor, ch channel.Channel) channel.Descriptor {
	d, ok := channel.As[channel.Describer](ch)
	if !ok {
		return plugin
	}
	own := d.Describe()
	own.Type = plugin.Type
	own.MaxAAL = min(own.MaxAAL, plugin.MaxAAL)
	own.Identify = own.Identify && plugin.Identify
	own.Phishing = own.Phishing && plugin.Phishing
	own.Backup = plugin.Backup
	own.Costs = own.Costs || plugin.Costs
	return own
}

// Types lists the types of the plugins, in their order.
func (c *Catalog) Types() []string {
	types := make([]string, len(c.plugins))
	for i, p := range c.plugins {
		types[i] = p.Type
	}
	return types
}
