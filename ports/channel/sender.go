package channel

import "context"

// Sender delivers messages. A plugin that does nothing else is made with
// DefineSender. It must be safe for concurrent use.
type Sender interface {
	// Send hands one message to a carrier. Sending the same Key twice must not
	// reach the person twice if the carrier can prevent it. Errors are those
	// of this package, wrapped, and name neither the address nor the code.
	Send(ctx context.Context, m Message) (Receipt, error)
}

// Message is ready to be sent: plugins do not write prose. It prints without
// its content.
type Message struct {
	Key     string `json:"key"` // idempotency key: the same for every retry of one message, and no secret
	To      string `json:"to"`
	Locale  string `json:"locale"`
	Subject string `json:"subject,omitempty"`
	Text    string `json:"text"`
	HTML    string `json:"html,omitempty"`
	Code    string `json:"code,omitempty"` // for carriers that want template variables instead of text
	Link    string `json:"link,omitempty"` // magic link, when the policy allows one
}

// Receipt is what a carrier says on taking a message.
type Receipt struct {
	ID string `json:"id"` // the carrier's name for the message; delivery reports mention it
}

// codeChannel is the channel behind every DefineSender: pure bookkeeping.
type codeChannel struct {
	Sender
	codes Codes
}

// Unwrap lets As find what else the sender can do.
func (k codeChannel) Unwrap() any { return k.Sender }

func (k codeChannel) Begin(ctx context.Context, c Challenge) (Opening, error) {
	if err := ctx.Err(); err != nil {
		return Opening{}, err
	}
	return Opening{Prompt: EnterCode(k.codes.Shape(c)), Deliver: true}, nil
}

func (k codeChannel) Verify(_ context.Context, c Challenge, _ State, r Response) (Verdict, error) {
	if !k.codes.Match(c, r.Code) {
		return Reject(Mismatch), nil
	}
	return Verdict{Outcome: Verified}, nil
}
