package email_test

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/plugins/email"
	"github.com/countersign/countersign/ports/channel"
	"github.com/countersign/countersign/ports/channel/channeltest"
)

func plainConfig(addr string) string {
	return fmt.Sprintf(`{"addr":%q,"from":"Example <login@example.com>","tls":"none"}`, addr)
}

func message() channel.Message {
	return channel.Message{
		Key: "outbox-7", To: "ann@example.com", Locale: "en", Subject: "Your code — Größe", Code: "482915",
		Text: "Your code is 482915.\n", HTML: "<p>Your code is <b>482915</b>.</p>", Link: "https://login.example.com/l/x",
	}
}

func TestConformance(t *testing.T) {
	s := serve(t, how{tls: "none"})
	channeltest.Run(t, channeltest.Suite{
		Plugin: email.Plugin(), Config: plainConfig(s.addr), Address: "ann@example.com", Respond: channeltest.TypeLastCode, Wire: plainConfig,
		Broken: map[string]string{
			"no server": `{"from":"a@b.example"}`, "no port": `{"addr":"smtp.example.com","from":"a@b.example"}`,
			"no sender": `{"addr":"smtp.example.com:587"}`, "a broken sender": `{"addr":"smtp.example.com:587","from":"nobody"}`,
			"a sender with a line break": `{"addr":"smtp.example.com:587","from":"a\r\nBcc: x <a@b.example>"}`,
			"plain text to elsewhere":    `{"addr":"smtp.example.com:25","from":"a@b.example","tls":"none"}`,
			"an unknown protection":      `{"addr":"smtp.example.com:25","from":"a@b.example","tls":"maybe"}`,
			"no password":                `{"addr":"smtp.example.com:587","from":"a@b.example","username":"u"}`,
			"no user name":               `{"addr":"smtp.example.com:587","from":"a@b.example","password":"hunter2hunter2"}`,
			"a port beyond ports":        `{"addr":"smtp.example.com:99999","from":"a@b.example"}`,
			"a file that is not there":   `{"addr":"smtp.example.com:587","from":"a@b.example","ca_file":"/nowhere.pem"}`,
			"a greeting of two lines":    `{"addr":"smtp.example.com:587","from":"a@b.example","helo":"a\r\nb"}`,
			"no connections":             `{"addr":"smtp.example.com:587","from":"a@b.example","connections":0}`,
		},
	})
}

//go:generate go test -run TestDocs -update .
func TestDocs(t *testing.T) { channeltest.Docs(t, email.Plugin()) }

func TestMessageArrivesWhole(t *testing.T) {
	srv := serve(t, how{tls: "none"})
	receipt, err := sender(t, plainConfig(srv.addr)).Send(t.Context(), message())
	if err != nil {
		t.Fatal(err)
	}
	_, mails := srv.seen()
	if len(mails) != 1 || mails[0].from != "login@example.com" || mails[0].to != "ann@example.com" {
		t.Fatalf("%d mails: %+v", len(mails), mails)
	}
	m, err := mail.ReadMessage(strings.NewReader(mails[0].raw))
	if err != nil {
		t.Fatal(err)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil || subject != message().Subject {
		t.Errorf("subject %q, %v", subject, err)
	}
	for name, want := range map[string]string{
		"Message-Id": "<outbox-7@example.com>", "Auto-Submitted": "auto-generated", "From": `"Example" <login@example.com>`,
		"To": "<ann@example.com>", "Content-Language": "en", "Date": "Fri, 15 Jan 2027 08:00:00 +0000",
	} {
		got := m.Header.Get(name)
		if at, err := mail.ParseDate(got); name == "Date" && err == nil {
			got = at.UTC().Format(time.RFC1123Z)
		}
		if got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if receipt.ID != "outbox-7@example.com" {
		t.Errorf("receipt %q", receipt.ID)
	}
	checkParts(t, m)
}

func checkParts(t *testing.T, m *mail.Message) {
	t.Helper()
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("%s, %v", kind, err)
	}
	parts := multipart.NewReader(m.Body, params["boundary"])
	for _, want := range []struct{ kind, body string }{{"text/plain", message().Text}, {"text/html", message().HTML}} {
		p, err := parts.NextRawPart()
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(quotedprintable.NewReader(p))
		got := strings.TrimSpace(strings.ReplaceAll(string(body), "\r\n", "\n"))
		if !strings.HasPrefix(p.Header.Get("Content-Type"), want.kind) || got != strings.TrimSpace(want.body) || err != nil {
			t.Errorf("%s: %q, %v", p.Header.Get("Content-Type"), body, err)
		}
	}
}

func TestEveryProtectionWorksAndInsists(t *testing.T) {
	for _, row := range []struct {
		server, client string
		trusted        bool
		want           error
	}{
		{"starttls", "starttls", true, nil}, {"tls", "tls", true, nil}, {"starttls", "opportunistic", true, nil}, {"none", "opportunistic", true, nil},
		{"none", "none", true, nil},
		{"none", "starttls", true, channel.ErrUnavailable}, {"none", "tls", true, channel.ErrUnavailable},
		{"starttls", "starttls", false, channel.ErrUnavailable}, {"tls", "tls", false, channel.ErrUnavailable}, {"starttls", "opportunistic", false, channel.ErrUnavailable},
	} {
		t.Run(fmt.Sprintf("%s to %s, trusted %t", row.client, row.server, row.trusted), func(t *testing.T) {
			srv := serve(t, how{tls: row.server, auth: true})
			ca := srv.caFile
			if !row.trusted {
				_, ca = certificate(t)
			}
			s := sender(t, fmt.Sprintf(`{"addr":%q,"from":"a@b.example","tls":%q,"ca_file":%q,"username":%q,"password":%q}`, srv.addr, row.client, ca, user, password))
			_, err := s.Send(t.Context(), message())
			if !errors.Is(err, row.want) {
				t.Errorf("%v", err)
			}
			if _, mails := srv.seen(); (len(mails) == 1) != (row.want == nil) {
				t.Errorf("%d mails", len(mails))
			}
		})
	}
}

func TestWrongPasswordIsTheOperatorsBusiness(t *testing.T) {
	srv := serve(t, how{tls: "starttls", auth: true})
	s := sender(t, fmt.Sprintf(`{"addr":%q,"from":"a@b.example","ca_file":%q,"username":%q,"password":"wrong-password"}`, srv.addr, srv.caFile, user))
	_, err := s.Send(t.Context(), message())
	if !errors.Is(err, channel.ErrRefused) || strings.Contains(err.Error(), "wrong-password") {
		t.Errorf("%v", err)
	}
	p, ok := channel.As[channel.Prober](s)
	if !ok || !errors.Is(p.Probe(t.Context()), channel.ErrRefused) {
		t.Error("the probe does not notice")
	}
}

func TestServerWithoutSignInIsTheOperatorsBusiness(t *testing.T) {
	srv := serve(t, how{tls: "starttls"})
	s := sender(t, fmt.Sprintf(`{"addr":%q,"from":"a@b.example","ca_file":%q,"username":%q,"password":%q}`, srv.addr, srv.caFile, user, password))
	if _, err := s.Send(t.Context(), message()); !errors.Is(err, channel.ErrRefused) {
		t.Errorf("%v", err)
	}
}

func TestRepliesAreSorted(t *testing.T) {
	throttled := func(err error) bool { _, ok := errors.AsType[*channel.ThrottledError](err); return ok }
	for name, row := range map[string]struct {
		script script
		want   func(error) bool
	}{
		"421 shutting down":            {script{onRcpt: reply(421, 4, 3, 2)}, is(channel.ErrUnavailable)},
		"451 local error":              {script{onRcpt: reply(451, 4, 3, 0)}, is(channel.ErrUnavailable)},
		"452 out of space, at the end": {script{onData: reply(452, 4, 3, 1)}, is(channel.ErrUnavailable)},
		"450 mailbox busy":             {script{onRcpt: reply(450, 4, 2, 0)}, is(channel.ErrUnavailable)},
		"450 greylisted":               {script{onRcpt: reply(450, 4, 7, 1)}, throttled},
		"451 too fast":                 {script{onMail: reply(451, 4, 7, 0)}, throttled},
		"550 no such mailbox":          {script{onRcpt: reply(550, 5, 1, 1)}, is(channel.ErrUndeliverable)},
		"550 disabled":                 {script{onRcpt: reply(550, 5, 2, 1)}, is(channel.ErrUndeliverable)},
		"551 moved":                    {script{onRcpt: reply(551, 5, 1, 6)}, is(channel.ErrUndeliverable)},
		"553 not a name":               {script{onRcpt: reply(553, 5, 1, 3)}, is(channel.ErrUndeliverable)},
		"550 policy":                   {script{onRcpt: reply(550, 5, 7, 1)}, is(channel.ErrRefused)},
		"554 policy, at the end":       {script{onData: reply(554, 5, 7, 1)}, is(channel.ErrRefused)},
		"554 just no":                  {script{onRcpt: reply(554, 5, 0, 0)}, is(channel.ErrRefused)},
		"550 for our own address":      {script{onMail: reply(550, 5, 1, 8)}, is(channel.ErrRefused)},
		"550 for a sender it dislikes": {script{onMail: reply(550, 5, 1, 0)}, is(channel.ErrRefused)},
		"530 sign in first":            {script{onMail: reply(530, 5, 7, 0)}, is(channel.ErrRefused)},
		"552 too big":                  {script{onData: reply(552, 5, 3, 4)}, is(channel.ErrRefused)},
	} {
		t.Run(name, func(t *testing.T) {
			srv := serve(t, how{tls: "none"})
			s := sender(t, plainConfig(srv.addr))
			srv.say(row.script)
			_, err := s.Send(t.Context(), message())
			if !row.want(err) {
				t.Errorf("%v", err)
			}
			if err != nil && (strings.Contains(err.Error(), "ann@") || strings.Contains(err.Error(), "482915")) {
				t.Errorf("the error quotes the server: %v", err)
			}
			srv.say(script{})
			if _, err := s.Send(t.Context(), message()); err != nil {
				t.Errorf("the next message suffers: %v", err)
			}
		})
	}
}

func TestNobodyAddsHeadersThroughAddressOrSubject(t *testing.T) {
	srv := serve(t, how{tls: "none"})
	s := sender(t, plainConfig(srv.addr))
	for _, to := range []string{
		"", "ann", "ann@example.com\r\nBcc: eve@example.com", "ann@example.com\nX: y", "ann@example.com,eve@example.com", "Ann <ann@example.com>",
		"<ann@example.com>", "ann@example.com ", "ann@example.com\x00", "ann@example.com> SIZE=1", "ann@example.com\u2028x",
	} {
		m := message()
		m.To = to
		if _, err := s.Send(t.Context(), m); !errors.Is(err, channel.ErrUndeliverable) {
			t.Errorf("to %q: %v", to, err)
		}
	}
	for _, subject := range []string{"x\r\nBcc: eve@example.com", "x\ny", "x\ry", "x\x00", "x\u0085y", "x\u2028y"} {
		m := message()
		m.Subject = subject
		if _, err := s.Send(t.Context(), m); !errors.Is(err, channel.ErrRefused) {
			t.Errorf("subject %q: %v", subject, err)
		}
	}
	for _, key := range []string{"x>\r\nBcc: eve@example.com", "a b", "", strings.Repeat("k", 65)} {
		m := message()
		m.Key = key
		one, err := s.Send(t.Context(), m)
		two, err2 := s.Send(t.Context(), m)
		if err != nil || err2 != nil || one != two || strings.ContainsAny(one.ID, "> \r\n") || !strings.HasSuffix(one.ID, "@example.com") {
			t.Errorf("key %q: %q, %q, %v, %v", key, one.ID, two.ID, err, err2)
		}
	}
	if _, mails := srv.seen(); len(mails) != 8 {
		t.Errorf("%d mails", len(mails))
	}
}
