package webhook

import "time"

// Hurry makes an endpoint less patient.
func (e *Endpoint) Hurry(limit time.Duration) { e.client.Timeout = limit }
