package procfs

import (
	"os"
	"os/exec"
	"testing"
	"time"
)

func TestStatReadsTimesBehindAnAwkwardName(t *testing.T) {
	line := "4242 (a (b) c) S 17 4242 4242 0 -1 4194560 900 0 0 0 150 25 7 3 20 0 9 0 1234 5678 90 18446744073709551615"
	got, err := ParseStat(line)
	if err != nil {
		t.Fatal(err)
	}
	want := Stat{PID: 4242, Parent: 17, Name: "a (b) c", Own: 1750 * time.Millisecond, Reaped: 100 * time.Millisecond}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestStatRefusesWhatIsNoStat(t *testing.T) {
	for _, line := range []string{"", "1 (x", "x (y) S 1", "1 (y) S 1 2 3", "1 )x( S 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1"} {
		if got, err := ParseStat(line); err == nil {
			t.Errorf("%q was read as %+v", line, got)
		}
	}
}

func TestTreeCountsDescendantsAndTheDead(t *testing.T) {
	all := []Stat{
		{PID: 1, Own: time.Hour},
		{PID: 10, Parent: 1, Own: time.Second, Reaped: 2 * time.Second},
		{PID: 11, Parent: 10, Own: 4 * time.Second},
		{PID: 12, Parent: 11, Own: 8 * time.Second, Reaped: 16 * time.Second},
		{PID: 20, Parent: 1, Own: time.Minute},
	}
	if got := sum(all, 10); got != 31*time.Second {
		t.Errorf("got %s, want 31s", got)
	}
}

func TestTreeSeesWorkOfAChildThatEnded(t *testing.T) {
	before, err := Tree(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if err := exec.Command("sh", "-c", "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done").Run(); err != nil {
		t.Fatal(err)
	}
	after, err := Tree(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if after <= before {
		t.Errorf("the child's work is not counted: %s, then %s", before, after)
	}
}

func TestBytesReadsKilobytes(t *testing.T) {
	text := []byte("Name:\tx\nVmHWM:\t   99 kB\nVmRSS:\t  2048 kB\nThreads:\t7\n")
	for key, want := range map[string]int64{"VmRSS": 2 << 20, "VmHWM": 99 << 10, "Threads": 0, "Pss": 0} {
		if got := Bytes(text, key); got != want {
			t.Errorf("%s: got %d, want %d", key, got, want)
		}
	}
}

func TestMemoryOfThisProcessIsTold(t *testing.T) {
	m, err := MemoryOf(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if m.RSS < 1<<20 || m.PSS < 1<<20 || m.Peak < m.RSS {
		t.Errorf("implausible: %+v", m)
	}
}

func TestModelIsTheProcessorsName(t *testing.T) {
	if got := model("processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\n", "arm64"); got != "Some CPU @ 2 GHz" {
		t.Errorf("got %q", got)
	}
	if got := model("processor\t: 0\n", "arm64"); got != "arm64" {
		t.Errorf("got %q", got)
	}
}

func TestBusyLeavesIdlenessOut(t *testing.T) {
	got, err := busy("cpu  100 20 3 5000 600 7 8 9 0 0\ncpu0 1 2 3 4 5 6 7 8 9 10\n")
	if err != nil || got != 1470*time.Millisecond {
		t.Errorf("got %s, %v; want 1.47s", got, err)
	}
	for _, text := range []string{"", "cpu 1 2 3", "intr 1 2 3 4 5 6 7 8 9", "cpu a b c d e f g h i"} {
		if _, err := busy(text); err == nil {
			t.Errorf("%q was read", text)
		}
	}
}
