package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/countersign/countersign/app/support"
)

// deed is a command that does something to one person.
type deed struct {
	use, short, long string
	question         string // asked first; "" does it at once
	mustSay          bool   // whether --reason is needed
	do               func(ctx context.Context, s *support.Service, a support.Act) (support.Done, error)
	said             func(support.Done) string
}

func resetting() deed {
	return deed{
		use: "reset", short: "Take all second factors away from somebody who lost them", mustSay: true,
		long: "Removes all devices, recovery codes and remembered browsers, ends all sessions, and tells the person at\n" +
			"every address that they have proven. Make sure that it is they who ask.",
		question: "This takes every second factor away from the person and signs them out.",
		do: func(ctx context.Context, s *support.Service, a support.Act) (support.Done, error) {
			return s.Reset(ctx, a)
		},
		said: func(d support.Done) string {
			return fmt.Sprintf("Reset: %d devices are removed, %d sessions have ended. The person is told.", d.Devices, d.Sessions)
		},
	}
}

func unlocking() deed {
	return deed{
		use: "unlock", short: "Forget the wrong answers that keep somebody out",
		long: "Clears the failures in a row of the person's addresses, devices and password. What they are stands in:\ncountersign user show.",
		do: func(ctx context.Context, s *support.Service, a support.Act) (support.Done, error) {
			return s.Unlock(ctx, a)
		},
		said: func(d support.Done) string { return fmt.Sprintf("Unlocked: %d counters are cleared.", d.Counters) },
	}
}

func blocking() deed {
	return deed{
		use: "block", short: "Keep somebody out", mustSay: true,
		long:     "Ends all sessions of the person and lets them sign in no more. To strangers they look unknown.",
		question: "This signs the person out and keeps them out.",
		do: func(ctx context.Context, s *support.Service, a support.Act) (support.Done, error) {
			return s.Block(ctx, a)
		},
		said: func(d support.Done) string {
			return fmt.Sprintf("Blocked: %d sessions have ended. Undo it with: countersign user unblock", d.Sessions)
		},
	}
}

func unblocking() deed {
	return deed{
		use: "unblock", short: "Let somebody in again who was blocked",
		do: func(ctx context.Context, s *support.Service, a support.Act) (support.Done, error) {
			return support.Done{}, s.Unblock(ctx, a)
		},
		said: func(support.Done) string { return "Not blocked any more." },
	}
}

func signingOut() deed {
	return deed{
		use: "signout", short: "End all sessions of somebody",
		do: func(ctx context.Context, s *support.Service, a support.Act) (support.Done, error) {
			return s.SignOut(ctx, a)
		},
		said: func(d support.Done) string { return fmt.Sprintf("Signed out: %d sessions have ended.", d.Sessions) },
	}
}

// doneLine is what an act has done, as commands say it.
type doneLine struct {
	User     string `json:"user"`
	Tenant   string `json:"tenant"`
	Did      string `json:"did"`
	Devices  int    `json:"devices_removed"`
	Sessions int    `json:"sessions_ended"`
	Counters int    `json:"counters_cleared"`
}

func (c *cli) userAct(what deed) *cobra.Command {
	a := support.Act{By: commandLine}
	var yes, asJSON bool
	cmd := &cobra.Command{
		Use: what.use + " ID", Short: what.short, Long: what.long, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := explained(what.mustSay, a.Reason); err != nil {
				return err
			}
			if what.question != "" {
				if err := agree(cmd, yes, what.question); err != nil {
					return err
				}
			}
			return c.atDesk(cmd, func(ctx context.Context, d desk) (err error) {
				if a.User, err = d.person(ctx, a.Tenant, args[0]); err != nil {
					return err
				}
				done, err := what.do(ctx, d.Support, a)
				if err != nil {
					return err
				}
				fmt.Fprintln(cmd.ErrOrStderr(), what.said(done))
				if !asJSON {
					return nil
				}
				return json.NewEncoder(cmd.OutOrStdout()).Encode(doneLine{
					User: a.User, Tenant: a.Tenant, Did: what.use, Devices: done.Devices, Sessions: done.Sessions, Counters: done.Counters,
				})
			})
		},
	}
	if what.long == "" {
		cmd.Long = what.short + "."
	}
	actFlags(cmd, &a, what.mustSay)
	if what.question != "" {
		cmd.Flags().BoolVar(&yes, "yes", false, "do it without asking")
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "say what was done in one JSON object")
	return cmd
}

func actFlags(cmd *cobra.Command, a *support.Act, mustSay bool) {
	personFlags(cmd, &a.Tenant)
	text := "why, for the record"
	if mustSay {
		text += "; required"
	}
	cmd.Flags().StringVar(&a.Reason, "reason", "", text)
}

// explained refuses before anything is opened or asked.
func explained(mustSay bool, reason string) error {
	if mustSay && reason == "" {
		return usage(errors.New("say why with --reason, for whoever reads the record"))
	}
	return nil
}

func (c *cli) recoveryCodes() *cobra.Command {
	a := support.Act{By: commandLine}
	var yes, asJSON bool
	cmd := &cobra.Command{
		Use: "recovery-codes ID", Short: "Print a new sheet of recovery codes for somebody who is locked out", Args: cobra.ExactArgs(1),
		Long: "Prints ten codes, each of which stands in for a second factor once. The old ones are dead. They are shown\n" +
			"now and never again. The person is told.",
		Example: "  countersign recovery-codes grace@example.com --reason \"ticket 4711, lost phone, called back\"",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := explained(true, a.Reason); err != nil {
				return err
			}
			if err := agree(cmd, yes, "This prints codes that let whoever reads them pass for the person, and kills the old ones."); err != nil {
				return err
			}
			return c.sealing(cmd, func(ctx context.Context, d desk) (err error) {
				if a.User, err = d.person(ctx, a.Tenant, args[0]); err != nil {
					return err
				}
				codes, err := d.Support.RecoveryCodes(ctx, a)
				if err != nil {
					return err
				}
				fmt.Fprintln(cmd.ErrOrStderr(), "Each of these codes works once. They are not shown again.")
				if asJSON {
					return json.NewEncoder(cmd.OutOrStdout()).Encode(map[string]any{"user": a.User, "tenant": a.Tenant, "codes": codes})
				}
				for _, code := range codes {
					fmt.Fprintln(cmd.OutOrStdout(), code)
				}
				return nil
			})
		},
	}
	actFlags(cmd, &a, true)
	cmd.Flags().BoolVar(&yes, "yes", false, "do it without asking")
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object")
	return cmd
}
