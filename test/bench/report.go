package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign/test/bench/procfs"
	"github.com/countersign/countersign/test/bench/target"
)

// report is everything that was found out.
type report struct {
	When       time.Time      `json:"when"`
	Machine    procfs.Machine `json:"machine"`
	Postgres   string         `json:"postgres,omitempty"`
	On         string         `json:"policy"`
	AllRules   string         `json:"all_rules"`
	Cells      []cell         `json:"cells"`
	Footprints []footprint    `json:"footprints"`
	Tallies    []tally        `json:"statements"`
	Checks     []verdict      `json:"checks"`
	Figures    []figure       `json:"figures"`
	Troubles   []string       `json:"troubles,omitempty"` // what could not be measured, and why
}

func newReport(m procfs.Machine, now time.Time) *report {
	return &report{When: now.UTC().Truncate(time.Second), Machine: m, On: target.On, AllRules: target.AllRules}
}

// medians is one cell for each kind: the one with the median rate of its
// rounds, or a failed one.
func (r *report) medians() (out []cell) {
	seen := map[string]bool{}
	for _, c := range r.Cells {
		key := fmt.Sprint(c.Store, c.Op, c.Users)
		if seen[key] {
			continue
		}
		seen[key] = true
		var rounds []cell
		for _, d := range r.Cells {
			if d.Store == c.Store && d.Op == c.Op && d.Users == c.Users {
				rounds = append(rounds, d)
			}
		}
		slices.SortStableFunc(rounds, func(a, b cell) int {
			return cmp.Or(-cmp.Compare(a.Failure, b.Failure), cmp.Compare(a.Rate, b.Rate))
		})
		if rounds[0].Failure != "" {
			out = append(out, rounds[0])
			continue
		}
		out = append(out, rounds[(len(rounds)-1)/2])
	}
	slices.SortStableFunc(out, func(a, b cell) int {
		return cmp.Or(cmp.Compare(a.Store, b.Store), cmp.Compare(order(a.Op), order(b.Op)), cmp.Compare(a.Users, b.Users))
	})
	return out
}

func order(op string) int {
	return slices.IndexFunc(operations(), func(o operation) bool { return o.name == op })
}

// write prints the report as Markdown.
func (r *report) write(w io.Writer) {
	fmt.Fprintf(w, "# Benchmark, %s\n\n", r.When.Format("2006-01-02 15:04 MST"))
	r.writeHead(w)
	fmt.Fprint(w, "\n## Cells\nCPU in milliseconds per operation. SQLite is built into the server. Others: what processes that have no part in this took of the machine; figures count where that is little.\n\n")
	fmt.Fprint(w, "| store | operation | users | ops/s | p50 ms | p95 ms | p99 ms | server CPU | database CPU | generator CPU | others | ops in s | |\n|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---|\n")
	for _, c := range r.medians() {
		fmt.Fprintln(w, c.row())
	}
	fmt.Fprint(w, "\n")
	for _, o := range operations() {
		fmt.Fprintf(w, "- `%s`: %s\n", o.name, o.about)
	}
	if len(r.Figures) > 0 {
		fmt.Fprint(w, "\n## Figures that must be met\n\n| figure | store | value | must | |\n|---|---|---:|---:|---|\n")
	}
	for _, f := range r.Figures {
		sign, word := "≤", "met"
		if f.Least {
			sign = "≥"
		}
		if !f.met() {
			word = "**MISSED**"
		}
		fmt.Fprintf(w, "| %s | %s | %s | %s %s | %s |\n", f.Name, f.Store, strings.TrimSpace(number(f.Value)+" "+f.Unit), sign, number(f.Must), word)
	}
	r.writeTallies(w)
	r.writeChecks(w)
}

func (r *report) writeHead(w io.Writer) {
	m := r.Machine
	fmt.Fprintf(w, "%d × %s, Linux %s, %s. One core signs Ed25519 in %.0f µs; the disk does %.0f fdatasyncs of 8 kB per second.\n",
		m.Cores, m.CPU, m.Kernel, m.Go, m.Sign, m.Sync)
	if r.Postgres != "" {
		fmt.Fprintf(w, "PostgreSQL %s.\n", r.Postgres)
	}
	fmt.Fprintf(w, "Generator, mail server, server and database share the machine, over loopback.\nSwitched on: %s.\nAll rules on: also %s.\n", r.On, r.AllRules)
	for _, t := range r.Troubles {
		fmt.Fprintf(w, "\n**TROUBLE** %s\n", t)
	}
}

// row is a line of the table.
func (c *cell) row() string {
	head := fmt.Sprintf("| %s | %s | %d |", c.Store, c.Op, c.Users)
	if c.Failure != "" {
		return head + " | | | | | | | | | **FAILED** " + strings.ReplaceAll(c.Failure, "|", "/") + " |"
	}
	database, notes := "–", []string(nil)
	if i := order(c.Op); i >= 0 && operations()[i].note != "" {
		notes = append(notes, operations()[i].note)
	}
	if c.Database != nil {
		database = fmt.Sprintf("%.3f", *c.Database)
	}
	if c.Dry {
		notes = append(notes, "ended early: all that was prepared is used")
	}
	return fmt.Sprintf("%s %.0f | %.2f | %.2f | %.2f | %.3f | %s | %.3f | %.0f %% | %d in %.1f | %s |",
		head, c.Rate, c.P50, c.P95, c.P99, c.Server, database, c.Generator, c.Others, c.Ops, c.Seconds, strings.Join(notes, "; "))
}

func (r *report) writeTallies(w io.Writer) {
	for _, t := range r.Tallies {
		fmt.Fprintf(w, "\n## SQL statements per operation: %s, %d users: %.2f\nThe outbox worker's are included.\n\n", t.Op, t.Users, t.Total)
		for _, s := range t.Statements {
			text := s.Text
			if len(text) > 110 {
				text = strings.ToValidUTF8(text[:110], "") + " …"
			}
			fmt.Fprintf(w, "- %.2f × `%s`\n", s.Per, strings.ReplaceAll(text, "`", "'"))
		}
	}
}

func (r *report) writeChecks(w io.Writer) {
	if len(r.Checks) > 0 {
		fmt.Fprint(w, "\n## What must not work\n\n")
	}
	for _, v := range r.Checks {
		word := "ok"
		if v.Failure != "" {
			word = "**FAILED** " + v.Failure
		}
		fmt.Fprintf(w, "- %s: %s: %s\n", v.Store, v.Name, word)
	}
}

// number prints three significant digits, or all before the point.
func number(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// save writes the report as JSON; not at all without a name.
func (r *report) save(path string) error {
	if path == "" {
		return nil
	}
	raw, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	if err := os.WriteFile(path, append(raw, '\n'), 0o600); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}
