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

// compose writes the message for the wire and names it. Whatever could end a
// header line is refused here, before anything is written.
func (s *sender) compose(m channel.Message) (*gomail.Msg, string, error) {
	to, err := mail.ParseAddress(m.To)
	if err != nil || to.Address != m.To || control(m.To) {
		return nil, "", fmt.Errorf("%w: not an e-mail address", channel.ErrUndeliverable)
	}
	if control(m.Subject) {
		return nil, "", fmt.Errorf("%w: control characters in the subject", channel.ErrRefused)
	}
	id := messageID(m.Key, domain(s.from.Address))
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	if err := errors.Join(msg.From(s.from.String()), msg.To("<"+m.To+">")); err != nil {
		return nil, "", fmt.Errorf("%w: not an e-mail address", channel.ErrUndeliverable)
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
	return msg, id, nil
}

// messageID is the same whenever the same message is tried again, so that
// servers and mailboxes can tell that it is one (RFC 5322 section 3.6.4).
func messageID(key, domain string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
	if key == "" || len(key) > 64 || strings.Trim(key, plain) != "" {
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
