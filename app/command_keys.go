package app

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/countersign/countersign/adapters/keyring"
	"github.com/countersign/countersign/adapters/system"
	"github.com/countersign/countersign/ports/token"
)

func (c *cli) keys() *cobra.Command {
	cmd := &cobra.Command{Use: "keys", Short: "Make and change the keys of a deployment"}
	cmd.AddCommand(c.keysNew(), c.keysRotate(), c.keysEpoch())
	return cmd
}

func (c *cli) keysNew() *cobra.Command {
	var file, algorithm string
	cmd := &cobra.Command{
		Use: "new", Short: "Make a key file",
		Example: "  countersign keys new --file /etc/countersign/keys.json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			f, err := keyring.Generate(system.Random(), system.Clock{}.Now(), token.Algorithm(algorithm))
			if err != nil {
				return usage(err)
			}
			if err := f.Create(file); err != nil {
				return refused(err)
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "Made %s. Keep it safe and backed up: without it, stored secrets cannot be read.\nNext: keys: { file: %s } in the configuration.\n", file, file)
			return nil
		},
	}
	cmd.Flags().StringVar(&file, "file", "keys.json", "the key file")
	cmd.Flags().StringVar(&algorithm, "algorithm", string(token.EdDSA), "how tokens are signed: EdDSA or ES256")
	return cmd
}

func (c *cli) keysRotate() *cobra.Command {
	var file, algorithm string
	var keep time.Duration
	cmd := &cobra.Command{
		Use: "rotate", Short: "Put new keys into use",
		Long: "Puts the next keys into use and makes those that come after. The old ones stay for what was\n" +
			"made under them. Restart the servers afterwards, one after the other; nobody is signed out.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return change(cmd, file, "The keys are rotated. Restart the servers one after the other.", func(f *keyring.File) error {
				return f.Rotate(keyring.Rotation{
					Random: system.Random(), Now: system.Clock{}.Now(), Keep: keep, Algorithm: token.Algorithm(algorithm),
				})
			})
		},
	}
	cmd.Flags().StringVar(&file, "file", "keys.json", "the key file")
	cmd.Flags().StringVar(&algorithm, "algorithm", string(token.EdDSA), "how tokens are signed from the next rotation on: EdDSA or ES256")
	cmd.Flags().DurationVar(&keep, "keep", 2*time.Hour, "how long old signing keys are still published; at least the life of access tokens")
	return cmd
}

func (c *cli) keysEpoch() *cobra.Command {
	var file string
	var yes bool
	cmd := &cobra.Command{
		Use: "epoch", Short: "Make every code, pending sign-in and refresh token worthless",
		Long: "Raises the epoch: no code, pending sign-in or refresh token that exists now will ever work again.\n" +
			"Do this after restoring a back-up, which knows things again that were used since. Everybody must\n" +
			"sign in again.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !yes {
				return refused(errors.New("everybody would have to sign in again. If you mean it: countersign keys epoch --yes"))
			}
			return change(cmd, file, "The epoch is raised. Restart the servers now.", func(f *keyring.File) error {
				f.RaiseEpoch()
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&file, "file", "keys.json", "the key file")
	cmd.Flags().BoolVar(&yes, "yes", false, "do it")
	return cmd
}

func change(cmd *cobra.Command, file, said string, how func(*keyring.File) error) error {
	f, err := keyring.Load(file, keyring.Options{Strict: true, Random: system.Random()})
	if err != nil {
		return configuration(err)
	}
	if err := how(f); err != nil {
		return refused(err)
	}
	if err := f.Replace(file); err != nil {
		return refused(err)
	}
	fmt.Fprintln(cmd.ErrOrStderr(), said)
	return nil
}
