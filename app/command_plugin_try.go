package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/countersign/countersign/adapters/gotool"
)

// folder is where a plugin is: the argument, or here.
func folder(args []string) string {
	if len(args) == 0 {
		return "."
	}
	return args[0]
}

func (c *cli) pluginTest() *cobra.Command {
	var asJSON, race bool
	cmd := &cobra.Command{
		Use: "test [DIR]", Short: "Run a plugin's conformance kit, and say in words how it behaves",
		Example: "  countersign plugin test\n  countersign plugin test plugins/totp --race",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			n := map[gotool.Outcome]int{}
			good, err := gotool.Test(cmd.Context(), folder(args), race, func(b gotool.Behaviour) {
				n[b.Outcome]++
				show(cmd.OutOrStdout(), b, asJSON)
			})
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "%d ok, %d failed, %d left out, which are not about this plugin.\n",
				n[gotool.OK], n[gotool.Failed], n[gotool.Left])
			if !good {
				return errors.New("the plugin does not behave as the core expects")
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	cmd.Flags().BoolVar(&race, "race", false, "look for data races too; needs a C compiler")
	return cmd
}

func show(w io.Writer, b gotool.Behaviour, asJSON bool) {
	if asJSON {
		_ = json.NewEncoder(w).Encode(b) // like all that is printed
		return
	}
	fmt.Fprintf(w, "%-8s  %s", b.Outcome, b.Name)
	if b.Outcome == gotool.Left && len(b.Said) > 0 {
		fmt.Fprintf(w, ": %s", strings.Join(b.Said, "; "))
	}
	fmt.Fprintln(w)
	if b.Outcome == gotool.Failed {
		for _, said := range b.Said {
			fmt.Fprintf(w, "            %s\n", said)
		}
	}
}

func (c *cli) pluginLint() *cobra.Command {
	var fix, asJSON bool
	cmd := &cobra.Command{
		Use: "lint [DIR]", Short: "Say what is wrong with a plugin that its tests do not see",
		Long: "Looks at names, at the tags of the configuration, at imports, and for ways around what the core lends\n" +
			"to plugins: clocks, chance, HTTP clients, globals that change. CONFIG.md and config.schema.json must be\n" +
			"what the configuration says.",
		Example: "  countersign plugin lint\n  countersign plugin lint --fix",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			found, err := gotool.Lint(cmd.Context(), folder(args), fix)
			if err != nil {
				return err
			}
			if asJSON {
				if err := json.NewEncoder(cmd.OutOrStdout()).Encode(append([]string{}, found...)); err != nil {
					return err
				}
			} else {
				for _, f := range found {
					fmt.Fprintln(cmd.OutOrStdout(), f)
				}
			}
			if n := len(found); n > 0 {
				return fmt.Errorf("should be otherwise: %d", n)
			}
			fmt.Fprintln(cmd.ErrOrStderr(), "Nothing is wrong that can be seen. Next: countersign plugin run")
			return nil
		},
	}
	cmd.Flags().BoolVar(&fix, "fix", false, "write CONFIG.md and config.schema.json")
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON list")
	return cmd
}

func (c *cli) pluginRun() *cobra.Command {
	var really bool
	cmd := &cobra.Command{
		Use: "run [DIR] [-- FLAGS]", Short: "Start a plugin's own server in development mode",
		Long: "Builds the main package of a plugin's module and starts it in development mode, with a channel that\n" +
			"is called like the plugin. What has no default is read from countersign.yaml in that folder. All that\n" +
			"would be sent goes to the test inbox, unless with --really; what else the plugin does, it does.",
		Example: "  countersign plugin run\n  countersign plugin run --really\n  countersign plugin run ../acme_sms -- --listen :8081 --database memory:",
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			var flags []string
			if n := cmd.ArgsLenAtDash(); n >= 0 {
				args, flags = args[:n], args[n:]
			}
			if len(args) > 1 {
				return usage(errors.New("one folder at a time. See: countersign plugin run --help"))
			}
			return gotool.Run(cmd.Context(), gotool.Server{Dir: folder(args), Args: flags, Really: really, Stdout: cmd.OutOrStdout(), Stderr: cmd.ErrOrStderr()})
		},
	}
	cmd.Flags().BoolVar(&really, "really", false, "what the plugin sends goes to its provider, and not to the inbox")
	return cmd
}
