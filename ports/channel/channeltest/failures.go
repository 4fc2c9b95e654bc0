package channeltest

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
)

// Failures runs the suite without failing tb, and says what failed: one text
// per failure, starting with the name of the check. It is for tests that want
// a broken channel to be noticed.
func Failures(tb testing.TB, s Suite) []string {
	tb.Helper()
	found := &findings{}
	root := &collector{TB: tb, found: found}
	s.run(root)
	found.mu.Lock()
	defer found.mu.Unlock()
	return found.list
}

type findings struct {
	mu   sync.Mutex // guards list
	list []string
}

// collector is a T that remembers in place of failing.
type collector struct {
	testing.TB
	name  string
	found *findings
	ctx   context.Context // the subtest's, as in testing.T

	mu       sync.Mutex // guards the rest
	cleanups []func()
	failed   bool
}

// Run runs check in a goroutine of its own, which Fatalf and Skipf end.
func (c *collector) Run(name string, check func(T)) bool {
	ctx, cancel := context.WithCancel(c.TB.Context())
	sub := &collector{TB: c.TB, name: c.name + "/" + name, found: c.found, ctx: ctx}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer sub.clean()
		defer cancel()
		defer func() {
			if p := recover(); p != nil {
				sub.Errorf("panic: %v", p)
			}
		}()
		check(sub)
	}()
	<-done
	return !sub.Failed()
}

func (c *collector) clean() {
	for i := len(c.cleanups) - 1; i >= 0; i-- {
		c.cleanups[i]()
	}
}

func (c *collector) Errorf(format string, args ...any) {
	c.mu.Lock()
	c.failed = true
	c.mu.Unlock()
	c.found.mu.Lock()
	defer c.found.mu.Unlock()
	c.found.list = append(c.found.list, c.name[1:]+": "+fmt.Sprintf(format, args...))
}

func (c *collector) Failed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failed
}

func (c *collector) Cleanup(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cleanups = append(c.cleanups, f)
}

func (c *collector) Fatalf(format string, args ...any) {
	c.Errorf(format, args...)
	runtime.Goexit()
}

func (c *collector) Context() context.Context { return c.ctx }
func (c *collector) Error(args ...any)        { c.Errorf("%s", fmt.Sprint(args...)) }
func (c *collector) Fatal(args ...any)        { c.Fatalf("%s", fmt.Sprint(args...)) }
func (c *collector) Fail()                    { c.Errorf("failed") }
func (c *collector) FailNow()                 { c.Fatalf("failed") }
func (c *collector) Helper()                  {}
func (c *collector) Log(...any)               {}
func (c *collector) Logf(string, ...any)      {}
func (c *collector) Name() string             { return c.TB.Name() + c.name }
func (c *collector) Skip(...any)              { runtime.Goexit() }
func (c *collector) SkipNow()                 { runtime.Goexit() }
func (c *collector) Skipf(string, ...any)     { runtime.Goexit() }
