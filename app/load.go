package app

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/countersign/countersign/adapters/configfile"
	"github.com/countersign/countersign/app/channels"
	"github.com/countersign/countersign/plugins/devinbox"
)

// envPrefix begins every environment variable that is ours.
const envPrefix = "COUNTERSIGN_"

// sources is where the configuration comes from, besides the environment.
type sources struct {
	file  string            // --config
	mode  string            // forced by the command; "" leaves it to the file
	flags map[string]string // path to value
}

// load reads the configuration. Whatever is wrong with it is reported at once.
func load(src sources, catalog *channels.Catalog) (Loaded, *configfile.Loaded, error) {
	var l Loaded
	data, err := readConfig(src.file)
	if err != nil {
		return l, nil, configuration(err)
	}
	l.Config = DefaultConfig()
	flags := map[string]string{}
	maps.Copy(flags, src.flags)
	if src.mode != "" {
		flags["mode"] = src.mode
		l.Config = developmentDefaults(l.Config)
	}
	parts := make([]string, 0, len(catalog.Plugins()))
	for _, p := range catalog.Plugins() {
		parts = append(parts, p.Type)
	}
	known, err := configfile.Load(&l.Config, configfile.Source{
		File: src.file, Data: data, Environ: os.Environ(), Prefix: envPrefix, Parts: parts,
		IgnoreEnv: []string{"COUNTERSIGN_TEST_*", "COUNTERSIGN_BENCH_*", "COUNTERSIGN_CONFIG"}, Flags: flags,
		FlagNames:   map[string]string{"database.url": "database", "metrics_listen": "metrics-listen"},
		StrictFiles: src.mode == "",
	})
	if err != nil {
		return l, nil, configuration(err)
	}
	if err := l.decide(); err != nil {
		return l, nil, configuration(err)
	}
	if err := l.plugins(catalog, known); err != nil {
		return l, nil, configuration(err)
	}
	l.Specs, err = specs(l.Config, catalog)
	return l, known, configuration(err)
}

// plugins refuses channels of plugins that this build does not have.
func (c Config) plugins(catalog *channels.Catalog, known *configfile.Loaded) error {
	types := catalog.Types()
	if c.Mode == Development {
		for _, p := range devinbox.Plugins(nil) {
			types = append(types, p.Type)
		}
	}
	at := func(path string) string {
		e, _ := known.Explain(path)
		return e.Source
	}
	var errs []error
	for _, id := range slices.Sorted(maps.Keys(c.Channels)) {
		errs = append(errs, c.Channels[id].known(id, types, at)...)
	}
	return errors.Join(errs...)
}

func readConfig(path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New("there is no file " + path + ". Name the configuration with --config FILE, or leave --config out")
	}
	return data, err
}

// specs lists the configured channels, each with how its plugin reads its part.
// Every part is read once here, so that what is wrong is found before anything
// is opened.
func specs(c Config, catalog *channels.Catalog) ([]channels.Spec, error) {
	var errs []error
	out := make([]channels.Spec, 0, len(c.Channels))
	for id, ch := range c.Channels {
		part := ch.Plugin[ch.Use]
		spec := channels.Spec{ID: id, Use: ch.Use, Decode: part.Decode, Fallback: ch.Fallback, Regions: ch.Regions}
		out = append(out, spec)
		if p, ok := catalog.Find(ch.Use); ok && c.Mode == Production {
			errs = append(errs, try(p, part))
		}
	}
	slices.SortFunc(out, func(a, b channels.Spec) int { return strings.Compare(a.ID, b.ID) })
	return out, errors.Join(errs...)
}
