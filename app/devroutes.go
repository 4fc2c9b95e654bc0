package app

import (
	"context"

	"github.com/gofiber/fiber/v2"

	"github.com/countersign/countersign/adapters/fiberdev"
	"github.com/countersign/countersign/app/channels"
	"github.com/countersign/countersign/plugins/devinbox"
)

// mount adds the routes that only development has.
func (d *dev) mount(web *fiber.App, r *channels.Registry, brand string) error {
	var sending []string
	for _, in := range r.All() {
		if in.Sender != nil {
			sending = append(sending, in.ID)
		}
	}
	return fiberdev.Mount(web, fiberdev.Needs{Inbox: shownInbox{d.inbox}, Clock: d.clock, Channels: sending, Brand: brand})
}

// shownInbox is the inbox in the words of the routes that show it: neither
// adapters nor plugins may know of each other.
type shownInbox struct{ *devinbox.Inbox }

// List gives the selected messages, newest first.
func (b shownInbox) List(f fiberdev.Filter) []fiberdev.Message {
	found := b.Inbox.List(devinbox.Filter(f))
	out := make([]fiberdev.Message, len(found))
	for i, m := range found {
		out[i] = shown(m)
	}
	return out
}

// Latest gives the newest selected message, and waits for one until ctx ends.
func (b shownInbox) Latest(ctx context.Context, f fiberdev.Filter) (fiberdev.Message, error) {
	m, err := b.Inbox.Latest(ctx, devinbox.Filter(f))
	return shown(m), err
}

// Chaos is how a channel misbehaves now.
func (b shownInbox) Chaos(channel string) fiberdev.Chaos {
	return fiberdev.Chaos(b.Inbox.Chaos(channel))
}

// SetChaos makes a channel misbehave.
func (b shownInbox) SetChaos(channel string, c fiberdev.Chaos) error {
	return b.Inbox.SetChaos(channel, devinbox.Chaos(c))
}

func shown(m devinbox.Message) fiberdev.Message {
	return fiberdev.Message{
		Seq: m.Seq, Channel: m.Channel, To: m.To, Code: m.Code, Link: m.Link, Subject: m.Subject,
		Text: m.Text, HTML: m.HTML, Locale: m.Locale, At: m.At,
	}
}
