package email

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/mail"
	"strings"

	gomail "github.com/wneessen/go-mail"

	"github.com/countersign/countersign/ports/channel"
)

// letter is a message as it goes over the wire.
type letter struct {
	id       string // without its brackets
	from, to string // of the envelope
	raw      []byte
}

// compose writes and signs the message. Whatever could end a header line is
// refused here, before anything is written.
func (s *sender) compose(m channel.Message) (letter, error) {
	to, err := mail.ParseAddress(m.To)
	if err != nil || to.Address != m.To || control(m.To) {
		return letter{}, fmt.Errorf("%w: not an e-mail address", channel.ErrUndeliverable)
	}
	if control(m.Subject) {
		return letter{}, fmt.Errorf("%w: control characters in the subject", channel.ErrRefused)
	}
	id := messageID(m.Key, domain(s.from.Address))
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	if err := errors.Join(msg.From(s.from.String()), msg.To("<"+m.To+">")); err != nil {
		return letter{}, fmt.Errorf("%w: not an e-mail address", channel.ErrUndeliverable)
	}
	msg.Subject(m.Subject)
	msg.SetMessageIDWithValue(id)
	msg.SetDateWithValue(s.env.Now())
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no out-of-office replies
	if m.Locale != "" && !control(m.Locale) {
		msg.SetGenHeader(gomail.HeaderContentLang, m.Locale)
	}
	msg.SetBodyString(gomail.TypeTextPlain, m.Text)
	if m.HTML != "" {
		msg.AddAlternativeString(gomail.TypeTextHTML, m.HTML)
	}
	raw, err := s.seals.apply(msg)
	return letter{id: id, from: s.bounces, to: m.To, raw: raw}, err
}

// longestKey is how long the part of a Message-ID before its @ can be.
const longestKey = 64

// messageID is the same whenever the same message is tried again, so that
// servers and mailboxes can tell that it is one (RFC 5322 section 3.6.4).
func messageID(key, domain string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
	if key == "" || len(key) > longestKey || strings.Trim(key, plain) != "" {
		sum := sha256.Sum256([]byte(key))
		key = hex.EncodeToString(sum[:16])
	}
	return key + "@" + domain
}

func control(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool {
		return r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == '\u2028' || r == '\u2029'
	})
}
