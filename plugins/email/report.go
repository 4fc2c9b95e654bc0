package email

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/mail"
	"net/textproto"
	"slices"
	"strings"

	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/signature"
)

// tracked is a sender whose relay brings bounces and complaints.
type tracked struct {
	*sender

	secret string
}

// Track reads a mail that came back: a delivery status notification (RFC 3464) or
// a complaint (RFC 5965). Whatever else the relay brings, such as answers of
// people on holiday, is no report.
func (t *tracked) Track(_ context.Context, in channel.Inbound) ([]channel.Report, error) {
	if err := signature.Verify(t.secret, in.Header, in.Body, t.env.Now()); err != nil {
		return nil, fmt.Errorf("%w: %w", channel.ErrForged, err)
	}
	parts, ok := unpack(in)
	if !ok {
		return nil, nil
	}
	r := returned{domain: domain(t.from.Address)}
	for range mostParts {
		p, err := parts.NextPart()
		if err != nil {
			break
		}
		r.read(p)
	}
	return r.reports(), nil
}

const (
	mostParts  = 8  // of a report: there are three
	mostBlocks = 32 // of fields in a part: one for the message and one for each recipient
)

// unpack finds the parts of a report, which is either a whole mail or, if the
// request's own Content-Type says so, the body of one.
func unpack(in channel.Inbound) (*multipart.Reader, bool) {
	media, params, err := mime.ParseMediaType(http.Header(in.Header).Get("Content-Type"))
	body := io.Reader(bytes.NewReader(in.Body))
	if err != nil || media != report {
		m, err := mail.ReadMessage(bytes.NewReader(withoutEnvelope(in.Body)))
		if err != nil {
			return nil, false
		}
		if media, params, err = mime.ParseMediaType(m.Header.Get("Content-Type")); err != nil {
			return nil, false
		}
		body = m.Body
	}
	if media != report || params["boundary"] == "" {
		return nil, false
	}
	return multipart.NewReader(body, params["boundary"]), true
}

// report is the type of all reports (RFC 6522).
const report = "multipart/report"

// withoutEnvelope leaves out the line that mailboxes put before a mail.
func withoutEnvelope(raw []byte) []byte {
	if !bytes.HasPrefix(raw, []byte("From ")) {
		return raw
	}
	_, rest, _ := bytes.Cut(raw, []byte("\n"))
	return rest
}

// returned is what a report says, as far as it is read.
type returned struct {
	domain     string // of our Message-IDs
	id         string
	status     string // RFC 3463
	failed     bool
	delivered  bool
	complained bool
}

// read takes in one part.
func (r *returned) read(p *multipart.Part) {
	media, _, err := mime.ParseMediaType(p.Header.Get("Content-Type"))
	if err != nil {
		return
	}
	switch media {
	case "message/delivery-status", "message/global-delivery-status": // RFC 6533
		for _, fields := range blocks(p) {
			r.recognise(fields.Get("Original-Envelope-Id"))
			r.fate(fields)
		}
	case "message/feedback-report":
		for _, fields := range blocks(p) {
			r.recognise(fields.Get("Original-Envelope-Id"))
			r.complained = r.complained || slices.Contains(complaints, word(fields.Get("Feedback-Type")))
		}
	case "message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers":
		for _, fields := range blocks(p)[:1] {
			r.recognise(fields.Get("Message-Id"))
		}
	}
}

// complaints are the kinds of feedback by which somebody says that they do not
// want the mail (RFC 5965 section 7.3, and opt-out of its drafts). not-spam is none.
var complaints = []string{"abuse", "fraud", "opt-out", "virus", "other"}

// blocks reads fields, with an empty line between blocks. There is always one.
func blocks(in io.Reader) []textproto.MIMEHeader {
	r := textproto.NewReader(bufio.NewReader(in))
	var all []textproto.MIMEHeader
	for range mostBlocks {
		fields, err := r.ReadMIMEHeader()
		all = append(all, fields)
		if err != nil {
			break
		}
	}
	return all
}

// recognise notes which message it is about, if it is one of ours.
func (r *returned) recognise(text string) {
	id := strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(text), "<"), ">")
	if strings.HasSuffix(id, "@"+r.domain) && len(id) <= longestKey+1+len(r.domain) {
		r.id = id
	}
}

// fate reads what became of the mail for one recipient (RFC 3464 section 2.3).
// That it is delayed, or was handed on, is not the end.
func (r *returned) fate(fields textproto.MIMEHeader) {
	switch word(fields.Get("Action")) {
	case "failed":
		r.failed, r.status = true, word(fields.Get("Status"))
	case "delivered":
		r.delivered = true
	}
}

// word is the first word of a field: comments may follow.
func word(text string) string {
	all := strings.Fields(text)
	if len(all) == 0 {
		return ""
	}
	return strings.ToLower(all[0])
}

// reports says it in the core's words.
func (r *returned) reports() []channel.Report {
	one := channel.Report{Receipt: channel.Receipt{ID: r.id}}
	switch {
	case r.id == "":
		return nil
	case r.complained:
		one.Delivered, one.Complained = true, true
	case r.delivered:
		one.Delivered = true
	case r.failed:
		one.Err = bounced(r.status)
	default:
		return nil
	}
	return []channel.Report{one}
}

// bounced puts the status of a failure into the core's words.
func bounced(status string) error {
	switch {
	case !enhanced.MatchString(status):
		return fmt.Errorf("%w: bounced", channel.ErrUndeliverable)
	case status[0] != '5':
		return fmt.Errorf("%w: bounced after several tries with status %s", channel.ErrUnavailable, status)
	}
	return fmt.Errorf("%w: bounced with status %s", reply{code: 550, enhanced: status}.kind(), status)
}

// checkReports says whether reports could be verified with a secret.
func checkReports(secret channel.Secret) error {
	if secret.IsZero() {
		return nil
	}
	if _, err := signature.ParseKeys(secret.Reveal()); err != nil {
		return errors.New("report_secret: is not whsec_ and base64 of 24 to 64 bytes")
	}
	return nil
}
