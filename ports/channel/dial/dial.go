// Package dial connects to hosts whose names come from a configuration or from
// somebody else, and to nobody behind our own walls: a name is looked at when it
// has become an address, so none can get around it (OWASP SSRF).
package dial

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// ErrPrivate means that a host's address is none of the public Internet.
var ErrPrivate = errors.New("private addresses are refused; allow_private lets them be used")

// How connections are made and kept.
const (
	dialLimit  = 5 * time.Second
	idle       = 30 * time.Second
	mostHeader = 16 << 10 // bytes of an answer's head
)

// Client makes requests that take no longer than limit, answers included. It
// follows no redirects, verifies TLS, uses no proxy, which would see addresses
// that the guard does not, and connects to public addresses only, unless
// private is set. It is safe for concurrent use; close its idle connections when
// it is not needed any more.
func Client(limit time.Duration, private bool) *http.Client {
	dialer := &net.Dialer{Timeout: dialLimit}
	if !private {
		dialer.Control = guard
	}
	return &http.Client{
		Timeout: limit,
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout: dialLimit, ForceAttemptHTTP2: true, DisableCompression: true,
			MaxIdleConnsPerHost: 2, IdleConnTimeout: idle, MaxResponseHeaderBytes: mostHeader,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// special are networks inside the public ranges that lead to ourselves, to
// neighbours, or to nobody: the IANA special-purpose registries (RFC 6890 and
// its successors), what embeds an IPv4 address (NAT64, 6to4, Teredo), and the
// metadata services of clouds that have addresses which look public.
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),        // this network
	netip.MustParsePrefix("100.64.0.0/10"),    // carriers' NAT; 100.100.100.200 is Alibaba's metadata
	netip.MustParsePrefix("168.63.129.16/32"), // Azure's platform
	netip.MustParsePrefix("192.0.0.0/24"),     // protocol assignments; 192.0.0.192 is Oracle's metadata
	netip.MustParsePrefix("192.0.2.0/24"),     // documentation
	netip.MustParsePrefix("192.88.99.0/24"),   // 6to4 relays
	netip.MustParsePrefix("198.18.0.0/15"),    // benchmarks
	netip.MustParsePrefix("198.51.100.0/24"),  // documentation
	netip.MustParsePrefix("203.0.113.0/24"),   // documentation
	netip.MustParsePrefix("240.0.0.0/4"),      // reserved, and broadcast
	netip.MustParsePrefix("2001::/23"),        // Teredo, ORCHID and other protocols
	netip.MustParsePrefix("2001:db8::/32"),    // documentation
	netip.MustParsePrefix("2002::/16"),        // 6to4
	netip.MustParsePrefix("3fff::/20"),        // documentation
}

// global is where IPv6 addresses of the public Internet are. All else is
// refused, NAT64's 64:ff9b::/96 with it.
var global = netip.MustParsePrefix("2000::/3")

// Public reports whether an address is one of the public Internet.
func Public(a netip.Addr) bool {
	a = a.Unmap() // ::ffff:127.0.0.1
	if a.Zone() != "" || a.Is6() && !global.Contains(a) ||
		!a.IsGlobalUnicast() || a.IsPrivate() { // not loopback, link-local, multicast, unspecified, broadcast
		return false
	}
	for _, p := range special {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

// guard refuses connections to what is not public. It sees the address that is
// about to be used, after names were resolved, so no name can get around it.
func guard(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("read the address to connect to: %w", err)
	}
	if !Public(to.Addr()) {
		return ErrPrivate
	}
	return nil
}
