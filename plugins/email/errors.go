package email

import (
	"context"
	"errors"
	"fmt"
	"net/textproto"
	"regexp"
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

// step is how far the conversation about a message had come.
type step int

const (
	atStart step = iota
	atSender
	atRecipient
	atData
	atContent // from here on the server may have taken the message
)

// failure is a message that the server did not take.
type failure struct {
	at    step
	clean bool // the connection is as good as new
	err   error
}

// Error is for explain, which tells the core no more than it may know.
func (f *failure) Error() string { return "SMTP: " + f.err.Error() }

// Unwrap is what went wrong beneath.
func (f *failure) Unwrap() error { return f.err }

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

// read finds the server's reply in an error.
func read(err error) reply {
	said, ok := errors.AsType[*textproto.Error](err)
	if !ok {
		return reply{}
	}
	failed, ok := errors.AsType[*failure](err)
	first, _, _ := strings.Cut(said.Msg, " ")
	if !enhanced.MatchString(first) {
		first = ""
	}
	return reply{said.Code, first, !ok || failed.at <= atSender}
}

// enhanced is a status code of RFC 3463. Other things that servers begin with
// have dots as well, such as addresses.
var enhanced = regexp.MustCompile(`^[245]\.[0-9]{1,3}\.[0-9]{1,3}$`)

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
	failed, ok := errors.AsType[*failure](err)
	if !ok || failed.at >= atContent {
		return false
	}
	code := read(err).code
	return code == 0 || code == 421
}
