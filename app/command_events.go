package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/fx"

	"github.com/countersign/countersign/adapters/bunstore"
	"github.com/countersign/countersign/adapters/system"
	"github.com/countersign/countersign/domain/event"
	"github.com/countersign/countersign/domain/tenant"
	"github.com/countersign/countersign/ports/store"
)

func (c *cli) events() *cobra.Command {
	cmd := &cobra.Command{Use: "events", Short: "Read what has happened"}
	cmd.AddCommand(c.eventsTail())
	return cmd
}

func (c *cli) eventsTail() *cobra.Command {
	var t tail
	cmd := &cobra.Command{
		Use: "tail", Short: "Print the newest events, oldest first",
		Example: "  countersign events tail --config countersign.yaml --follow\n" +
			"  countersign events tail --database sqlite:countersign-dev.db --type 'session.*' --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if text, hint := unknownEvents(t.pattern); text != "" {
				return usage(errors.New(strings.TrimSpace(text + ". " + hint)))
			}
			if t.lines < 0 {
				return usage(errors.New("--lines cannot be less than 0"))
			}
			url, err := c.databaseURL(cmd, "is seen by nobody but the server itself")
			if err != nil {
				return err
			}
			s, err := c.store(cmd.Context(), url)
			if err != nil {
				return err
			}
			defer s.Close() //nolint:errcheck // it was only read
			err = t.run(cmd.Context(), cmd.OutOrStdout(), s)
			if cmd.Context().Err() != nil {
				return exitWith(exitInterrupted, errors.New("interrupted"))
			}
			return dependency(err)
		},
	}
	cmd.Flags().BoolVarP(&t.follow, "follow", "f", false, "go on until interrupted")
	cmd.Flags().IntVarP(&t.lines, "lines", "n", 20, "how many events to begin with")
	cmd.Flags().StringVar(&t.tenant, "tenant", tenant.Default, "whose events")
	cmd.Flags().StringVar(&t.user, "user", "", "only those of the user with this id")
	cmd.Flags().StringVar(&t.pattern, "type", "*", "only those of this name, or of a group such as 'session.*'")
	cmd.Flags().BoolVar(&t.asJSON, "json", false, "one JSON object a line")
	cmd.Flags().String("database", "", "where data is stored: sqlite:FILE or postgres://…")
	return cmd
}

// store opens the database as it is, or what somebody put in its place.
func (c *cli) store(ctx context.Context, url string) (store.Store, error) {
	open := func() (store.Store, error) {
		s, err := bunstore.Open(ctx, bunstore.Options{URL: url, MaxConns: 2})
		if err != nil {
			return nil, dependency(err)
		}
		return s, nil
	}
	var s store.Store
	err := fx.New(fx.NopLogger, fx.Provide(open), fx.Options(c.opts...), fx.Populate(&s)).Err()
	return s, err
}

// tail prints events.
type tail struct {
	tenant, user, pattern string
	lines                 int
	follow, asJSON        bool

	after string               // all events up to this id were seen
	seen  map[string]time.Time // those after it, and when we saw them
}

// How events are read.
const (
	tailPage  = 500
	tailPause = time.Second
	// tailSettle is how long ids may come late: units of work do not commit in
	// the order of their ids.
	tailSettle = 10 * time.Second
)

func (t *tail) run(ctx context.Context, w io.Writer, s store.UnitOfWork) error {
	t.seen = map[string]time.Time{}
	newest, err := t.page(ctx, s, "", 1)
	if err != nil {
		return err
	}
	if len(newest) > 0 {
		t.after = newest[0].ID
	}
	all, err := t.last(ctx, s)
	for _, e := range all {
		if e.ID > t.after { // it came between the two looks
			t.seen[e.ID] = system.Clock{}.Now()
		}
	}
	for err == nil {
		for _, e := range all {
			if err := t.print(w, e); err != nil {
				return err
			}
		}
		if !t.follow {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(tailPause):
		}
		all, err = t.fresh(ctx, s, system.Clock{}.Now())
	}
	return err
}

// page reads events before the one named before, newest first.
func (t *tail) page(ctx context.Context, s store.UnitOfWork, before string, most int) (out []event.Event, err error) {
	err = s.Do(ctx, func(ctx context.Context, tx store.Tx) (err error) {
		out, err = tx.Journal().Events(ctx, store.EventQuery{Tenant: t.tenant, User: t.user, Before: before, After: t.after, Limit: most})
		return err
	})
	return out, err
}

// last gives the newest events that are wanted, oldest first.
func (t *tail) last(ctx context.Context, s store.UnitOfWork) ([]event.Event, error) {
	var out []event.Event
	from := *t
	from.after = ""
	for before := ""; len(out) < t.lines; {
		page, err := from.page(ctx, s, before, tailPage)
		if err != nil {
			return nil, err
		}
		for _, e := range page {
			if e.Type.Matches(t.pattern) && len(out) < t.lines {
				out = append(out, e)
			}
		}
		if len(page) < tailPage {
			break
		}
		before = page[len(page)-1].ID
	}
	slices.Reverse(out)
	return out, nil
}

// fresh gives the events that are wanted and were not seen before, oldest first.
func (t *tail) fresh(ctx context.Context, s store.UnitOfWork, now time.Time) ([]event.Event, error) {
	var out []event.Event
	for before, more := "", true; more; {
		page, err := t.page(ctx, s, before, tailPage)
		if err != nil {
			return nil, err
		}
		for _, e := range page {
			if _, known := t.seen[e.ID]; known {
				continue
			}
			t.seen[e.ID] = now
			if e.Type.Matches(t.pattern) {
				out = append(out, e)
			}
		}
		if more = len(page) == tailPage; more {
			before = page[len(page)-1].ID
		}
	}
	for id, at := range t.seen {
		if now.Sub(at) > tailSettle {
			t.after = max(t.after, id)
		}
	}
	maps.DeleteFunc(t.seen, func(id string, _ time.Time) bool { return id <= t.after })
	slices.Reverse(out)
	return out, nil
}

// printed is an event as one line of JSON.
type printed struct {
	ID     string            `json:"id"`
	Tenant string            `json:"tenant"`
	User   string            `json:"user_id,omitempty"`
	Type   event.Type        `json:"type"`
	At     time.Time         `json:"at"`
	Data   map[string]string `json:"data,omitempty"`
}

func (t *tail) print(w io.Writer, e event.Event) error {
	if t.asJSON {
		return json.NewEncoder(w).Encode(printed(e))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %-27s", e.At.UTC().Format("2006-01-02 15:04:05.000"), e.Type)
	pair := func(key, value string) {
		if value != strings.Trim(strconv.Quote(value), `"`) || strings.Contains(value, " ") {
			value = strconv.Quote(value) // so that it is one word, and does nothing to the terminal
		}
		b.WriteString("  " + key + "=" + value)
	}
	if e.User != "" {
		pair("user", e.User)
	}
	for _, key := range slices.Sorted(maps.Keys(e.Data)) {
		pair(key, e.Data[key])
	}
	_, err := fmt.Fprintln(w, strings.TrimRight(b.String(), " "))
	return err
}
