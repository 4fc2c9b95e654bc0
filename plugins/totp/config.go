package totp

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/pquerna/otp"
)

// Config says how codes are made. Authenticator apps read all of it from the
// setup URI, but many understand the defaults only.
type Config struct {
	Issuer    string        `json:"issuer" doc:"Name that authenticator apps show; the deployment's brand name if empty." max:"64"`
	Digits    int           `json:"digits" doc:"Length of a code, 6 or 8."`
	Algorithm string        `json:"algorithm" doc:"Hash function; many apps know SHA1 only, which is safe here." enum:"SHA1,SHA256,SHA512"`
	Skew      int           `json:"skew" doc:"How many steps a clock may be off, either way." min:"0" max:"2"`
	Period    time.Duration `json:"period" doc:"Length of a step in whole seconds; many apps know 30s only." min:"15s" max:"60s"`
	Image     string        `json:"image" doc:"Address of a picture of the issuer (https), for apps that show one; they fetch it themselves." max:"256"`
}

func defaults() Config {
	return Config{Digits: 6, Algorithm: "SHA1", Skew: 1, Period: 30 * time.Second}
}

// Validate implements channel.Config.
func (c Config) Validate() error {
	var errs []error
	if c.Digits != 6 && c.Digits != 8 {
		errs = append(errs, fmt.Errorf("digits: %d is neither 6 nor 8", c.Digits))
	}
	if c.Skew < 0 || c.Skew > 2 {
		errs = append(errs, fmt.Errorf("skew: %d is not within 0 and 2", c.Skew))
	}
	if c.Period < 15*time.Second || c.Period > time.Minute || c.Period%time.Second != 0 {
		errs = append(errs, fmt.Errorf("period: %s is not whole seconds within 15s and 60s", c.Period))
	}
	if c.Algorithm != "SHA1" && c.Algorithm != "SHA256" && c.Algorithm != "SHA512" {
		errs = append(errs, fmt.Errorf("algorithm: %q is none of SHA1, SHA256, SHA512", c.Algorithm))
	}
	return errors.Join(append(errs, c.validateImage())...)
}

// mostImage is how long the address of a picture may be, in bytes: it makes the QR
// code denser.
const mostImage = 256

func (c Config) validateImage() error {
	if c.Image == "" {
		return nil
	}
	if u, err := url.Parse(c.Image); err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || len(c.Image) > mostImage {
		return fmt.Errorf("image: not a URL such as https://example.com/logo.png of at most %d bytes", mostImage)
	}
	return nil
}

func (c Config) algorithm() otp.Algorithm {
	switch c.Algorithm {
	case "SHA256":
		return otp.AlgorithmSHA256
	case "SHA512":
		return otp.AlgorithmSHA512
	default:
		return otp.AlgorithmSHA1
	}
}

// looksLikeCode reports whether text is nothing but the right number of ASCII
// digits. Everything else is refused before anything is computed.
func (c Config) looksLikeCode(text string) bool {
	if len(text) != c.Digits {
		return false
	}
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return true
}

// uri writes what the app scans. Parameters that apps assume anyway are left
// out, because some refuse them.
func (c Config) uri(secret, account string) string {
	issuer := escape(plain(c.Issuer))
	var b strings.Builder
	b.WriteString("otpauth://totp/" + issuer + ":" + escape(plain(account)) + "?secret=" + secret + "&issuer=" + issuer)
	if c.Algorithm != "SHA1" {
		b.WriteString("&algorithm=" + c.Algorithm)
	}
	if c.Digits != 6 {
		b.WriteString("&digits=" + strconv.Itoa(c.Digits))
	}
	if c.Period != 30*time.Second {
		b.WriteString("&period=" + strconv.Itoa(int(c.Period.Seconds())))
	}
	if c.Image != "" {
		b.WriteString("&image=" + escape(c.Image))
	}
	return b.String()
}

// plain takes colons out, which divide issuer and account in the URI.
func plain(name string) string { return strings.TrimSpace(strings.ReplaceAll(name, ":", "")) }

// escape writes spaces as %20, because apps show a plus as it is.
func escape(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }
