package httpsender

import (
	"errors"
	"fmt"
	"maps"
	"net/mail"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/channel/dial"
)

// Config says which recipe is used, and fills it in.
type Config struct {
	Recipe       string            `json:"recipe" doc:"One of the recipes that are built in. RECIPES.md lists them, and what each asks for."`
	RecipeFile   string            `json:"recipe_file" doc:"A recipe of your own, in place of one that is built in. README.md says how to write one."`
	Endpoint     string            `json:"endpoint" doc:"Where the provider is, in place of what the recipe says: another region, or a gateway of your own. https://host, with a path if need be."`
	Params       map[string]string `json:"params" doc:"What the recipe asks for, by name."`
	Secrets      map[string]Hidden `json:"secrets" doc:"What the recipe asks for that is secret, by name."`
	Timeout      time.Duration     `json:"timeout" doc:"How long one message may take." min:"1s" max:"1m"`
	AllowPrivate bool              `json:"allow_private" doc:"Whether the provider may be at a private address, and be spoken to without TLS."`
}

// Hidden is a secret.
type Hidden struct {
	Value channel.Secret `json:"value" secret:"file" doc:"The secret itself."`
}

func defaults() Config { return Config{Timeout: 10 * time.Second} }

// Validate implements channel.Config.
func (c Config) Validate() error {
	var errs []error
	if (c.Recipe == "") == (c.RecipeFile == "") {
		errs = append(errs, errors.New("recipe: either recipe or recipe_file is required"))
	}
	if c.Recipe != "" && !slices.Contains(recipeNames(), c.Recipe) {
		errs = append(errs, fmt.Errorf("recipe: there is no %q; there are %s", c.Recipe, strings.Join(recipeNames(), ", ")))
	}
	if c.Endpoint != "" {
		if _, err := checkEndpoint(c.Endpoint, c.AllowPrivate); err != nil {
			errs = append(errs, fmt.Errorf("endpoint: %w", err))
		}
	}
	return errors.Join(errs...)
}

// checkEndpoint reads where a provider is.
func checkEndpoint(text string, private bool) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "" || u.Opaque != "" || u.Scheme != "https" && u.Scheme != "http":
		return nil, errors.New("is not a web address such as https://api.example.com")
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, errors.New("holds more than a host and a path")
	case u.Scheme == "http" && !private:
		return nil, errors.New("is not https; plain http needs allow_private: true")
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil && !private && !dial.Public(ip) {
		return nil, errors.New("is a private address, which needs allow_private: true")
	}
	return u, nil
}

// recipe reads the recipe that is configured.
func (c Config) recipe() (*recipe, error) {
	if c.RecipeFile == "" {
		return builtIn(c.Recipe)
	}
	content, err := os.ReadFile(c.RecipeFile)
	if err != nil {
		return nil, fmt.Errorf("recipe_file: %w", err)
	}
	return readRecipe(c.RecipeFile, content)
}

// values are the recipe's params, as configured, or a list of all that is wrong.
func (c Config) values(r *recipe) (map[string]string, error) {
	values := map[string]string{}
	var errs []error
	for name, v := range c.Params {
		if p, ok := r.Params[name]; !ok || p.Secret {
			errs = append(errs, fmt.Errorf("params.%s: the recipe %s has no such param; there are %s", name, r.Name, r.list(false)))
		}
		values[name] = v
	}
	for name, v := range c.Secrets {
		if p, ok := r.Params[name]; !ok || !p.Secret {
			errs = append(errs, fmt.Errorf("secrets.%s: the recipe %s has no such secret; there are %s", name, r.Name, r.list(true)))
		}
		values[name] = v.Value.Reveal()
	}
	for _, name := range slices.Sorted(maps.Keys(r.Params)) {
		p := r.Params[name]
		if values[name] == "" {
			values[name] = p.Default
		}
		switch v := values[name]; {
		case v == "" && !p.Optional:
			errs = append(errs, fmt.Errorf("%s: required by the recipe %s: %s", p.key(name), r.Name, p.Doc))
		case v != "":
			if err := p.fits(v); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", p.key(name), err))
			}
		}
	}
	return values, errors.Join(errs...)
}

// key is where a param is configured.
func (p param) key(name string) string {
	if p.Secret {
		return "secrets." + name + ".value"
	}
	return "params." + name
}

// list names the params of a recipe, secret ones or the others.
func (r *recipe) list(secret bool) string {
	found := r.params(func(p param) bool { return p.Secret == secret })
	if len(found) == 0 {
		return "none"
	}
	slices.Sort(found)
	return strings.Join(found, ", ")
}

var host = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$`)

// fits says whether a value will do, without repeating it.
func (p param) fits(v string) error {
	switch p.Kind {
	case "pem":
		if !strings.HasPrefix(v, "-----BEGIN ") {
			return errors.New("is not PEM")
		}
		return nil
	case "host":
		if !host.MatchString(v) {
			return errors.New("is not a host name")
		}
	case "sender":
		if _, err := mail.ParseAddress(v); err != nil {
			return errors.New("is not Name <address>")
		}
	}
	if control(v) {
		return errors.New("has a line break or another control character")
	}
	if ok, err := regexp.MatchString("^(?:"+p.Pattern+")$", v); p.Pattern != "" && (err != nil || !ok) {
		return fmt.Errorf("does not look like %s", p.Pattern)
	}
	return nil
}
