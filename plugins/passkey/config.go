package passkey

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/go-webauthn/webauthn/protocol"
)

// Config says for which site keys are made. Keys that were made for one rp_id
// are of no use under another: choose it once.
type Config struct {
	RPID             string   `json:"rp_id" doc:"Domain that keys belong to, such as example.com; the host of the deployment's public URL if empty. Keys do not follow when it changes." max:"253"`
	Origins          []string `json:"origins" doc:"Where pages may use keys, such as https://www.example.com; the deployment's public URL if empty. Android apps are android:apk-key-hash:…."`
	UserVerification string   `json:"user_verification" doc:"Whether a device asks for a PIN, a finger or a face: a key that asks is two factors at once." enum:"required,preferred,discouraged"`
}

func defaults() Config { return Config{UserVerification: string(protocol.VerificationPreferred)} }

// android is how an app is called where a browser would name an origin.
const android = "android:apk-key-hash:"

// Validate implements channel.Config.
func (c Config) Validate() error {
	var errs []error
	known := []protocol.UserVerificationRequirement{protocol.VerificationRequired, protocol.VerificationPreferred, protocol.VerificationDiscouraged}
	if !slices.Contains(known, protocol.UserVerificationRequirement(c.UserVerification)) {
		errs = append(errs, fmt.Errorf("user_verification: %q is none of required, preferred, discouraged", c.UserVerification))
	}
	if c.RPID != "" {
		errs = append(errs, checkDomain(c.RPID))
	}
	for i, origin := range c.Origins {
		if err := checkOrigin(origin); err != nil {
			errs = append(errs, fmt.Errorf("origins[%d]: %w", i, err))
		}
	}
	return errors.Join(errs...)
}

// checkDomain wants a host's name as browsers compare it: lower case, without a
// port, and no address, which no browser takes.
func checkDomain(name string) error {
	if _, err := netip.ParseAddr(name); err == nil {
		return fmt.Errorf("rp_id: %q is an address; keys belong to a domain, so use a name such as localhost", name)
	}
	if name != strings.ToLower(name) || strings.ContainsAny(name, "/:@ ") || strings.Trim(name, ".") != name {
		return fmt.Errorf("rp_id: %q is no domain in lower case", name)
	}
	return nil
}

// checkOrigin wants what a browser says (RFC 6454): scheme, host and port.
func checkOrigin(origin string) error {
	if strings.HasPrefix(origin, android) {
		return nil
	}
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" || origin != u.Scheme+"://"+u.Host {
		return fmt.Errorf("%q is no origin such as https://www.example.com", origin)
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !local(u.Hostname())) {
		return fmt.Errorf("%q is not https, without which browsers offer no keys", origin)
	}
	return nil
}

func local(host string) bool { return host == "localhost" || strings.HasSuffix(host, ".localhost") }

// site is what the configuration comes to in one deployment.
type site struct {
	id      string   // the domain that keys belong to
	name    string   // as people know it
	origins []string // of web pages
	apps    []string // of Android apps
	verify  protocol.UserVerificationRequirement
}

// at completes the configuration with what the host knows.
func (c Config) at(origin, brand string) (site, error) {
	if len(c.Origins) == 0 && origin != "" {
		if err := checkOrigin(origin); err != nil {
			return site{}, fmt.Errorf("origins: the public URL will not do: %w", err)
		}
		c.Origins = []string{origin}
	}
	s := site{id: c.RPID, name: brand, verify: protocol.UserVerificationRequirement(c.UserVerification)}
	if s.id == "" {
		u, err := url.Parse(origin)
		if err != nil || u.Hostname() == "" {
			return s, errors.New("rp_id: required, because the deployment has no public URL")
		}
		s.id = strings.ToLower(u.Hostname())
	}
	if s.name == "" {
		s.name = s.id
	}
	errs := []error{checkDomain(s.id)}
	for _, o := range c.Origins {
		if strings.HasPrefix(o, android) {
			s.apps = append(s.apps, o)
			continue
		}
		s.origins = append(s.origins, o)
		if u, err := url.Parse(o); err == nil && u.Hostname() != s.id && !strings.HasSuffix(u.Hostname(), "."+s.id) {
			errs = append(errs, fmt.Errorf("origins: %q is not below rp_id %q, so browsers refuse", o, s.id))
		}
	}
	if len(c.Origins) == 0 {
		errs = append(errs, errors.New("origins: required, because the deployment has no public URL"))
	}
	return s, errors.Join(errs...)
}
