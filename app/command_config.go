package app

import (
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/spf13/cobra"

	"github.com/countersign/countersign/adapters/configfile"
	"github.com/countersign/countersign/ports/channel"
)

func (c *cli) configuration() *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Check and explain the configuration"}
	cmd.AddCommand(c.configValidate(), c.configSchema(), c.configExplain())
	return cmd
}

func (c *cli) configValidate() *cobra.Command {
	return &cobra.Command{
		Use: "validate", Short: "Say what is wrong with the configuration",
		Example: "  countersign config validate --config countersign.yaml",
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := c.load(cmd, "")
			if err != nil {
				return err
			}
			if _, err := l.composer(); err != nil {
				return err
			}
			fmt.Fprintln(cmd.ErrOrStderr(), "The configuration is valid.")
			return nil
		},
	}
}

func (c *cli) configSchema() *cobra.Command {
	return &cobra.Command{
		Use: "schema", Short: "Print the JSON schema of the configuration, for editors",
		RunE: func(cmd *cobra.Command, _ []string) error {
			catalog, err := c.catalog()
			if err != nil {
				return err
			}
			parts := map[string]any{}
			for _, p := range catalog.Plugins() {
				parts[p.Type] = p.Defaults()
			}
			d := DefaultConfig()
			text, err := configfile.SchemaWith(&d, nil, parts)
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(append(text, '\n'))
			return err
		},
	}
}

func (c *cli) configExplain() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "explain [PATH]", Short: "Say what a value is, where it came from, and what it is for",
		Example: "  countersign config explain policy.challenge.life",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			catalog, err := c.catalog()
			if err != nil {
				return err
			}
			src := sources{file: c.config, flags: given(cmd)}
			if c.config == "" {
				src.mode = Development // without a file, that is what there is to explain
			}
			_, known, err := load(src, catalog)
			if err != nil {
				return err
			}
			paths := known.Paths()
			if len(args) == 1 {
				paths = args
			}
			return explain(cmd, known, paths, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	return cmd
}

func explain(cmd *cobra.Command, known *configfile.Loaded, paths []string, asJSON bool) error {
	for _, path := range paths {
		e, ok := known.Explain(path)
		switch {
		case !ok:
			return exitWith(exitMissing, fmt.Errorf("there is no value %q. All of them: countersign config explain", path))
		case asJSON:
			if err := json.NewEncoder(cmd.OutOrStdout()).Encode(e); err != nil {
				return err
			}
		case len(paths) == 1:
			fmt.Fprintf(cmd.OutOrStdout(), "%s = %s\n  from %s\n  %s\n", e.Path, e.Value, e.Source, e.Doc)
		default:
			fmt.Fprintf(cmd.OutOrStdout(), "%s = %s  (%s)\n", e.Path, e.Value, e.Source)
		}
	}
	return nil
}

// try reads a plugin's part into a scratch copy of its configuration.
func try(p channel.Plugin, part configfile.Raw) error {
	scratch := reflect.New(p.ConfigType())
	scratch.Elem().Set(reflect.ValueOf(p.Defaults()))
	if err := part.Decode(scratch.Interface()); err != nil {
		return err
	}
	return nil
}
