package channel

import (
	"fmt"
	"log/slog"
)

// What follows keeps codes, addresses, links and credentials out of logs and
// error texts even when somebody prints a whole value. Encoding as JSON is not
// affected: that is how values travel to remote plugins.

// hidden shows whether there is something, and nothing of it.
func hidden[T ~string | ~[]byte](v T) string {
	if len(v) == 0 {
		return ""
	}
	return dots
}

// String shows what identifies the challenge to an operator. The handle is a
// bearer secret and is left out.
func (c Challenge) String() string {
	return fmt.Sprintf("challenge{round:%d purpose:%s subject:%s label:%s address:%s credential:%s}",
		c.Round, c.Purpose, c.Subject, hidden(c.Label), hidden(c.Address), hidden(c.Credential))
}

// GoString is String, so that %#v hides as much.
func (c Challenge) GoString() string { return c.String() }

// LogValue is String in parts.
func (c Challenge) LogValue() slog.Value {
	return slog.GroupValue(
		slog.Int("round", c.Round),
		slog.String("purpose", string(c.Purpose)),
		slog.String("subject", c.Subject),
	)
}

// String shows which message it is and nothing that is in it.
func (m Message) String() string {
	return fmt.Sprintf("message{key:%s to:%s code:%s link:%s}", m.Key, hidden(m.To), hidden(m.Code), hidden(m.Link))
}

// GoString is String, so that %#v hides as much.
func (m Message) GoString() string { return m.String() }

// LogValue shows which message it is.
func (m Message) LogValue() slog.Value { return slog.GroupValue(slog.String("key", m.Key)) }

// String shows which parts are there.
func (r Response) String() string {
	return fmt.Sprintf("response{code:%s data:%s}", hidden(r.Code), hidden(r.Data))
}

// GoString is String, so that %#v hides as much.
func (r Response) GoString() string { return r.String() }

// LogValue is String.
func (r Response) LogValue() slog.Value { return slog.StringValue(r.String()) }

// String leaves out what is shown once, the URL and the options, which carry
// secrets.
func (p Prompt) String() string {
	return fmt.Sprintf("prompt{kind:%s length:%d show:%d}", p.Kind, p.Length, len(p.Show))
}

// GoString is String, so that %#v hides as much.
func (p Prompt) GoString() string { return p.String() }

// LogValue is String.
func (p Prompt) LogValue() slog.Value { return slog.StringValue(p.String()) }

// String gives dots.
func (s State) String() string { return hidden(s) }

// GoString gives dots.
func (s State) GoString() string { return hidden(s) }

// LogValue gives dots.
func (s State) LogValue() slog.Value { return slog.StringValue(hidden(s)) }

// String gives dots.
func (c Credential) String() string { return hidden(c) }

// GoString gives dots.
func (c Credential) GoString() string { return hidden(c) }

// LogValue gives dots.
func (c Credential) LogValue() slog.Value { return slog.StringValue(hidden(c)) }

// String shows who says it, not about whom.
func (i Identity) String() string {
	return fmt.Sprintf("identity{issuer:%s email:%s phone:%s name:%s}", i.Issuer, hidden(i.Email), hidden(i.Phone), hidden(i.Name))
}

// GoString is String, so that %#v hides as much.
func (i Identity) GoString() string { return i.String() }

// LogValue shows who says it.
func (i Identity) LogValue() slog.Value { return slog.GroupValue(slog.String("issuer", i.Issuer)) }
