package email_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/plugins/email"
	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/channel/channeltest"
	"github.com/countersign/countersign/ports/signature"
)

const reportSecret = "whsec_" + "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

// now is when the tests happen.
var now = time.Unix(1_800_000_000, 0)

func reportedConfig(addr string) string {
	return fmt.Sprintf(`{"addr":%q,"from":"Example <login@example.com>","tls":"none","bounces":"bounces@example.com","report_secret":%q}`, addr, reportSecret)
}

// tracker opens a channel that takes reports.
func tracker(tb testing.TB) channel.Tracker {
	tb.Helper()
	ch, err := email.Plugin().Open(tb.Context(), channeltest.Decoder(reportedConfig("127.0.0.1:1")), channel.Env{Now: func() time.Time { return now }})
	if err != nil {
		tb.Fatal(err)
	}
	t, ok := channel.As[channel.Tracker](ch)
	if !ok {
		tb.Fatal("the channel takes no reports")
	}
	return t
}

// brought is a request of a relay, signed.
func brought(tb testing.TB, media, body string, at time.Time) channel.Inbound {
	tb.Helper()
	keys, err := signature.ParseKeys(reportSecret)
	if err != nil {
		tb.Fatal(err)
	}
	in := channel.Inbound{Method: http.MethodPost, Header: signature.Sign(keys, "report-1", []byte(body), at), Body: []byte(body)}
	in.Header["Content-Type"] = []string{media}
	return in
}

// lines writes a mail as it is on the wire.
func lines(text string) string { return strings.ReplaceAll(strings.TrimLeft(text, "\n"), "\n", "\r\n") }

// notification is a mail as Postfix writes it, with these fields for the recipient.
func notification(recipient string) string {
	return lines(`
Return-Path: <>
From: MAILER-DAEMON@relay.example.net (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
To: bounces@example.com
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
	boundary="4Xk/1.relay.example.net"
Content-Transfer-Encoding: 8bit

This is a MIME-encapsulated message.

--4Xk/1.relay.example.net
Content-Description: Notification
Content-Type: text/plain; charset=utf-8

I'm sorry to have to inform you that your message could not be delivered.

--4Xk/1.relay.example.net
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; relay.example.net
Arrival-Date: Fri, 15 Jan 2027 08:00:00 +0000 (UTC)

Final-Recipient: rfc822; ann@example.com
` + recipient + `

--4Xk/1.relay.example.net
Content-Description: Undelivered Message Headers
Content-Type: text/rfc822-headers

From: "Example" <login@example.com>
To: <ann@example.com>
Message-ID: <outbox-7@example.com>

--4Xk/1.relay.example.net--
`)
}

const failedForGood = "Action: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 <ann@example.com>: unknown"

// complaint is a mail as RFC 5965 has it.
func complaint(kind string) string {
	return lines(`
From: <abusedesk@example.net>
Subject: FW: Your code
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="part1"

--part1
Content-Type: text/plain; charset="US-ASCII"

This is an email abuse report.

--part1
Content-Type: message/feedback-report

Feedback-Type: ` + kind + `
User-Agent: SomeGenerator/1.0
Version: 1

--part1
Content-Type: message/rfc822
Content-Disposition: inline

From: <login@example.com>
Message-ID: <outbox-7@example.com>
Subject: Your code

Your code is 482915.
--part1--
`)
}

func TestReportsOfRelaysAreRead(t *testing.T) {
	tr := tracker(t)
	bounce := notification(failedForGood)
	_, onlyBody, _ := strings.Cut(bounce, "\r\n\r\n")
	const envelope = "Original-Envelope-Id: outbox-8@example.com\nReporting-MTA"
	for name, row := range map[string]struct {
		body, id             string
		err                  error
		delivered, complains bool
	}{
		"a mailbox that is not there":       {body: bounce, err: channel.ErrUndeliverable},
		"with comments, in capitals":        {body: notification("Action: FAILED (hard)\nStatus: 5.2.1 (off)"), err: channel.ErrUndeliverable},
		"without a status":                  {body: notification("Action: failed"), err: channel.ErrUndeliverable},
		"a filter's":                        {body: notification("Action: failed\nStatus: 5.7.1"), err: channel.ErrRefused},
		"tried for days":                    {body: notification("Action: failed\nStatus: 4.4.1"), err: channel.ErrUnavailable},
		"arrived":                           {body: notification("Action: delivered\nStatus: 2.1.5"), delivered: true},
		"arrived in one of two places":      {body: notification(failedForGood + "\n\nFinal-Recipient: rfc822; b@c.example\nAction: delivered\nStatus: 2.0.0"), delivered: true},
		"a mailbox's line before":           {body: "From MAILER-DAEMON Fri Jan 15 08:00:00 2027\n" + bounce, err: channel.ErrUndeliverable},
		"lines of Unix":                     {body: strings.ReplaceAll(bounce, "\r\n", "\n"), err: channel.ErrUndeliverable},
		"the whole mail comes back":         {body: strings.Replace(bounce, "text/rfc822-headers", "message/rfc822", 1), err: channel.ErrUndeliverable},
		"only the envelope's name":          {body: strings.NewReplacer("Message-ID: <outbox-7@", "X: <", "Reporting-MTA", envelope).Replace(bounce), id: "outbox-8@example.com", err: channel.ErrUndeliverable},
		"in other letters (RFC 6533)":       {body: strings.NewReplacer("message/delivery-status", "message/global-delivery-status", "text/rfc822-headers", "message/global-headers").Replace(bounce), err: channel.ErrUndeliverable},
		"spam, they say":                    {body: complaint("abuse"), delivered: true, complains: true},
		"no spam, they say":                 {body: complaint("not-spam"), id: "none"},
		"delayed":                           {body: notification("Action: delayed\nStatus: 4.2.2"), id: "none"},
		"handed on":                         {body: notification("Action: relayed\nStatus: 2.1.9"), id: "none"},
		"somebody else's mail":              {body: strings.Replace(bounce, "outbox-7@example.com", "outbox-7@example.net", 1), id: "none"},
		"a name that is far too long":       {body: strings.Replace(bounce, "outbox-7@", strings.Repeat("x", 200)+"@", 1), id: "none"},
		"no name":                           {body: strings.Replace(bounce, "Message-ID:", "X:", 1), id: "none"},
		"a holiday":                         {body: "Subject: I am away\r\nAuto-Submitted: auto-replied\r\n\r\nUntil Monday.\r\n", id: "none"},
		"nothing":                           {body: "", id: "none"},
		"no mail":                           {body: "\x00\xff{}", id: "none"},
		"no boundary":                       {body: "Content-Type: multipart/report\r\n\r\nx", id: "none"},
		"cut in the middle of the fields":   {body: bounce[:strings.Index(bounce, "Action")], id: "none"},
		"another type":                      {body: strings.Replace(bounce, "multipart/report", "multipart/mixed", 1), id: "none"},
		"parts without an end":              {body: bounce[:strings.Index(bounce, "\r\n\r\n")] + "\r\n\r\n" + strings.Repeat("--4Xk/1.relay.example.net\r\n\r\nx\r\n", 2000), id: "none"},
		"fields that are no fields":         {body: strings.Replace(bounce, "Action: failed", "Action\x00failed", 1), id: "none"},
		"a report in a report is not asked": {body: notification("X: y") + bounce, id: "none"},
	} {
		got, err := tr.Track(t.Context(), brought(t, "message/rfc822", row.body, now))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if row.id == "none" {
			if len(got) != 0 {
				t.Errorf("%s: %+v", name, got)
			}
			continue
		}
		id := row.id
		if id == "" {
			id = "outbox-7@example.com"
		}
		if len(got) != 1 || got[0].Receipt.ID != id || !errors.Is(got[0].Err, row.err) || got[0].Delivered != row.delivered || got[0].Complained != row.complains {
			t.Errorf("%s: %+v", name, got)
		} else if row.err != nil && strings.Contains(got[0].Err.Error(), "ann@") {
			t.Errorf("%s: tells an address: %v", name, got[0].Err)
		}
	}
	got, err := tr.Track(t.Context(), brought(t, `multipart/report; boundary="4Xk/1.relay.example.net"`, onlyBody, now))
	if err != nil || len(got) != 1 || got[0].Err == nil {
		t.Errorf("the body alone: %+v, %v", got, err)
	}
}

func TestReportsThatNobodySignedAreForged(t *testing.T) {
	tr := tracker(t)
	body := notification(failedForGood)
	for name, change := range map[string]func(*channel.Inbound){
		"unsigned":          func(in *channel.Inbound) { in.Header = nil },
		"another body":      func(in *channel.Inbound) { in.Body = []byte(strings.Replace(body, "outbox-7", "outbox-8", 1)) },
		"another id":        func(in *channel.Inbound) { in.Header["Webhook-Id"] = []string{"report-2"} },
		"another signature": func(in *channel.Inbound) { in.Header["Webhook-Signature"] = []string{"v1,AAAA"} },
		"old":               func(in *channel.Inbound) { *in = brought(t, "message/rfc822", body, now.Add(-6*time.Minute)) },
		"from the future":   func(in *channel.Inbound) { *in = brought(t, "message/rfc822", body, now.Add(6*time.Minute)) },
	} {
		in := brought(t, "message/rfc822", body, now)
		change(&in)
		if got, err := tr.Track(t.Context(), in); !errors.Is(err, channel.ErrForged) || len(got) != 0 {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestReportsNeedASecretThatIsOne(t *testing.T) {
	config := strings.Replace(reportedConfig("127.0.0.1:1"), reportSecret, "hunter2hunter2", 1)
	_, err := email.Plugin().Open(t.Context(), channeltest.Decoder(config), channel.Env{})
	if err == nil || !strings.Contains(err.Error(), "report_secret") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v", err)
	}
	if _, ok := channel.As[channel.Tracker](sender(t, plainConfig("127.0.0.1:1"))); ok {
		t.Error("reports are waited for that nobody can sign")
	}
}

func TestServersAreToldWhatReportsShouldHold(t *testing.T) {
	srv := serve(t, how{tls: "none", dsn: true})
	for config, want := range map[string]received{
		plainConfig(srv.addr):    {from: "login@example.com"},
		reportedConfig(srv.addr): {from: "bounces@example.com", envelope: "outbox-7@example.com", returns: "HDRS"},
	} {
		if _, err := sender(t, config).Send(t.Context(), message()); err != nil {
			t.Fatal(err)
		}
		_, mails := srv.seen()
		last := mails[len(mails)-1]
		if last.from != want.from || last.envelope != want.envelope || last.returns != want.returns {
			t.Errorf("%s: %s, %s, %s", config, last.from, last.envelope, last.returns)
		}
	}
}

// The script that the documentation shows signs as we verify.
func TestRelaysCanBringReportsWithAScript(t *testing.T) {
	for _, tool := range []string{"sh", "openssl", "xxd", "base64"} {
		if _, err := exec.LookPath(tool); err != nil {
			if strings.Contains(os.Getenv("COUNTERSIGN_TEST_REQUIRE"), "openssl") {
				t.Fatal(tool + " is required, but not installed")
			}
			t.Skip(tool + " is not installed")
		}
	}
	bin, secret := t.TempDir(), t.TempDir()+"/secret"
	// In place of curl: keeps its arguments, and the file that is named by @.
	const curl = "#!/bin/sh\nfor a in \"$@\"; do printf '%s\\n' \"$a\"; done >\"$OUT/args\"\nfor a in \"$@\"; do case $a in @*) cat \"${a#@}\" >\"$OUT/body\";; esac; done\n"
	for path, content := range map[string]string{bin + "/curl": curl, secret: reportSecret + "\n"} {
		if err := os.WriteFile(path, []byte(content), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	body := notification(failedForGood)
	cmd := exec.CommandContext(t.Context(), "sh", "example/bring-report", "https://login.example.com/receipts/email", secret)
	cmd.Env = []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "OUT=" + bin}
	cmd.Stdin, cmd.Stderr = strings.NewReader(body), os.Stderr
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	args, err := os.ReadFile(bin + "/args")
	if err != nil {
		t.Fatal(err)
	}
	sent, err := os.ReadFile(bin + "/body")
	if err != nil || string(sent) != body || !strings.Contains(string(args), "https://login.example.com/receipts/email\n") || strings.Contains(string(args), "MDEy") {
		t.Errorf("%s, %v", args, err)
	}
	header := http.Header{}
	for line := range strings.Lines(string(args)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ": "); ok {
			header.Set(name, value)
		}
	}
	if err := signature.Verify(reportSecret, header, sent, time.Now()); err != nil {
		t.Errorf("%v: %s", err, args)
	}
}

func FuzzTrack(f *testing.F) {
	s := serve(f, how{tls: "none"})
	channeltest.FuzzTrack(f, channeltest.Suite{Plugin: email.Plugin(), Config: reportedConfig(s.addr), Address: "ann@example.com", Respond: channeltest.TypeLastCode})
}

// FuzzReport brings anything at all, rightly signed: it may be no report, but
// never trouble.
func FuzzReport(f *testing.F) {
	tr := tracker(f)
	f.Add("message/rfc822", notification(failedForGood))
	f.Add("message/rfc822", complaint("abuse"))
	f.Add(`multipart/report; boundary="part1"`, complaint("abuse"))
	f.Fuzz(func(t *testing.T, media, body string) {
		got, err := tr.Track(context.Background(), brought(t, media, body, now))
		if err != nil || len(got) > 1 {
			t.Errorf("%+v, %v", got, err)
		}
	})
}
