package app

import (
	"context"
	"errors"
	"os"
	"regexp"

	"github.com/spf13/cobra"
	"go.uber.org/fx"

	"github.com/countersign/countersign/domain/fault"
)

// commandLine is who changed something that was changed by a command.
const commandLine = "cli"

// What a command hears that has nothing to work on.
var (
	errMemory     = errors.New("a database in memory is known to its server alone: use its API, or configure a database that lasts")
	errNoDatabase = errors.New("it is not said where the data is: set database.url in the configuration, or use --database")
)

// loadStored reads the configuration for a command that works on the database. A
// command whose work would be lost refuses one that ends with it.
func (c *cli) loadStored(cmd *cobra.Command, lasting bool) (Loaded, error) {
	l, err := c.loadAny(cmd)
	if err != nil && c.config != "" && modeUnsaid(c.config) {
		if asDev, bad := c.load(cmd, Development); bad == nil { // it is what `dev --config` runs
			l, err = asDev, nil
		}
	}
	if err != nil {
		return l, err
	}
	switch url := l.Database.URL.Reveal(); {
	case url == "":
		err = usage(errNoDatabase)
	case url == memory && lasting:
		err = usage(errMemory)
	}
	return l, err
}

// topMode is the mode at the top of a configuration.
var topMode = regexp.MustCompile(`(?m)^(\{.*)?["']?mode["']?\s*:`)

// modeUnsaid reports whether nothing says in which mode a configuration is used:
// then it depends on the command that runs the server.
func modeUnsaid(file string) bool {
	text, err := os.ReadFile(file)
	return err == nil && !topMode.Match(text) && os.Getenv(envPrefix+"MODE") == ""
}

// kept refuses to seal something under keys that nobody but a running server has.
func (l Loaded) kept() error {
	if _, beside := devKeys(l.Database.URL.Reveal()); l.Keys.File == "" && !beside {
		return refused(errors.New("the keys of this server are in its memory alone, so nothing can be made for it. Configure keys.file"))
	}
	return nil
}

func databaseFlag(cmd *cobra.Command) {
	cmd.Flags().String("database", "", "where data is stored: sqlite:FILE or postgres://…")
}

// with puts together as much of a server as a command needs, and takes it apart
// afterwards. In production the schema is left alone: the server may be of another
// version. T embeds fx.In.
func with[T any](cmd *cobra.Command, c *cli, l Loaded, work func(ctx context.Context, tools T) error) (err error) {
	l.asIs = l.Mode == Production
	l.Database.Connections = 2
	l.Log.Level = "error" // the command says itself what it did
	var tools T
	app := fx.New(provided(l, c.opts), fx.Invoke(func(t T) { tools = t }))
	if err := app.Err(); err != nil {
		return err
	}
	if err := app.Start(cmd.Context()); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, app.Stop(context.WithoutCancel(cmd.Context()))) }()
	return answered(work(cmd.Context(), tools))
}

// answered gives a refusal its exit code, and says it in words.
func answered(err error) error {
	f, ok := fault.Of(err)
	if !ok {
		return err
	}
	said := errors.New(f.Text)
	if cause := errors.Unwrap(f); cause != nil {
		said = errors.New(f.Text + " (" + cause.Error() + ")")
	}
	switch f.Kind {
	case fault.Malformed, fault.Invalid:
		return usage(said)
	case fault.NotFound:
		return exitWith(exitMissing, said)
	case fault.Unavailable:
		return dependency(said)
	case fault.Unauthenticated, fault.Forbidden, fault.Conflict, fault.Gone, fault.TooLarge, fault.Unsupported, fault.Throttled:
	}
	return refused(said)
}
