package bunstore_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/countersign/countersign/adapters/bunstore"
	"github.com/countersign/countersign/ports/store"
)

// crashURL tells the test binary to be the process that is killed.
const crashURL = "BUNSTORE_CRASH_URL"

// TestAcknowledgedRowsSurviveKill runs a child that starts challenges and names
// each one that was acknowledged, kills it at work, and looks for all of them.
func TestAcknowledgedRowsSurviveKill(t *testing.T) {
	if url := os.Getenv(crashURL); url != "" {
		writeForEver(t, url)
		return
	}
	url := fileURL(t)
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestAcknowledgedRowsSurviveKill$")
	child.Env = append(os.Environ(), crashURL+"="+url)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var acknowledged []string
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		acknowledged = append(acknowledged, lines.Text())
		if len(acknowledged) == 300 {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = child.Wait() // killed, as we asked
	if len(acknowledged) < 300 {
		t.Fatalf("the child acknowledged %d rows, want at least 300", len(acknowledged))
	}
	s := open(t, url)
	for _, handle := range acknowledged {
		if _, err := s.Challenge(t.Context(), "default", handle, 0); err != nil {
			t.Fatalf("challenge %s was acknowledged and is lost: %v", handle, err)
		}
	}
	if _, err := s.Purge(t.Context(), store.Horizon{}); err != nil {
		t.Errorf("the file does not take writes after the crash: %v", err)
	}
}

func writeForEver(t *testing.T, url string) {
	s, err := bunstore.Open(t.Context(), bunstore.Options{URL: url, Migrate: true})
	if err != nil {
		t.Fatal(err)
	}
	v := crowd(t, s)
	said := make(chan string, 64)
	for range 8 {
		go func() {
			for {
				c, m := v.question(person(1))
				if err := s.Start(context.Background(), store.Start{Challenge: c, Message: &m, Now: v.now}); err != nil {
					return
				}
				said <- c.Handle
			}
		}()
	}
	for handle := range said {
		fmt.Println(handle)
	}
}
