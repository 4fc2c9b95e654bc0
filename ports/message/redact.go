package message

import (
	"fmt"
	"io"
	"log/slog"
)

// String describes the request without its code, link or facts.
func (r Request) String() string {
	return fmt.Sprintf("message request (%s, %s, %s, tenant %s, locale %s)", r.Kind, r.Form, r.Purpose, r.Tenant, r.Locale)
}

// Format prints String for every verb, so that no verb and no flag shows the code.
func (r Request) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, r.String()) }

// LogValue is what structured logs get: nothing that is secret or personal.
func (r Request) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("kind", string(r.Kind)),
		slog.String("form", string(r.Form)),
		slog.String("purpose", string(r.Purpose)),
		slog.String("tenant", r.Tenant),
	)
}

// String describes the message by its sizes, in bytes.
func (t Text) String() string {
	return fmt.Sprintf("message (%s, subject %d, text %d, html %d)", t.Locale, len(t.Subject), len(t.Text), len(t.HTML))
}

// Format prints String for every verb, so that no verb and no flag shows the code.
func (t Text) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, t.String()) }

// LogValue is what structured logs get: the sizes.
func (t Text) LogValue() slog.Value { return slog.StringValue(t.String()) }

// String leaves the fact out: it is somebody's transaction.
func (a Fact) String() string { return "message fact" }

// Format prints String for every verb.
func (a Fact) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, a.String()) }
