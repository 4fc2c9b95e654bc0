package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/countersign/countersign/adapters/configfile"
	"github.com/countersign/countersign/adapters/keyring"
	"github.com/countersign/countersign/adapters/system"
	"github.com/countersign/countersign/app/challenges"
	"github.com/countersign/countersign/app/channels"
	"github.com/countersign/countersign/ports/channel"
)

func (c *cli) plugin() *cobra.Command {
	cmd := &cobra.Command{
		Use: "plugin", Short: "List the channel plugins, and write one",
		Example: "  countersign plugin list\n  countersign plugin info email\n  countersign plugin new acme_sms",
	}
	cmd.AddCommand(c.pluginList(), c.pluginInfo(), c.pluginNew(), c.pluginTest(), c.pluginLint(), c.pluginRun())
	return cmd
}

// listed is a plugin as commands show it: what is known without opening it.
type listed struct {
	channel.Descriptor

	Sends   bool `json:"only_sends"` // codes of the core's; otherwise it judges answers itself
	BuiltIn bool `json:"built_in"`
}

// listing is every plugin of this build, ordered by type.
func (c *cli) listing() ([]listed, *channels.Catalog, error) {
	catalog, err := c.catalog()
	if err != nil {
		return nil, nil, err
	}
	own, err := (&cli{}).catalog()
	if err != nil {
		return nil, nil, err
	}
	out := make([]listed, 0, len(catalog.Plugins()))
	for _, p := range catalog.Plugins() {
		_, builtIn := own.Find(p.Type)
		out = append(out, listed{Descriptor: p.Descriptor, Sends: p.OnlySends(), BuiltIn: builtIn})
	}
	return out, catalog, nil
}

func (c *cli) pluginList() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "list", Short: "List the channel plugins of this build",
		RunE: func(cmd *cobra.Command, _ []string) error {
			all, _, err := c.listing()
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(all)
			}
			t := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(t, "TYPE\tTITLE\tADDRESS\tFACTOR\tMAX AAL\tKIND\tFROM")
			for _, p := range all {
				from := "built in"
				if !p.BuiltIn {
					from = "added"
				}
				fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%s\t%s\n", p.Type, p.Title, orNone(string(p.Address)), p.Factor, p.MaxAAL, p.kind(), from)
			}
			return t.Flush()
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON list")
	return cmd
}

func (p listed) kind() string {
	if p.Sends {
		return "sender"
	}
	return "channel"
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}

// details is all there is to know about one plugin.
type details struct {
	listed

	Keys      []configfile.Key `json:"keys"`
	Abilities []string         `json:"abilities"` // null if it could not be opened to see
	YAML      string           `json:"yaml"`
}

func (c *cli) pluginInfo() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "info TYPE", Short: "Say what a plugin is, and how it is configured",
		Long: "Says what a plugin is, which configuration it takes, and what it can do besides: for that it is\n" +
			"opened, as --config says or with its defaults.",
		Example: "  countersign plugin info totp",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			all, catalog, err := c.listing()
			if err != nil {
				return err
			}
			i := slices.IndexFunc(all, func(p listed) bool { return p.Type == args[0] })
			if i < 0 {
				return exitWith(exitMissing, fmt.Errorf("there is no plugin %q. All of them: countersign plugin list", args[0]))
			}
			p, _ := catalog.Find(args[0])
			d := details{listed: all[i]}
			if d.Keys, err = configfile.Describe(p.Defaults()); err != nil {
				return err
			}
			d.YAML = exampleOf(p.Type, d.Keys)
			if d.Abilities, err = c.abilities(cmd, p); err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(d)
			}
			return d.print(cmd.OutOrStdout())
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object")
	return cmd
}

// abilities opens the plugin to see which optional interfaces it has; nil means
// that it does not open without being configured.
func (c *cli) abilities(cmd *cobra.Command, p channel.Plugin) ([]string, error) {
	decode := channel.Decode(func(any) error { return nil })
	if c.config != "" {
		l, err := c.load(cmd, "")
		if err != nil {
			return nil, err
		}
		for _, s := range l.Specs {
			if s.Use == p.Type {
				decode = s.Decode
			}
		}
	}
	clock, random := system.Clock{}, system.Random()
	ring, err := keyring.Ephemeral(random, clock.Now())
	if err != nil {
		return nil, err
	}
	l := Loaded{Config: DefaultConfig()}
	l.PublicURL = "https://login.example.com"
	ctx, cancel := context.WithTimeout(cmd.Context(), 5*time.Second)
	defer cancel()
	ch, err := p.Open(ctx, decode, newEnv(l, Log{Level: "error"}.logger(io.Discard), clock, random, challenges.NewCodes(ring))(p.Type))
	if err != nil {
		return nil, nil //nolint:nilerr // that is one of the answers
	}
	if x, ok := channel.As[channel.Closer](ch); ok {
		defer func() { _ = x.Close(ctx) }() // nothing was done with it
	}
	return abilitiesOf(ch), nil
}

func abilitiesOf(ch channel.Channel) []string {
	out := []string{}
	for _, x := range []struct {
		name string
		has  bool
	}{
		{"Sender", has[channel.Sender](ch)}, {"Callback", has[channel.Callback](ch)}, {"Locator", has[channel.Locator](ch)},
		{"Tracker", has[channel.Tracker](ch)}, {"Greeter", has[channel.Greeter](ch)}, {"Previewer", has[channel.Previewer](ch)}, {"Counter", has[channel.Counter](ch)},
		{"Importer", has[channel.Importer](ch)}, {"Describer", has[channel.Describer](ch)}, {"Announcer", has[channel.Announcer](ch)},
		{"Prober", has[channel.Prober](ch)}, {"Closer", has[channel.Closer](ch)},
	} {
		if x.has {
			out = append(out, x.name)
		}
	}
	return out
}

func has[T any](ch channel.Channel) bool {
	_, ok := channel.As[T](ch)
	return ok
}

func (d details) print(w io.Writer) error {
	fmt.Fprintf(w, "%s (%s)\n%s\n\n", d.Title, d.Type, d.Summary)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, line := range [][2]string{
		{"kind", d.kind()}, {"address", orNone(string(d.Address))}, {"form", string(d.Form)}, {"factor", string(d.Factor)},
		{"max AAL", fmt.Sprint(d.MaxAAL)}, {"amr", strings.Join(d.AMR, ", ")}, {"besides", strings.Join(d.traits(), ", ")},
		{"abilities", d.able()},
	} {
		if line[1] != "" {
			fmt.Fprintf(t, "  %s\t%s\n", line[0], line[1])
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if len(d.Keys) == 0 {
		fmt.Fprint(w, "\nThere is nothing to configure.\n")
	} else {
		fmt.Fprint(w, "\n")
		fmt.Fprintln(t, "KEY\tTYPE\tDEFAULT\tMEANING")
		for _, k := range d.Keys {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", k.Path, takes(k), k.Default, k.Doc)
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	fmt.Fprintf(w, "\n%s", d.YAML)
	return nil
}

// able says what the plugin can do besides, or why nobody knows.
func (d details) able() string {
	switch {
	case d.Abilities == nil:
		return "known when it is configured: countersign plugin info " + d.Type + " --config FILE"
	case len(d.Abilities) == 0:
		return "none"
	}
	return strings.Join(d.Abilities, ", ")
}

func (d details) traits() (out []string) {
	for _, x := range []struct {
		is   bool
		text string
	}{
		{d.Identify, "says who somebody is"}, {d.Phishing, "resists phishing"}, {d.Backup, "stands in for lost devices"},
		{d.Costs, "costs something when it begins"},
	} {
		if x.is {
			out = append(out, x.text)
		}
	}
	return out
}

// takes is the type of a key with its limits.
func takes(k configfile.Key) string {
	text := k.Type
	if len(k.Enum) > 0 {
		text = strings.Join(k.Enum, " or ")
	}
	if k.Secret {
		text = "secret, or " + k.Path + "_file"
	}
	if k.Min != "" {
		text += ", at least " + k.Min
	}
	if k.Max != "" {
		text += ", at most " + k.Max
	}
	return text
}
