package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/ports/signature"
	"github.com/countersign/countersign/test/harness"
)

// relay brings mail that came back, or what it takes for that.
type relay struct {
	c *harness.Client
	t *testing.T
}

const relaySecret = "whsec_" + "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

func (r relay) bring(secret, body string, at time.Time) harness.Answer {
	r.t.Helper()
	a, err := r.try(secret, body, at)
	if err != nil {
		r.t.Fatal(err)
	}
	return a
}

func (r relay) try(secret, body string, at time.Time) (harness.Answer, error) {
	r.t.Helper()
	keys, err := signature.ParseKeys(secret)
	if err != nil {
		r.t.Fatal(err)
	}
	headers := []string{"Content-Type: message/rfc822"}
	for name, values := range signature.Sign(keys, "report", []byte(body), at) {
		headers = append(headers, name+": "+values[0])
	}
	return r.c.Try(http.MethodPost, "/receipts/email", body, headers...)
}

// about is a report: its part for machines, and which message it is about.
func about(id, media, fields string) string {
	return strings.ReplaceAll(fmt.Sprintf("From: <>\nMIME-Version: 1.0\nContent-Type: multipart/report; boundary=b\n\n--b\nContent-Type: text/plain\n\nSorry.\n--b\nContent-Type: %s\n\n%s\n--b\nContent-Type: text/rfc822-headers\n\nMessage-ID: <%s>\n\n--b--\n", media, fields, id), "\n", "\r\n")
}

func bounce(id, action, status string) string {
	return about(id, "message/delivery-status", "Reporting-MTA: dns; relay.example.net\n\nFinal-Recipient: rfc822; ann@example.com\nAction: "+action+"\nStatus: "+status+"\n")
}

func TestS118MailThatComesBackIsHeardOf(t *testing.T) {
	t.Parallel()
	harness.Stores(t, func(t *testing.T, store harness.Store) {
		t.Parallel()
		mails := newSink(t)
		config := fmt.Sprintf("channels:\n  email: { use: email, email: { addr: %q, from: \"Example <login@example.com>\", tls: none, report_secret: %s } }\n", mails.addr, relaySecret)
		s := harness.Start(t, harness.Options{Store: store, Mode: harness.Production, Policy: quick, Config: config})
		c := s.Client(t)
		r := relay{c: c, t: t}
		sent := 0
		begin := func() (challenge, message string) {
			challenge = ask(t, c, ann).Text("id")
			sent++
			waitFor(t, patient, "the message to leave", func() bool { return delivery(c, challenge) == "sent" && len(mails.ids(ann)) == sent })
			return challenge, mails.ids(ann)[sent-1]
		}
		id, message := begin()
		still := func(want, after string) {
			t.Helper()
			if d := delivery(c, id); d != want {
				t.Errorf("after %s: %s", after, d)
			}
		}
		now := time.Now()
		r.bring("whsec_"+strings.Repeat("QUJD", 8), bounce(message, "failed", "5.1.1"), now).WantCode(http.StatusForbidden, "forbidden")
		r.bring(relaySecret, bounce(message, "failed", "5.1.1"), now.Add(-time.Hour)).WantCode(http.StatusForbidden, "forbidden")
		c.Post("/receipts/email", bounce(message, "failed", "5.1.1")).WantCode(http.StatusForbidden, "forbidden")
		// What is too long may be cut off before it is all written: that is a refusal too.
		if a, err := r.try(relaySecret, bounce(message, "failed", "5.1.1")+strings.Repeat("x", 70_000), now); err == nil && !a.Is(http.StatusRequestEntityTooLarge, "too_large") {
			t.Errorf("a report of 70 kB: %s, want it refused", a)
		}
		r.bring(relaySecret, "\x00 garbage", now).Want(http.StatusNoContent)
		r.bring(relaySecret, bounce("another@example.com", "failed", "5.1.1"), now).Want(http.StatusNoContent)
		r.bring(relaySecret, bounce(message, "delayed", "4.4.1"), now).Want(http.StatusNoContent)
		still("sent", "all that is no bounce")
		for range 2 {
			r.bring(relaySecret, bounce(message, "failed", "5.1.1"), now).Want(http.StatusNoContent)
		}
		still("failed", "a bounce")
		r.bring(relaySecret, bounce(message, "delivered", "2.0.0"), now).Want(http.StatusNoContent)
		still("failed", "a report that is late")

		id, message = begin()
		for range 3 {
			r.bring(relaySecret, about(message, "message/feedback-report", "Feedback-Type: abuse\nVersion: 1\n"), now).Want(http.StatusNoContent)
		}
		still("delivered", "a complaint")
		if got := column(t, database(t, store), "SELECT data FROM events WHERE type = 'delivery.complained'"); len(got) != 1 || !strings.Contains(got[0], "email") || strings.Contains(got[0], ann) {
			t.Errorf("complaints: %q", got)
		}
		c.Verify(id, mails.code(ann, sent, sixDigits)).Tokens()
	})
}
