package app

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/countersign/countersign/app/support"
	"github.com/countersign/countersign/domain/tenant"
	"github.com/countersign/countersign/domain/user"
	"github.com/countersign/countersign/ports/store"
)

// errNobody is what somebody hears who names a person that there is not.
var errNobody = errors.New("nobody is known by that. Look for them with: countersign user find TEXT")

func (c *cli) users() *cobra.Command {
	cmd := &cobra.Command{
		Use: "user", Short: "Help people who cannot help themselves",
		Long: "Looks people up, and helps those who lost their devices or locked themselves out. ID is the id of a\n" +
			"person, or a whole address or user name of theirs. What changes something is recorded, with --reason.",
		Example: "  countersign user find grace\n  countersign user show grace@example.com\n" +
			"  countersign user reset 01a2… --reason \"ticket 4711, lost phone, called back\"",
	}
	cmd.AddCommand(c.userFind(), c.userShow(), c.userAct(resetting()), c.userAct(unlocking()), c.userAct(blocking()), c.userAct(unblocking()), c.userAct(signingOut()))
	return cmd
}

// atDesk opens the desk on the configured database.
func (c *cli) atDesk(cmd *cobra.Command, work func(ctx context.Context, d desk) error) error {
	l, err := c.loadStored(cmd, true)
	if err != nil {
		return err
	}
	l.Config = withPublicURL(l.Config)
	return with(cmd, c, l, work)
}

// sealing is atDesk for what is sealed under the server's keys.
func (c *cli) sealing(cmd *cobra.Command, work func(ctx context.Context, d desk) error) error {
	l, err := c.loadStored(cmd, true)
	if err == nil {
		err = l.kept()
	}
	if err != nil {
		return err
	}
	return c.atDesk(cmd, work)
}

// person finds out who is meant.
func (d desk) person(ctx context.Context, slug, named string) (string, error) {
	id, err := d.Support.Resolve(ctx, slug, named)
	if errors.Is(err, user.ErrNotFound) {
		return "", exitWith(exitMissing, errNobody)
	}
	return id, err
}

func (c *cli) userFind() *cobra.Command {
	q := store.UserQuery{}
	var show showing
	cmd := &cobra.Command{
		Use: "find TEXT", Short: "Look people up by a part of an address or name, or by an id", Args: cobra.ExactArgs(1),
		Long:    "Looks people up by a part of an address or name, by an id, or by a phone number in any spelling. Ends with 6\nif nobody is found.",
		Example: "  countersign user find grace\n  countersign user find '07700 900123' --json",
		RunE: func(cmd *cobra.Command, args []string) error {
			if q.Limit < 1 || q.Limit > 1000 {
				return usage(errors.New("--limit goes from 1 to 1000"))
			}
			q.Text = args[0]
			return c.atDesk(cmd, func(ctx context.Context, d desk) error {
				all, err := d.Support.Find(ctx, q)
				if err != nil {
					return err
				}
				if len(all) == 0 {
					return exitWith(exitMissing, errors.New("nobody is found by that"))
				}
				if err := show.reveal(ctx, d, q.Tenant, all...); err != nil {
					return err
				}
				if len(all) == q.Limit {
					fmt.Fprintf(cmd.ErrOrStderr(), "There may be more: --after %s\n", all[len(all)-1].ID)
				}
				return printPeople(cmd.OutOrStdout(), all, show)
			})
		},
	}
	personFlags(cmd, &q.Tenant)
	show.flags(cmd, "one JSON object a line")
	cmd.Flags().IntVar(&q.Limit, "limit", 20, "how many at most")
	cmd.Flags().StringVar(&q.After, "after", "", "only those after the person with this id")
	return cmd
}

func personFlags(cmd *cobra.Command, slug *string) {
	databaseFlag(cmd)
	cmd.Flags().StringVar(slug, "tenant", tenant.Default, "whose people")
}

// showing says how people are shown.
type showing struct{ unmask, asJSON bool }

func (s *showing) flags(cmd *cobra.Command, as string) {
	cmd.Flags().BoolVar(&s.unmask, "unmask", false, "show whole addresses; that is recorded")
	cmd.Flags().BoolVar(&s.asJSON, "json", false, as)
}

// reveal records that whole addresses are about to be shown.
func (s showing) reveal(ctx context.Context, d desk, slug string, all ...user.Account) error {
	if !s.unmask {
		return nil
	}
	ids := make([]string, len(all))
	for i, a := range all {
		ids[i] = a.ID
	}
	return d.Support.Reveal(ctx, support.Act{Tenant: slug, By: commandLine}, ids...)
}

func printPeople(w io.Writer, all []user.Account, show showing) error {
	if show.asJSON {
		for _, a := range all {
			if err := json.NewEncoder(w).Encode(summaryOf(a, show.unmask)); err != nil {
				return err
			}
		}
		return nil
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tSTATUS\tCREATED\tNAME\tIDENTIFIERS")
	for _, a := range all {
		var named []string
		for _, i := range summaryOf(a, show.unmask).Identifiers {
			named = append(named, i.Value)
		}
		fmt.Fprintln(t, strings.Join([]string{
			a.ID, string(a.Status), a.CreatedAt.UTC().Format("2006-01-02"), plain(strings.TrimSpace(a.FirstName + " " + a.LastName)), strings.Join(named, " "),
		}, "\t"))
	}
	return t.Flush()
}

func (c *cli) userShow() *cobra.Command {
	var slug string
	var show showing
	cmd := &cobra.Command{
		Use: "show ID", Short: "Show what is known of a person, and what keeps them out", Args: cobra.ExactArgs(1),
		Long:    "Shows addresses, devices, failures in a row, sessions and the newest events of a person. Secrets are\nnever shown.",
		Example: "  countersign user show grace@example.com\n  countersign user show 01a2… --json --unmask",
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.atDesk(cmd, func(ctx context.Context, d desk) error {
				id, err := d.person(ctx, slug, args[0])
				if err != nil {
					return err
				}
				p, err := d.Support.Show(ctx, slug, id)
				if err != nil {
					return err
				}
				if err := show.reveal(ctx, d, slug, p.Account); err != nil {
					return err
				}
				line := personOf(p, show.unmask)
				if show.asJSON {
					return json.NewEncoder(cmd.OutOrStdout()).Encode(line)
				}
				return line.print(cmd.OutOrStdout())
			})
		},
	}
	personFlags(cmd, &slug)
	show.flags(cmd, "one JSON object")
	return cmd
}

// agree asks on a terminal whether something should really be done. Whoever is
// no terminal says so with --yes.
func agree(cmd *cobra.Command, yes bool, question string) error {
	if yes {
		return nil
	}
	refusal := refused(errors.New(question + " If you mean it, add --yes"))
	in := cmd.InOrStdin()
	if f, ok := in.(*os.File); ok {
		info, err := f.Stat()
		if err != nil || info.Mode()&os.ModeCharDevice == 0 {
			return refusal
		}
	}
	fmt.Fprint(cmd.ErrOrStderr(), question+" Go on? [y/N] ")
	answer, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && answer == "" {
		fmt.Fprintln(cmd.ErrOrStderr())
		return refusal
	}
	if a := strings.ToLower(strings.TrimSpace(answer)); a != "y" && a != "yes" {
		return refused(errors.New("nothing was done"))
	}
	return nil
}
