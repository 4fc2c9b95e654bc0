package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/test/bench/target"
)

func TestSmoke(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and starts the server")
	}
	saved := filepath.Join(t.TempDir(), "report.json")
	var said bytes.Buffer
	o, err := parse([]string{"-store", "sqlite", "-op", "signin-new,password", "-users", "2", "-seconds", "1", "-limit", "3m", "-dir", t.TempDir(), "-json", saved}, &said)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	if err := run(ctx, o, &out, &said); err != nil {
		t.Fatalf("%v\n%s\n%s", err, said.String(), out.String())
	}
	raw, err := os.ReadFile(saved)
	if err != nil {
		t.Fatal(err)
	}
	var r report
	if err := json.Unmarshal(raw, &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Cells) != 2 {
		t.Fatalf("the cells are %+v", r.Cells)
	}
	for _, c := range r.Cells {
		if c.Ops < 1 || c.P50 <= 0 || c.Server <= 0 || c.Generator <= 0 {
			t.Errorf("the cell is %+v", c)
		}
	}
	if len(r.Checks) != len(checks())-1 || len(r.Figures) != 5 || len(r.Footprints) != 1 || r.Footprints[0].Loaded.RSS == 0 {
		t.Errorf("checks %v, figures %v, footprints %v", r.Checks, r.Figures, r.Footprints)
	}
	for _, want := range []string{"\n| sqlite | signin-new | 2 |", "\n| sqlite | password | 2 |", "| argon2id dominates |\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, out.String())
		}
	}
	if left, err := os.ReadDir(o.dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// A server is compared with itself, under all rules, so that all that is left
// in the ratios is chance.
func TestPairedSmoke(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and starts two servers")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	binary, err := target.Build(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	saved := filepath.Join(t.TempDir(), "report.json")
	var said, out bytes.Buffer
	o, err := parse([]string{"-store", "sqlite", "-op", "signin-rules", "-users", "2", "-seconds", "1", "-limit", "3m", "-dir", t.TempDir(), "-json", saved, "-binary", binary, "-paired", binary}, &said)
	if err != nil {
		t.Fatal(err)
	}
	if err := run(ctx, o, &out, &said); err != nil {
		t.Fatalf("%v\n%s\n%s", err, said.String(), out.String())
	}
	var r report
	raw, err := os.ReadFile(saved)
	if err == nil {
		err = json.Unmarshal(raw, &r)
	}
	if err != nil || len(r.Cells) != 2 || r.Cells[0].Op != "A signin-rules" || r.Cells[1].Op != "B signin-rules" || r.Cells[0].Ops < 1 || r.Cells[1].Ops < 1 {
		t.Errorf("the cells are %+v, %v", r.Cells, err)
	}
	if !strings.Contains(out.String(), "\n| sqlite | signin-rules | 2 | ") {
		t.Errorf("there is no ratio:\n%s", out.String())
	}
}
