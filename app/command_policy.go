package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/fault"
	"github.com/countersign/countersign/domain/policy"
	"github.com/countersign/countersign/domain/rule"
	"github.com/countersign/countersign/domain/tenant"
)

func (c *cli) policy() *cobra.Command {
	cmd := &cobra.Command{Use: "policy", Short: "Try what a policy decides"}
	cmd.AddCommand(c.policyCheck())
	return cmd
}

func (c *cli) policyCheck() *cobra.Command {
	q := query{door: string(policy.ByCode)}
	cmd := &cobra.Command{
		Use: "check ADDRESS-OR-NAME", Short: "Say whether somebody new would become a user, and why",
		Long: "A dry run: nothing is stored or sent, and nobody is looked up. Doors are form (POST /v1/users), code\n" +
			"(answering a sign-in challenge), provider (Google, Telegram, …) and invitation. Ends with 7 if they\nwould be refused.",
		Example: "  countersign policy check ada@example.com\n  countersign policy check +447400123456 --door form --with email --from 192.0.2.7 --tenant t2 --json",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			q.to = args[0]
			if !slices.Contains(doors(), q.door) {
				return usage(fmt.Errorf("there is no door %q. There are: %s", q.door, strings.Join(doors(), ", ")))
			}
			for _, kind := range q.with {
				if !slices.Contains(kindNames(contactKinds()), kind) {
					return usage(fmt.Errorf("there is no kind %q. There are: %s", kind, strings.Join(kindNames(contactKinds()), ", ")))
				}
			}
			return c.decide(cmd, q, true)
		},
	}
	q.flags(cmd)
	cmd.Flags().StringVar(&q.door, "door", q.door, "how they come: "+strings.Join(doors(), ", "))
	cmd.Flags().StringSliceVar(&q.with, "with", nil, "what else they have: username, email, phone")
	return cmd
}

func doors() []string {
	return []string{string(policy.ByForm), string(policy.ByCode), string(policy.ByProvider), string(policy.ByInvitation)}
}

func contactKinds() []contact.Kind {
	return []contact.Kind{contact.Username, contact.Email, contact.Phone}
}

// verdict is what a policy decides about somebody. It never holds a whole address.
type verdict struct {
	Tenant  string   `json:"tenant"`
	To      string   `json:"to,omitempty"` // masked
	Kind    string   `json:"kind,omitempty"`
	Outcome string   `json:"outcome"` // allowed, asked (for what is missing), refused
	Checks  []ruling `json:"checks"`
}

// ruling is one decision.
type ruling struct {
	Check   string   `json:"check"`
	OK      bool     `json:"ok"`
	Reason  string   `json:"reason"`
	Why     string   `json:"why,omitempty"`
	Missing []string `json:"missing,omitempty"`
}

// The outcomes.
const (
	outcomeAllowed = "allowed"
	outcomeAsked   = "asked"
	outcomeRefused = "refused"
)

// decide asks the rules, and where it matters the rest of the policy.
func (c *cli) decide(cmd *cobra.Command, q query, signUp bool) error {
	l, err := c.loadStored(cmd, false)
	if err != nil {
		return err
	}
	var v verdict
	err = with(cmd, c, l, func(ctx context.Context, g guard) error {
		if !g.Tenants.Has(q.tenant) {
			return tenant.ErrUnknown
		}
		if err := g.Gate.Refresh(ctx); err != nil {
			return err
		}
		v, err = q.verdict(g, signUp)
		return err
	})
	if err == nil {
		err = v.print(cmd.OutOrStdout(), q.asJSON)
	}
	if err == nil && v.Outcome == outcomeRefused {
		err = refused(errors.New("they would be refused"))
	}
	return err
}

func (q query) verdict(g guard, signUp bool) (verdict, error) {
	v := verdict{Tenant: q.tenant, Outcome: outcomeAllowed}
	p := g.Tenants.Policy(q.tenant)
	who, err := q.asked(g, p)
	if f, ok := fault.Of(err); ok {
		v.add(ruling{Check: "address", Reason: f.Code, Why: f.Text})
		return v, nil
	}
	if err != nil {
		return v, err
	}
	if q.to != "" {
		v.To, v.Kind = who.Contact.Mask(), string(who.Contact.Kind)
	}
	v.add(checkOf("rules", g.Gate.Explain(q.tenant, who)))
	if signUp {
		q.admit(p, who, &v)
	}
	return v, nil
}

// admit adds what the rest of the policy says about somebody new.
func (q query) admit(p policy.Policy, who rule.Asked, v *verdict) {
	if q.door == string(policy.ByCode) && !p.Challenge.Anonymous {
		v.add(ruling{Check: "challenge", Reason: "anonymous_off", Why: "challenge.anonymous"})
	}
	v.add(checkOf("sign_up", p.Admit(policy.Door(q.door), append(kinds(q.with), who.Contact.Kind))))
}

func checkOf(name string, d policy.Decision) ruling {
	return ruling{Check: name, OK: d.OK, Reason: string(d.Reason), Why: d.Why, Missing: kindNames(d.Missing)}
}

// add adds a check; the worst decides.
func (v *verdict) add(c ruling) {
	v.Checks = append(v.Checks, c)
	switch {
	case c.OK || v.Outcome == outcomeRefused:
	case c.Reason == string(policy.Missing):
		v.Outcome = outcomeAsked
	default:
		v.Outcome = outcomeRefused
	}
}

func (v verdict) print(w io.Writer, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(v)
	}
	for _, c := range v.Checks {
		mark, line := "no", c.Check+": "+c.Reason
		if c.OK {
			mark = "ok"
		}
		if c.Why != "" {
			line += " (" + c.Why + ")"
		}
		if len(c.Missing) > 0 {
			line += ", missing: " + strings.Join(c.Missing, ", ")
		}
		fmt.Fprintf(w, "%s  %s\n", mark, line)
	}
	fmt.Fprintln(w, v.Outcome)
	return nil
}
