package containers

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// victimVariable makes the test binary start a local server and wait to be killed.
const victimVariable = "COUNTERSIGN_TEST_VICTIM"

func beVictim() {
	started, err := startLocal(context.Background())
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
	fmt.Println(started.dsn)
	select {}
}

func TestALocalServerEndsWithTheProcessThatStartedIt(t *testing.T) {
	_, err := findPrograms()
	Require(t, "local postgres", err == nil, "PostgreSQL is not installed")
	temporary := t.TempDir()
	if os.Geteuid() == 0 {
		// The test's own directory is closed to the user that PostgreSQL runs as.
		temporary = os.TempDir()
	}
	victim := exec.Command(os.Args[0])
	victim.Env = append(os.Environ(), victimVariable+"=yes", "TMPDIR="+temporary)
	output, err := victim.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	dsn, _ := bufio.NewReader(output).ReadString('\n')
	dsn = strings.TrimSpace(dsn)
	answered := ping(t.Context(), dsn)
	dir := strings.TrimSuffix(dataDirectory(t, dsn, answered), "/data")

	if err := victim.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = victim.Wait() // reports the kill
	if answered != nil {
		t.Fatalf("the server did not answer while its process lived: %v (%s)", answered, dsn)
	}
	if !gone(t.Context(), dsn, dir) {
		t.Errorf("after its process was killed the server answers, or %s still exists", dir)
	}
}

func dataDirectory(t *testing.T, dsn string, answered error) string {
	if answered != nil {
		return ""
	}
	return query(t, dsn, "SHOW data_directory")
}

// gone waits until the server does not answer and its directory is removed.
func gone(ctx context.Context, dsn, dir string) bool {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		_, err := os.Stat(dir)
		if os.IsNotExist(err) && ping(ctx, dsn) != nil {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
	}
}
