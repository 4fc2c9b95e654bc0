package fiberkit

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"
)

// Resolver finds out which network address a request comes from. Only proxies
// that are trusted may say so for somebody else, and then the nearest address
// that is not theirs counts: whatever stands further left was written by the
// client.
type Resolver struct{ trusted []netip.Prefix }

// NewResolver trusts the given networks.
func NewResolver(trusted []netip.Prefix) *Resolver { return &Resolver{trusted: trusted} }

// Client is the address of the client.
func (r *Resolver) Client(c *fiber.Ctx) netip.Addr {
	peer, ok := netip.AddrFromSlice(c.Context().RemoteIP())
	peer = peer.Unmap()
	if !ok || !r.trusts(peer) {
		return peer
	}
	hops := strings.Split(strings.Join(c.GetReqHeaders()[fiber.HeaderXForwardedFor], ","), ",")
	for _, hop := range slices.Backward(hops) {
		hop, ok := parseHop(strings.TrimSpace(hop))
		if !ok {
			return peer
		}
		if peer = hop.Unmap().WithZone(""); !r.trusts(peer) {
			return peer
		}
	}
	return peer
}

// parseHop reads an address, with a port if the proxy wrote one.
func parseHop(text string) (netip.Addr, bool) {
	if a, err := netip.ParseAddr(text); err == nil {
		return a, true
	}
	p, err := netip.ParseAddrPort(text)
	return p.Addr(), err == nil
}

// Key is the client as limits see it: an IPv6 network of /64 is one household.
func (r *Resolver) Key(c *fiber.Ctx) string {
	client := r.Client(c)
	if client.Is6() {
		if p, err := client.Prefix(64); err == nil {
			return p.String()
		}
	}
	return client.String()
}

// Host is the host that the client asked for, in lower case, with its port if
// that is not the usual one. It is the client's word and proves nothing.
func Host(c *fiber.Ctx) string { return strings.ToLower(string(c.Request().Host())) }

func (r *Resolver) trusts(a netip.Addr) bool {
	for _, p := range r.trusted {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
