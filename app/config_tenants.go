package app

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/countersign/countersign/adapters/configfile"
	"github.com/countersign/countersign/app/tenants"
	"github.com/countersign/countersign/domain/tenant"
)

// Tenant is a set of users that knows nothing of the others. The default one
// stands at the top of the configuration; here it can only be given origins.
type Tenant struct {
	Slug    string         `yaml:"slug" min:"1" max:"40" doc:"Its name in requests and tokens: small letters, digits and dashes."`
	Origins []string       `yaml:"origins" doc:"Web origins whose pages may call the API and whose hosts belong to it, such as https://login.example.com."`
	Locale  string         `yaml:"locale" doc:"The language of everybody who prefers none of those offered; if missing, locales.default."`
	Brand   TenantBrand    `yaml:"brand"`
	Policy  configfile.Raw `yaml:"policy" schema:"policy" doc:"What it decides otherwise than the default tenant."`

	decided Policy // both together; see Config.decide
}

// TenantBrand is how people know a tenant. What is missing is the deployment's.
type TenantBrand struct {
	Name    string `yaml:"name" max:"40" doc:"The name that stands in messages."`
	Support string `yaml:"support" doc:"Where people find help."`
}

// slugForm is what slugs look like. They are part of keys and tokens.
var slugForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)

// Validate reports what is wrong with one tenant.
func (t Tenant) Validate() error {
	var errs []error
	problem := func(path, text string) { errs = append(errs, configfile.Problem{Path: path, Text: text}) }
	switch {
	case t.Slug == "":
		problem("slug", "is missing: name the tenant")
	case !slugForm.MatchString(t.Slug):
		problem("slug", "is not a name such as t2: use small letters, digits and dashes, and neither begin nor end with a dash")
	case t.Slug == tenant.Default && (t.Locale != "" || t.Brand != TenantBrand{} || len(t.Policy.Keys()) > 0):
		problem("slug", "is the default tenant, which can only be given origins here: its policy, brand and locale stand at the top")
	}
	for i, origin := range t.Origins {
		if text := checkOrigin(origin); text != "" {
			problem(fmt.Sprintf("origins[%d]", i), text)
		}
	}
	return errors.Join(errs...)
}

// checkOrigin says what is wrong with a web origin, which has to be written as
// browsers send it (RFC 6454, 6.2): anything else would never match.
func checkOrigin(origin string) string {
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return "is not a web origin such as https://login.example.com"
	}
	if u.Scheme == "http" && !isLoopback(u.Hostname()) {
		return "is not encrypted: use https, and http for this machine only"
	}
	host := strings.ToLower(u.Host)
	if port := u.Port(); port == "443" && u.Scheme == "https" || port == "80" && u.Scheme == "http" {
		host = strings.TrimSuffix(host, ":"+port)
	}
	if sent := u.Scheme + "://" + strings.TrimSuffix(host, ":"); sent != origin {
		return "is not written as browsers send it: write " + sent
	}
	if strings.ContainsFunc(host, func(r rune) bool { return r > '~' }) {
		return "is not written as browsers send it: write the host in its ASCII form (xn--…)"
	}
	return ""
}

func isLoopback(host string) bool {
	if a, err := netip.ParseAddr(host); err == nil {
		return a.IsLoopback()
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// checkTenants reports what tenants cannot share, and languages nobody offers.
func (c *Config) checkTenants() []error {
	var errs []error
	slugs, origins := map[string]string{}, map[string]string{}
	once := func(seen map[string]string, path, value string) {
		if first, ok := seen[value]; ok && value != "" {
			errs = append(errs, configfile.Problem{Path: path, Text: fmt.Sprintf("%q is taken by %s", value, first)})
			return
		}
		seen[value] = path
	}
	for i, t := range c.Tenants {
		at := fmt.Sprintf("tenants[%d]", i)
		once(slugs, at+".slug", t.Slug)
		for j, origin := range t.Origins {
			once(origins, fmt.Sprintf("%s.origins[%d]", at, j), origin)
		}
		if t.Locale != "" && t.Locale != c.Locales.Default && !slices.Contains(c.Locales.Offered, t.Locale) {
			errs = append(errs, configfile.Problem{
				Path: at + ".locale", Text: fmt.Sprintf("%q is not offered", t.Locale), Hint: "Add it to locales.offered.",
			})
		}
	}
	return errs
}

// decisions are the policy of a tenant while it is read over the default one.
type decisions struct {
	Policy `yaml:",inline"`

	algorithm string // of all tenants
}

// Validate reports what no tenant can decide for itself.
func (d decisions) Validate() error {
	err := d.Policy.Validate()
	if d.Tokens.Algorithm == d.algorithm {
		return err
	}
	return errors.Join(err, configfile.Problem{Path: "tokens.algorithm", Text: "cannot differ: all tenants have the same keys"})
}

// decide reads what each tenant decides otherwise than the default one. It is
// done apart, because it lies over a policy that has to be read first.
func (c *Config) decide() error {
	var all configfile.Problems
	c.Tenants = slices.Clone(c.Tenants)
	for i, t := range c.Tenants {
		d := decisions{Policy: c.Policy, algorithm: c.Policy.Tokens.Algorithm}
		err := t.Policy.Over("policy").Decode(&d)
		problems, ok := errors.AsType[configfile.Problems](err)
		if err != nil && !ok {
			return fmt.Errorf("read the policy of tenant %q: %w", t.Slug, err)
		}
		all = append(all, problems...)
		c.Tenants[i].decided = d.Policy
	}
	if len(all) > 0 {
		return all
	}
	return nil
}

// entries are the tenants as the core sees them.
func (c *Config) entries() ([]tenants.Entry, error) {
	p, err := c.Policy.domain()
	standard := tenants.Entry{
		Tenant: tenant.Tenant{Slug: tenant.Default}, Policy: p, Locale: c.Locales.Default,
		Brand: tenants.Brand{Name: c.Brand.Name, Support: c.Brand.Support},
	}
	errs := []error{err}
	var out []tenants.Entry
	for _, t := range c.Tenants {
		if t.Slug == tenant.Default {
			standard.Origins = t.Origins
			continue
		}
		p, err := t.decided.domain()
		errs = append(errs, err)
		out = append(out, tenants.Entry{
			Tenant: tenant.Tenant{Slug: t.Slug, Origins: t.Origins}, Policy: p, Locale: cmp.Or(t.Locale, c.Locales.Default),
			Brand: tenants.Brand{Name: t.Brand.Name, Support: t.Brand.Support},
		})
	}
	return append(out, standard), errors.Join(errs...)
}
