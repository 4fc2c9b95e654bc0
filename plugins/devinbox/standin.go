package devinbox

import "github.com/countersign/countersign/ports/channel"

// StandIn is a channel that looks like the one described, and delivers codes of
// ours into the inbox, also in place of a provider that makes its own. Its
// configuration is empty.
func StandIn(b *Inbox, d channel.Descriptor) channel.Plugin {
	d.Costs = false
	return plugin(b, d)
}

// Divert is a channel whose messages go into the inbox and not where they were
// meant to. It is for plugins whose configuration says what they send to, so that
// they have to be opened before that is known (channel.Describer).
func Divert(b *Inbox, ch channel.Channel, env channel.Env) channel.Channel {
	return diverted{ch, sender{b, env}}
}

type diverted struct {
	channel.Channel
	sender
}

// Unwrap lets channel.As find what else the channel can do.
func (d diverted) Unwrap() any { return d.Channel }
