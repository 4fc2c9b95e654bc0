package hotp

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// Config says how codes are made. Authenticator apps and key fobs read all of it
// from the setup URI. The hash function is SHA-1, the only one of RFC 4226.
type Config struct {
	Issuer    string `json:"issuer" doc:"Name that authenticator apps show; the deployment's brand name if empty." max:"64"`
	Digits    int    `json:"digits" doc:"Length of a code, 6 or 8."`
	LookAhead int    `json:"look_ahead" doc:"How many codes a device may be ahead, because its button was pressed in a pocket." min:"0" max:"10"`
	Image     string `json:"image" doc:"Address of a picture of the issuer (https), for apps that show one; they fetch it themselves." max:"256"`
}

func defaults() Config { return Config{Digits: 6, LookAhead: 5} }

// mostAhead bounds what a guess may match (RFC 4226 section 7.4).
const mostAhead = 10

// Validate implements channel.Config.
func (c Config) Validate() error {
	var errs []error
	if c.Digits != 6 && c.Digits != 8 {
		errs = append(errs, fmt.Errorf("digits: %d is neither 6 nor 8", c.Digits))
	}
	if c.LookAhead < 0 || c.LookAhead > mostAhead {
		errs = append(errs, fmt.Errorf("look_ahead: %d is not within 0 and %d", c.LookAhead, mostAhead))
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

// looksLikeCode reports whether text is nothing but the right number of ASCII
// digits. Everything else is refused before anything is computed.
func (c Config) looksLikeCode(text string) bool {
	return len(text) == c.Digits && strings.Trim(text, "0123456789") == ""
}

// uri writes what the app scans. The counter has to be there, and the digits only
// where apps would not assume them.
func (c Config) uri(secret, account string) string {
	issuer := escape(plain(c.Issuer))
	text := "otpauth://hotp/" + issuer + ":" + escape(plain(account)) + "?secret=" + secret + "&issuer=" + issuer + "&counter=0"
	if c.Digits != 6 {
		text += "&digits=" + strconv.Itoa(c.Digits)
	}
	if c.Image != "" {
		text += "&image=" + escape(c.Image)
	}
	return text
}

// plain takes colons out, which divide issuer and account in the URI.
func plain(name string) string { return strings.TrimSpace(strings.ReplaceAll(name, ":", "")) }

// escape writes spaces as %20, because apps show a plus as it is.
func escape(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }
