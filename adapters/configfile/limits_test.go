package configfile_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/countersign/countersign/adapters/configfile"
)

// Each of these took ten seconds or more when the search for the place
// of a mistake was not limited.
func TestBrokenFilesOfAnySizeAreRefusedWithoutMuchWork(t *testing.T) {
	for name, yaml := range map[string]string{
		"deep lists":    strings.Repeat("[", 9000),
		"deep sections": strings.Repeat("{a: ", 9000),
		"open list":     "a: [" + strings.Repeat("x,", 30000),
		"open quote":    "mode: \"a\n" + strings.Repeat("b: c\n", 12000),
	} {
		t.Run(name, func(t *testing.T) {
			got := problems(t, source(yaml))
			if !strings.HasPrefix(got, "c.yaml:") || !strings.Contains(got, ": not valid YAML: ") {
				t.Errorf("got %s", got)
			}
		})
	}
}

func TestFilesThatAreTooLargeAreRefused(t *testing.T) {
	equal(t, "problems", problems(t, source(strings.Repeat("#\n", 1<<19)+"#")), "c.yaml:1:1: the file is larger than 1048576 bytes")
}

func TestLongVariablesAreRefusedWithoutASearch(t *testing.T) {
	name := "COUNTERSIGN_CHANNELS" + strings.Repeat("_A", 5000)
	equal(t, "problems", problems(t, source("", name+"=1")), "environment "+name+": no such setting")
}

// level reads and writes itself, and is a number underneath.
type level int

func (l *level) UnmarshalText(text []byte) error {
	switch string(text) {
	case "low", "1":
		*l = 1
		return nil
	}
	return fmt.Errorf("%q is no level", text)
}

func (l level) MarshalText() ([]byte, error) { return []byte("low"), nil }

type selfRead struct {
	Level  level          `yaml:"level"`
	Listen netip.AddrPort `yaml:"listen"`
	Other  *selfRead      `yaml:"other"`
	HTTPPort
}

// HTTPPort is embedded: its keys are those of the struct around it.
type HTTPPort struct {
	MaxURLBytes int8
	Off         bool
}

// Validate returns every shape that an error can have.
func (s selfRead) Validate() error {
	if s.MaxURLBytes != 9 {
		return nil
	}
	p := configfile.Problem{Path: "level", Text: "one"}
	return errors.Join(p, fmt.Errorf("more: %w", &configfile.Problem{Path: "listen", Text: "two"}),
		configfile.Problems{{Path: "off", Text: "three"}}, errors.New("max_url_bytes: four"), errors.New("five"))
}

func TestTypesThatReadThemselvesAndEmbeddedStructsAreFields(t *testing.T) {
	into := selfRead{Level: 1}
	l, err := configfile.Load(&into, source("level: 1\nlisten: 127.0.0.1:80\nother: { level: low }\nmax_url_bytes: 100\noff: TRUE\n"))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "listen", into.Listen.Port(), 80)
	equal(t, "other", into.Other.Level, 1)
	equal(t, "embedded", into.MaxURLBytes, 100)
	equal(t, "bool", into.Off, true)
	e, _ := l.Explain("other.level")
	equal(t, "explained", e.Value+" "+e.Source, "low c.yaml:3:10")
	e, _ = l.Explain("listen")
	equal(t, "explained", e.Value, "127.0.0.1:80")
	e, _ = l.Explain("other.other")
	equal(t, "explained", e.Value, "not set")
}

func TestATypesOwnMessageIsShown(t *testing.T) {
	_, err := configfile.Load(&selfRead{}, source("level: high\nlisten: here\noff: 'true'\n"))
	equal(t, "problems", err.Error(), "c.yaml:1:8: level: \"high\" is no level\n"+
		"c.yaml:2:9: listen: expected an address and port such as 192.0.2.1:8080, got text\n"+
		"c.yaml:3:6: off: expected true or false, got text")
}

func TestValidateMayReturnProblemsInAnyShape(t *testing.T) {
	_, err := configfile.Load(&selfRead{}, source("level: 1\noff: true\nmax_url_bytes: 9\n"))
	equal(t, "problems", err.Error(), "c.yaml:1:1: level: one\nc.yaml:2:1: off: three\nc.yaml:3:1: max_url_bytes: four\nlisten: two\nfive")
}
