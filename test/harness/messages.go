package harness

import (
	"net/http"
	"net/url"
	"time"
)

// messageTimeout is how long a message may take.
const messageTimeout = 5 * time.Second

// Message is what the development inbox holds.
type Message struct {
	Channel string    `json:"channel"`
	To      string    `json:"to"`
	Code    string    `json:"code"` // "" if it is a notice
	Link    string    `json:"link"`
	Subject string    `json:"subject"`
	Text    string    `json:"text"`
	At      time.Time `json:"at"`
}

// Messages are the messages with codes to an address in all inboxes; those of
// one server newest first.
func (c *Client) Messages(to string) []Message {
	c.t.Helper()
	return c.inbox(to, "code")
}

// Notices are the messages to an address that tell what has happened, in all
// inboxes; those of one server newest first.
func (c *Client) Notices(to string) []Message {
	c.t.Helper()
	return c.inbox(to, "notice")
}

func (c *Client) inbox(to, kind string) []Message {
	c.t.Helper()
	var all []Message
	for _, s := range c.distinct() {
		var got []Message
		one := *c
		one.servers = []*Server{s}
		one.Get("/dev/inbox.json?kind=" + kind + "&to=" + url.QueryEscape(to)).Want(http.StatusOK).JSON(&got)
		all = append(all, got...)
	}
	return all
}

func (c *Client) distinct() (out []*Server) {
	known := map[*Server]bool{}
	for _, s := range c.servers {
		if !known[s] && s.alive() {
			known[s] = true
			out = append(out, s)
		}
	}
	return out
}

// Code waits for the message of the newest challenge to an address and gives
// the code in it.
func (c *Client) Code(to string) string {
	c.t.Helper()
	newest := c.Newest(to)
	if newest.Code == "" {
		c.t.Fatalf("the newest message to %s has no code", to)
	}
	return newest.Code
}

// Newest waits for the message of the newest challenge to an address.
func (c *Client) Newest(to string) Message {
	c.t.Helper()
	c.shared.mu.Lock()
	before := c.shared.seen[to]
	c.shared.mu.Unlock()
	all := c.AwaitMessages(to, before+1)
	newest := all[0]
	for _, m := range all {
		if m.At.After(newest.At) {
			newest = m
		}
	}
	return newest
}

// AwaitMessages waits until at least n messages with codes have gone to an address.
func (c *Client) AwaitMessages(to string, n int) []Message {
	c.t.Helper()
	return c.await(to, "code", n)
}

// AwaitNotices waits until at least n notices have gone to an address.
func (c *Client) AwaitNotices(to string, n int) []Message {
	c.t.Helper()
	return c.await(to, "notice", n)
}

func (c *Client) await(to, kind string, n int) []Message {
	c.t.Helper()
	for deadline := time.Now().Add(messageTimeout); ; time.Sleep(pollInterval) {
		all := c.inbox(to, kind)
		if len(all) >= n {
			return all
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("%d messages of kind %s to %s after %s, want %d", len(all), kind, to, messageTimeout, n)
		}
	}
}
