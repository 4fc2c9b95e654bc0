package gotool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Server says how a plugin's own binary is started.
type Server struct {
	Dir    string   // of the plugin
	Args   []string // behind "dev"
	Really bool     // what the plugins send is sent, and not shown in the inbox
	Stdout io.Writer
	Stderr io.Writer
}

// ErrNoMain means that there is no program to start.
var ErrNoMain = errors.New("there is no main package here, nor below cmd/")

// Run builds the main package beside a plugin and starts it in development mode,
// with a channel of each plugin that it adds, until ctx ends. A file
// countersign.yaml in the folder is its configuration; what is there wins.
func Run(ctx context.Context, s Server) error {
	pkg, err := mainOf(ctx, s.Dir)
	if err != nil {
		return err
	}
	scratch, err := os.MkdirTemp("", "countersign-plugin-")
	if err != nil {
		return fmt.Errorf("make a folder for the binary: %w", err)
	}
	defer func() { _ = os.RemoveAll(scratch) }() // it is in the system's temporary folder
	binary := filepath.Join(scratch, "countersign")
	build := goCommand(ctx, s.Dir, "build", "-o", binary, pkg)
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("%s does not build: %w\n%s", pkg, err, strings.TrimSpace(string(out)))
	}
	added, err := addedBy(ctx, binary, s.Dir)
	if err != nil {
		return err
	}
	cmd := gentle(exec.CommandContext(ctx, binary, "dev"), s.Dir) //nolint:gosec // it was built here
	if config := "countersign.yaml"; exists(filepath.Join(s.Dir, config)) {
		cmd.Args = append(cmd.Args, "--config", config)
	}
	if s.Really {
		cmd.Args = append(cmd.Args, "--really", strings.Join(added, ","))
	}
	cmd.Args = append(cmd.Args, s.Args...)
	cmd.Stdout, cmd.Stderr = s.Stdout, s.Stderr
	cmd.Env = cmd.Environ()
	for _, typ := range added {
		cmd.Env = append(cmd.Env, "COUNTERSIGN_CHANNELS_"+strings.ToUpper(typ)+"_USE="+typ)
	}
	err = cmd.Run()
	if ctx.Err() != nil {
		return nil // whoever stopped us has stopped it
	}
	return err
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// mainOf finds the program of a plugin's module.
func mainOf(ctx context.Context, dir string) (string, error) {
	cmd := goCommand(ctx, dir, "list", "-f", `{{if eq .Name "main"}}{{.ImportPath}}{{end}}`, "./...")
	out, err := cmd.Output()
	if err != nil {
		if e, ok := errors.AsType[*exec.ExitError](err); ok {
			return "", fmt.Errorf("look for a main package: %s", strings.TrimSpace(string(e.Stderr)))
		}
		return "", fmt.Errorf("go is needed for this: %w", err)
	}
	all := strings.Fields(string(out))
	switch len(all) {
	case 0:
		return "", ErrNoMain
	case 1:
		return all[0], nil
	}
	return "", fmt.Errorf("there are %d main packages here (%s): start yours with go run", len(all), strings.Join(all, ", "))
}

// addedBy asks a binary which plugins it has besides ours.
func addedBy(ctx context.Context, binary, dir string) ([]string, error) {
	var all []struct {
		Type    string `json:"type"`
		BuiltIn bool   `json:"built_in"`
	}
	out, err := gentle(exec.CommandContext(ctx, binary, "plugin", "list", "--json"), dir).Output() //nolint:gosec // it was built here
	if e, ok := errors.AsType[*exec.ExitError](err); ok && strings.Contains(string(e.Stderr), "channel plugin") {
		return nil, errors.New(strings.TrimSpace(string(e.Stderr)))
	}
	if err != nil || json.Unmarshal(out, &all) != nil {
		return nil, errors.New("the main package does not call app.Main(app.Channels(…)), so there is nothing to start")
	}
	var added []string
	for _, p := range all {
		if !p.BuiltIn {
			added = append(added, p.Type)
		}
	}
	if len(added) == 0 {
		return nil, errors.New("the main package adds no plugin: name yours in app.Main(app.Channels(…))")
	}
	return added, nil
}
