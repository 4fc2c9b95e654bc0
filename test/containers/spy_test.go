package containers

import (
	"runtime"
	"testing"
)

// spyTB records how a test was ended instead of ending it.
type spyTB struct {
	testing.TB
	ended string
}

// run calls the function on a goroutine of its own, which the spy may end.
func (s *spyTB) run(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	<-done
}

func (s *spyTB) end(how string) {
	s.ended = how
	runtime.Goexit()
}

func (s *spyTB) Fatal(...any)          { s.end("fatal") }
func (s *spyTB) Fatalf(string, ...any) { s.end("fatal") }
func (s *spyTB) Skipf(string, ...any)  { s.end("skip") }
