package arch_test

import (
	"os"
	"path/filepath"
	"testing"
)

// heaviest is how much the published binary may weigh, in bytes (decision 0015).
const heaviest = 30_000_000

func TestTheBinaryWeighsNoMoreThanItMay(t *testing.T) {
	file := filepath.Join(t.TempDir(), "countersign")
	_, err := run(top(t), []string{"GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0"},
		"go", "build", "-trimpath", "-ldflags", "-s -w", "-o", file, "./cmd/countersign")
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > heaviest {
		t.Errorf("the binary has %d bytes, may have %d: decision 0015 says what makes it heavy and how to see it", info.Size(), heaviest)
	}
}
