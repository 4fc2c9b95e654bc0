package e2e_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/countersign/countersign/test/harness"
)

// prompt is how long a request may take, whatever the carrier does.
const prompt = 3 * time.Second

// ask starts a challenge that must be answered promptly and not fail.
func ask(t *testing.T, c *harness.Client, to string) harness.Answer {
	t.Helper()
	began := time.Now()
	a := c.Post("/v1/challenges", map[string]string{"to": to}).Want(http.StatusAccepted)
	if took := time.Since(began); took > prompt {
		t.Errorf("the request took %s while the carrier was in trouble, want at most %s", took, prompt)
	}
	return a
}

func delivery(c *harness.Client, id string) string {
	return c.Get("/v1/challenges/" + id).Want(http.StatusOK).Text("delivery")
}

func TestS038ACarrierThatFailsAndComesBack(t *testing.T) {
	both(t, "", func(t *testing.T, _ *harness.Server, c *harness.Client) {
		c.Chaos("sms", 100, 0, http.StatusInternalServerError)
		asked := ask(t, c, anns)
		if d := delivery(c, asked.Text("id")); d != "queued" {
			t.Errorf("delivery is %q while the carrier fails, want queued", d)
		}
		c.Chaos("sms", 0, 0, 0)
		code := c.AwaitMessages(anns, 1)[0].Code
		waitFor(t, patient, "delivery is sent", func() bool { return delivery(c, asked.Text("id")) == "sent" })
		c.Verify(asked.Text("id"), code).Tokens()
		unsent(t, c, anns, 1)
	})
}

func TestS038ACarrierThatHangs(t *testing.T) {
	both(t, "", func(t *testing.T, _ *harness.Server, c *harness.Client) {
		c.Chaos("sms", 0, time.Minute, 0)
		asked := ask(t, c, anns)
		other := ask(t, c, ann) // another channel is not held up
		c.AwaitMessages(ann, 1)
		c.Verify(other.Text("id"), c.Messages(ann)[0].Code).Tokens()
		if d := delivery(c, asked.Text("id")); d != "queued" {
			t.Errorf("delivery is %q while the carrier hangs, want queued", d)
		}
		if n := len(c.Messages(anns)); n != 0 {
			t.Errorf("%d messages have arrived", n)
		}
		c.Chaos("sms", 0, 0, 0)
		var code string
		waitFor(t, 30*time.Second, "the message arrives", func() bool { // the try that hangs has to run out first
			if all := c.Messages(anns); len(all) > 0 {
				code = all[0].Code
			}
			return code != ""
		})
		c.Verify(asked.Text("id"), code).Tokens()
	})
}

func TestS038NothingIsSentAfterExpiry(t *testing.T) {
	both(t, "", func(t *testing.T, _ *harness.Server, c *harness.Client) {
		c.Chaos("sms", 100, 0, http.StatusServiceUnavailable)
		asked := ask(t, c, anns)
		c.Advance(6 * time.Minute)
		c.Chaos("sms", 0, 0, 0)
		waitFor(t, patient, "delivery has failed", func() bool { return delivery(c, asked.Text("id")) == "failed" })
		unsent(t, c, anns, 0)
		c.SignIn(anns)
		if n := len(c.Messages(anns)); n != 1 {
			t.Errorf("%d messages, want that of the new challenge only", n)
		}
	})
}

func TestS038AFinalFailureGivesTheCooldownBack(t *testing.T) {
	both(t, "challenge: { resend_after: 60s }", func(t *testing.T, _ *harness.Server, c *harness.Client) {
		c.Chaos("sms", 100, 0, http.StatusUnprocessableEntity) // the carrier will never take it
		asked := ask(t, c, anns)
		waitFor(t, patient, "delivery has failed", func() bool { return delivery(c, asked.Text("id")) == "failed" })
		asked = ask(t, c, anns) // not 429: nobody has received anything
		waitFor(t, patient, "delivery has failed", func() bool { return delivery(c, asked.Text("id")) == "failed" })
		c.Chaos("sms", 0, 0, 0)
		c.SignIn(anns)
		c.Post("/v1/challenges", map[string]string{"to": anns}).WantCode(http.StatusTooManyRequests, "cooldown")
	})
}

// production runs a scenario in production mode against a mail server.
func production(t *testing.T, policy string, scenario func(t *testing.T, s *harness.Server, c *harness.Client, mails *sink)) {
	t.Helper()
	t.Parallel()
	harness.Stores(t, func(t *testing.T, store harness.Store) {
		t.Parallel()
		mails := newSink(t)
		s := harness.Start(t, harness.Options{Store: store, Mode: harness.Production, SMTP: mails.addr, Policy: policy})
		scenario(t, s, s.Client(t), mails)
	})
}

const sixDigits = `[0-9]{6}`

func TestS038AMailServerThatIsDownAndComesBack(t *testing.T) {
	production(t, "", func(t *testing.T, _ *harness.Server, c *harness.Client, mails *sink) {
		mails.down()
		asked := ask(t, c, ann)
		if d := delivery(c, asked.Text("id")); d != "queued" {
			t.Errorf("delivery is %q while the mail server is down, want queued", d)
		}
		mails.up()
		c.Verify(asked.Text("id"), mails.code(ann, 1, sixDigits)).Tokens()
	})
}

func TestS038AMailServerThatHangsAndComesBack(t *testing.T) {
	production(t, "", func(t *testing.T, _ *harness.Server, c *harness.Client, mails *sink) {
		mails.hang()
		asked := ask(t, c, ann)
		if d := delivery(c, asked.Text("id")); d != "queued" {
			t.Errorf("delivery is %q while the mail server hangs, want queued", d)
		}
		mails.up()
		c.Verify(asked.Text("id"), mails.code(ann, 1, sixDigits)).Tokens()
	})
}

func TestS038NoMailAfterExpiry(t *testing.T) {
	production(t, "challenge: { life: 30s }", func(t *testing.T, _ *harness.Server, c *harness.Client, mails *sink) {
		mails.down()
		asked := ask(t, c, ann)
		waitFor(t, 45*time.Second, "delivery has failed", func() bool { return delivery(c, asked.Text("id")) == "failed" })
		mails.up()
		next := ask(t, c, bob)
		c.Verify(next.Text("id"), mails.code(bob, 1, sixDigits)).Tokens()
		if n := len(mails.texts(ann)); n != 0 {
			t.Errorf("%d messages whose code has run out, want none", n)
		}
		if a := c.Get("/v1/challenges/" + asked.Text("id")).Want(http.StatusOK); a.Text("delivery") != "failed" {
			t.Errorf("%s, want delivery failed", a)
		}
	})
}

func TestS038ARefusedRecipientGivesTheCooldownBack(t *testing.T) {
	production(t, "", func(t *testing.T, s *harness.Server, c *harness.Client, mails *sink) {
		mails.refuse(&smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such mailbox"})
		asked := ask(t, c, ann)
		waitFor(t, patient, "delivery has failed", func() bool { return delivery(c, asked.Text("id")) == "failed" })
		mails.refuse(nil)
		again := ask(t, c, ann)
		c.Verify(again.Text("id"), mails.code(ann, 1, sixDigits)).Tokens()
		if strings.Contains(s.Log(), ann) {
			t.Error("the log names the whole address")
		}
	})
}

func TestS038TheSecondServerSendsWhatACrashLeftBehind(t *testing.T) {
	t.Parallel()
	mails := newSink(t)
	mails.down()
	keys := harness.NewKeys(t)
	store := harness.Postgres(t)
	first := harness.Start(t, harness.Options{Store: store, Mode: harness.Production, SMTP: mails.addr, Keys: keys})
	asked := ask(t, first.Client(t), ann)
	waitFor(t, patient, "the first try has failed", func() bool { return strings.Contains(first.Log(), "was not sent") })
	first.Kill()
	mails.up()
	second := harness.Start(t, harness.Options{Store: store, Mode: harness.Production, SMTP: mails.addr, Keys: keys})
	waitFor(t, 45*time.Second, "the message arrives", func() bool { return len(mails.texts(ann)) > 0 })
	second.Client(t).Verify(asked.Text("id"), mails.code(ann, 1, sixDigits)).Tokens()
	if n := len(mails.texts(ann)); n != 1 {
		t.Errorf("%d messages, want one", n)
	}
}
