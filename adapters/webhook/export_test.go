package webhook

import (
	"net/netip"
	"time"
)

// Public is for the table of addresses.
func Public(a netip.Addr) bool { return public(a) }

// Hurry makes an endpoint less patient.
func (e *Endpoint) Hurry(limit time.Duration) { e.client.Timeout = limit }
