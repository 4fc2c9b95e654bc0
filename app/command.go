package app

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"go.uber.org/fx"

	"github.com/countersign/countersign/adapters/memstore"
	"github.com/countersign/countersign/app/channels"
	"github.com/countersign/countersign/ports/store"
)

// cli is the command line.
type cli struct {
	opts   []Option
	config string // --config
}

func newCommand(opts []Option) *cobra.Command {
	c := &cli{opts: opts}
	root := &cobra.Command{
		Use:   "countersign",
		Short: "Proves that people hold what they claim to hold",
		Long: "Countersign proves that people hold what they claim to hold: an e-mail address, a phone,\n" +
			"an authenticator app. Start it beside your application, or import it.",
		Example: "  countersign dev                       try it: nothing to install, nothing is really sent\n" +
			"  countersign keys new --file keys.json  make the keys of a deployment\n" +
			"  countersign serve --config FILE        run a deployment",
		SilenceErrors: true, SilenceUsage: true,
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage(fmt.Errorf("%w. See: %s --help", err, cmd.CommandPath()))
	})
	root.PersistentFlags().StringVar(&c.config, "config", os.Getenv("COUNTERSIGN_CONFIG"), "the configuration, a YAML file")
	root.AddCommand(
		c.dev(), c.serve(), c.migrate(), c.users(), c.recoveryCodes(), c.invite(), c.apikeys(), c.devices(), c.events(), c.keys(), c.configuration(), c.templates(), c.block(), c.policy(), c.plugin(), c.version(),
	)
	for _, cmd := range all(root) {
		strict(cmd)
	}
	withVersion(root)
	return root
}

// withVersion makes a flag print what the command version prints. Cobra's own
// flag is told what to print by text/template, which makes every binary keep the
// methods that nobody calls (decision 0015).
func withVersion(root *cobra.Command) {
	asked := root.Flags().BoolP("version", "v", false, "version for countersign")
	otherwise := root.RunE
	root.RunE = func(cmd *cobra.Command, args []string) error {
		if *asked {
			printVersion(cmd)
			return nil
		}
		return otherwise(cmd, args)
	}
}

func printVersion(cmd *cobra.Command) { fmt.Fprintln(cmd.OutOrStdout(), "countersign", Version) }

// strict refuses arguments that a command does not take, and names of commands
// that there are not, as wrong usage.
func strict(cmd *cobra.Command) {
	if cmd.HasSubCommands() {
		cmd.Args = cobra.ArbitraryArgs
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			hint := "See: " + cmd.CommandPath() + " --help"
			if near := nearest(cmd.SuggestionsFor(args[0]), args[0]); near != "" {
				hint = fmt.Sprintf("Did you mean %q? %s", cmd.CommandPath()+" "+near, hint)
			}
			return usage(fmt.Errorf("there is no command %q. %s", cmd.CommandPath()+" "+args[0], hint))
		}
		cmd.SuggestionsMinimumDistance = 2
		return
	}
	takes := cmd.Args
	if takes == nil {
		takes = cobra.NoArgs
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if err := takes(cmd, args); err != nil {
			return usage(fmt.Errorf("%w. See: %s --help", err, cmd.CommandPath()))
		}
		return nil
	}
}

// nearest prefers a name that begins like what was typed.
func nearest(names []string, typed string) string {
	for _, name := range names {
		if strings.HasPrefix(name, typed[:min(1, len(typed))]) {
			return name
		}
	}
	if len(names) > 0 {
		return names[0]
	}
	return ""
}

func all(root *cobra.Command) []*cobra.Command {
	out := []*cobra.Command{root}
	for _, c := range root.Commands() {
		out = append(out, all(c)...)
	}
	return out
}

// catalog lists the plugins of this build without starting anything.
func (c *cli) catalog() (*channels.Catalog, error) {
	var catalog *channels.Catalog
	app := fx.New(
		fx.NopLogger, Channels(builtIn()...),
		fx.Provide(newCatalog, func() store.Store { return memstore.New() }), // a store, for those who replace it
		fx.Options(c.opts...), fx.Populate(&catalog),
	)
	return catalog, app.Err()
}

// load reads the configuration under the flags of a command that were given.
func (c *cli) load(cmd *cobra.Command, mode string) (Loaded, error) {
	catalog, err := c.catalog()
	if err != nil {
		return Loaded{}, err
	}
	l, _, err := load(sources{file: c.config, mode: mode, flags: given(cmd)}, catalog)
	return l, err
}

// paths are the flags that override a value of the configuration.
var paths = map[string]string{"listen": "listen", "metrics-listen": "metrics_listen", "database": "database.url"}

func given(cmd *cobra.Command) map[string]string {
	out := map[string]string{}
	for flag, path := range paths {
		if f := cmd.Flags().Lookup(flag); f != nil && f.Changed {
			out[path] = f.Value.String()
		}
	}
	return out
}

func serverFlags(cmd *cobra.Command) {
	cmd.Flags().String("listen", "", "address and port of the API, such as :8080")
	cmd.Flags().String("metrics-listen", "", "address and port of the metrics")
	cmd.Flags().String("database", "", "where data is stored: sqlite:FILE, postgres://… or memory:")
}

func (c *cli) version() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version",
		Run: func(cmd *cobra.Command, _ []string) { printVersion(cmd) },
	}
}
