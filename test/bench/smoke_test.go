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
)

func TestSmoke(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and starts the server")
	}
	saved := filepath.Join(t.TempDir(), "report.json")
	var said bytes.Buffer
	o, err := parse([]string{"-store", "sqlite", "-op", "signin-new", "-users", "2", "-seconds", "1", "-limit", "3m", "-dir", t.TempDir(), "-json", saved}, &said)
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
	if len(r.Cells) != 1 || r.Cells[0].Ops < 1 || r.Cells[0].P50 <= 0 || r.Cells[0].Server <= 0 || r.Cells[0].Generator <= 0 {
		t.Errorf("the cell is %+v", r.Cells)
	}
	if len(r.Checks) != len(checks()) || len(r.Figures) != 5 || len(r.Footprints) != 1 || r.Footprints[0].Loaded.RSS == 0 {
		t.Errorf("checks %v, figures %v, footprints %v", r.Checks, r.Figures, r.Footprints)
	}
	if !strings.Contains(out.String(), "| sqlite | signin-new | 2 |") {
		t.Errorf("the report has no such cell:\n%s", out.String())
	}
	if left, err := os.ReadDir(o.dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
