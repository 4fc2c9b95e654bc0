package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/fx"

	"github.com/countersign/countersign/app/rules"
	"github.com/countersign/countersign/app/tenants"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/policy"
	"github.com/countersign/countersign/domain/rule"
	"github.com/countersign/countersign/domain/tenant"
)

// guard is what commands about rules work with.
type guard struct {
	fx.In

	Gate     *rules.Gate
	Tenants  *tenants.Book
	Contacts contact.Parser
}

// configured is who added the rules that stand in the configuration.
const configured = "configuration"

// ruleLine is a rule as commands show it.
type ruleLine struct {
	ID        string     `json:"id,omitempty"` // rules of the configuration have none
	Tenant    string     `json:"tenant"`
	List      string     `json:"list"`
	Subject   string     `json:"subject"`
	Pattern   string     `json:"pattern"`
	Reason    string     `json:"reason,omitempty"`
	By        string     `json:"by"`
	CreatedAt *time.Time `json:"created_at,omitempty"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
}

func lineOf(e rule.Entry) ruleLine {
	out := ruleLine{
		ID: e.ID, Tenant: e.Tenant, List: string(e.List), Subject: string(e.Subject), Pattern: e.Pattern,
		Reason: e.Reason, By: e.By, CreatedAt: &e.CreatedAt,
	}
	if !e.ExpiresAt.IsZero() {
		out.ExpiresAt = &e.ExpiresAt
	}
	return out
}

// lines lists the rules that stand in the configuration of a tenant.
func (r Rules) lines(tenant string) (out []ruleLine) {
	for _, l := range []struct {
		list  rule.List
		lists Lists
	}{{rule.Block, r.Block}, {rule.Allow, r.Allow}} {
		for _, part := range l.lists.parts() {
			for _, text := range part.texts {
				out = append(out, ruleLine{Tenant: tenant, List: string(l.list), Subject: string(part.subject), Pattern: text, By: configured})
			}
		}
	}
	return out
}

func (c *cli) block() *cobra.Command {
	cmd := &cobra.Command{
		Use: "block", Short: "Say whom a tenant does not serve",
		Long: "Adds to the block and allow lists of the configuration while servers run: they take notice within\n" +
			"seconds. Allowing overrides blocking. Subjects are email and username (regular expressions, RE2),\n" +
			"phone_prefix (such as +1900) and ip (a network or an address).",
	}
	cmd.AddCommand(c.blockAdd(), c.blockList(), c.blockRemove(), c.blockTest())
	return cmd
}

func (c *cli) blockAdd() *cobra.Command {
	var allow, asJSON bool
	a := rules.Addition{List: rule.Block, By: commandLine}
	cmd := &cobra.Command{
		Use: "add SUBJECT PATTERN", Short: "Block, or with --allow never block, what matches",
		Example: "  countersign block add email '@mailinator\\.' --reason \"disposable addresses\"\n" +
			"  countersign block add ip 192.0.2.0/24 --for 24h\n  countersign block add email '^ada@mailinator\\.com$' --allow",
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			a.Subject, a.Pattern = rule.Subject(args[0]), args[1]
			if allow {
				a.List = rule.Allow
			}
			l, err := c.loadStored(cmd, true)
			if err != nil {
				return err
			}
			return with(cmd, c, l, func(ctx context.Context, g guard) error {
				e, err := g.Gate.Add(ctx, a)
				if err != nil {
					return err
				}
				if asJSON {
					return json.NewEncoder(cmd.OutOrStdout()).Encode(lineOf(e))
				}
				fmt.Fprintln(cmd.OutOrStdout(), e.ID)
				fmt.Fprintf(cmd.ErrOrStderr(), "Added. Servers take notice within seconds. Undo it with: countersign block remove %s%s\n", e.ID, ofOther(e.Tenant))
				return nil
			})
		},
	}
	tenantFlag(cmd, &a.Tenant)
	cmd.Flags().BoolVar(&allow, "allow", false, "put it on the allow list")
	cmd.Flags().StringVar(&a.Reason, "reason", "", "why, for whoever reads the list")
	cmd.Flags().DurationVar(&a.Life, "for", 0, "how long it counts, such as 24h; otherwise until it is removed")
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object")
	return cmd
}

// tenantFlag says where rules are, and whose.
func tenantFlag(cmd *cobra.Command, to *string) {
	databaseFlag(cmd)
	cmd.Flags().StringVar(to, "tenant", tenant.Default, "whose rules")
}

// ofOther names a tenant that is not the usual one, as a flag.
func ofOther(slug string) string {
	if slug == tenant.Default {
		return ""
	}
	return " --tenant " + slug
}

func (c *cli) blockList() *cobra.Command {
	var slug string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "list", Short: "List the rules of a tenant, also those of the configuration",
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := c.loadStored(cmd, true)
			if err != nil {
				return err
			}
			return with(cmd, c, l, func(ctx context.Context, g guard) error {
				if !g.Tenants.Has(slug) {
					return tenant.ErrUnknown
				}
				all := l.policyOf(slug).Rules.lines(slug)
				entries, err := g.Gate.List(ctx, slug)
				for _, e := range entries {
					all = append(all, lineOf(e))
				}
				return errors.Join(err, printRules(cmd.OutOrStdout(), all, asJSON))
			})
		},
	}
	tenantFlag(cmd, &slug)
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	return cmd
}

// policyOf is what a tenant decided, as it stands in the configuration.
func (c *Config) policyOf(slug string) Policy {
	i := slices.IndexFunc(c.Tenants, func(t Tenant) bool { return t.Slug == slug })
	if i < 0 || slug == tenant.Default {
		return c.Policy
	}
	return c.Tenants[i].decided
}

func printRules(w io.Writer, all []ruleLine, asJSON bool) error {
	if asJSON {
		for _, l := range all {
			if err := json.NewEncoder(w).Encode(l); err != nil {
				return err
			}
		}
		return nil
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tLIST\tSUBJECT\tPATTERN\tUNTIL\tBY\tREASON")
	for _, l := range all {
		id, until := l.ID, "removed"
		if id == "" {
			id = "-"
		}
		if l.ExpiresAt != nil {
			until = l.ExpiresAt.UTC().Format(time.RFC3339)
		}
		fmt.Fprintln(t, strings.Join([]string{id, l.List, l.Subject, l.Pattern, until, l.By, l.Reason}, "\t"))
	}
	return t.Flush()
}

func (c *cli) blockRemove() *cobra.Command {
	var slug string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "remove ID", Short: "Remove a rule that was added", Args: cobra.ExactArgs(1),
		Long: "Removes a rule that was added; its id stands in: countersign block list. Rules of the configuration\nare removed there.",
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := c.loadStored(cmd, true)
			if err != nil {
				return err
			}
			return with(cmd, c, l, func(ctx context.Context, g guard) error {
				if err := g.Gate.Remove(ctx, slug, args[0], commandLine); err != nil {
					return err
				}
				if asJSON {
					return json.NewEncoder(cmd.OutOrStdout()).Encode(map[string]string{"id": args[0], "tenant": slug})
				}
				fmt.Fprintln(cmd.ErrOrStderr(), "Removed. Servers take notice within seconds.")
				return nil
			})
		},
	}
	tenantFlag(cmd, &slug)
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object")
	return cmd
}

func (c *cli) blockTest() *cobra.Command {
	var q query
	cmd := &cobra.Command{
		Use: "test [ADDRESS-OR-NAME]", Short: "Say whether somebody would be served, and which rule says so",
		Long:    "Asks the rules about an e-mail address, a phone number or a user name, and about the network address\nit comes from. Ends with 7 if they would not be served.",
		Example: "  countersign block test eve@mailinator.com\n  countersign block test --from 192.0.2.7 --json",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				q.to = args[0]
			}
			return c.decide(cmd, q, false)
		},
	}
	q.flags(cmd)
	return cmd
}

// query is about whom a command asks.
type query struct {
	tenant, to, from, door string
	with                   []string
	asJSON                 bool
}

func (q *query) flags(cmd *cobra.Command) {
	tenantFlag(cmd, &q.tenant)
	cmd.Flags().StringVar(&q.from, "from", "", "the network address that they ask from")
	cmd.Flags().BoolVar(&q.asJSON, "json", false, "one JSON object")
}

// asked reads the query as the rules are asked.
func (q query) asked(g guard, p policy.Policy) (out rule.Asked, err error) {
	if q.to == "" && q.from == "" {
		return out, usage(errors.New("say about whom: an address or a name, or --from with a network address"))
	}
	if q.from != "" {
		if out.Address, err = netip.ParseAddr(q.from); err != nil {
			return out, usage(fmt.Errorf("%q is no network address such as 192.0.2.7", q.from))
		}
	}
	if q.to != "" {
		out.Contact, err = g.Contacts.Guess(q.to, p.Identity.Region)
	}
	return out, err
}
