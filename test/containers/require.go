package containers

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// requireVariable lists, separated by commas, the tools that this run must
// have. A developer's machine leaves it unset and skips what it lacks; the
// pipeline sets it, so that a test can never be skipped there unnoticed.
const requireVariable = "COUNTERSIGN_TEST_REQUIRE"

// Names that COUNTERSIGN_TEST_REQUIRE knows from this package; callers of
// Require bring their own.
const (
	dockerTool   = "docker"
	postgresTool = "postgres"
)

// Require ends the test unless the tool is available. The test is skipped,
// or fails when COUNTERSIGN_TEST_REQUIRE lists what. The hint says what was
// missing and how to get it.
func Require(t testing.TB, what string, available bool, hint string) {
	t.Helper()
	if available {
		return
	}
	if required(what) {
		t.Fatalf("%s is required by %s: %s", what, requireVariable, hint)
	}
	t.Skipf("%s is not available: %s", what, hint)
}

// required tells whether COUNTERSIGN_TEST_REQUIRE lists the tool.
func required(what string) bool {
	listed := strings.Split(os.Getenv(requireVariable), ",")
	return slices.ContainsFunc(listed, func(name string) bool {
		return strings.TrimSpace(name) == what
	})
}
