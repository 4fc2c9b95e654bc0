package app

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/countersign/countersign/adapters/gotool"
)

func (c *cli) pluginNew() *cobra.Command {
	var p gotool.Plan
	var sender, own bool
	cmd := &cobra.Command{
		Use: "new NAME", Short: "Write a module with a new plugin in it",
		Long: "Writes a module of its own with a channel plugin that compiles and passes the conformance kit as it\n" +
			"is: a sender, which delivers codes through an HTTP gateway, or a channel, which judges answers itself.",
		Example: "  countersign plugin new acme_sms\n  countersign plugin new keypad --channel --dir ../keypad",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p.Name, p.Kind = args[0], gotool.Sender
			switch {
			case sender && own:
				return usage(errors.New("it is one or the other: --sender or --channel"))
			case own:
				p.Kind = gotool.Channel
			}
			if err := c.mayBeCalled(p.Name); err != nil {
				return usage(err)
			}
			if p.Dir == "" {
				p.Dir = p.Name
			}
			var err error
			if p.Checkout, err = gotool.Checkout(p.Checkout, "."); err != nil {
				return usage(err)
			}
			files, err := gotool.New(p)
			if errors.Is(err, gotool.ErrExists) {
				return refused(err)
			}
			if err != nil {
				return err
			}
			for _, f := range files {
				fmt.Fprintln(cmd.OutOrStdout(), f)
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "Made %s, which takes Countersign from %s.\nNext: cd %s && countersign plugin test\n", p.Name, p.Checkout, filepath.Clean(p.Dir))
			return nil
		},
	}
	cmd.Flags().StringVar(&p.Dir, "dir", "", "where to; otherwise a folder called NAME")
	cmd.Flags().BoolVar(&sender, "sender", false, "a plugin that only delivers codes, as without this flag")
	cmd.Flags().BoolVar(&own, "channel", false, "a plugin that judges answers itself")
	cmd.Flags().StringVar(&p.Checkout, "checkout", "", "your clone of Countersign; otherwise it is looked for")
	cmd.Flags().StringVar(&p.Path, "module", "", "path of the new module; otherwise one below example.com")
	return cmd
}

// mayBeCalled refuses names that cannot be, and those of plugins that are there.
func (c *cli) mayBeCalled(name string) error {
	if err := gotool.CheckName(name); err != nil {
		return err
	}
	catalog, err := c.catalog()
	if err != nil {
		return err
	}
	if _, ok := catalog.Find(gotool.TypeOf(name)); ok {
		return fmt.Errorf("there is a plugin %q already. All of them: countersign plugin list", gotool.TypeOf(name))
	}
	return nil
}
