package devinbox

import "github.com/countersign/countersign/ports/channel"

// StandIn is a channel that looks like the one described, and delivers codes of
// ours into the inbox, also in place of a provider that makes its own. Its
// configuration is empty.
func StandIn(b *Inbox, d channel.Descriptor) channel.Plugin {
	d.Costs = false
	return plugin(b, d)
}
