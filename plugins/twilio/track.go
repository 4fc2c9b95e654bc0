package twilio

import (
	"context"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // Twilio signs by it
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/countersign/countersign/ports/channel"
)

// Track reads a status callback. States on the way, such as queued and sent, are
// no report.
func (s sender) Track(_ context.Context, in channel.Inbound) ([]channel.Report, error) {
	fields, err := s.authentic(in)
	if err != nil {
		return nil, err
	}
	r := channel.Report{Receipt: channel.Receipt{ID: fields.Get("MessageSid")}}
	if r.Receipt.ID == "" {
		return nil, nil
	}
	switch fields.Get("MessageStatus") {
	case "delivered", "read":
		r.Delivered = true
	case "undelivered", "failed", "canceled":
		code, err := strconv.Atoi(fields.Get("ErrorCode"))
		if err != nil {
			code = 0
		}
		r.Err = explain(code)
	default:
		return nil, nil
	}
	return []channel.Report{r}, nil
}

// authentic checks who signed a request, and reads its form. Twilio signs the
// URL that it was given, which we know without asking the request, followed by
// the form's fields or, for other bodies, by a query field with their hash. Keys
// that come twice are refused: who signs and who reads may pick another of them.
func (s sender) authentic(in channel.Inbound) (url.Values, error) {
	signatures := http.Header(in.Header).Values("X-Twilio-Signature")
	if s.callback == "" || s.cfg.Token.IsZero() || len(signatures) != 1 {
		return nil, fmt.Errorf("%w: no signature that can be checked", channel.ErrForged)
	}
	signed, fields, err := s.signed(in)
	if err != nil {
		return nil, err
	}
	for _, at := range ports(s.callback) {
		if hmac.Equal([]byte(sign(s.cfg.Token.Reveal(), at+signed)), []byte(signatures[0])) {
			return fields, nil
		}
	}
	return nil, fmt.Errorf("%w: the signature is another", channel.ErrForged)
}

// signed is what is signed after the URL, and the fields of the form.
func (s sender) signed(in channel.Inbound) (string, url.Values, error) {
	if hash, ok := in.Query["bodySHA256"]; ok {
		sum := sha256.Sum256(in.Body)
		if len(hash) != 1 || !hmac.Equal([]byte(hex.EncodeToString(sum[:])), []byte(strings.ToLower(hash[0]))) {
			return "", nil, fmt.Errorf("%w: the body is another", channel.ErrForged)
		}
		joint := "?"
		if strings.Contains(s.callback, "?") {
			joint = "&"
		}
		return joint + "bodySHA256=" + hash[0], url.Values{}, nil
	}
	fields, err := url.ParseQuery(string(in.Body))
	if err != nil {
		return "", nil, fmt.Errorf("%w: the form is unreadable", channel.ErrForged)
	}
	keys := make([]string, 0, len(fields))
	for k, values := range fields {
		if len(values) != 1 {
			return "", nil, fmt.Errorf("%w: a field comes twice", channel.ErrForged)
		}
		keys = append(keys, k)
	}
	slices.Sort(keys)
	var b strings.Builder
	for _, k := range keys {
		b.WriteString(k + fields.Get(k))
	}
	return b.String(), fields, nil
}

// sign is Twilio's signature: RFC 2104 with SHA-1, in base 64.
func sign(token, text string) string {
	mac := hmac.New(sha1.New, []byte(token))
	mac.Write([]byte(text))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// ports lists the forms in which Twilio may have signed a URL: with its port and
// without, whichever way it is written.
func ports(text string) []string {
	u, err := url.Parse(text)
	if err != nil {
		return nil
	}
	written, host, port := u.Host, u.Hostname(), u.Port()
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	at := strings.Index(text, written)
	before, after := text[:at], text[at+len(written):]
	return []string{before + host + after, before + host + ":" + port + after}
}
