package email

import (
	"context"
	"errors"
	"fmt"
	"net/textproto"
	"strings"

	gomail "github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"

	"github.com/countersign/countersign/ports/channel"
)

// reply is what a server said, without its words, which may quote the address.
type reply struct {
	code     int    // RFC 5321 section 4.2; 0 if it said nothing
	enhanced string // RFC 3463: "5.1.1", or nothing
	sender   bool   // it was about us, not about the recipient
}

// explain puts a failure into the core's words.
func explain(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	r := read(err)
	if r.code == 0 {
		if ctx.Err() != nil {
			return fmt.Errorf("%w: %w", channel.ErrUnavailable, ctx.Err())
		}
		if refusedBeforeTalking(err) {
			return fmt.Errorf("%w: no way to sign in that is safe on this connection", channel.ErrRefused)
		}
		return fmt.Errorf("%w: no connection to the mail server", channel.ErrUnavailable)
	}
	kind := r.kind()
	if kind == nil {
		return &channel.ThrottledError{}
	}
	return fmt.Errorf("%w: SMTP reply %d %s", kind, r.code, r.enhanced)
}

// read finds the server's reply in a library's error.
func read(err error) reply {
	if failed, ok := errors.AsType[*gomail.SendError](err); ok {
		return reply{failed.ErrorCode(), failed.EnhancedStatusCode(), failed.Reason == gomail.ErrSMTPMailFrom}
	}
	if said, ok := errors.AsType[*textproto.Error](err); ok {
		first, _, _ := strings.Cut(said.Msg, " ")
		if strings.Count(first, ".") != 2 {
			first = ""
		}
		return reply{said.Code, first, true}
	}
	return reply{}
}

// kind sorts replies. nil means that we are too fast.
func (r reply) kind() error {
	subject, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(r.enhanced, "4."), "5."), ".")
	switch {
	case r.code < 500 && subject == "7" && r.code != 454: // greylisting, rate limits
		return nil
	case r.code < 500:
		return channel.ErrUnavailable
	case r.code == 530, r.code == 534, r.code == 535, r.code == 538: // RFC 4954
		return channel.ErrRefused
	case r.sender, subject == "7", r.enhanced == "5.1.7", r.enhanced == "5.1.8": // policy, or our own address
		return channel.ErrRefused
	case subject == "1", subject == "2", r.code == 550, r.code == 551, r.code == 553:
		return channel.ErrUndeliverable
	default:
		return channel.ErrRefused
	}
}

// refusedBeforeTalking reports whether we declined to sign in: the server
// offers no way, or none that keeps the password secret.
func refusedBeforeTalking(err error) bool {
	for _, known := range []error{
		gomail.ErrPlainAuthNotSupported, gomail.ErrLoginAuthNotSupported, gomail.ErrNoSupportedAuthDiscovered, smtp.ErrUnencrypted,
	} {
		if errors.Is(err, known) {
			return true
		}
	}
	return strings.Contains(err.Error(), "does not support SMTP AUTH") // the library has no value for it
}

// stale reports whether a kept connection had gone cold before the server can
// have taken the message.
func stale(err error) bool {
	failed, ok := errors.AsType[*gomail.SendError](err)
	if !ok || failed.ErrorCode() != 0 && failed.ErrorCode() != 421 {
		return false
	}
	switch failed.Reason {
	case gomail.ErrConnCheck, gomail.ErrSMTPMailFrom, gomail.ErrSMTPRcptTo, gomail.ErrSMTPData:
		return true
	default:
		return false
	}
}
