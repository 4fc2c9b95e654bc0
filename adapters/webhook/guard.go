package webhook

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"
)

// errPrivate means that a host's address is none of the public Internet.
var errPrivate = errors.New("private addresses are refused; allow_private lets them be used")

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

// public reports whether an address is one of the public Internet.
func public(a netip.Addr) bool {
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
	if !public(to.Addr()) {
		return errPrivate
	}
	return nil
}
