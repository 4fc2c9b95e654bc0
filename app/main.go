package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

// Version is the version of this build. A release sets it with -ldflags.
var Version = version()

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "0.1.0-dev"
}

// Main runs the command line and ends the process.
func Main(opts ...Option) {
	os.Exit(Run(os.Args[1:], opts...))
}

// collectAt is how much the heap may grow before it is collected, in percent.
// The live heap is a few MiB, so collecting less often costs little memory.
const collectAt = 150

// Run runs the command line and returns the exit code.
func Run(args []string, opts ...Option) int {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectAt)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	cmd := newCommand(opts)
	cmd.SetArgs(args)
	return finish(os.Stderr, cmd.ExecuteContext(ctx))
}

// serve puts everything together and works until ctx ends or something breaks.
func serve(ctx context.Context, l Loaded, opts []Option, started func()) error {
	app := New(l, opts...)
	if err := app.Err(); err != nil {
		return err
	}
	start, cancel := context.WithTimeout(ctx, app.StartTimeout())
	defer cancel()
	if err := app.Start(start); err != nil {
		return err
	}
	if started != nil {
		started()
	}
	debug.FreeOSMemory() // putting everything together leaves much behind
	var code int
	select {
	case <-ctx.Done():
	case s := <-app.Wait():
		code = s.ExitCode
	}
	stop, cancel := context.WithTimeout(context.Background(), app.StopTimeout())
	defer cancel()
	if err := app.Stop(stop); err != nil { //nolint:contextcheck // ctx has ended
		return fmt.Errorf("stop: %w", err)
	}
	if code != exitOK {
		return exitWith(code, errors.New("stopped because something broke; the log says what"))
	}
	return nil
}
