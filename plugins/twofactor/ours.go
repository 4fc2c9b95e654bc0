package twofactor

import (
	"context"
	"fmt"

	"github.com/countersign/countersign/ports/channel"
)

// ours sends the deployment's codes.
type ours struct {
	account

	codes channel.Codes
}

// Begin asks the core to send a code.
func (o ours) Begin(ctx context.Context, c channel.Challenge) (channel.Opening, error) {
	if err := ctx.Err(); err != nil {
		return channel.Opening{}, err
	}
	return channel.Opening{Prompt: channel.EnterCode(o.codes.Shape(c)), Deliver: true}, nil
}

// Verify compares with the deployment's code.
func (o ours) Verify(_ context.Context, c channel.Challenge, _ channel.State, r channel.Response) (channel.Verdict, error) {
	if !o.codes.Match(c, r.Code) {
		return channel.Reject(channel.Mismatch), nil
	}
	return channel.Verdict{Outcome: channel.Verified}, nil
}

// Send has the code sent in the words of the template. 2factor.in takes four to
// six digits and no other text, so whatever else is to be sent needs another
// channel.
func (o ours) Send(ctx context.Context, m channel.Message) (channel.Receipt, error) {
	if len(m.Code) < 4 || len(m.Code) > 6 || !digits(m.Code) {
		return channel.Receipt{}, fmt.Errorf("%w: 2factor.in sends codes of four to six digits, and nothing else", channel.ErrRefused)
	}
	session, err := o.send(ctx, m.To, m.Code)
	return channel.Receipt{ID: session}, err
}

func digits(text string) bool {
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return true
}

// Interfaces that the host looks for.
var (
	_ channel.Channel   = ours{}
	_ channel.Sender    = ours{}
	_ channel.Describer = ours{}
	_ channel.Prober    = ours{}
	_ channel.Closer    = ours{}
)
