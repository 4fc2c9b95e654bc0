// Package attack_test attacks the built program from outside: guessing, racing,
// replaying, and killing it at the worst moments. Each test is named after its
// case in the attack suite (A-…) or the fault suite (F-…).
//
// On SQLite one process is attacked; on PostgreSQL two that share the database,
// in turns.
package attack_test

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/countersign/countersign/test/harness"
)

// TestMain lets more tests run at a time than there are cores: those that are
// parallel here mostly wait for leases to run out.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil {
		fmt.Fprintln(os.Stderr, "attack:", err)
		os.Exit(1)
	}
	harness.Main(m)
}
