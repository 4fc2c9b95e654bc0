package postgres

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/countersign/countersign/test/containers"
)

func TestLocalServerIsDurableAndItsWorkIsSeen(t *testing.T) {
	_, err := programs()
	containers.Require(t, "local postgres", err == nil, "install the server of PostgreSQL (package postgresql)")
	dir := t.TempDir()
	for d := dir; d != "/"; d = d[:max(1, strings.LastIndexByte(d, '/'))] {
		if strings.HasPrefix(d, os.TempDir()+"/") {
			if err := os.Chmod(d, 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s, err := Open(ctx, "", dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	}()
	if !strings.Contains(s.Origin, "fsync on, synchronous_commit on") || s.Version == "" {
		t.Errorf("got %q, version %q", s.Origin, s.Version)
	}
	address, drop, err := s.Database(ctx)
	if err != nil {
		t.Fatal(err)
	}
	before, err := s.CPU()
	if err != nil {
		t.Fatal(err)
	}
	c, err := pgx.Connect(ctx, address)
	if err != nil {
		t.Fatal(err)
	}
	var sum int64
	if err := c.QueryRow(ctx, "SELECT sum(i) FROM generate_series(1, 1000000) i").Scan(&sum); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(ctx); err != nil {
		t.Fatal(err)
	}
	after, err := s.CPU()
	if err != nil || after-before < 20*time.Millisecond {
		t.Errorf("a million rows cost %s, %v", after-before, err)
	}
	if err := drop(); err != nil {
		t.Error(err)
	}
}
