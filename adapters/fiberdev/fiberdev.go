// Package fiberdev serves what exists in development mode only: the inbox that
// takes the place of every carrier, a clock that can be moved, and faults that
// can be switched on. Whoever reaches these routes can read every code, so they
// are never mounted in production.
package fiberdev

import (
	"context"
	"time"

	"github.com/gofiber/fiber/v2"
)

// Message is what would have been sent.
type Message struct {
	Seq     int64     `json:"seq"` // counts up from 1
	Channel string    `json:"channel"`
	To      string    `json:"to"`
	Code    string    `json:"code"` // "" if it is a notice
	Link    string    `json:"link"`
	Subject string    `json:"subject"`
	Text    string    `json:"text"`
	HTML    string    `json:"html,omitempty"`
	Locale  string    `json:"locale,omitempty"`
	At      time.Time `json:"at"`
}

// Filter selects messages. Zero fields select all.
type Filter struct {
	To      string
	Channel string
	Since   time.Time // sent then or later
	After   int64     // with a higher Seq
	Kind    string    // "code" or "notice": those that carry a code, or those that do not
}

// Chaos is how one channel misbehaves.
type Chaos struct {
	FailPercent int           // 0 to 100
	Delay       time.Duration // how long every message takes
	Status      int           // the HTTP status that stands for the failure; 0 is the usual one
}

// Inbox keeps messages. It must be safe for concurrent use.
type Inbox interface {
	// List gives the selected messages, newest first.
	List(f Filter) []Message
	// Latest gives the newest selected message, and waits for one until ctx ends.
	Latest(ctx context.Context, f Filter) (Message, error)
	// Clear forgets all messages.
	Clear()
	// Chaos is how a channel misbehaves now.
	Chaos(channel string) Chaos
	// SetChaos makes a channel misbehave; "" is every channel without its own
	// chaos. Its error says what makes no sense, and is shown.
	SetChaos(channel string, c Chaos) error
}

// Clock can be moved. It must be safe for concurrent use.
type Clock interface {
	Now() time.Time
	// Advance moves the clock and returns how far it is ahead afterwards.
	Advance(d time.Duration) time.Duration
	Offset() time.Duration
	Reset()
}

// Needs is what the routes are made of. All of it is required.
type Needs struct {
	Inbox    Inbox
	Clock    Clock
	Channels []string // that send
	Brand    string
}

type dev struct {
	Needs
	web pages
}

// Mount registers the routes. It fails only if the page cannot be made.
func Mount(app *fiber.App, n Needs) error {
	web, err := load()
	if err != nil {
		return err
	}
	d := dev{n, web}
	app.Get("/dev/inbox", d.page)
	app.Get("/dev/inbox.json", d.list)
	app.Get("/dev/inbox/latest", d.latest)
	app.Get("/dev/inbox/messages/:seq", d.rendered)
	app.Delete("/dev/inbox", d.clear)
	app.Post("/dev/inbox/clear", d.clearForm)
	app.Get("/dev/clock", d.tell)
	app.Post("/dev/clock", d.move)
	app.Post("/dev/chaos", d.chaos)
	return nil
}
