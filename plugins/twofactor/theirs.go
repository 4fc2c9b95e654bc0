package twofactor

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/countersign/countersign/ports/channel"
)

// theirs leaves codes to 2factor.in: we never hold one.
type theirs struct{ account }

// Preview asks for a code of the configured length.
func (t theirs) Preview(channel.Challenge) channel.Prompt {
	return channel.EnterCode(channel.Shape{Length: t.cfg.Length, Alphabet: channel.Digits})
}

// Begin has a code made and sent, in every round another.
func (t theirs) Begin(ctx context.Context, c channel.Challenge) (channel.Opening, error) {
	session, err := t.send(ctx, c.Address, "AUTOGEN")
	switch {
	case err != nil:
		return channel.Opening{}, err
	case !sessionForm.MatchString(session):
		return channel.Opening{}, fmt.Errorf("%w: an answer that names no session", channel.ErrUnavailable)
	}
	return channel.Opening{Prompt: t.Preview(c), State: channel.State(session)}, nil
}

// sessionForm is what names of sessions look like. It keeps all else out of the
// path of a request.
var sessionForm = regexp.MustCompile(`^[0-9A-Za-z-]{8,64}$`)

// Verify has a code checked. What cannot be one is not asked about. Only the
// exact words say that it is right. They may say so again, so the session's name
// makes sure that it counts once.
func (t theirs) Verify(ctx context.Context, _ channel.Challenge, s channel.State, r channel.Response) (channel.Verdict, error) {
	if !sessionForm.MatchString(string(s)) {
		return channel.Verdict{}, errors.New("stored session is unreadable")
	}
	if len(r.Code) != t.cfg.Length || !digits(r.Code) {
		return channel.Reject(channel.Mismatch), nil
	}
	said, err := t.ask(ctx, t.way(), "VERIFY", string(s), r.Code)
	if err != nil {
		return channel.Verdict{}, err
	}
	details := strings.ToLower(said.Details)
	switch {
	case said.Status == success && said.Details == "OTP Matched":
		return channel.Verdict{Outcome: channel.Verified, OnceKey: "2factor.in " + string(s)}, nil
	case strings.Contains(details, "mismatch"):
		return channel.Reject(channel.Mismatch), nil
	case strings.Contains(details, "expired"), strings.Contains(details, "no entry"), strings.Contains(details, "sessionid"):
		return channel.Reject(channel.Expired), nil
	case said.Status == success:
		return channel.Verdict{}, fmt.Errorf("%w: an answer that is not 2factor.in's", channel.ErrUnavailable)
	}
	return channel.Verdict{}, explain(said)
}

// Interfaces that the host looks for.
var (
	_ channel.Channel   = theirs{}
	_ channel.Previewer = theirs{}
	_ channel.Describer = theirs{}
	_ channel.Prober    = theirs{}
	_ channel.Closer    = theirs{}
)
