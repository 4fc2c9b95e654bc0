package limit

import "time"

// Conversion stops messages to a range of phone numbers whose owners do not
// answer: somebody earns on the messages there and has no use for the codes. The
// zero Conversion stops nothing.
type Conversion struct {
	Sends  int           // messages within Within that nobody need answer; 0 stops nothing
	Within time.Duration // spans of that length are counted one by one
	Below  int           // percent of the messages that must be answered, from 1 to 100
	Block  time.Duration // how long nothing is sent
}

// On reports whether anything may be stopped.
func (c Conversion) On() bool { return c.Sends > 0 }

// Room is how many messages may go out in a span of which so many were answered
// rightly: another one may if fewer than Sends have gone out, or if no fewer than
// Below percent of those were answered.
func (c Conversion) Room(answered int) int {
	return max(c.Sends, answered*100/max(c.Below, 1)+1)
}

// Span numbers the span in which a message was asked for. Messages and their
// answers count in the same one, however late the answers come.
func (c Conversion) Span(asked time.Time) int64 {
	return asked.UnixMicro() / max(c.Within.Microseconds(), 1)
}
