package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/countersign/countersign/adapters/system"
	"github.com/countersign/countersign/adapters/templates"
	"github.com/countersign/countersign/domain/tenant"
	"github.com/countersign/countersign/ports/message"
)

func (c *cli) templates() *cobra.Command {
	cmd := &cobra.Command{Use: "templates", Short: "Check and show the texts that people receive"}
	cmd.AddCommand(c.templatesLint(), c.templatesPreview())
	return cmd
}

// loadAny reads the configuration, or that of a newcomer where none is named:
// there is something to look at in either.
func (c *cli) loadAny(cmd *cobra.Command) (Loaded, error) {
	if c.config == "" {
		return c.load(cmd, Development)
	}
	return c.load(cmd, "")
}

// lint is what there is to say about all texts.
type lint struct {
	Problems []lintProblem `json:"problems"`
	Messages []lintMessage `json:"messages"`
}

// lintProblem is what keeps a server from starting.
type lintProblem struct {
	File string `json:"file"`
	Line int    `json:"line,omitempty"`
	Text string `json:"text"`
}

// lintMessage is what a text message costs.
type lintMessage struct {
	Tenant   string `json:"tenant,omitempty"`
	Locale   string `json:"locale"`
	Kind     string `json:"kind"`
	Encoding string `json:"encoding"`
	Units    int    `json:"units"`
	Segments int    `json:"segments"`
	Note     string `json:"note,omitempty"`
}

func (c *cli) templatesLint() *cobra.Command {
	var asJSON, strict bool
	cmd := &cobra.Command{
		Use: "lint", Short: "Say what is wrong with the texts, and what text messages cost",
		Long: "Reads and tries every text in every language and for every tenant, and measures text messages:\n" +
			"with a brand of 20 and a host of 30 characters, or of 12 and 24 where a language needs UCS-2.",
		Example: "  countersign templates lint --config countersign.yaml",
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := c.loadAny(cmd)
			if err != nil {
				return err
			}
			found, err := lintOf(l)
			if err != nil {
				return err
			}
			if err := found.print(cmd.OutOrStdout(), asJSON); err != nil {
				return err
			}
			return found.verdict(strict)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object")
	cmd.Flags().BoolVar(&strict, "strict", false, "end with 5 if anything could be better")
	return cmd
}

func lintOf(l Loaded) (lint, error) {
	out := lint{Problems: []lintProblem{}, Messages: []lintMessage{}}
	texts, err := l.composer()
	if problems, ok := errors.AsType[templates.Problems](err); ok {
		for _, p := range problems {
			out.Problems = append(out.Problems, lintProblem{File: p.File, Line: p.Line, Text: p.Text})
		}
		return out, nil
	}
	if err != nil {
		return out, err
	}
	for _, f := range texts.Lint() {
		out.Messages = append(out.Messages, lintMessage{
			Tenant: f.Tenant, Locale: f.Locale, Kind: string(f.Kind), Encoding: f.Encoding, Units: f.Units, Segments: f.Segments, Note: f.Note,
		})
	}
	return out, nil
}

func (l lint) print(w io.Writer, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(l)
	}
	for _, p := range l.Problems {
		place := p.File
		if p.Line > 0 {
			place = fmt.Sprintf("%s:%d", p.File, p.Line)
		}
		fmt.Fprintf(w, "%s: %s\n", place, p.Text)
	}
	if len(l.Messages) == 0 {
		return nil
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "TENANT\tLOCALE\tTEXT MESSAGE\tENCODING\tUNITS\tSEGMENTS\tNOTE")
	for _, m := range l.Messages {
		who := m.Tenant
		if who == "" {
			who = "all"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%d\t%s\n", who, m.Locale, m.Kind, m.Encoding, m.Units, m.Segments, m.Note)
	}
	return t.Flush()
}

// verdict is how the command ends.
func (l lint) verdict(strict bool) error {
	if n := len(l.Problems); n > 0 {
		return configuration(fmt.Errorf("%d of the texts cannot be used. The server would not start", n))
	}
	if noted := slices.ContainsFunc(l.Messages, func(m lintMessage) bool { return m.Note != "" }); strict && noted {
		return exitWith(exitWarnings, errors.New("some text messages could cost less; see NOTE"))
	}
	return nil
}

// preview says which message somebody wants to see.
type preview struct {
	form, locale, tenant, purpose string
	html, asJSON                  bool
}

func (c *cli) templatesPreview() *cobra.Command {
	var p preview
	cmd := &cobra.Command{
		Use: "preview [KIND]", Short: "Show a message as somebody would receive it",
		Long:    "Shows a message with made-up values. KIND is code (the usual) or one of the notices:\n" + strings.Join(kindsOfMessages()[1:], ", ") + ".",
		Example: "  countersign templates preview --locale fr\n  countersign templates preview code --form sms --locale ar\n  countersign templates preview password_changed --tenant t2 --html > mail.html",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			kind := message.Code
			if len(args) == 1 {
				kind = message.Kind(args[0])
			}
			l, err := c.loadAny(cmd)
			if err != nil {
				return err
			}
			x, err := p.compose(l, kind)
			if err != nil {
				return err
			}
			return p.print(cmd.OutOrStdout(), x)
		},
	}
	cmd.Flags().StringVar(&p.form, "form", string(message.Email), "how it is sent: email, sms, chat or voice")
	cmd.Flags().StringVar(&p.locale, "locale", "", "the reader's language; otherwise the tenant's")
	cmd.Flags().StringVar(&p.tenant, "tenant", tenant.Default, "whose message it is")
	cmd.Flags().StringVar(&p.purpose, "purpose", string(message.SignIn), "what a code is for, such as "+string(message.ResetPassword))
	cmd.Flags().BoolVar(&p.html, "html", false, "the page instead of the text of an e-mail")
	cmd.Flags().BoolVar(&p.asJSON, "json", false, "one JSON object")
	return cmd
}

func kindsOfMessages() []string {
	out := []string{string(message.Code)}
	for _, k := range message.Notices() {
		out = append(out, string(k))
	}
	return out
}

func (p preview) compose(l Loaded, kind message.Kind) (message.Text, error) {
	book, err := newTenants(l)
	if err != nil {
		return message.Text{}, configuration(err)
	}
	texts, err := l.composer()
	if err != nil {
		return message.Text{}, err
	}
	if err := p.check(kind, book.Slugs(), texts.Locales()); err != nil {
		return message.Text{}, usage(err)
	}
	brand := book.Brand(p.tenant)
	l.Config = withPublicURL(l.Config)
	r := templates.Example(kind, message.Form(p.form))
	r.Tenant, r.Locale = p.tenant, texts.Match(p.locale, book.Locale(p.tenant))
	r.Brand, r.Support, r.Host, r.Purpose = brand.Name, brand.Support, l.host(), message.Purpose(p.purpose)
	if kind != message.Code {
		r.At, r.Purpose = system.Clock{}.Now(), ""
	}
	x, err := texts.Compose(r)
	if err != nil {
		return message.Text{}, usage(fmt.Errorf("%s cannot be shown as %s: %w", kind, p.form, err))
	}
	return x, nil
}

func (p preview) check(kind message.Kind, slugs, locales []string) error {
	var purposes []string
	for _, one := range message.Purposes() {
		purposes = append(purposes, string(one))
	}
	for _, x := range []struct {
		what, given string
		among       []string
	}{
		{"kind", string(kind), kindsOfMessages()}, {"tenant", p.tenant, slugs}, {"purpose", p.purpose, purposes},
		{"form", p.form, []string{string(message.Email), string(message.SMS), string(message.Chat), string(message.Voice)}},
		{"locale", p.locale, append([]string{""}, locales...)},
	} {
		if !slices.Contains(x.among, x.given) {
			return fmt.Errorf("there is no %s %q. There are: %s", x.what, x.given, strings.TrimPrefix(strings.Join(x.among, ", "), ", "))
		}
	}
	return nil
}

func (p preview) print(w io.Writer, x message.Text) error {
	switch {
	case p.asJSON:
		return json.NewEncoder(w).Encode(map[string]string{"locale": x.Locale, "subject": x.Subject, "text": x.Text, "html": x.HTML})
	case p.html && x.HTML == "":
		return usage(errors.New("only e-mails have a page: leave --html out"))
	case p.html:
		fmt.Fprintln(w, x.HTML)
	case x.Subject != "":
		fmt.Fprintf(w, "Subject: %s\n\n%s\n", x.Subject, x.Text)
	default:
		fmt.Fprintln(w, x.Text)
	}
	return nil
}
