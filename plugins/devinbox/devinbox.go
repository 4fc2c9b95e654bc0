// Package devinbox keeps messages in memory in place of sending them, and
// misbehaves on request. It is for development and for tests only.
package devinbox

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/countersign/countersign/ports/channel"
)

// capacity is how many messages are kept; older ones are forgotten.
const capacity = 1000

// Message is what would have been sent. It prints without its content.
type Message struct {
	Seq     int64     `json:"seq"`     // counts up from 1
	Channel string    `json:"channel"` // the instance that was to send it
	To      string    `json:"to"`
	Code    string    `json:"code,omitempty"`
	Link    string    `json:"link,omitempty"`
	Subject string    `json:"subject,omitempty"`
	Text    string    `json:"text"`
	HTML    string    `json:"html,omitempty"`
	Locale  string    `json:"locale,omitempty"`
	At      time.Time `json:"at"`

	key string
}

// String shows which message it is and nothing that is in it.
func (m Message) String() string { return fmt.Sprintf("message %d of %s", m.Seq, m.Channel) }

// GoString is String, so that %#v hides as much.
func (m Message) GoString() string { return m.String() }

// LogValue is String.
func (m Message) LogValue() slog.Value { return slog.StringValue(m.String()) }

// Inbox holds the newest 1000 messages, of all people and channels. It is safe
// for concurrent use.
type Inbox struct {
	mu      sync.Mutex // guards the rest
	list    []Message  // oldest first
	last    int64
	arrived chan struct{} // closed and replaced whenever a message arrives
	chaos   map[string]Chaos
}

// New is an empty inbox.
func New() *Inbox { return &Inbox{arrived: make(chan struct{}), chaos: map[string]Chaos{}} }

// Put adds a message and wakes everybody who waits for one. A message with the
// channel and key of one that is there already is that message: it is not
// added again.
func (b *Inbox) Put(instance string, m channel.Message, at time.Time) Message {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, old := range b.list {
		if m.Key != "" && old.key == m.Key && old.Channel == instance {
			return old
		}
	}
	b.last++
	kept := Message{
		Seq: b.last, Channel: instance, To: m.To, Code: m.Code, Link: m.Link, Subject: m.Subject,
		Text: m.Text, HTML: m.HTML, Locale: m.Locale, At: at, key: m.Key,
	}
	if len(b.list) == capacity {
		b.list = slices.Delete(b.list, 0, 1)
	}
	b.list = append(b.list, kept)
	close(b.arrived)
	b.arrived = make(chan struct{})
	return kept
}

// Filter selects messages. Zero fields select all.
type Filter struct {
	To      string    // whole address, in any case
	Channel string    // instance
	Since   time.Time // sent then or later
	After   int64     // with a higher Seq
	Kind    string    // "code" or "notice": those that carry a code, or those that do not
}

func (f Filter) takes(m Message) bool {
	return (f.To == "" || strings.EqualFold(strings.TrimSpace(f.To), m.To)) &&
		(f.Channel == "" || f.Channel == m.Channel) && !m.At.Before(f.Since) && m.Seq > f.After &&
		(f.Kind == "" || (f.Kind == "code") == (m.Code != ""))
}

// List gives the selected messages, newest first.
func (b *Inbox) List(f Filter) []Message {
	b.mu.Lock()
	defer b.mu.Unlock()
	found := []Message{}
	for _, m := range slices.Backward(b.list) {
		if f.takes(m) {
			found = append(found, m)
		}
	}
	return found
}

// Latest gives the newest selected message. If there is none it waits for one,
// until ctx ends: then the error is ctx's.
func (b *Inbox) Latest(ctx context.Context, f Filter) (Message, error) {
	for {
		m, ok, arrived := b.newest(f)
		if ok {
			return m, nil
		}
		select {
		case <-arrived:
		case <-ctx.Done():
			return Message{}, fmt.Errorf("wait for a message: %w", ctx.Err())
		}
	}
}

func (b *Inbox) newest(f Filter) (m Message, ok bool, arrived <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range slices.Backward(b.list) {
		if f.takes(m) {
			return m, true, b.arrived
		}
	}
	return Message{}, false, b.arrived
}

// Clear forgets all messages. Seq goes on counting.
func (b *Inbox) Clear() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.list = nil
}
