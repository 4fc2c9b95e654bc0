// Package procfs reads from Linux what a process has used: processor time and
// memory. Times have the resolution of the kernel's clock ticks, 10 ms.
package procfs

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of times in /proc: USER_HZ is 100 on every Linux that Go
// runs on (proc_pid_stat(5)).
const tick = 10 * time.Millisecond

var errStat = errors.New("not a line of /proc/<pid>/stat")

// Stat is what we need of /proc/<pid>/stat.
type Stat struct {
	PID, Parent int
	Name        string
	Own         time.Duration // user and system time of all its threads
	Reaped      time.Duration // the same of children that have ended and were waited for
}

// ParseStat reads a line of /proc/<pid>/stat. The name stands in parentheses
// and may itself hold some, so the last one counts.
func ParseStat(line string) (Stat, error) {
	open, end := strings.IndexByte(line, '('), strings.LastIndexByte(line, ')')
	if open < 0 || end < open {
		return Stat{}, errStat
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line[:open]))
	fields := strings.Fields(line[end+1:])
	if err != nil || len(fields) < 15 {
		return Stat{}, errStat
	}
	// Fields are counted from 1 in the manual; the third is fields[0].
	var numbers [5]int64
	for i, field := range []int{4, 14, 15, 16, 17} {
		if numbers[i], err = strconv.ParseInt(fields[field-3], 10, 64); err != nil {
			return Stat{}, errStat
		}
	}
	return Stat{
		PID: pid, Name: line[open+1 : end], Parent: int(numbers[0]),
		Own:    time.Duration(numbers[1]+numbers[2]) * tick,
		Reaped: time.Duration(numbers[3]+numbers[4]) * tick,
	}, nil
}

// Read returns the Stat of a running process.
func Read(pid int) (Stat, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Stat{}, fmt.Errorf("read what process %d has used: %w", pid, err)
	}
	return ParseStat(string(raw))
}

// Tree is the processor time of a process, of all below it, and of those below
// it that have ended.
func Tree(root int) (time.Duration, error) {
	if _, err := Read(root); err != nil {
		return 0, err
	}
	all, err := everybody()
	if err != nil {
		return 0, err
	}
	return sum(all, root), nil
}

func sum(all []Stat, root int) (total time.Duration) {
	for _, s := range all {
		if s.PID == root {
			total += s.Own + s.Reaped
		}
		if s.Parent == root && s.PID != root {
			total += sum(all, s.PID)
		}
	}
	return total
}

// everybody lists all processes. Those that end meanwhile are left out.
func everybody() ([]Stat, error) {
	paths, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var all []Stat
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		if s, err := ParseStat(string(raw)); err == nil {
			all = append(all, s)
		}
	}
	return all, nil
}

// Memory is what a process holds, in bytes.
type Memory struct {
	RSS  int64 `json:"rss"`  // resident, shared pages included
	PSS  int64 `json:"pss"`  // the same, with shared pages divided by those who share them
	Peak int64 `json:"peak"` // the most that RSS has been
}

// MemoryOf reads what a process holds now.
func MemoryOf(pid int) (Memory, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return Memory{}, fmt.Errorf("read the memory of process %d: %w", pid, err)
	}
	rollup, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return Memory{}, fmt.Errorf("read the memory map of process %d: %w", pid, err)
	}
	m := Memory{RSS: Bytes(status, "VmRSS"), Peak: Bytes(status, "VmHWM"), PSS: Bytes(rollup, "Pss")}
	if m.RSS == 0 || m.PSS == 0 {
		return m, fmt.Errorf("the memory of process %d is not told", pid)
	}
	return m, nil
}

// Bytes finds a line such as "VmRSS:  1234 kB" and returns its value in bytes,
// or 0.
func Bytes(text []byte, key string) int64 {
	for line := range bytes.Lines(text) {
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok || string(name) != key {
			continue
		}
		number, unit, _ := strings.Cut(strings.TrimSpace(string(value)), " ")
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil || unit != "kB" {
			return 0
		}
		return n << 10
	}
	return 0
}
