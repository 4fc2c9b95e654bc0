package app

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign/adapters/configfile"
	"github.com/countersign/countersign/ports/channel"
)

// Modes in which Countersign runs.
const (
	Development = "development"
	Production  = "production"
)

// Config is everything that a deployment decides. DefaultConfig is valid for
// development; production must say where it is reached, where its data and its
// keys are, and how it sends.
type Config struct {
	Mode           string             `yaml:"mode" enum:"development,production" doc:"Development sends nothing for real and shows every code; production refuses to."`
	PublicURL      string             `yaml:"public_url" doc:"Where people and applications reach this server; links and tokens are made from it, never from a request."`
	Listen         string             `yaml:"listen" doc:"Address and port of the API."`
	MetricsListen  string             `yaml:"metrics_listen" doc:"Address and port of the metrics; empty switches them off."`
	TrustedProxies []netip.Prefix     `yaml:"trusted_proxies" doc:"Networks of proxies whose X-Forwarded-For is believed."`
	Database       Database           `yaml:"database"`
	Keys           Keys               `yaml:"keys"`
	Brand          Brand              `yaml:"brand"`
	Channels       map[string]Channel `yaml:"channels" doc:"The ways of proving something, by the name that the API gives them."`
	Policy         Policy             `yaml:"policy"`
	Tenants        []Tenant           `yaml:"tenants" doc:"Sets of users that know nothing of each other, beside the default one."`
	Webhooks       []Webhook          `yaml:"webhooks" doc:"Endpoints elsewhere that are told what happens, in the form of Standard Webhooks."`
	Locales        Locales            `yaml:"locales"`
	Templates      Templates          `yaml:"templates"`
	Log            Log                `yaml:"log"`
}

// Database says where everything is stored.
type Database struct {
	URL         channel.Secret `yaml:"url" secret:"file" doc:"sqlite:///path/data.db, postgres://user:password@host/name, or memory: (lost at the end)."`
	Connections int            `yaml:"connections" min:"2" max:"200" doc:"How many connections to PostgreSQL are kept open."`
}

// Keys says where the keys are.
type Keys struct {
	File string `yaml:"file" doc:"The key file; make one with: countersign keys new."`
}

// Brand is how people know the deployment.
type Brand struct {
	Name    string `yaml:"name" min:"1" max:"40" doc:"The name that stands in messages and in authenticator apps."`
	Support string `yaml:"support" doc:"Where people find help."`
}

// Channel is one configured instance of a plugin.
type Channel struct {
	Use      string                    `yaml:"use" doc:"The plugin's type."`
	Fallback []string                  `yaml:"fallback" doc:"Channels that take over when this one cannot send."`
	Regions  []string                  `yaml:"countries" doc:"ISO 3166 codes of the countries that it sends to, such as [GB, DE]; none means all. To others nothing is sent, and nobody is told; nor where it stands in for another channel, or is asked for by name."`
	Plugin   map[string]configfile.Raw `yaml:",inline"`
}

// Locales says in which languages people are written to.
type Locales struct {
	Default string   `yaml:"default" doc:"The language of everybody who prefers none of those offered."`
	Offered []string `yaml:"offered" doc:"The languages that are offered."`
}

// Templates says where the texts are that replace ours.
type Templates struct {
	Dir string `yaml:"dir" doc:"Folder of texts that replace ours: LOCALE/messages.json, code.email.txt, tenants/SLUG/… Check it with: countersign templates lint."`
}

// Log says how much is written about the work.
type Log struct {
	Level  string `yaml:"level" enum:"debug,info,warn,error" doc:"The least important thing that is logged."`
	Format string `yaml:"format" enum:"json,text" doc:"json for machines, text for people."`
}

// DefaultConfig is the configuration when nothing is configured.
func DefaultConfig() Config {
	return Config{
		Mode: Production, Listen: ":8080", MetricsListen: "127.0.0.1:9090",
		Database: Database{Connections: 16}, Brand: Brand{Name: "Countersign"},
		Policy: defaultPolicy(), Locales: Locales{Default: "en", Offered: []string{"en", "de", "fr", "es", "ar"}},
		Log: Log{Level: "info", Format: "json"},
	}
}

// Validate reports what no single field can tell.
func (c *Config) Validate() error {
	errs := []error{c.checkURL(), c.checkListen("listen", c.Listen)}
	if c.MetricsListen != "" {
		errs = append(errs, c.checkListen("metrics_listen", c.MetricsListen))
	}
	for id, ch := range c.Channels {
		errs = append(errs, ch.check(id)...)
	}
	errs = append(errs, c.checkTenants()...)
	errs = append(errs, c.checkWebhooks()...)
	if c.Mode == Production {
		errs = append(errs, c.checkProduction()...)
	}
	return errors.Join(errs...)
}

func (c *Config) checkURL() error {
	if c.PublicURL == "" {
		return nil
	}
	u, err := url.Parse(c.PublicURL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "" {
		return configfile.Problem{Path: "public_url", Text: "is not a web address such as https://login.example.com"}
	}
	return nil
}

func (c *Config) checkListen(path, value string) error {
	if _, _, err := net.SplitHostPort(value); err != nil {
		return configfile.Problem{Path: path, Text: "is not an address with a port, such as :8080 or 127.0.0.1:9090"}
	}
	return nil
}

func (c Channel) check(id string) []error {
	var errs []error
	for i, code := range c.Regions {
		if len(code) != 2 || strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
			errs = append(errs, configfile.Problem{Path: fmt.Sprintf("channels.%s.countries[%d]", id, i), Text: "is no ISO 3166 country code, such as GB"})
		}
	}
	if c.Use == "" {
		errs = append(errs, configfile.Problem{Path: "channels." + id + ".use", Text: "is missing: name the plugin"})
	}
	return errs
}

// known refuses a plugin that is none of these types, or else the parts of others.
// at says where a path stands.
func (c Channel) known(id string, types []string, at func(path string) string) []error {
	path := "channels." + id + ".use"
	if !slices.Contains(types, c.Use) {
		hint := configfile.DidYouMean(c.Use, types)
		if hint == "" {
			hint = "There are " + strings.Join(types, ", ") + "."
		}
		return []error{configfile.Problem{File: at(path), Path: path, Text: fmt.Sprintf("there is no plugin %q", c.Use), Hint: hint}}
	}
	var errs []error
	for key := range c.Plugin {
		if key != c.Use {
			errs = append(errs, configfile.Problem{File: at(path), Path: "channels." + id + "." + key, Text: "is unknown here: the plugin's own part is called " + c.Use})
		}
	}
	return errs
}

// checkProduction names everything that production cannot do without.
func (c *Config) checkProduction() []error {
	var errs []error
	missing := func(path, hint string) {
		errs = append(errs, configfile.Problem{Path: path, Text: "is missing, and production cannot do without it", Hint: hint})
	}
	if c.PublicURL == "" {
		missing("public_url", "Say where people reach this server, such as https://login.example.com.")
	}
	if c.Database.URL.IsZero() {
		missing("database.url", "Say where data is stored, such as sqlite:///var/lib/countersign/data.db.")
	}
	if c.Keys.File == "" {
		missing("keys.file", "Make a key file with: countersign keys new --file keys.json")
	}
	if len(c.Channels) == 0 {
		missing("channels", "Say how codes are sent, such as channels: { email: { use: email, email: { … } } }.")
	}
	return errs
}

// host is the domain that messages name.
func (c *Config) host() string {
	u, err := url.Parse(c.PublicURL)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// patience is how long the parts of a server may take to stop.
const patience = 10 * time.Second
