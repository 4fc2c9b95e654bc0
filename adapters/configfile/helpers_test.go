package configfile_test

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/countersign/countersign/adapters/configfile"
)

// secret protects itself, as channel.Secret does.
type secret struct{ hidden *string }

func (s *secret) UnmarshalText(text []byte) error {
	plain := string(text)
	if plain == "refused" {
		return errors.New("the value " + plain + " is refused")
	}
	s.hidden = &plain
	return nil
}

func (s secret) String() string {
	if s.hidden == nil {
		return ""
	}
	return "dots"
}

func (s secret) GoString() string { return "secret" }

func (s secret) reveal() string {
	if s.hidden == nil {
		return ""
	}
	return *s.hidden
}

type config struct {
	Mode      string             `yaml:"mode" enum:"development,production" doc:"What this is for."`
	PublicURL string             `yaml:"public_url"`
	Trusted   []netip.Prefix     `yaml:"trusted_proxies"`
	Database  database           `yaml:"database"`
	Keys      keys               `yaml:"keys"`
	Channels  map[string]channel `yaml:"channels" max:"3"`
	Policy    policy             `yaml:"policy"`
	Tenants   []tenant           `yaml:"tenants"`
	Labels    map[string]string  `yaml:"labels"`
	Ratio     float64            `yaml:"ratio" min:"0" max:"1"`
	Workers   uint16             `yaml:"workers" max:"64"`
	Ignored   func()             `yaml:"-"`
}

type database struct {
	URL secret `yaml:"url" secret:"file" doc:"Where data is kept."`
}

type keys struct {
	Plain string `yaml:"plain" secret:"file"`
}

type channel struct {
	Use       string                    `yaml:"use"`
	Countries []string                  `yaml:"countries"`
	Parts     map[string]configfile.Raw `yaml:",inline"`
}

type policy struct {
	Challenge challenge `yaml:"challenge"`
	TwoFactor twoFactor `yaml:"two_factor"`
	Fields    []string  `yaml:"fields" enum:"email,phone" min:"1"`
}

type challenge struct {
	Life     time.Duration `yaml:"life" min:"1m" max:"1h" doc:"How long a code is good for."`
	Length   int           `yaml:"length" min:"4" max:"10"`
	Resend   time.Duration `yaml:"resend_after"`
	Link     bool          `yaml:"link"`
	Alphabet string        `yaml:"alphabet" min:"2"`
}

func (c challenge) Validate() error {
	if c.Resend > c.Life {
		return errors.Join(
			&configfile.Problem{Path: "resend_after", Text: "must be shorter than life", Hint: "Raise life."},
			errors.New("life is too short for it"))
	}
	return nil
}

type twoFactor struct {
	Mode string `yaml:"mode" enum:"off,optional,required"`
}

type tenant struct {
	Slug   string        `yaml:"slug" min:"1"`
	Policy *tenantPolicy `yaml:"policy"`
	Life   time.Duration `yaml:"life"`
}

func (t *tenant) SetDefaults() { t.Life = time.Hour }

type tenantPolicy struct {
	Length *int `json:"length,omitempty"`
}

// plugin is what a channel's author writes: json tags, plain errors.
type plugin struct {
	Addr     string        `json:"addr" doc:"Host and port."`
	Password secret        `json:"password" secret:"file"`
	Timeout  time.Duration `json:"timeout" max:"1m"`
	Retry    retry         `json:"retry"`
	TokenMax int           `json:"token_max"`
}

type retry struct {
	Max int `json:"max"`
}

func (p plugin) Validate() error {
	if p.Addr == "" {
		return errors.New("addr is needed")
	}
	return nil
}

func defaults() config {
	return config{
		Mode: "development",
		Policy: policy{
			Challenge: challenge{Life: 5 * time.Minute, Length: 6, Resend: 30 * time.Second, Alphabet: "digits"},
			TwoFactor: twoFactor{Mode: "optional"},
			Fields:    []string{"email"},
		},
		Labels: map[string]string{"a": "1"},
	}
}

func source(yaml string, env ...string) configfile.Source {
	return configfile.Source{File: "c.yaml", Data: []byte(yaml), Environ: env, Prefix: "COUNTERSIGN_"}
}

// load is for configurations that are right.
func load(t *testing.T, src configfile.Source) (config, *configfile.Loaded) {
	t.Helper()
	c := defaults()
	l, err := configfile.Load(&c, src)
	if err != nil {
		t.Fatalf("unexpected problems:\n%v", err)
	}
	return c, l
}

// problems is for configurations that are wrong.
func problems(t *testing.T, src configfile.Source) string {
	t.Helper()
	c := defaults()
	_, err := configfile.Load(&c, src)
	var ps configfile.Problems
	if !errors.As(err, &ps) {
		t.Fatalf("got %v, want Problems", err)
	}
	return ps.Error()
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s:\n got %v\nwant %v", what, got, want)
	}
}
