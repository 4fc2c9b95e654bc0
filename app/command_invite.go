package app

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/countersign/countersign/app/invitations"
)

func (c *cli) invite() *cobra.Command {
	w := invitations.Wish{By: commandLine}
	var asJSON bool
	cmd := &cobra.Command{
		Use: "invite ADDRESS", Short: "Ask somebody in by e-mail or phone, also where nobody may sign up", Args: cobra.ExactArgs(1),
		Long: "Sends a link to the address; a running server sends it within a second. Whoever follows it has an account\n" +
			"with that address. The link itself is not shown: having it proves the address.",
		Example: "  countersign invite grace@example.com\n  countersign invite +447700900123 --for 24h --locale de",
		RunE: func(cmd *cobra.Command, args []string) error {
			if strings.Contains(args[0], "@") {
				w.Email = args[0]
			} else {
				w.Phone = args[0]
			}
			return c.atDesk(cmd, func(ctx context.Context, d desk) error {
				i, err := d.Invitations.Invite(ctx, w)
				if err != nil {
					return err
				}
				if asJSON {
					return json.NewEncoder(cmd.OutOrStdout()).Encode(map[string]any{
						"id": i.ID, "tenant": i.Tenant, "kind": i.Kind, "destination": i.Mask(), "expires_at": i.ExpiresAt.UTC(),
					})
				}
				fmt.Fprintln(cmd.OutOrStdout(), i.ID)
				fmt.Fprintf(cmd.ErrOrStderr(), "Invited %s until %s.\n", i.Mask(), i.ExpiresAt.UTC().Format(time.RFC3339))
				return nil
			})
		},
	}
	personFlags(cmd, &w.Tenant)
	cmd.Flags().StringVar(&w.Locale, "locale", "", "the language to write in")
	cmd.Flags().StringVar(&w.ReturnTo, "return-to", "", "the page of the application that accepts, if not ours")
	cmd.Flags().DurationVar(&w.Life, "for", 0, "how long it is good, such as 24h; a week otherwise")
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object")
	return cmd
}
