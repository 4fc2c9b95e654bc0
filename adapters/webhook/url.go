package webhook

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/netip"
	"net/url"
	"strings"

	"github.com/countersign/countersign/ports/channel/dial"
)

// CheckURL says what is wrong with the URL of an endpoint. It must be absolute
// and hold neither a password nor a fragment; plain HTTP and addresses that are
// seen to be private are for AllowPrivate only. Where names lead is looked at
// whenever a connection is made. The error does not hold the URL.
func CheckURL(text string, allowPrivate bool) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "" || u.Opaque != "" || u.Scheme != "http" && u.Scheme != "https":
		return errors.New("is not a web address such as https://example.com/hooks")
	case u.User != nil:
		return errors.New("holds a user name or a password: webhooks are signed instead")
	case u.Fragment != "":
		return errors.New("ends in a fragment, which no server gets to see")
	case u.Scheme == "http" && !allowPrivate:
		return errors.New("is not https; plain http needs allow_private: true")
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil && !allowPrivate && !dial.Public(ip) {
		return errors.New("leads to a private address, which needs allow_private: true")
	}
	return nil
}

// DefaultName names an endpoint by its host and a hash of its URL, which may hold
// a secret. It has letters, digits, dots and dashes, and is empty if text is no URL.
func DefaultName(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256([]byte(strings.ToLower(u.Host) + u.EscapedPath() + "?" + u.RawQuery))
	host := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '.' {
			return r
		}
		return '-'
	}, strings.ToLower(u.Hostname()))
	return strings.TrimLeft(host+"-"+hex.EncodeToString(sum[:4]), ".-")
}
