package app

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/countersign/countersign/app/support"
	"github.com/countersign/countersign/domain/contact"
	"github.com/countersign/countersign/domain/limit"
	"github.com/countersign/countersign/domain/user"
)

// namedLine is an address or name as commands show it.
type namedLine struct {
	Kind     string       `json:"kind"`
	Value    string       `json:"value"` // masked, unless it was asked for
	Verified bool         `json:"verified"`
	Failures *failureLine `json:"failures,omitempty"`
}

// failureLine is how often somebody was wrong in a row.
type failureLine struct {
	InARow      int        `json:"in_a_row"`
	LockedUntil *time.Time `json:"locked_until,omitempty"`
}

// summaryLine is a person in a list.
type summaryLine struct {
	ID          string      `json:"id"`
	Tenant      string      `json:"tenant"`
	Status      string      `json:"status"`
	FirstName   string      `json:"first_name"`
	LastName    string      `json:"last_name"`
	Identifiers []namedLine `json:"identifiers"`
	CreatedAt   time.Time   `json:"created_at"`
	LastSignIn  *time.Time  `json:"last_sign_in_at,omitempty"`
}

// personLine is everything that is shown of a person.
type personLine struct {
	summaryLine

	Locale       string        `json:"locale"`
	InvitedBy    string        `json:"invited_by,omitempty"`
	TwoFactor    bool          `json:"two_factor_required"`
	ResetAt      *time.Time    `json:"reset_at,omitempty"`
	HasPassword  bool          `json:"has_password"`
	Password     *failureLine  `json:"password_failures,omitempty"`
	RecoveryLeft int           `json:"recovery_codes_left"`
	Devices      []deviceLine  `json:"devices"`
	Waiting      []namedLine   `json:"pending_identifiers"`
	Sessions     []sessionLine `json:"sessions"`
	Events       []happened    `json:"events"`
}

type deviceLine struct {
	ID          string       `json:"id"`
	Channel     string       `json:"channel"`
	Name        string       `json:"name"`
	Destination string       `json:"destination,omitempty"`
	Status      string       `json:"status"`
	Backup      bool         `json:"recovery_codes"`
	CreatedAt   time.Time    `json:"created_at"`
	LastUsedAt  *time.Time   `json:"last_used_at,omitempty"`
	Failures    *failureLine `json:"failures,omitempty"`
}

type sessionLine struct {
	ID        string    `json:"id"`
	Client    string    `json:"client"`
	CreatedAt time.Time `json:"created_at"`
	UsedAt    time.Time `json:"last_used_at"`
	ExpiresAt time.Time `json:"expires_at"`
}

type happened struct {
	ID   string            `json:"id"`
	Type string            `json:"type"`
	At   time.Time         `json:"at"`
	Data map[string]string `json:"data,omitempty"`
}

// moment is a time that may not have come.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func failuresOf(c limit.Counter) *failureLine {
	if c.Failures == 0 {
		return nil
	}
	return &failureLine{InARow: c.Failures, LockedUntil: moment(c.LockedUntil)}
}

func perhapsMasked(c contact.Contact, unmask bool) string {
	if unmask {
		return c.Value
	}
	return c.Mask()
}

func summaryOf(a user.Account, unmask bool) summaryLine {
	s := summaryLine{
		ID: a.ID, Tenant: a.Tenant, Status: string(a.Status), FirstName: a.FirstName, LastName: a.LastName, Identifiers: []namedLine{},
		CreatedAt: a.CreatedAt.UTC(), LastSignIn: moment(a.LastSignIn),
	}
	for _, i := range a.Identifiers {
		s.Identifiers = append(s.Identifiers, namedLine{Kind: string(i.Kind), Value: perhapsMasked(i.Contact, unmask), Verified: i.Verified()})
	}
	return s
}

func personOf(p support.Person, unmask bool) personLine {
	out := personLine{
		summaryLine: summaryOf(p.Account, unmask), Locale: p.Locale, InvitedBy: p.InvitedBy, TwoFactor: p.TwoFactor, ResetAt: moment(p.ResetAt),
		HasPassword: p.HasPassword, Password: failuresOf(p.Password), RecoveryLeft: p.RecoveryLeft,
		Devices: []deviceLine{}, Waiting: []namedLine{}, Sessions: []sessionLine{}, Events: []happened{},
	}
	for i, c := range p.Addresses {
		out.Identifiers[i].Failures = failuresOf(c)
	}
	for _, d := range p.Devices {
		line := deviceLine{
			ID: d.ID, Channel: d.Channel, Name: d.Name, Status: string(d.Status), Backup: d.Backup, CreatedAt: d.CreatedAt.UTC(),
			LastUsedAt: moment(d.LastUsedAt), Failures: failuresOf(d.Failures),
		}
		if d.Address != "" {
			kind := contact.Phone
			if strings.Contains(d.Address, "@") {
				kind = contact.Email
			}
			line.Destination = perhapsMasked(contact.Contact{Kind: kind, Value: d.Address}, unmask)
		}
		out.Devices = append(out.Devices, line)
	}
	for _, ch := range p.Changes {
		out.Waiting = append(out.Waiting, namedLine{Kind: string(ch.Kind), Value: perhapsMasked(ch.Contact, unmask)})
	}
	for _, s := range p.Sessions {
		out.Sessions = append(out.Sessions, sessionLine{ID: s.ID, Client: s.Client, CreatedAt: s.CreatedAt.UTC(), UsedAt: s.RotatedAt.UTC(), ExpiresAt: s.ExpiresAt.UTC()})
	}
	for _, e := range p.Events {
		out.Events = append(out.Events, happened{ID: e.ID, Type: string(e.Type), At: e.At.UTC(), Data: e.Data})
	}
	return out
}

// plain keeps what people call themselves from commanding a terminal.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '·'
		}
		return r
	}, text)
}

func (f *failureLine) String() string {
	switch {
	case f == nil:
		return ""
	case f.LockedUntil == nil:
		return fmt.Sprintf("wrong %d times in a row", f.InARow)
	}
	return fmt.Sprintf("wrong %d times in a row, locked until %s", f.InARow, f.LockedUntil.Format(time.RFC3339))
}

// print writes the person for people.
func (p personLine) print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(cells ...string) { fmt.Fprintln(t, strings.Join(cells, "\t")) }
	day := func(at *time.Time) string {
		if at == nil {
			return "never"
		}
		return at.Format(time.RFC3339)
	}
	yes := map[bool]string{true: "yes", false: "no"}
	row("id", p.ID)
	row("status", p.Status)
	row("name", plain(strings.TrimSpace(p.FirstName+" "+p.LastName)))
	row("created", p.CreatedAt.Format(time.RFC3339))
	row("last sign-in", day(p.LastSignIn))
	row("second factor asked for", yes[p.TwoFactor])
	row("password", yes[p.HasPassword], p.Password.String())
	row("recovery codes left", strconv.Itoa(p.RecoveryLeft))
	for _, i := range p.Identifiers {
		row(i.Kind, i.Value, map[bool]string{true: "proven", false: "not proven"}[i.Verified || i.Kind == string(contact.Username)], i.Failures.String())
	}
	for _, i := range p.Waiting {
		row(i.Kind, i.Value, "waits for its proof")
	}
	for _, d := range p.Devices {
		row("device", d.ID, d.Channel, plain(d.Name), d.Destination, d.Status, "used "+day(d.LastUsedAt), d.Failures.String())
	}
	for _, s := range p.Sessions {
		row("session", s.ID, plain(s.Client), "since "+s.CreatedAt.Format(time.RFC3339), "used "+s.UsedAt.Format(time.RFC3339))
	}
	for _, e := range p.Events {
		row("event", e.At.Format(time.RFC3339), e.Type, plain(e.Data["reason"]))
	}
	return t.Flush()
}
