package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/countersign/countersign/app/keys"
	"github.com/countersign/countersign/domain/apikey"
	"github.com/countersign/countersign/domain/tenant"
)

func (c *cli) apikeys() *cobra.Command {
	cmd := &cobra.Command{
		Use: "apikey", Short: "Make and end the credentials of other programs",
		Example: "  countersign apikey new --name shop --scope verify\n  countersign apikey list\n  countersign apikey revoke ID",
	}
	cmd.AddCommand(c.apikeyNew(), c.apikeyList(), c.apikeyRevoke())
	return cmd
}

// keyLine is an API key as commands show it, without its secret.
type keyLine struct {
	ID         string     `json:"id"`
	Tenant     string     `json:"tenant"`
	Name       string     `json:"name"`
	Scopes     []string   `json:"scopes"`
	CreatedAt  time.Time  `json:"created_at"`
	ExpiresAt  *time.Time `json:"expires_at,omitempty"`
	RevokedAt  *time.Time `json:"revoked_at,omitempty"`
	LastUsedAt *time.Time `json:"last_used_at,omitempty"`
	Key        string     `json:"key,omitempty"` // the credential, when it was made just now
}

func keyLineOf(k apikey.Key) keyLine {
	l := keyLine{
		ID: k.ID, Tenant: k.Tenant, Name: k.Name, Scopes: []string{}, CreatedAt: k.CreatedAt.UTC(), ExpiresAt: moment(k.ExpiresAt),
		RevokedAt: moment(k.RevokedAt), LastUsedAt: moment(k.LastUsedAt),
	}
	for _, s := range k.Scopes {
		l.Scopes = append(l.Scopes, string(s))
	}
	return l
}

func keyFlags(cmd *cobra.Command, slug *string, asJSON *bool, as string) {
	databaseFlag(cmd)
	cmd.Flags().StringVar(slug, "tenant", tenant.Default, "whose key")
	cmd.Flags().BoolVar(asJSON, "json", false, as)
}

// knownTenant refuses tenants that are not configured: a key of one would open
// nothing.
func (d desk) knownTenant(slug string) error {
	if !d.Support.Tenants.Has(slug) {
		return tenant.ErrUnknown
	}
	return nil
}

func (c *cli) apikeyNew() *cobra.Command {
	w := keys.Wish{By: commandLine}
	var scopes []string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "new", Short: "Make an API key and print it, once",
		Long: "Prints the key, and only the key, to standard output. It is shown now and never again. Scopes: verify has\n" +
			"addresses verified and transactions approved; admin may do everything.",
		Example: "  countersign apikey new --name shop --scope verify --expires 8760h > shop.key",
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, s := range scopes {
				w.Scopes = append(w.Scopes, apikey.Scope(s))
			}
			if w.Life < 0 {
				return usage(errors.New("--expires cannot be less than 0"))
			}
			return c.atDesk(cmd, func(ctx context.Context, d desk) error {
				if err := d.knownTenant(w.Tenant); err != nil {
					return err
				}
				k, text, err := d.Keys.Create(ctx, w)
				if err != nil {
					return err
				}
				fmt.Fprintf(cmd.ErrOrStderr(), "Made key %s. It is not shown again. End it with: countersign apikey revoke %s%s\n", k.ID, k.ID, ofOther(k.Tenant))
				if !asJSON {
					fmt.Fprintln(cmd.OutOrStdout(), text)
					return nil
				}
				line := keyLineOf(k)
				line.Key = text
				return json.NewEncoder(cmd.OutOrStdout()).Encode(line)
			})
		},
	}
	keyFlags(cmd, &w.Tenant, &asJSON, "one JSON object")
	cmd.Flags().StringVar(&w.Name, "name", "", "what it is for; required")
	cmd.Flags().StringSliceVar(&scopes, "scope", nil, "what it may do: verify, admin, or both with a comma; required")
	cmd.Flags().DurationVar(&w.Life, "expires", 0, "how long it lasts, such as 8760h; otherwise until it is revoked")
	return cmd
}

func (c *cli) apikeyList() *cobra.Command {
	var slug string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "list", Short: "List the API keys of a tenant, without their secrets",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.atDesk(cmd, func(ctx context.Context, d desk) error {
				if err := d.knownTenant(slug); err != nil {
					return err
				}
				all, err := d.Keys.List(ctx, slug)
				if err != nil {
					return err
				}
				return printKeys(cmd, all, asJSON)
			})
		},
	}
	keyFlags(cmd, &slug, &asJSON, "one JSON object a line")
	return cmd
}

func printKeys(cmd *cobra.Command, all []apikey.Key, asJSON bool) error {
	t := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	if !asJSON {
		fmt.Fprintln(t, "ID\tNAME\tSCOPES\tCREATED\tENDS\tLAST USED")
	}
	day := func(at *time.Time, never string) string {
		if at == nil {
			return never
		}
		return at.Format(time.RFC3339)
	}
	for _, k := range all {
		l := keyLineOf(k)
		if asJSON {
			if err := json.NewEncoder(cmd.OutOrStdout()).Encode(l); err != nil {
				return err
			}
			continue
		}
		ends := day(l.ExpiresAt, "never")
		if l.RevokedAt != nil {
			ends = "revoked " + day(l.RevokedAt, "")
		}
		fmt.Fprintln(t, strings.Join([]string{l.ID, plain(l.Name), strings.Join(l.Scopes, ","), day(&l.CreatedAt, ""), ends, day(l.LastUsedAt, "never")}, "\t"))
	}
	return t.Flush()
}

func (c *cli) apikeyRevoke() *cobra.Command {
	var slug string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "revoke ID", Short: "End an API key, at once", Args: cobra.ExactArgs(1),
		Long: "Ends an API key; its id stands in: countersign apikey list. Programs that use it are refused from now on.",
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.atDesk(cmd, func(ctx context.Context, d desk) error {
				if err := d.Keys.Revoke(ctx, slug, args[0], commandLine); err != nil {
					return err
				}
				fmt.Fprintln(cmd.ErrOrStderr(), "Revoked.")
				if asJSON {
					return json.NewEncoder(cmd.OutOrStdout()).Encode(map[string]string{"id": args[0], "tenant": slug, "did": "revoke"})
				}
				return nil
			})
		},
	}
	keyFlags(cmd, &slug, &asJSON, "one JSON object")
	return cmd
}
