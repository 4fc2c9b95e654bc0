package procfs

import (
	"crypto/ed25519"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Machine is what a reader must know to compare figures.
type Machine struct {
	CPU    string  `json:"cpu"`
	Cores  int     `json:"cores"`
	Kernel string  `json:"kernel"`
	Go     string  `json:"go"`
	Sign   float64 `json:"ed25519_sign_us"` // a yardstick of one core
	Sync   float64 `json:"fdatasyncs_per_s"`
}

// Describe looks at this machine, and for half a second at how fast one core
// signs and the disk under dir makes 8 kB durable.
func Describe(dir string) (Machine, error) {
	m := Machine{Cores: runtime.NumCPU(), Go: runtime.Version(), CPU: runtime.GOARCH}
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		m.CPU = model(string(info), m.CPU)
	}
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.Kernel = strings.TrimSpace(string(release))
	}
	var err error
	m.Sign = signing()
	m.Sync, err = syncing(dir)
	return m, err
}

// model finds the processor's name.
func model(info, otherwise string) string {
	for line := range strings.Lines(info) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return otherwise
}

// signing is the median time of an Ed25519 signature, in microseconds.
func signing() float64 {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	message := make([]byte, 300)
	times := make([]time.Duration, 1001)
	for i := range times {
		began := time.Now()
		ed25519.Sign(key, message)
		times[i] = time.Since(began)
	}
	slices.Sort(times)
	return float64(times[len(times)/2].Nanoseconds()) / 1e3
}

// syncing is how often a second 8 kB can be made durable, one after the other.
func syncing(dir string) (float64, error) {
	file, err := os.Create(filepath.Join(dir, "sync"))
	if err != nil {
		return 0, fmt.Errorf("try the disk: %w", err)
	}
	defer func() { _ = file.Close(); _ = os.Remove(file.Name()) }()
	block := make([]byte, 8<<10)
	began, n := time.Now(), 0
	for ; time.Since(began) < 400*time.Millisecond; n++ {
		if _, err := file.WriteAt(block, 0); err != nil {
			return 0, fmt.Errorf("try the disk: %w", err)
		}
		if err := syscall.Fdatasync(int(file.Fd())); err != nil {
			return 0, fmt.Errorf("try the disk: %w", err)
		}
	}
	return float64(n) / time.Since(began).Seconds(), nil
}

// Self is the processor time that this process has used.
func Self() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// Busy is the time that all cores together have worked since the machine was
// started, for whomever.
func Busy() (time.Duration, error) {
	raw, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, fmt.Errorf("read what the machine has done: %w", err)
	}
	return busy(string(raw))
}

// busy reads the first line of /proc/stat: user, nice, system, idle, iowait,
// irq, softirq, steal. What a hypervisor took away counts: we did not have it.
func busy(text string) (total time.Duration, err error) {
	line, _, _ := strings.Cut(text, "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 || fields[0] != "cpu" {
		return 0, errStat
	}
	for _, i := range []int{1, 2, 3, 6, 7, 8} {
		n, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			return 0, errStat
		}
		total += time.Duration(n) * tick
	}
	return total, nil
}
